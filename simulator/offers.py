"""What a station offers at each connector now: profiles, rating, faults, and its maximum shared out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from optivgi.model.charging_profile import ChargingProfile, RateUnit
from optivgi.model.composite import Supply, limit_at
from simulator.connector import LEAST_PILOT_A, Connector
from simulator.faults.fault import Faults
from simulator.profiles import STATION, ProfileStore
from simulator.vehicle import Vehicle


def set_offers(
    connectors: Iterable[Connector],
    profiles: ProfileStore,
    supply: Supply,
    at: datetime,
    faults: Faults,
) -> None:
    """Sets `offered_a` of every connector, and the phases that its EV is switched to."""
    maxima = faults.in_force(STATION, profiles.of_station, at)
    active: list[tuple[int, Connector, Vehicle]] = []
    for connector in connectors:
        connector.offered_a = 0.0
        if connector.transaction is not None and connector.vehicle is not None:
            installed = faults.in_force(connector.connector_id, profiles.of_connector(connector.connector_id), at)
            _offer(connector, connector.vehicle, supply, at, installed=installed, maxima=maxima)
            connector.offered_a = _spoiled(connector, supply, at, faults)
            active.append((connector.transaction.tx, connector, connector.vehicle))
    in_order = [(connector, car) for _, connector, car in sorted(active, key=lambda one: one[0])]
    _share_maximum(in_order, maxima, at)


def share(total: float, demands: Sequence[float], least: Sequence[float]) -> list[float]:
    """Parts of `total`, equal unless a demand is smaller; each is 0 or at least `least`, the last ones get 0 first."""
    chosen = [index for index, demand in enumerate(demands) if demand >= least[index] - 1e-9]
    while True:
        parts, left = [0.0] * len(demands), total
        for place, index in enumerate(sorted(chosen, key=lambda index: demands[index])):
            parts[index] = min(demands[index], left / (len(chosen) - place))
            left -= parts[index]
        short = [index for index in chosen if parts[index] < least[index] - 1e-9]
        if not short:
            return parts
        chosen.remove(max(short))


def _offer(
    connector: Connector,
    car: Vehicle,
    supply: Supply,
    at: datetime,
    *,
    installed: tuple[ChargingProfile, ...],
    maxima: tuple[ChargingProfile, ...],
) -> None:
    transaction = connector.transaction
    if transaction is None or not _usable(connector):
        return
    wired = min(car.spec.phases, supply.phases)
    limit = limit_at(
        installed,
        maxima,
        at,
        transaction.for_profiles,
        unit=RateUnit.A,
        supply=replace(supply, phases=wired),
    )
    car.phases = wired if limit is None else limit.phases
    connector.offered_a = supply.max_current_a if limit is None else min(limit.value, supply.max_current_a)


def _usable(connector: Connector) -> bool:
    return connector.transaction is not None and connector.transaction.allowed and connector.error_code == "NoError"


def _spoiled(connector: Connector, supply: Supply, at: datetime, faults: Faults) -> float:
    """What a faulty station offers instead; no fault feeds an EV that may not charge."""
    if not _usable(connector):
        return connector.offered_a
    return min(faults.offered_a(connector, connector.offered_a, supply.max_current_a, at), supply.max_current_a)


def _share_maximum(
    active: Sequence[tuple[Connector, Vehicle]], maxima: tuple[ChargingProfile, ...], at: datetime
) -> None:
    """Keeps the sum of the offers to EVs that want energy within the station's maximum, in that profile's own unit.

    Amperes are added as if all EVs were on the same phase, which is never too much.
    """
    for unit in RateUnit:
        maximum = limit_at((), maxima, at, None, unit=unit)
        if maximum is None or maximum.profile.schedule.unit is not unit:
            continue
        wanting = [(connector, car) for connector, car in active if car.wants_energy]
        factors = [1.0 if unit is RateUnit.A else c.voltage_v * car.phases for c, car in wanting]
        demands = [
            min(c.pilot_a, max(car.max_current_a, LEAST_PILOT_A)) * f
            for (c, car), f in zip(wanting, factors, strict=True)
        ]
        least = [max(car.spec.min_current_a, LEAST_PILOT_A) * f for (_, car), f in zip(wanting, factors, strict=True)]
        for (connector, _), factor, part in zip(wanting, factors, share(maximum.value, demands, least), strict=True):
            connector.offered_a = min(connector.offered_a, part / factor)
