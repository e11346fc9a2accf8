"""What is tried on a site, and what is asked of it: the sum under the limit, control back soon, books that agree."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.chaos import scenes
from bench.chaos.books import Difference
from bench.chaos.faults import BY_NAME, FAULTS, FOR_SEQUENCES, LONG_S, Fault
from bench.chaos.scenes import Scene
from bench.chaos.site import Servers, Site, site
from bench.chaos.truth import Overshoot, Step, Truth

RECOVERY_LIMIT_S = 15.0
RESPONSE_LIMIT_S = 2.0
LEAST_USE = 0.98
CALM_S = 8.0
"""How long the use of the limit is averaged."""
PROBE_S = 6.0
"""How long a lower limit lasts that tests whether the site follows."""

QUIET_S = 12.0
"""How long nobody came or left before the use of the limit is judged: time for cuts, settling and raises."""
FAULT_AT_S, AFTER_S = 25.0, 65.0


@dataclass(slots=True)
class Spell:
    """One fault in a run: seconds from the scene's start, and how the site came back."""

    name: str
    struck_s: float
    mended_s: float
    recovery_s: float | None
    missing: str


@dataclass(slots=True)
class Notes:
    """What was noted while a scene was played."""

    spells: list[Spell] = field(default_factory=list)
    calm: list[tuple[float, float]] = field(default_factory=list)
    """Spans at which the limit should be used."""


