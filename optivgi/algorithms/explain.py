"""From powers to a Plan that says why: the binding reason of each EV, and who is paused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from optivgi.model.checks import below
from optivgi.model.plan import Binding, Plan, Reason
from optivgi.model.problem import PHASES, Bools, Floats, Problem

ON_KW = 1e-6
NEAR = 1e-4


def explained(
    problem: Problem,
    name: str,
    power_kw: Floats,
    *,
    notes: tuple[str, ...] = (),
    budget_kw: Floats | None = None,
) -> Plan:
    """The plan with these powers. `budget_kw` [K] is what prices left of the limits, where that is less."""
    given = problem.energy_kwh(power_kw)
    energy = np.minimum(given, problem.need_kwh)
    reasons = _Reasons(problem, power_kw, budget_kw).all() if len(problem.ev_ids) else ()
    return Plan(
        algorithm=name,
        power_kw=power_kw,
        energy_kwh=energy,
        shortfall_kwh=problem.need_kwh - energy,
        reasons=reasons,
        notes=(*notes, *_paused(problem, reasons)),
    )


def _paused(problem: Problem, reasons: tuple[Reason, ...]) -> tuple[str, ...]:
    return tuple(
        f"EV {ev_id} {reason.text}"
        for ev_id, reason in zip(problem.ev_ids, reasons, strict=True)
        if reason.binding is Binding.PAUSED
    )


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit of the first cell: of a circuit in kW (phase -1) or on one of its phases in A."""

    circuit: int
    phase: int
    members: Bools
    """[S], who draws from it."""
    spare_kw: Floats
    """[S] or [] (the same for all), how much more power each of them could draw from it."""


