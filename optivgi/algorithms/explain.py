"""From powers to a Plan that says why: the binding reason of each EV, and who is paused."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from optivgi.model.checks import below
from optivgi.model.plan import Binding, Plan, Reason
from optivgi.model.problem import PHASES, Floats, Problem

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


class _Reasons:
    """Reasons for the first cell."""

    def __init__(self, problem: Problem, power_kw: Floats, budget_kw: Floats | None) -> None:
        self.problem, self.power = problem, power_kw
        self.now = power_kw[:, 0]
        self.mask = below(problem)
        self.running = self.mask @ (self.now > ON_KW)
        self.full = self._full_limits()
        self.budget = None if budget_kw is None else float(budget_kw[0])

    def _full_limits(self) -> list[tuple[int, int, Floats]]:
        """(circuit, phase or -1, whom it holds [S]) of every limit without room for more, innermost first."""
        problem, full = self.problem, []
        used_kw = self.mask @ self.now
        amps = problem.amps_per_kw
        used_a = self.mask @ (self.now[:, None] * amps)
        for circuit in range(len(problem.parent) - 1, -1, -1):
            limit_a = problem.limit_a[circuit, 0]
            for phase in range(3):
                if np.isfinite(limit_a) and used_a[circuit, phase] >= limit_a - NEAR * max(1.0, limit_a):
                    full.append((circuit, phase, self.mask[circuit] * (amps[:, phase] > 0)))
            limit = problem.limit_kw[circuit, 0]
            if np.isfinite(limit) and used_kw[circuit] >= limit - NEAR * max(1.0, limit):
                full.append((circuit, -1, self.mask[circuit]))
        return full

    def all(self) -> tuple[Reason, ...]:
        problem, now = self.problem, self.now
        holder = np.full(len(now), -1)
        for position in range(len(self.full) - 1, -1, -1):
            holder[self.full[position][2] > 0] = position
        top = np.array([problem.priority[mask > 0].max() for _, _, mask in self.full] or [0.0])
        first_h = float(problem.hours[0])
        rows = zip(
            now.tolist(),
            holder.tolist(),
            problem.need_kwh.tolist(),
            problem.max_kw.tolist(),
            problem.present[:, 0].tolist(),
            problem.priority.tolist(),
            strict=True,
        )
        shares = [self._shares(position) for position in range(len(self.full))]
        return tuple(self._reason(row, first_h, values, shares, top) for row, values in enumerate(rows))

    def _reason(
        self,
        row: int,
        hours: float,
        values: tuple[float, int, float, float, bool, float],
        shares: list[str],
        top: Floats,
    ) -> Reason:
        power, holder, need, most, present, priority = values
        if not present:
            return Reason(Binding.ABSENT, "0.0 kW: not here in this interval")
        if need <= NEAR:
            return Reason(Binding.ENERGY_COMPLETE, "0.0 kW: its energy is complete")
        if power <= ON_KW:
            return self._pause(row, holder)
        if power >= most - NEAR:
            return Reason(Binding.OWN_MAXIMUM, f"{power:.1f} kW: its own maximum")
        if power * hours >= need - NEAR:
            return Reason(Binding.ENERGY_COMPLETE, f"{power:.1f} kW: completes its energy in this interval")
        if holder >= 0:
            circuit, phase, _ = self.full[holder]
            where = self.problem.circuit_ids[circuit]
            line = None if phase < 0 else PHASES[phase]
            if priority < top[holder]:
                text = f"{power:.1f} kW: {shares[holder]}, some of them with priority {top[holder]:g} over {priority:g}"
                return Reason(Binding.PRIORITY, text, where, line)
            return Reason(Binding.CIRCUIT, f"{power:.1f} kW: {shares[holder]}", where, line)
        if self.budget is not None:
            return Reason(Binding.PRICE, f"{power:.1f} kW: the rest of its energy is cheaper later")
        if self.problem.step_kw[row] > 0:
            return Reason(Binding.STEP, f"{power:.1f} kW: rounded down to a step that its connector accepts")
        if np.isfinite(self.problem.unbalance_kw):
            return Reason(
                Binding.UNBALANCE, f"{power:.1f} kW: keeps the phases in balance", self.problem.circuit_ids[0]
            )
        return Reason(Binding.CIRCUIT, f"{power:.1f} kW: leaves room for the minimum power of others")

    def _shares(self, position: int) -> str:
        circuit, phase, mask = self.full[position]
        others = int(((self.now > ON_KW) & (mask > 0)).sum()) - 1
        with_whom = "uses it alone" if others <= 0 else f"with {others} other{'s' if others > 1 else ''}"
        return (
            f"shares {self._limit(circuit, phase)} {with_whom}"
            if others > 0
            else f"all of {self._limit(circuit, phase)}"
        )

    def _limit(self, circuit: int, phase: int) -> str:
        name = self.problem.limit_source[circuit]
        if phase >= 0:
            return f"{self.problem.limit_a[circuit, 0]:.1f} A {name} on {PHASES[phase]}"
        return f"{self.problem.limit_kw[circuit, 0]:.1f} kW {name}"

    def _pause(self, row: int, holder: int) -> Reason:
        ahead = np.flatnonzero(self.power[row] > ON_KW)
        if len(ahead):
            wait_s = float(self.problem.edges_s[ahead[0]])
            at = self.problem.now + timedelta(seconds=wait_s)
            turn = f"next turn in {max(1, round(wait_s / 60.0))} min ({at:%H:%M} UTC)"
        else:
            turn = "no turn in sight"
        minimum = f"minimum {self.problem.min_kw[row]:.1f} kW"
        if holder >= 0 or self._too_little(row) is not None:
            circuit, phase, _ = self.full[holder] if holder >= 0 else (self._too_little(row), -1, None)
            limit = self._limit(circuit or 0, phase)
            return Reason(
                Binding.PAUSED,
                f"paused: {minimum} does not fit under {limit}; {turn}",
                self.problem.circuit_ids[circuit or 0],
                None if phase < 0 else PHASES[phase],
            )
        if self.budget is not None:
            return Reason(Binding.PRICE, f"0.0 kW: energy is cheaper later; {turn}")
        return Reason(Binding.PAUSED, f"paused: {minimum} does not fit; {turn}")

    def _too_little(self, row: int) -> int | None:
        """The innermost circuit above the EV with less room than its minimum."""
        used = self.mask @ self.now
        circuit = int(self.problem.circuit[row])
        while circuit >= 0:
            if used[circuit] + self.problem.min_kw[row] > self.problem.limit_kw[circuit, 0] + ON_KW:
                return circuit
            circuit = int(self.problem.parent[circuit])
        return None