Play = Callable[[Site, Notes], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """A scene and what is done while it lasts. `judged_on_use`: whether it has calm spans with more demand than limit."""

    name: str
    scene: Scene
    play: Play


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a trial. `response_s` is the slowest answer to an unannounced lower limit."""

    name: str
    over: Overshoot = field(default_factory=Overshoot)
    drawing: dict[tuple[str, int], float] = field(default_factory=dict)
    """What each connector drew at the worst moment."""
    response_s: float | None = None
    spells: tuple[Spell, ...] = ()
    use: float | None = None
    books: Difference = field(default_factory=Difference)
    tracebacks: int = 0
    failures: tuple[str, ...] = ()


def try_out(trial: Trial, servers: Servers, folder: Path, chance: random.Random) -> Result:
    """Plays a trial on a fresh site and judges it; one that does not come to its end has failed."""
    notes = Notes()
    try:
        with site(servers, trial.scene, folder, chance) as here:
            trial.play(here, notes)
            truth, books = here.close()
            logs = "".join(here.parts.stack.log(name) for name in ("csms", "run", "simulate"))
    except (OSError, RuntimeError, ValueError) as error:
        return Result(trial.name, failures=(f"did not come to its end: {error}",))
    return judged(trial.name, here, notes, truth, books, tracebacks=logs.count("Traceback"))


def judged(name: str, here: Site, notes: Notes, truth: Truth, books: Difference, *, tracebacks: int) -> Result:
    """The result, with every measure that was missed."""
    begin, end = here.started_at, here.started_at + here.scene.duration_s + 1
    over = truth.over(_with_grace(here), begin, end)
    allowed = here.allowed()
    responses = [_response_s(truth, allowed, window.begin, window.end) for window in here.unannounced]
    uses = [_use(truth, allowed, begin + first, begin + last) for first, last in notes.calm]
    failures = []
    if over.seconds > 0:
        failures.append(f"over the limit for {over.seconds:.1f} s, by up to {over.worst_kw:.2f} kW")
    if responses and max(responses) > RESPONSE_LIMIT_S:
        failures.append(f"follows an unannounced limit only after {max(responses):.1f} s")
    for spell in notes.spells:
        if spell.recovery_s is None:
            failures.append(f"{spell.name}: not under control again: {spell.missing}")
        elif spell.recovery_s > RECOVERY_LIMIT_S:
            failures.append(f"{spell.name}: control back after {spell.recovery_s:.1f} s ({spell.missing})")
    if uses and min(uses) < LEAST_USE:
        failures.append(f"only {min(uses):.1%} of the limit used")
    if not books.agrees:
        failures.append(f"books: {len(books.lost)} lost, {len(books.doubled)} doubled, {books.off_wh} Wh off")
    return Result(
        name=name,
        over=over,
        drawing={} if over.worst_at is None else truth.at(over.worst_at),
        response_s=max(responses, default=None),
        spells=tuple(notes.spells),
        use=min(uses, default=None),
        books=books,
        tracebacks=tracebacks,
        failures=tuple(failures),
    )


def _with_grace(here: Site) -> list[Step]:
    """The limit, where a drop that nobody was told of holds from RESPONSE_LIMIT_S after it on."""
    sudden = {window.begin for window in here.unannounced}
    return [replace(s, at=s.at + RESPONSE_LIMIT_S) if s.at in sudden else s for s in here.allowed()]


def _response_s(truth: Truth, allowed: list[Step], begin: float, end: float) -> float:
    over = truth.over(allowed, begin, end)
    return 0.0 if over.end is None else over.end - begin


def _use(truth: Truth, allowed: list[Step], begin: float, end: float) -> float:
    limit_kw = next(step.kw for step in reversed(allowed) if step.at <= begin)
    return truth.mean_kw(begin, end) / limit_kw


def trials(seed: int, minutes: float) -> Iterator[Trial]:
    """Everything that is tried by name, in order; `minutes` is the length of the random sequence."""
    chance = random.Random(f"{seed}/scenes")
    for name, scene in (
        ("one-after-the-other", scenes.one_after_the_other(every_s=5, stay_s=45)),
        ("all-at-once", scenes.all_at_once(stay_s=40)),
        ("sixty-in-ten-seconds", scenes.many_at_once(chance, evs=60, within_s=10, stay_s=60)),
    ):
        yield Trial(name, scene, _just_watch)
    yield Trial("limit-drops-announced", scenes.all_at_once(stay_s=125), _announced)
    yield Trial("limit-drops-suddenly", scenes.all_at_once(stay_s=50), _sudden)
    for fault in FAULTS:
        around = scenes.while_nobody_rules if fault.down_s >= LONG_S else scenes.around_a_fault
        yield Trial(fault.name, around(FAULT_AT_S, fault.down_s, AFTER_S), _one(fault))
    yield Trial("limit-drops-while-optimizer-away", scenes.all_at_once(stay_s=145), _announced_to_the_dead)
    yield Trial("random", scenes.coming_and_going(chance, minutes * 60), _sequence)


def _just_watch(here: Site, notes: Notes) -> None:
    calm = here.scene.steady_s
    notes.calm.append((calm, calm + CALM_S))


def _announced(here: Site, notes: Notes) -> None:
    here.wait_until(15)
    here.limit(0.4 * here.scene.limit_kw, lasts_s=25, ahead_s=60)
    notes.calm += [(17, 60), (88, 98), (112, 120)]
    here.wait_until(120)


def _sudden(here: Site, notes: Notes) -> None:
    here.wait_until(15)
    here.limit(0.4 * here.scene.limit_kw, lasts_s=12)
    notes.calm += [(19, 26), (40, 48)]
    here.wait_until(30)


def _announced_to_the_dead(here: Site, notes: Notes) -> None:
    here.wait_until(15)
    here.limit(0.4 * here.scene.limit_kw, lasts_s=40, ahead_s=60)
    here.wait_until(55)
    suffer(here, notes, BY_NAME["kill-optimizer"], down_s=50)


def _one(fault: Fault) -> Play:
    def play(here: Site, notes: Notes) -> None:
        here.wait_until(FAULT_AT_S)
        notes.calm.append((FAULT_AT_S - CALM_S, FAULT_AT_S))
        suffer(here, notes, fault, fault.down_s)
        mended_s = notes.spells[-1].mended_s
        here.wait_until(mended_s + 25)
        calm = here.quiet(QUIET_S, until_s=mended_s + 47)
        notes.calm.append((calm, calm + CALM_S))
        here.wait_until(calm + CALM_S + 1)
        here.limit(0.8 * here.scene.limit_kw, lasts_s=PROBE_S)
        here.wait_until(calm + CALM_S + PROBE_S + 1)

    return play


def _sequence(here: Site, notes: Notes) -> None:
    chance = here.parts.chance
    here.wait_until(20)
    while here.now_s() < here.scene.duration_s - 90:
        suffer(here, notes, fault := chance.choice(FOR_SEQUENCES), fault.down_s)
        here.wait_until(here.now_s() + chance.uniform(3, 15))


def suffer(here: Site, notes: Notes, fault: Fault, down_s: float) -> None:
    """One fault, from its stroke until the site is under control again."""
    struck_s, before = here.now_s(), here.figures()
    fault.strike(here.parts)
    here.wait_until(struck_s + down_s)
    before = here.figures() or before
    fault.mend(here.parts)
    returned = time.time()
    recovery_s, missing = here.recover(before, returned)
    notes.spells.append(Spell(fault.name, struck_s, returned - here.started_at, recovery_s, missing))
