"""A site meter that is read over Modbus TCP, by a map of its registers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from optivgi.limits.registers import INPUT, LITTLE, MARKS, Register
from optivgi.model.clock import Clock
from optivgi.site_meter.base import Doubtful, Listener, Reading
from optivgi.site_meter.fields import Scale

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ModbusMeter:
    """A MeterSource that reads `registers` every `poll_s`, one after the other, and connects again whenever it must."""

    host: str
    port: int
    unit_id: int
    registers: Sequence[Register]
    scale: Scale
    clock: Clock
    poll_s: float = 2.0
    timeout_s: float = TIMEOUT_S

    async def follow(self, listener: Listener) -> None:
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        client = AsyncModbusTcpClient(self.host, port=self.port, timeout=self.timeout_s, retries=0, reconnect_delay=0.0)
        try:
            while True:
                try:
                    listener.reading(await self._read(client))
                except Doubtful as doubt:
                    client.close()
                    listener.doubt(str(doubt))
                await self.clock.sleep(self.poll_s)
        finally:
            client.close()

    async def _read(self, client: AsyncModbusTcpClient) -> Reading:
        try:
            async with asyncio.timeout(self.timeout_s * (1 + len(self.registers))):
                if not client.connected and not await client.connect():
                    raise Doubtful(f"{self.host}:{self.port} cannot be reached: check METER_URL")
                found = {register.value: await self._value(client, register) for register in self.registers}
        except (ModbusException, TimeoutError, OSError) as error:
            raise Doubtful(f"it does not answer: {str(error) or type(error).__name__}") from None
        mark = next((found[name] for name in MARKS if name in found), None)
        numbers = {name: value for name, value in found.items() if name not in MARKS}
        return self.scale.reading(numbers, self.clock.now(), mark)

    async def _value(self, client: AsyncModbusTcpClient, register: Register) -> float:
        kind = client.DATATYPE[register.type.upper()]
        read = client.read_input_registers if register.kind == INPUT else client.read_holding_registers
        answer = await read(register.address, count=kind.value[1], device_id=self.unit_id)
        if answer.isError():
            raise Doubtful(f"register {register.address} ({register.value}): it answers {answer}")
        if len(answer.registers) != kind.value[1]:
            raise Doubtful(f"register {register.address} ({register.value}): {len(answer.registers)} words came back")
        words = list(reversed(answer.registers)) if register.word_order == LITTLE else answer.registers
        raw = client.convert_from_registers(words, kind)
        if not isinstance(raw, int | float):
            raise Doubtful(f"register {register.address} ({register.value}) is {raw!r}, which is no number")
        return raw * register.scale
