"""An EV as the optimizer sees it: what is plugged in where, what it needs, by when, and what it does now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from optivgi.model.charging_profile import RateUnit


@dataclass(frozen=True, slots=True)
class EV:
    """One EV in an active transaction.

    `min_kw` is the least it can charge with: its power is 0 or between `min_kw` and `max_kw`. `energy_needed_kwh` is what
    is left to deliver (>= 0). `departure` None means that nobody said; `phases` are the site's phases it draws from.
    `measured_*` are the newest meter sample and its time; None means never metered, which is not 0.
    """

    ev_id: str
    station_id: str
    connector_id: int
    transaction_id: str
    arrival: datetime
    departure: datetime | None
    energy_needed_kwh: float
    delivered_kwh: float
    min_kw: float
    max_kw: float
    voltage_v: float
    phases: tuple[str, ...] = ("L1",)
    circuit: str = "site"
    priority: float = 1.0
    unit: RateUnit = RateUnit.A
    suspended_by_ev: bool = False
    measured_kw: float | None = None
    measured_at: datetime | None = None
    step_a: float = 0.0
    """Its limit is a whole multiple of this; 0 means any value."""

    @property
    def volts(self) -> float:
        """Watts per ampere of its limit: the voltage times the number of phases."""
        return self.voltage_v * len(self.phases)


@dataclass(frozen=True, slots=True)
class Connector:
    """One connector of the site, with or without an EV. `booted_at` changes when its station boots again.

    `vendor`, `model` and `firmware` are what its station says of itself, empty if nothing; `clock_skew_s` is by how much
    the station's clock is ahead (negative: behind), 0 unless it is clearly off; `late_s` is how much later its fastest message
    came than it says, so that its clock may be behind by no more than that.
    """

    station_id: str
    connector_id: int
    online: bool
    status: str
    booted_at: datetime | None
    min_kw: float
    max_kw: float
    voltage_v: float
    phases: tuple[str, ...] = ("L1",)
    circuit: str = "site"
    unit: RateUnit = RateUnit.A
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    clock_skew_s: float = 0.0
    late_s: float = 0.0

    @property
    def key(self) -> tuple[str, int]:
        return self.station_id, self.connector_id

    @property
    def volts(self) -> float:
        """Watts per ampere of its limit: the voltage times the number of phases."""
        return self.voltage_v * len(self.phases)
