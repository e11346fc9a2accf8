"""A site meter that answers HTTP requests with JSON."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

import httpx

from optivgi.model.clock import Clock
from optivgi.site_meter.base import Doubtful, Listener, Reading
from optivgi.site_meter.fields import JsonFields

TIMEOUT_S = 5.0
"""Real seconds for the whole answer, however slowly it comes."""
MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class HttpJsonMeter:
    """A MeterSource that asks `url` every `poll_s`. A user and password in the address are sent as Basic authentication."""

    url: str
    fields: JsonFields
    clock: Clock
    poll_s: float = 2.0
    ca_file: str | None = None
    timeout_s: float = TIMEOUT_S

    async def follow(self, listener: Listener) -> None:
        async with httpx.AsyncClient(follow_redirects=False, verify=_trust(self.ca_file)) as http:
            while True:
                try:
                    listener.reading(await self._ask(http))
                except Doubtful as doubt:
                    listener.doubt(str(doubt))
                await self.clock.sleep(self.poll_s)

    async def _ask(self, http: httpx.AsyncClient) -> Reading:
        """Redirects are not followed: they would take the password elsewhere."""
        body = b""
        try:
            async with asyncio.timeout(self.timeout_s), http.stream("GET", self.url) as response:
                if response.has_redirect_location:
                    raise Doubtful(f"it answers {response.status_code} and points elsewhere: name the final METER_URL")
                if not response.is_success:
                    raise Doubtful(f"it answers {response.status_code}: check METER_URL")
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise Doubtful(f"its answer is longer than {MOST_BYTES} bytes: check METER_URL")
        except TimeoutError:
            raise Doubtful(f"no answer within {self.timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise Doubtful(f"it cannot be reached: {str(error) or type(error).__name__}") from None
        return self.fields.reading(body, self.clock.now())


def _trust(ca_file: str | None) -> ssl.SSLContext | bool:
    return True if ca_file is None else ssl.create_default_context(cafile=ca_file)
