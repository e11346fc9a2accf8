"""What a site does when its optimizer dies, and what it costs to let cars begin at once: docs/pictures/dead_man.png.

    python -m bench.dead_man [FILE]

The real scheduler controls a site in memory on a clock of its own; then it is cancelled, and three more cars come. What is
drawn is what the stations' profiles allow, every second, by the rules of OCPP.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import matplotlib as mpl

from optivgi.algorithms import algorithm
from optivgi.clock import ManualClock
from optivgi.cycle import CycleSettings, Ports
from optivgi.ledger import Policy
from optivgi.limits.env import ALWAYS
from optivgi.model.composite import Supply, Transaction, limit_at
from optivgi.model.limit_series import LimitSeries
from optivgi.scheduler import Scheduler
from optivgi.testing import FakeEventSource, FakeTranslation, a_connector, an_ev

mpl.use("Agg")
from matplotlib import pyplot as plt

LIMIT_KW, CONNECTORS, RESERVED = 30.0, 12, 2
COMES_S = {"01": 10, "02": 10, "03": 10, "04": 40, "05": 70, "06": 100, "07": 320, "08": 340, "09": 360}
DIES_S, ENDS_S = 300, 840
SUPPLY = Supply(240.0, 1)


class FixedLimit:
    """A LimitSource: always the same."""

    def series(self, group: str, now: datetime) -> LimitSeries:  # noqa: ARG002 - always the same
        return LimitSeries.constant(LIMIT_KW, ALWAYS, "site limit")


@dataclass
class Run:
    """What was allowed to each car, second by second."""

    reserved: int
    seconds: list[int] = field(default_factory=list)
    powers: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in COMES_S})

    @property
    def busy_kw(self) -> float:
        """What is used while control lives, in the end."""
        return sum(powers[DIES_S - 1] for powers in self.powers.values())

    def waits_s(self, name: str) -> int:
        """How long a car waits for its first power."""
        return next(s for s, kw in zip(self.seconds, self.powers[name], strict=True) if kw > 0) - COMES_S[name]


async def played(reserved: int) -> Run:
    """The same day with room kept for so many cars."""
    clock, run = ManualClock(), Run(reserved)
    csms, source = FakeTranslation(clock), FakeEventSource(clock)
    csms.add_connectors(*(a_connector(f"ST-{number:02d}") for number in range(1, CONNECTORS + 1)))
    settings = CycleSettings(policy=Policy(), reserved=reserved)
    ports = Ports(csms, FixedLimit(), algorithm("go"), clock)
    scheduler = Scheduler(ports, source, ["default"], lambda _: "default", settings)
    control = asyncio.create_task(scheduler.run())
    begun = clock.now()
    for second in range(ENDS_S):
        for name, comes_s in COMES_S.items():
            if comes_s == second:
                csms.plug_in(an_ev(name, station_id=f"ST-{name}", arrival=clock.now(), energy_needed_kwh=60.0))
                source.push("StartTransaction", f"ST-{name}")
        if second == DIES_S:
            control.cancel()
        for _ in range(10):
            await clock.advance(0.1)
            await asyncio.sleep(0.001 if second < DIES_S else 0)
        run.seconds.append(second + 1)
        for name, powers in run.powers.items():
            powers.append(allowed_kw(csms, name, begun + timedelta(seconds=COMES_S[name]), clock.now()))
    await asyncio.gather(control, return_exceptions=True)
    return run


def allowed_kw(csms: FakeTranslation, name: str, arrival: datetime, now: datetime) -> float:
    """What the profiles at a car's station let it have; nothing before it is there."""
    if now < arrival:
        return 0.0
    limit = limit_at(csms.installed.get((f"ST-{name}", 1), ()), (), now, Transaction("1", arrival), supply=SUPPLY)
    return 7.2 if limit is None else limit.value / 1000


def drawn(runs: list[Run], file: Path) -> None:
    """Both days, one above the other."""
    figure, axes = plt.subplots(len(runs), 1, figsize=(9, 7), sharex=True, sharey=True)
    for axis, run in zip(axes, runs, strict=True):
        minutes = [second / 60 for second in run.seconds]
        axis.stackplot(minutes, *run.powers.values(), labels=[f"EV {int(name)}" for name in run.powers], step="post")
        axis.axhline(LIMIT_KW, color="black", linewidth=1)
        axis.axvspan(DIES_S / 60, ENDS_S / 60, color="black", alpha=0.08)
        axis.annotate("nobody in control", (DIES_S / 60 + 0.1, LIMIT_KW + 0.6))
        axis.set(ylabel="allowed, kW", ylim=(0, LIMIT_KW + 4))
        waits = [run.waits_s(name) for name in ("07", "08", "09")]
        kept = "pause" if run.reserved == 0 else f"reserve, SAFE_START_RESERVED={run.reserved}"
        axis.set_title(
            f"SAFE_START={kept}: {run.busy_kw:.1f} of {LIMIT_KW:g} kW used before; cars that come after wait "
            f"{', '.join(map(str, waits))} s",
            fontsize=9,
            loc="left",
        )
    axes[-1].set(xlabel="minutes", xlim=(0, ENDS_S / 60))
    axes[0].legend(ncols=1, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/pictures/dead_man.png")
    runs = [asyncio.run(played(reserved)) for reserved in (0, RESERVED)]
    drawn(runs, file)
    for run in runs:
        most = max(map(sum, zip(*run.powers.values(), strict=True)))
        waits = {name: run.waits_s(name) for name in COMES_S}
        print(f"reserved {run.reserved}: {run.busy_kw:.2f} kW used, at most {most:.2f} kW, waits {waits}")


if __name__ == "__main__":
    main()
