"""One connector: what is plugged in, who is authorized, its transaction and meter, and the status that follows. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from optivgi.model.charging_profile import ChargingProfile
from optivgi.model.composite import Transaction
from simulator.meter import Reading, Sample
from simulator.vehicle import Vehicle

LEAST_PILOT_A = 6.0
"""The least current that a control pilot can offer (IEC 61851-1)."""

TRANSITIONS: dict[str, frozenset[str]] = {
    "Available": frozenset(
        {"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Reserved", "Unavailable", "Faulted"}
    ),
    "Preparing": frozenset({"Available", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Faulted"}),
    "Charging": frozenset({"Available", "SuspendedEV", "SuspendedEVSE", "Finishing", "Unavailable", "Faulted"}),
    "SuspendedEV": frozenset({"Available", "Charging", "SuspendedEVSE", "Finishing", "Unavailable", "Faulted"}),
    "SuspendedEVSE": frozenset({"Available", "Charging", "SuspendedEV", "Finishing", "Unavailable", "Faulted"}),
    "Finishing": frozenset({"Available", "Preparing", "Unavailable", "Faulted"}),
    "Reserved": frozenset({"Available", "Preparing", "Unavailable", "Faulted"}),
    "Unavailable": frozenset({"Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Faulted"}),
    "Faulted": frozenset(
        {
            "Available",
            "Preparing",
            "Charging",
            "SuspendedEV",
            "SuspendedEVSE",
            "Finishing",
            "Reserved",
            "Unavailable",
        }
    ),
}
"""The changes of status that OCPP 1.6 section 4.9 allows."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """A driver who may start a transaction; `profile` came with a remote start."""

    id_tag: str
    profile: ChargingProfile | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """Kept for a driver until `expiry`."""

    reservation_id: int
    id_tag: str
    parent: str | None
    expiry: datetime

    def is_for(self, id_tag: str, parent: str | None) -> bool:
        """Whether this driver may use it."""
        same = id_tag.casefold() == self.id_tag.casefold()
        return same or (parent is not None and self.parent is not None and parent.casefold() == self.parent.casefold())


@dataclass(slots=True)
class ActiveTransaction:
    """A transaction in progress. `transaction_id` is the CSMS's, once it is known; `allowed` False: energy withheld."""

    tx: int
    id_tag: str
    start: datetime
    transaction_id: str | None = None
    allowed: bool = True
    samples: list[Sample] = field(default_factory=list)

    @property
    def for_profiles(self) -> Transaction:
        """The same in the words of the composite schedule."""
        return Transaction(self.transaction_id, self.start)


@dataclass(slots=True)
class Connector:
    """The state of one connector; what it means together is its `status`."""

    connector_id: int
    voltage_v: float
    energy_wh: float
    vehicle: Vehicle | None = None
    asked: Authorized | None = None
    """Whom the CSMS has been asked about."""
    authorized: Authorized | None = None
    transaction: ActiveTransaction | None = None
    reservation: Reservation | None = None
    operative: bool = True
    inoperative_later: bool = False
    finishing: bool = False
    error_code: str = "NoError"
    offered_a: float = 0.0
    reported: tuple[str, str] | None = None
    """Status and error code as last said; None makes it be said again."""

    @property
    def status(self) -> str:
        """OCPP 1.6 ChargePointStatus."""
        if self.error_code != "NoError":
            return "Faulted"
        if self.transaction is not None:
            return self._charging_status()
        if not self.operative:
            return "Unavailable"
        if self.vehicle is not None and self.finishing:
            return "Finishing"
        if self.vehicle is not None or self.authorized is not None:
            return "Preparing"
        return "Available" if self.reservation is None else "Reserved"

    @property
    def pilot_a(self) -> float:
        """The current that the EV sees: the offer, or 0 when a pilot cannot signal it."""
        return self.offered_a if self.offered_a >= LEAST_PILOT_A - 1e-9 else 0.0

    @property
    def power_kw(self) -> float:
        """What flows now."""
        return 0.0 if self.vehicle is None else self.vehicle.power_kw

    def flow(self, seconds: float, now: datetime) -> datetime | None:
        """Lets time pass from `now` on; when the EV stopped by itself, the instant of that."""
        if self.vehicle is None or (self.transaction is None and self.vehicle.power_kw == 0):
            return None
        drawn = self.vehicle.advance(seconds, self.pilot_a)
        self.energy_wh += drawn.energy_kwh * 1000
        return None if drawn.stopped_after_s is None else now + timedelta(seconds=drawn.stopped_after_s)

    def reading(self) -> Reading:
        """The meter now."""
        car = self.vehicle
        return Reading(
            energy_wh=self.energy_wh,
            power_kw=self.power_kw,
            current_a=0.0 if car is None else car.current_a,
            offered_a=self.pilot_a,
            voltage_v=self.voltage_v,
            phases=1 if car is None else car.phases,
            soc=None if car is None else car.soc,
        )

    def _charging_status(self) -> str:
        if self.vehicle is None:
            return "SuspendedEV"
        if self.pilot_a == 0:
            return "SuspendedEVSE"
        return "Charging" if self.vehicle.charges_at(self.pilot_a) else "SuspendedEV"
