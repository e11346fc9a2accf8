"""A meter behind an MQTT broker: a real client on a real connection, whatever the broker does."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from optivgi.clock import WallClock
from optivgi.site_meter.fields import JsonFields
from optivgi.site_meter.mqtt import MqttMeter
from optivgi.translation.backoff import Backoff
from tests.site_meter.ear import listening
from tests.site_meter.tiny_broker import TinyBroker, serving

TOPIC = "site/meter"
AT_ONCE = Backoff(first_s=0.01, limit_s=0.01)


def a_meter(broker: TinyBroker, fields: JsonFields | None = None, **options: Any) -> MqttMeter:
    return MqttMeter("localhost", broker.port, TOPIC, fields or JsonFields(), WallClock(), backoff=AT_ONCE, **options)


async def test_what_is_published_is_read_and_nonsense_is_named() -> None:
    async with serving(TinyBroker()) as broker, listening(a_meter(broker)) as ear:
        await broker.subscribed.wait()
        broker.publish(TOPIC, b"12345.6")
        assert (await ear.next_reading()).kw == pytest.approx(12.3456)
        broker.publish(TOPIC, b"NaN")
        assert "no number" in await ear.next_doubt()
        broker.publish(TOPIC, b"\xff\xfe")
        assert "is no JSON" in await ear.next_doubt()
        broker.publish(TOPIC, b"-500")
        assert (await ear.next_reading()).kw == -0.5


async def test_it_connects_again_by_itself() -> None:
    async with serving(TinyBroker()) as broker, listening(a_meter(broker)) as ear:
        await broker.subscribed.wait()
        broker.drop()
        assert "no connection to its broker" in await ear.next_doubt()
        await broker.subscribed.wait()
        broker.publish(TOPIC, b"1000")
        assert (await ear.next_reading()).kw == 1.0


async def test_a_retained_message_counts_only_with_its_own_time() -> None:
    async with serving(TinyBroker()) as broker:
        broker.publish(TOPIC, b'{"w": 1000, "t": "2026-03-03T08:00:00Z"}', retain=True)
        async with listening(a_meter(broker, JsonFields({"power": "w"}))) as ear:
            assert "retained message of unknown age" in await ear.next_doubt()
        async with listening(a_meter(broker, JsonFields({"power": "w", "time": "t"}))) as ear:
            assert (await ear.next_reading()).at.isoformat() == "2026-03-03T08:00:00+00:00"


async def test_user_and_password_are_shown_and_a_wrong_one_is_told() -> None:
    async with serving(TinyBroker("meter", "secret")) as broker:
        async with listening(a_meter(broker, user="meter", password="secret")) as ear:
            await broker.subscribed.wait()
            broker.publish(TOPIC, b"1000")
            assert (await ear.next_reading()).kw == 1.0
        async with listening(a_meter(broker, user="meter", password="wrong")) as ear:
            assert "uthor" in await ear.next_doubt() or "assword" in await ear.next_doubt()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A key and its self-signed certificate for localhost."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    try:
        subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return key, certificate


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_over_tls_the_brokers_certificate_must_be_trusted(certificate: tuple[Path, Path]) -> None:
    """The library leaves the socket of a failed handshake to the garbage collector, which warns of it."""
    key, shown = certificate
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(shown, key)
    async with serving(TinyBroker(), tls) as broker:
        async with listening(a_meter(broker, tls=True)) as ear:
            assert "CERTIFICATE_VERIFY_FAILED" in await ear.next_doubt()
        async with listening(a_meter(broker, tls=True, ca_file=str(shown))) as ear:
            await broker.subscribed.wait()
            broker.publish(TOPIC, b"1000")
            assert (await ear.next_reading()).kw == 1.0
