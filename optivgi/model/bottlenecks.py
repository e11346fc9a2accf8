"""Which departures a coarse time grid must not lose: where bottlenecks end, and where the last EVs before that leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optivgi.model.problem import Bools, Floats, Ints

LEAST_PART = 0.01
HURRIED = 0.75
"""An EV that needs its maximum power for this part of its stay to be served as well as the worst is a bottleneck by itself."""
MOST_HURRIED = 4


@dataclass(frozen=True, slots=True)
class Departures:
    """S EVs as departures see them, in their order of leaving."""

    departure_s: Floats
    asked_kwh: Floats
    """[S + 1], what the first n of them ask for."""
    most_kw: Floats
    """[S + 1], what the first n of them can draw."""
    need_h: Floats
    """[S], how long each needs at its maximum power."""

    @classmethod
    def of(cls, departure_s: Floats, need_kwh: Floats, max_kw: Floats) -> Departures:
        order = np.argsort(departure_s, kind="stable")
        asked, most = (np.concatenate(([0.0], np.cumsum(each[order]))) for each in (need_kwh, max_kw))
        return cls(departure_s[order], asked, most, (need_kwh / max_kw)[order])

    def telling(self, at_s: Floats, usable_kw: Floats) -> tuple[Floats, Bools]:
        """Of N instants, in order: how much each tells about energies (0..1], and which end a bottleneck.

        `usable_kw` is what the site can use until each instant. Those who leave by the end of their bottleneck lose energy
        by a cell that is too long only where they could not use the site alone: there the instants tell most.
        """
        room_kwh = np.cumsum(usable_kw * np.diff(at_s, prepend=0.0)) / 3600.0
        left = np.searchsorted(self.departure_s, at_s, side="right")
        asked_kwh = self.asked_kwh[left]
        ends = bottlenecks(asked_kwh, room_kwh)
        last = left[ends][np.minimum(np.searchsorted(at_s[ends], at_s), ends.sum() - 1)]
        still_kw = self.most_kw[last] - self.most_kw[np.searchsorted(self.departure_s, at_s, side="left")]
        ends[self._hurried(at_s, float((room_kwh / np.maximum(asked_kwh, 1e-9)).min()))] = True
        part = np.clip(usable_kw / np.maximum(still_kw, 1e-9), LEAST_PART, 1.0)
        return part * part, ends

    def _hurried(self, at_s: Floats, level: float) -> Ints:
        """Positions in `at_s` of the departures of those that are bottlenecks by themselves if all get `level` of what they ask
        for: hardly anything of their stay may be lost.
        """
        hurry = self.need_h * level * 3600.0 / np.maximum(self.departure_s, 1.0)
        most = np.argsort(-hurry)[:MOST_HURRIED]
        leave_s = self.departure_s[most[hurry[most] > HURRIED]]
        positions: Ints = np.searchsorted(at_s, leave_s[(leave_s >= at_s[0]) & (leave_s <= at_s[-1])])
        return positions


def bottlenecks(asked_kwh: Floats, room_kwh: Floats) -> Bools:
    """[N], at which of N departures a bottleneck ends.

    `asked_kwh` is what all who have left by then ask for, `room_kwh` what they can have had; neither ever falls. A bottleneck
    ends at every vertex of the greatest convex minorant of room over what is asked: who leaves before a vertex gets the
    slope up to it, as a part of what it asks for. The last departure always ends one.
    """
    hull: list[int] = []
    asked, room = asked_kwh.tolist(), room_kwh.tolist()
    for index in range(len(asked)):
        while hull:
            last = hull[-1]
            x0, y0 = (asked[hull[-2]], room[hull[-2]]) if len(hull) > 1 else (0.0, 0.0)
            if (room[last] - y0) * (asked[index] - x0) < (room[index] - y0) * (asked[last] - x0):
                break
            hull.pop()
        hull.append(index)
    ends = np.zeros(len(asked), dtype=bool)
    ends[hull] = True
    return ends
