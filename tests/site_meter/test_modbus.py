"""A meter behind Modbus TCP: pymodbus' own server with the registers of a real meter."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from optivgi.clock import WallClock
from optivgi.limits.registers import INPUT, LITTLE, Register
from optivgi.site_meter.fields import Scale
from optivgi.site_meter.modbus import ModbusMeter
from tests.site_meter.ear import listening


def words(kind: str, value: float) -> list[int]:
    """`value` as 16-bit registers, high word first."""
    raw = struct.pack(f">{kind}", value)
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


@pytest.fixture
def port() -> int:
    """One that is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@asynccontextmanager
async def serving(registers: list[int], port: int) -> AsyncIterator[None]:
    """Unit 3 has `registers` from address 100 on, holding and input alike."""
    device = SimDevice(3, simdata=[SimData(100, values=registers, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(device, address=("127.0.0.1", port))
    await server.listen()
    try:
        yield
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


def a_meter(port: int, *registers: Register, unit_id: int = 3, scale: Scale | None = None) -> ModbusMeter:
    return ModbusMeter("127.0.0.1", port, unit_id, registers, scale or Scale(), WallClock(), poll_s=0.01, timeout_s=0.5)


@pytest.mark.parametrize(
    ("stored", "register", "kw"),
    [
        (words("f", 12345.0), Register("power", 100), 12.345),
        (words("f", -12345.0)[::-1], Register("power", 100, word_order=LITTLE), -12.345),
        (words("i", -4200), Register("power", 100, "int32", INPUT, scale=0.1), -0.42),
        (words("h", 150), Register("power", 100, "int16", scale=10), 1.5),
        (words("d", 777.0), Register("power", 100, "float64"), 0.777),
        (words("I", 3_000_000_000)[::-1], Register("power", 100, "uint32", word_order=LITTLE, scale=1e-6), 3.0),
    ],
)
async def test_every_kind_of_number_is_read(port: int, stored: list[int], register: Register, kw: float) -> None:
    async with serving(stored, port), listening(a_meter(port, register)) as ear:
        assert (await ear.next_reading()).kw == pytest.approx(kw, rel=1e-6)


async def test_phases_of_their_own_add_up(port: int) -> None:
    lines = [*words("f", 1000.0), *words("f", 2000.0), *words("f", -500.0)]
    registers = [Register(f"power_l{line}", 98 + 2 * line) for line in (1, 2, 3)]
    async with serving(lines, port), listening(a_meter(port, *registers, scale=Scale(voltage_v=250))) as ear:
        reading = await ear.next_reading()
    assert reading.kw == pytest.approx(2.5)
    assert reading.amps == pytest.approx((4.0, 8.0, -2.0))


async def test_not_a_number_is_not_believed(port: int) -> None:
    async with serving(words("f", float("nan")), port), listening(a_meter(port, Register("power", 100))) as ear:
        assert "power is nan" in await ear.next_doubt()


async def test_an_exception_is_named_with_its_register(port: int) -> None:
    async with serving(words("f", 1.0), port), listening(a_meter(port, Register("power", 5000))) as ear:
        assert "register 5000 (power)" in await ear.next_doubt()


async def test_it_connects_again_after_the_server_was_away(port: int) -> None:
    register = Register("power", 100)
    async with serving(words("f", 1000.0), port):
        meter = a_meter(port, register)
        async with listening(meter) as ear:
            assert (await ear.next_reading()).kw == 1.0
    async with listening(a_meter(port, register)) as ear:
        assert "cannot be reached" in await ear.next_doubt()
        async with serving(words("f", 2000.0), port):
            assert (await ear.next_reading()).kw == 2.0
