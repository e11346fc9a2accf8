"""A site meter that is connector 0 of a charging station: OCPP's place for the meter of the whole site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from optivgi.errors import TranslationError
from optivgi.limits.registers import CURRENTS, POWERS
from optivgi.model.clock import Clock
from optivgi.model.problem import PHASES
from optivgi.site_meter.base import Doubtful, Listener, Reading
from optivgi.site_meter.fields import Scale, number
from optivgi.translation.citrineos import meter as citrineos
from optivgi.translation.citrineos.graphql import GraphQL

CALL = 2
LOOK_BACK_S = 300.0
ROWS = 50
"""More than a station says in a second, on all its connectors."""

QUERY = """query SiteMeter($station: String!, $since: timestamptz!, $rows: Int!) {
  OCPPMessages(
    where: {
      stationId: { _eq: $station }
      action: { _eq: "MeterValues" }
      origin: { _eq: "cs" }
      timestamp: { _gt: $since }
    }
    order_by: { id: desc }
    limit: $rows
  ) { timestamp message }
}"""
"""CitrineOS keeps meter values without their station unless they belong to a transaction; its message log has it."""

IMPORT, EXPORT = "Import", "Export"
MEASURANDS = {
    f"{name}.{direction}": (name.partition(".")[0], direction)
    for name in ("Power.Active", "Current")
    for direction in (IMPORT, EXPORT)
}
TO_WATTS = {"W": 1.0, "kW": 1e3}


@dataclass(frozen=True, slots=True)
class OcppMeter:
    """A MeterSource that reads what `station_id` reported for connector 0, every `poll_s`."""

    graphql: GraphQL
    station_id: str
    scale: Scale
    clock: Clock
    poll_s: float = 1.0

    async def follow(self, listener: Listener) -> None:
        newest: datetime | None = None
        while True:
            try:
                since = newest or self.clock.now() - timedelta(seconds=LOOK_BACK_S)
                asked = {"station": self.station_id, "since": since.isoformat(), "rows": ROWS}
                rows = (await self.graphql.query(QUERY, asked)).get("OCPPMessages") or []
                told = next((row for row in rows if _connector_0(row) is not None), None)
                if told is not None:
                    newest = citrineos.moment(told.get("timestamp"))
                    listener.reading(reading(_connector_0(told) or (), self.scale, self.clock.now()))
                elif newest is None:
                    listener.doubt(f"{self.station_id} reported no meter values of connector 0 in {LOOK_BACK_S:g} s")
            except (Doubtful, citrineos.Doubtful, TranslationError) as error:
                listener.doubt(str(error))
            await self.clock.sleep(self.poll_s)


def _connector_0(row: Mapping[str, Any]) -> Sequence[Any] | None:
    """The meterValue of a logged message about connector 0; None if it is about something else."""
    match row.get("message"):
        case [int(kind), _, "MeterValues", {"connectorId": 0, "meterValue": [*values]}] if kind == CALL:
            return values
    return None


def reading(values: Sequence[Any], scale: Scale, now: datetime) -> Reading:
    """The newest of the samples of one message, import less export. Raises Doubtful, of this package or the other."""
    if not values:
        raise Doubtful("its meter values are empty")
    taken = max(values, key=lambda value: citrineos.moment(value.get("timestamp")))
    samples = [sample for sample in taken.get("sampledValue", ()) if isinstance(sample, Mapping)]
    at_the_inlet = [sample for sample in samples if sample.get("location") == "Inlet"]
    return scale.reading(dict(_quantities(at_the_inlet or samples)), now, citrineos.moment(taken["timestamp"]))


def _quantities(samples: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    found: dict[tuple[str, str, str], float] = {}
    for sample in samples:
        known = MEASURANDS.get(str(sample.get("measurand")))
        if known is not None:
            what, direction = known
            phase = str(sample.get("phase") or "").removesuffix("-N")
            found[what, phase, direction] = _value(what, sample)
    for what, names in (("Power", POWERS), ("Current", CURRENTS)):
        for phase, name in zip(PHASES, names, strict=True):
            if (net := _net(found, what, phase)) is not None:
                yield name, net
    if (total := _net(found, "Power", "")) is not None:
        yield "power", total
    elif not any(what == "Power" or phase in PHASES for what, phase, _ in found):
        raise Doubtful("its sample has neither Power.Active.Import nor Current.Import of each phase")


def _net(found: Mapping[tuple[str, str, str], float], what: str, phase: str) -> float | None:
    into, out = found.get((what, phase, IMPORT)), found.get((what, phase, EXPORT))
    return None if into is None and out is None else (into or 0.0) - (out or 0.0)


def _value(what: str, sample: Mapping[str, Any]) -> float:
    value = number(str(sample["measurand"]), sample.get("value"))
    if what == "Current":
        return value
    unit = sample.get("unit") or "W"
    if unit not in TO_WATTS:
        raise Doubtful(f"{sample['measurand']} is in {unit!r}; it must be in W or kW")
    return value * TO_WATTS[unit]
