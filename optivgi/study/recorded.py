"""Sessions from what a CSMS recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from optivgi.errors import SettingsError
from optivgi.model.history import History, Register, Transaction
from optivgi.model.problem import PHASES
from optivgi.study.session import Session, in_order


@dataclass(frozen=True, slots=True)
class Powers:
    """What the EVs at a connector can take, as configured."""

    min_kw: float
    max_kw: float
    phases: int = 1


PowersOf = Callable[[str, int], Powers]
"""Station id and connector number -> what its EVs can take."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The sessions that a history tells of, and in words which transactions could not become one."""

    sessions: tuple[Session, ...]
    left_out: tuple[str, ...]


def recorded_sessions(history: History, powers: PowersOf) -> Recorded:
    """Each transaction that ended as a session. The energy it delivered counts as what its EV would take.

    Raises SettingsError when there is none.
    """
    sessions: list[Session] = []
    left_out: list[str] = []
    registers: dict[int, list[Register]] = {}
    for sample in history.samples:
        if sample.register is not None:
            registers.setdefault(sample.transaction_row_id, []).append(sample.register)
    for tx in history.transactions:
        energy_kwh = _energy_kwh(tx, registers.get(tx.row_id, []))
        if tx.end is None or tx.end <= tx.start:
            left_out.append(f"transaction {tx.transaction_id} of {tx.station_id}: it has not ended")
        elif energy_kwh is None:
            left_out.append(f"transaction {tx.transaction_id} of {tx.station_id}: fewer than two register readings")
        else:
            sessions.append(_session(tx, tx.end, energy_kwh, powers(tx.station_id, tx.connector_id)))
    if not sessions:
        raise SettingsError(
            "the CSMS recorded 0 transactions with an end and an energy; a study needs at least 1: "
            "let EVs charge first, or name a file of sessions",
            *left_out,
        )
    return Recorded(in_order(sessions), tuple(left_out))


def _session(tx: Transaction, end: datetime, energy_kwh: float, powers: Powers) -> Session:
    return Session(
        arrival=tx.start,
        departure=end,
        energy_kwh=energy_kwh,
        max_kw=powers.max_kw,
        min_kw=min(powers.min_kw, powers.max_kw),
        stated_departure=None,
        phases=PHASES[: powers.phases],
        station_id=tx.station_id,
        connector_id=tx.connector_id,
    )


def _energy_kwh(tx: Transaction, sampled: list[Register]) -> float | None:
    """What its registers say was delivered; None if they do not."""
    readings = [one.energy_wh for one in (tx.meter_start, *sampled, tx.meter_stop) if one is not None]
    return (max(readings) - min(readings)) / 1000.0 if len(readings) > 1 else None
