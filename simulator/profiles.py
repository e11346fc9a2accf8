"""A station's charging profiles: which it accepts, which replace which, which go when. OCPP 1.6 rules. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from optivgi.model.charging_profile import ChargingProfile, Kind, Purpose, RateUnit
from optivgi.model.composite import Transaction, next_change_after

STATION = 0
"""The connector number that stands for the whole station."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the station says of itself in its smart charging configuration keys.

    `lenient` accepts what much of the field sends against the rules: an Absolute or Recurring schedule without a start and a
    TxProfile without transactionId.
    """

    max_stack_level: int = 8
    max_periods: int = 24
    max_installed: int = 16
    units: tuple[RateUnit, ...] = (RateUnit.A, RateUnit.W)
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a profile is not accepted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Installed:
    """A profile at a connector; `set_at` is the connector number that the command named."""

    profile: ChargingProfile
    set_at: int


class ProfileStore:
    """The installed profiles per connector; a TxDefaultProfile for connector 0 is kept as a copy at every connector."""

    def __init__(self, connectors: int, capabilities: Capabilities | None = None) -> None:
        self.capabilities = capabilities or Capabilities()
        self._installed: dict[int, list[Installed]] = {n: [] for n in range(connectors + 1)}

    def of_connector(self, connector_id: int) -> tuple[ChargingProfile, ...]:
        """Default and transaction profiles of a connector; for 0 the station's maxima."""
        return tuple(entry.profile for entry in self._installed[connector_id])

    @property
    def of_station(self) -> tuple[ChargingProfile, ...]:
        """The station's maxima."""
        return self.of_connector(STATION)

    @property
    def profile_ids(self) -> frozenset[int]:
        """The ids installed anywhere; copies of one profile count once against MaxChargingProfilesInstalled."""
        return frozenset(entry.profile.profile_id for stack in self._installed.values() for entry in stack)

    def everything(self) -> Iterator[tuple[int, Installed]]:
        """What is installed, each with the connector where it is."""
        return ((number, entry) for number, stack in self._installed.items() for entry in stack)

    def put_back(self, entries: Iterable[tuple[int, Installed]]) -> None:
        """Installs what `everything` gave once; places that there are not any more are left out."""
        for number, entry in entries:
            if number in self._installed:
                self._installed[number].append(entry)

    def install(self, connector_id: int, profile: ChargingProfile, transaction_id: str | None) -> Refusal | None:
        """Installs `profile`, replacing what it has to, or says why not; `transaction_id` is the connector's active one.

        It replaces a profile of the same id anywhere, and of the same purpose and stack level where it is installed.
        """
        refusal = self._place_refusal(connector_id, profile, transaction_id) or self.shape_refusal(profile)
        if refusal is not None:
            return refusal
        if profile.purpose is Purpose.TX:
            profile = replace(profile, transaction_id=transaction_id)
        return self._put(connector_id, profile)

    def install_for_new_transaction(self, connector_id: int, profile: ChargingProfile) -> Refusal | None:
        """Installs the TxProfile that came with a remote start, for the transaction that begins now, whatever its id."""
        return self._put(connector_id, replace(profile, transaction_id=None))

    def clear(
        self,
        profile_id: int | None = None,
        connector_id: int | None = None,
        purpose: Purpose | None = None,
        stack_level: int | None = None,
    ) -> bool:
        """Removes what matches: by id alone, else by all criteria given, else everything. Whether anything went.

        Connector 0 means what was set for connector 0, the copies of its default profiles at every connector included.
        """

        def goes(number: int, entry: Installed) -> bool:
            profile = entry.profile
            if profile.purpose is Purpose.EXTERNAL_CONSTRAINTS:
                return False
            if profile_id is not None:
                return profile.profile_id == profile_id
            here = connector_id in (None, number) or (connector_id == STATION and entry.set_at == STATION)
            return here and purpose in (None, profile.purpose) and stack_level in (None, profile.stack_level)

        kept = {n: [entry for entry in stack if not goes(n, entry)] for n, stack in self._installed.items()}
        removed = kept != self._installed
        self._installed = kept
        return removed

    def end_transaction(self, connector_id: int) -> None:
        """Deletes the transaction's profiles."""
        stack = self._installed[connector_id]
        self._installed[connector_id] = [entry for entry in stack if entry.profile.purpose is not Purpose.TX]

    def next_change(self, connector_id: int, moment: datetime, transaction: Transaction | None) -> datetime | None:
        """When a profile that concerns this connector next begins, ends or changes its period; None is never."""
        return next_change_after((*self.of_connector(connector_id), *self.of_station), moment, transaction)

    def shape_refusal(self, profile: ChargingProfile) -> Refusal | None:
        """Why the profile is wrong wherever it goes, or None."""
        cap, schedule = self.capabilities, profile.schedule
        starts = [period.start_s for period in schedule.periods]
        limits = [period.limit for period in schedule.periods]
        needs_start = profile.kind is not Kind.RELATIVE and not cap.lenient
        checks = (
            (profile.purpose is not Purpose.EXTERNAL_CONSTRAINTS, "external constraints are not set by the CSMS"),
            (0 <= profile.stack_level <= cap.max_stack_level, f"stackLevel is not in 0..{cap.max_stack_level}"),
            (schedule.unit in cap.units, f"chargingRateUnit {schedule.unit} is not allowed"),
            (1 <= len(starts) <= cap.max_periods, f"there must be 1 to {cap.max_periods} periods"),
            (starts[:1] == [0], "the first startPeriod is not 0"),
            (all(a < b for a, b in pairwise(starts)), "startPeriods do not increase"),
            (all(math.isfinite(limit) and limit >= 0 for limit in limits), "a limit is negative or not finite"),
            (all(p.phases in (None, 1, 2, 3) for p in schedule.periods), "numberPhases is not 1, 2 or 3"),
            (schedule.duration_s is None or schedule.duration_s >= 0, "duration is negative"),
            (profile.kind is not Kind.RELATIVE or schedule.start is None, "a Relative schedule has a startSchedule"),
            (not needs_start or schedule.start is not None, f"a schedule of kind {profile.kind} has no startSchedule"),
            (profile.kind is not Kind.RECURRING or profile.recurrency is not None, "recurrencyKind is missing"),
            (_in_order(profile.valid_from, profile.valid_to), "validTo is not after validFrom"),
        )
        return next((Refusal(reason) for holds, reason in checks if not holds), None)

    def _place_refusal(self, connector_id: int, profile: ChargingProfile, transaction_id: str | None) -> Refusal | None:
        if connector_id not in self._installed:
            return Refusal(f"there is no connector {connector_id}")
        if profile.purpose is Purpose.STATION_MAX and connector_id != STATION:
            return Refusal("a station maximum belongs to connector 0")
        if profile.purpose is Purpose.STATION_MAX and profile.kind is Kind.RELATIVE:
            return Refusal("a station maximum cannot be Relative")
        if profile.purpose is not Purpose.TX:
            return None
        if connector_id == STATION:
            return Refusal("a TxProfile needs a connector above 0")
        if transaction_id is None:
            return Refusal(f"there is no transaction on connector {connector_id}")
        named = profile.transaction_id
        if named is None and self.capabilities.lenient:
            return None
        if named != transaction_id:
            return Refusal(f"transactionId {named} is not {transaction_id}, the one on connector {connector_id}")
        return None

    def _put(self, connector_id: int, profile: ChargingProfile) -> Refusal | None:
        spread = connector_id == STATION and profile.purpose is Purpose.TX_DEFAULT
        places = [n for n in self._installed if n != STATION] if spread else [connector_id]
        kept = {
            n: [entry for entry in stack if not _replaces(profile, entry.profile, n in places)]
            for n, stack in self._installed.items()
        }
        most = self.capabilities.max_installed
        if len({entry.profile.profile_id for stack in kept.values() for entry in stack}) >= most:
            return Refusal(f"{most} profiles are installed, which is the most")
        entry = Installed(profile, connector_id)
        self._installed = {n: [*stack, entry] if n in places else stack for n, stack in kept.items()}
        return None


def _replaces(new: ChargingProfile, old: ChargingProfile, same_place: bool) -> bool:
    same_layer = (new.purpose, new.stack_level) == (old.purpose, old.stack_level)
    return new.profile_id == old.profile_id or (same_place and same_layer)


def _in_order(begin: datetime | None, end: datetime | None) -> bool:
    return begin is None or end is None or begin < end
