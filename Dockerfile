# One image for every part: the command says which (csms, run, simulate, verify, doctor).
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    MPLCONFIGDIR=/tmp/matplotlib

WORKDIR /app

COPY pyproject.toml README.md LICENSE ./
COPY optivgi optivgi
COPY csms csms
COPY simulator simulator
RUN pip install '.[speed]' && rm -rf optivgi csms simulator build *.egg-info

COPY scenarios scenarios
COPY verify.py ./

RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin optivgi
USER optivgi

EXPOSE 8080 8090 8092

# For the CSMS; the other parts override it in docker-compose.yml.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/health', timeout=4)"]

ENTRYPOINT ["optivgi"]
CMD ["csms"]
