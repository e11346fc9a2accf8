"""Every fault by name, with its parameters: what a scenario may order, and what is wrong with an order. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from optivgi.model.charging_profile import RateUnit
from simulator.faults import meter, profiles, station
from simulator.faults.fault import Fault, Faults
from simulator.faults.vehicle import DrawsLess, EVFault, SleepsAfterPause

MOST_S = 31_536_000.0


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a fault: its default, the bounds of a number, or the texts that it may be."""

    default: float | bool | str | None
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    whole: bool = False

    @property
    def words(self) -> str:
        """What it must be."""
        if isinstance(self.default, bool):
            return "true or false"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}"

    def fits(self, value: object) -> bool:
        """Whether it may be `value`."""
        if isinstance(self.default, bool) or isinstance(value, bool):
            return isinstance(self.default, bool) and isinstance(value, bool)
        if self.choices:
            return value in self.choices
        if self.default is None and value is None:
            return True
        return isinstance(value, int if self.whole else int | float) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Known:
    """A kind of fault: what makes it, its parameters, and what it does, in a line."""

    make: Callable[..., Fault | EVFault]
    words: str
    parameters: Mapping[str, Parameter]


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A fault as a scenario orders it."""

    name: str
    parameters: tuple[tuple[str, Any], ...] = ()

    def make(self) -> Fault | EVFault:
        """The fault, new."""
        known = KNOWN[self.name]
        given = {name: parameter.default for name, parameter in known.parameters.items()} | dict(self.parameters)
        return known.make(**given)


def _known(make: Callable[..., Fault | EVFault], words: str, **parameters: Parameter) -> Known:
    return Known(make, words, parameters)


_ADMITS = Parameter(False)
_AFTER_S = Parameter(120.0, 0, MOST_S)

KNOWN: dict[str, Known] = {
    "ignores_zero": _known(
        profiles.IgnoresZero, "charges on at a limit of 0", gives_a=Parameter(None, 6, 1000)
    ),
    "rejects_zero": _known(profiles.RejectsZero, "rejects profiles with a limit of 0"),
    "accepts_and_ignores": _known(profiles.AcceptsAndIgnores, "says Accepted and ignores the limit"),
    "drops_profiles_on_reconnect": _known(lambda: station.Forgets("reconnect"), "loses its profiles with its connection"),
    "loses_profiles_at_reboot": _known(lambda: station.Forgets("reboot"), "loses its profiles when it boots"),
    "watts_only": _known(
        lambda admits: profiles.OneUnitOnly(RateUnit.W, admits=admits), "rejects amperes", admits=_ADMITS
    ),
    "amps_only": _known(lambda admits: profiles.OneUnitOnly(RateUnit.A, admits=admits), "rejects watts", admits=_ADMITS),
    "stack_level_0_only": _known(profiles.StackLevelZeroOnly, "rejects stack levels above 0", admits=_ADMITS),
    "one_period_only": _known(profiles.OnePeriodOnly, "rejects schedules of several periods", admits=_ADMITS),
    "rejects_tx_profile": _known(profiles.RejectsTxProfile, "rejects TxProfiles"),
    "spikes_on_change": _known(
        profiles.SpikesOnChange, "offers everything for a while after each profile", for_s=Parameter(5.0, 0.1, 3600)
    ),
    "clears_before_set": _known(
        profiles.ClearsBeforeSet, "has no profile for a while before each new one", for_s=Parameter(2.0, 0.1, 3600)
    ),
    "answers_late": _known(
        station.AnswersLate, "answers SetChargingProfile late", for_s=Parameter(25.0, 0.1, 3600)
    ),
    "never_answers": _known(
        station.NeverAnswers, "never answers SetChargingProfile", applies=Parameter(True)
    ),
    "disconnects": _known(
        station.Disconnects, "loses its link and charges on", after_s=_AFTER_S, for_s=Parameter(120.0, 0.1, MOST_S)
    ),
    "reboots": _known(station.Reboots, "loses its power for a moment in mid-session", after_s=_AFTER_S),
    "clock_off": _known(station.ClockOff, "has the wrong time", by_s=Parameter(3600.0, -MOST_S, MOST_S)),
    "meter_backwards": _known(meter.MeterBackwards, "counts energy down"),
    "meter_missing": _known(meter.MeterMissing, "sends no MeterValues"),
    "meter_stuck": _known(
        meter.MeterStuck, "shows the same from some time on", after_s=Parameter(60.0, 0, MOST_S)
    ),
    "meter_doubled": _known(meter.MeterDoubled, "sends MeterValues twice"),
    "meter_foreign_transaction": _known(
        meter.MeterForeignTransaction, "sends MeterValues under another transaction's id", offset=Parameter(1, -1000, 1000, whole=True)
    ),
    "stop_lost": _known(meter.StopLost, "never sends StopTransaction"),
    "connector_count_absurd": _known(station.ConnectorCountAbsurd, "counts 1634030126 connectors"),
    "sleeps_after_pause": _known(
        SleepsAfterPause,
        "an EV that sleeps after a pause until it is woken",
        after_s=Parameter(30.0, 0.1, MOST_S),
        wakes_by=Parameter("toggle", choices=("toggle", "restart", "never")),
    ),
    "draws_half": _known(DrawsLess, "an EV that takes half of what it could", share=Parameter(0.5, 0.01, 1)),
}  # fmt: skip
"""All faults. Those of an EV may be given to a session or, for all its EVs, to a station."""


def station_faults(orders: Iterable[tuple[int | None, FaultSpec]]) -> Faults:
    """The faults of one station, new; those of EVs are not among them."""
    made = [(connector_id, spec.make()) for connector_id, spec in orders]
    return Faults((connector_id, fault) for connector_id, fault in made if isinstance(fault, Fault))


def ev_faults(specs: Iterable[FaultSpec]) -> list[EVFault]:
    """Those that are faults of an EV, new."""
    return [fault for fault in (spec.make() for spec in specs) if not isinstance(fault, Fault)]


def problems(place: str, given: object) -> Iterator[str]:
    """What is wrong with a list of faults; `place` is what it is called."""
    if not isinstance(given, list):
        yield f'{place} is {_shown(given)}; it must be a list of faults, e.g. ["ignores_zero"]'
        return
    for index, order in enumerate(given):
        yield from _order_problems(f"{place}[{index}]", order)


def specs(given: Iterable[Any]) -> tuple[FaultSpec, ...]:
    """The faults of a list that has no problems."""
    orders = ({"name": order} if isinstance(order, str) else dict(order) for order in given)
    return tuple(FaultSpec(order.pop("name"), tuple(sorted(order.items()))) for order in orders)


def _order_problems(place: str, order: object) -> Iterator[str]:
    name = order.get("name") if isinstance(order, dict) else order
    if not isinstance(name, str):
        yield (
            f"{place} is {_shown(order)}; it must be the name of a fault, or an object with one, e.g. "
            f'{{"name": "disconnects", "after_s": 60, "for_s": 120}}'
        )
        return
    if name not in KNOWN:
        near = get_close_matches(name, KNOWN, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(KNOWN))}"
        yield f"{place} is {name!r}, which is no known fault; {hint}"
        return
    if not isinstance(order, dict):
        return
    parameters = KNOWN[name].parameters
    for field, value in order.items():
        if field == "name":
            continue
        if field not in parameters:
            told = f"it takes {', '.join(parameters)}" if parameters else "it takes none"
            yield f"{place}.{field} is not a parameter of {name}; {told}"
        elif not parameters[field].fits(value):
            default = json.dumps(parameters[field].default)
            yield f"{place}.{field} is {_shown(value)}; it must be {parameters[field].words} (default {default})"


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
