"""The register map of a Modbus meter, as the tables [[register]] of a site file give it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from optivgi.document import Must, number

POWERS = ("power_l1", "power_l2", "power_l3")
CURRENTS = ("current_l1", "current_l2", "current_l3")
QUANTITIES = ("power", *POWERS, *CURRENTS)
"""What a site meter shows: over all phases, or on each."""
MARKS = ("time", "sequence")
"""What a meter tells of its own life: when it measured, or a number that changes with each reading."""

TYPES = ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
HOLDING, INPUT = "holding", "input"
BIG, LITTLE = "big", "little"


@dataclass(frozen=True, slots=True)
class Register:
    """Where one quantity is: `address` counts from 0, `word_order` says which word of several comes first.

    The number there times `scale` is in METER_UNIT for powers and in amperes for currents.
    """

    value: str
    address: int
    type: str = "float32"
    kind: str = HOLDING
    word_order: str = BIG
    scale: float = 1.0


def _one_of(choices: Collection[str], example: str, *, required: bool = False) -> Must:
    def read(value: object) -> object:
        if value not in choices:
            raise ValueError
        return value

    return Must(f"one of {', '.join(choices)}", example, read, required)


FIELDS: Mapping[str, Must] = {
    "value": _one_of((*QUANTITIES, "sequence"), "power", required=True),
    "address": number("a register's number from 0 to 65535", 40087, high=65_535, whole=True, required=True),
    "type": _one_of(TYPES, "float32"),
    "kind": _one_of((HOLDING, INPUT), HOLDING),
    "word_order": _one_of((BIG, LITTLE), BIG),
    "scale": number("a number other than 0 from -1000000 to 1000000", 0.1, -1e6, 1e6),
}


def register(given: Mapping[str, Any]) -> Register:
    """From the sound fields of one table."""
    return Register(**given)


def lacking(names: Collection[str]) -> str:
    """What is missing for a power to be known; empty if nothing is."""
    if "power" in names or all(name in names for name in POWERS) or all(name in names for name in CURRENTS):
        return ""
    return "no power: give power, or all of power_l1 to power_l3, or all of current_l1 to current_l3"
