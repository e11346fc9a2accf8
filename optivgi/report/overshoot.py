"""How far, how long and how much a power was over its limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optivgi.report.curve import DIGITS, MOMENT_S, Floats, LimitCurve, Signal


@dataclass(frozen=True, slots=True)
class Spell:
    """One unbroken stretch over the limit: from second `begin` on for `seconds`, at worst `excess` above, `area` in all.

    Units are those of the limit, as in kW and kW*s; inf where nothing limited an EV.
    """

    begin: float
    seconds: float
    excess: float
    area: float


@dataclass(frozen=True, slots=True)
class Overshoot:
    """Every stretch over the limit, in order of time."""

    spells: tuple[Spell, ...]

    @property
    def seconds(self) -> float:
        """Seconds over the limit, all together."""
        return round(sum(spell.seconds for spell in self.spells), DIGITS)

    @property
    def area(self) -> float:
        return round(sum(spell.area for spell in self.spells), DIGITS)

    @property
    def worst(self) -> Spell | None:
        """The one that rose highest above the limit; of equals the one with most above it."""
        return max(self.spells, key=lambda spell: (spell.excess, spell.area), default=None)


def overshoot(signal: Signal, limit: LimitCurve) -> Overshoot:
    """Where `signal`, with all its doubt in its favour, is above `limit`."""
    cut = signal.split_at(limit.starts)
    return spells(cut.begin, cut.end, cut.level - cut.doubt - limit.at(cut.begin))


def spells(begin: Floats, end: Floats, excess: Floats) -> Overshoot:
    """The stretches over the limit, of stretches `begin` to `end` with so much above the limit each."""
    above = np.round(excess, DIGITS)
    found: list[Spell] = []
    for index in np.flatnonzero((above > 0) & (end > begin)).tolist():
        first, last, over = float(begin[index]), float(end[index]), float(above[index])
        if found and first - (found[-1].begin + found[-1].seconds) < MOMENT_S:
            joined = found.pop()
            found.append(
                Spell(joined.begin, last - joined.begin, max(joined.excess, over), joined.area + over * (last - first))
            )
        else:
            found.append(Spell(first, last - first, over, over * (last - first)))
    return Overshoot(
        tuple(Spell(one.begin, round(one.seconds, DIGITS), one.excess, round(one.area, DIGITS)) for one in found)
    )


def back_under(signal: Signal, limit: LimitCurve, begin: float, end: float) -> float | None:
    """Seconds from `begin` until the first moment before `end` at which `signal` is within `limit`; None if never.

    The signal may know nothing of `begin` itself: then the first that it knows after that counts.
    """
    cut = signal.split_at(np.append(limit.starts, begin))
    if cut.is_empty:
        return None
    here = (cut.begin >= begin) & (cut.begin < end) & (cut.end > cut.begin)
    within = here & (np.round(cut.level - cut.doubt - limit.at(cut.begin), DIGITS) <= 0)
    if not within.any():
        return None
    return max(0.0, round(float(cut.begin[within][0]) - begin, 6))
