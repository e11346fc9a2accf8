"""What a charger wants said or done after something happened to it, in the words of no OCPP version. Pure.

`tx` is the station's own number of a transaction; the CSMS's id may come much later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from simulator.meter import Sample


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """A connector (0 is the station) has this status from `at` on."""

    connector_id: int
    status: str
    error_code: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AuthorizationWanted:
    """A driver presented `id_tag`; the charger waits for `Charger.authorization`."""

    connector_id: int
    id_tag: str


@dataclass(frozen=True, slots=True)
class TransactionStarted:
    """Energy may flow from `at` on."""

    tx: int
    connector_id: int
    id_tag: str
    meter_start_wh: int
    at: datetime
    reservation_id: int | None


@dataclass(frozen=True, slots=True)
class MeterSampled:
    """The meter of a connector was read; `tx` None outside a transaction. `id_offset` is added to the id that it is told under."""

    connector_id: int
    tx: int | None
    samples: tuple[Sample, ...]
    id_offset: int = 0


@dataclass(frozen=True, slots=True)
class TransactionStopped:
    """The transaction is over; `id_tag` is the one that ended it, if any did."""

    tx: int
    meter_stop_wh: int
    at: datetime
    reason: str
    id_tag: str | None = None
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class CableAwaited:
    """A driver is authorized on a connector without an EV: plug one in before ConnectionTimeOut."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class FirmwareStatus:
    """A firmware update came this far."""

    status: str


@dataclass(frozen=True, slots=True)
class DiagnosticsStatus:
    """An upload of diagnostics came this far."""

    status: str


@dataclass(frozen=True, slots=True)
class RebootWanted:
    """The station has to disconnect and boot; transactions have been stopped already."""

    hard: bool


Output = (
    StatusChanged
    | AuthorizationWanted
    | TransactionStarted
    | MeterSampled
    | TransactionStopped
    | CableAwaited
    | FirmwareStatus
    | DiagnosticsStatus
    | RebootWanted
)
TransactionOutput = TransactionStarted | MeterSampled | TransactionStopped
