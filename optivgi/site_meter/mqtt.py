"""A site meter that publishes its readings to an MQTT broker."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

import aiomqtt

from optivgi.model.clock import Clock
from optivgi.site_meter.base import Doubtful, Listener
from optivgi.site_meter.fields import JsonFields
from optivgi.translation.backoff import Backoff

KEEPALIVE_S = 10
"""Real seconds after which a connection that went dead without a word is noticed."""


@dataclass(frozen=True, slots=True)
class MqttMeter:
    """A MeterSource that subscribes to `topic`; with `tls` the broker must show a certificate that is trusted."""

    host: str
    port: int
    topic: str
    fields: JsonFields
    clock: Clock
    user: str | None = None
    password: str | None = None
    tls: bool = False
    ca_file: str | None = None
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.5, limit_s=15.0))

    async def follow(self, listener: Listener) -> None:
        failures = 0
        while True:
            try:
                async with self._client() as client:
                    await client.subscribe(self.topic, qos=1)
                    async for message in client.messages:
                        failures = 0
                        self._take(message, listener)
            except aiomqtt.MqttError as error:
                listener.doubt(f"no connection to its broker {self.host}:{self.port} ({error})")
            failures += 1
            await self.clock.sleep(self.backoff.delay_s(failures))

    def _client(self) -> aiomqtt.Client:
        return aiomqtt.Client(
            self.host,
            self.port,
            username=self.user,
            password=self.password,
            keepalive=KEEPALIVE_S,
            timeout=KEEPALIVE_S,
            tls_context=ssl.create_default_context(cafile=self.ca_file) if self.tls else None,
        )

    def _take(self, message: aiomqtt.Message, listener: Listener) -> None:
        """A retained message may be of any age: it only counts if it tells its own time."""
        if message.retain and "time" not in self.fields.paths:
            listener.doubt(
                "so far only a retained message of unknown age: it must publish, or give time in METER_FIELDS"
            )
            return
        payload = message.payload
        try:
            if not isinstance(payload, bytes | bytearray):
                raise Doubtful(f"its message is {payload!r}, which is no text")
            listener.reading(self.fields.reading(bytes(payload), self.clock.now()))
        except Doubtful as doubt:
            listener.doubt(str(doubt))