class _Reasons:
    """Reasons for the first cell."""

    def __init__(self, problem: Problem, power_kw: Floats, budget_kw: Floats | None) -> None:
        self.problem, self.power = problem, power_kw
        self.now = power_kw[:, 0]
        self.budgeted = budget_kw is not None
        self.limits = list(self._limits())
        count, least = len(self.now), problem.least_kw - ON_KW
        self.full, self.tight = np.full(count, -1), np.full(count, -1)
        for position in range(len(self.limits) - 1, -1, -1):
            limit = self.limits[position]
            lowest_kw = limit.spare_kw.min(initial=np.inf)
            if lowest_kw < NEAR:
                self.full[limit.members & (limit.spare_kw < NEAR)] = position
            if lowest_kw < least.max(initial=0.0):
                self.tight[limit.members & (limit.spare_kw < least)] = position
        binding = set(self.full.tolist()) - {-1}
        self.shares = {position: self._shares(self.limits[position]) for position in binding}
        self.top = {position: self._top(self.limits[position]) for position in binding}
        running = power_kw > ON_KW
        self.next = np.where(running.any(axis=1), np.argmax(running, axis=1), -1)
        self.known: dict[tuple[object, ...], Reason] = {}
        self.turns: dict[int, str] = {}

    def _limits(self) -> Iterator[_Limit]:
        """Every limit on somebody, innermost first."""
        problem = self.problem
        mask = below(problem)
        used_kw = mask @ self.now
        has_a = np.isfinite(problem.limit_a[:, 0])
        amps = problem.amps_per_kw if has_a.any() else None
        for circuit in range(len(problem.parent) - 1, -1, -1):
            members = mask[circuit] > 0
            if amps is not None and has_a[circuit]:
                for phase in range(len(PHASES)):
                    on = members & (amps[:, phase] > 0)
                    left_a = problem.room_a(phase)[circuit, 0] - float(self.now[on] @ amps[on, phase])
                    yield _Limit(circuit, phase, on, left_a / np.where(on, amps[:, phase], 1.0))
            if np.isfinite(problem.limit_kw[circuit, 0]):
                yield _Limit(circuit, -1, members, np.array(problem.limit_kw[circuit, 0] - used_kw[circuit]))

    def all(self) -> tuple[Reason, ...]:
        problem = self.problem
        self.first_h = float(problem.hours[0])
        rows = zip(
            np.round(self.now, 9).tolist(),
            self.full.tolist(),
            self.tight.tolist(),
            self.next.tolist(),
            (problem.stay_h[:, 0] > 0).tolist(),
            (problem.need_kwh <= NEAR).tolist(),
            (self.now >= problem.max_kw - NEAR).tolist(),
            (self.now * self.first_h >= problem.need_kwh - NEAR).tolist(),
            problem.priority.tolist(),
            problem.least_kw.tolist(),
            (problem.step_kw > 0).tolist(),
            strict=True,
        )
        known, reasons = self.known, []
        for key in rows:
            reason = known.get(key)
            if reason is None:
                reason = known[key] = self._reason(*key)
            reasons.append(reason)
        return tuple(reasons)

    def _reason(  # noqa: PLR0917
        self,
        power: float,
        full: int,
        tight: int,
        following: int,
        present: bool,
        complete: bool,
        at_most: bool,
        completes: bool,
        priority: float,
        least: float,
        stepped: bool,
    ) -> Reason:
        if not present:
            return Reason(Binding.ABSENT, "0.0 kW: not here in this interval")
        if complete:
            return Reason(Binding.ENERGY_COMPLETE, "0.0 kW: its energy is complete")
        if power <= ON_KW:
            return self._pause(full if full >= 0 else tight, following, least)
        if at_most:
            return Reason(Binding.OWN_MAXIMUM, f"{power:.1f} kW: its own maximum")
        if completes:
            return Reason(Binding.ENERGY_COMPLETE, f"{power:.1f} kW: completes its energy in this interval")
        if full >= 0:
            where, line = self._place(self.limits[full])
            if priority < self.top[full]:
                more = f"some of them with priority {self.top[full]:g} over {priority:g}"
                return Reason(Binding.PRIORITY, f"{power:.1f} kW: {self.shares[full]}, {more}", where, line)
            return Reason(Binding.CIRCUIT, f"{power:.1f} kW: {self.shares[full]}", where, line)
        if self.budgeted:
            return Reason(Binding.PRICE, f"{power:.1f} kW: the rest of its energy is cheaper later")
        if stepped:
            return Reason(Binding.STEP, f"{power:.1f} kW: rounded down to a step that its connector accepts")
        if np.isfinite(self.problem.unbalance_kw):
            text = f"{power:.1f} kW: keeps the phases within {self.problem.unbalance_kw:.1f} kW of each other"
            return Reason(Binding.UNBALANCE, text, self.problem.circuit_ids[0])
        return Reason(Binding.CIRCUIT, f"{power:.1f} kW: leaves room for the minimum power of others")

    def _pause(self, limit: int, following: int, least: float) -> Reason:
        turn = self.turns.get(following)
        if turn is None:
            turn = self.turns[following] = self._turn(following)
        if limit < 0 and self.budgeted:
            return Reason(Binding.PRICE, f"0.0 kW: energy is cheaper later; {turn}")
        if limit < 0:
            return Reason(Binding.PAUSED, f"paused: minimum {least:.1f} kW does not fit; {turn}")
        where, line = self._place(self.limits[limit])
        text = f"paused: minimum {least:.1f} kW does not fit under {self._named(self.limits[limit])}; {turn}"
        return Reason(Binding.PAUSED, text, where, line)

    def _turn(self, following: int) -> str:
        if following < 0:
            return "no turn in sight"
        wait_s = float(self.problem.edges_s[following])
        at = self.problem.now + timedelta(seconds=wait_s)
        return f"next turn in {max(1, round(wait_s / 60.0))} min ({at.hour:02}:{at.minute:02} UTC)"

    def _place(self, limit: _Limit) -> tuple[str, str | None]:
        return self.problem.circuit_ids[limit.circuit], None if limit.phase < 0 else PHASES[limit.phase]

    def _shares(self, limit: _Limit) -> str:
        others = int(((self.now > ON_KW) & limit.members).sum()) - 1
        if others <= 0:
            return f"all of {self._named(limit)}"
        return f"shares {self._named(limit)} with {others} other{'s' if others > 1 else ''}"

    def _top(self, limit: _Limit) -> float:
        return float(self.problem.priority[limit.members].max(initial=0.0))

    def _named(self, limit: _Limit) -> str:
        name = self.problem.limit_source[limit.circuit]
        if limit.phase >= 0:
            return f"{self.problem.room_a(limit.phase)[limit.circuit, 0]:.1f} A {name} on {PHASES[limit.phase]}"
        return f"{self.problem.limit_kw[limit.circuit, 0]:.1f} kW {name}"
