"""EVs that sleep after a pause: woken a few times, then let sleep."""

from __future__ import annotations

from datetime import datetime, timedelta

from optivgi.testing import MOMENT
from optivgi.wake import Phase, Seen, Sleeper, WakeSettings, watched

SETTINGS = WakeSettings(attempts=2, asleep_s=60, zero_s=10, least_s=30)


class Night:
    """An EV looked at every 10 s."""

    def __init__(self) -> None:
        self.sleeper = Sleeper()
        self.at: datetime = MOMENT

    def passes(self, seconds: int, *, kw: float = 0.0, allowed: bool | None = True, wants: bool = True) -> list[Phase]:
        phases = []
        for _ in range(seconds // 10):
            self.at += timedelta(seconds=10)
            seen = Seen(self.at, allowed, wants, suspended_by_ev=kw == 0, measured_kw=kw)
            self.sleeper = watched(self.sleeper, seen, SETTINGS)
            phases.append(self.sleeper.phase)
        return phases


def paused() -> Night:
    night = Night()
    night.passes(60, kw=7.0)
    night.passes(60, allowed=False)
    return night


def test_an_ev_that_sleeps_after_a_pause_sees_its_pilot_go_away_and_come_back() -> None:
    night = paused()
    assert night.passes(60) == [Phase.NONE] * 6
    assert night.passes(50) == [Phase.ZERO, Phase.LEAST, Phase.LEAST, Phase.LEAST, Phase.NONE]


def test_attempts_are_bounded_and_the_last_is_given_up() -> None:
    night = paused()
    phases = night.passes(1000)
    assert phases.count(Phase.ZERO) == 2
    assert phases[-1] is Phase.GIVEN_UP
    assert night.sleeper.attempts == 2


def test_an_ev_that_wakes_is_awake() -> None:
    night = paused()
    night.passes(80)
    night.passes(10, kw=1.4)
    assert (night.sleeper.phase, night.sleeper.woken) == (Phase.NONE, 1)
    assert set(night.passes(600)) == {Phase.NONE}, "it sleeps of its own will now"


def test_an_ev_that_was_never_paused_or_wants_nothing_is_let_sleep() -> None:
    night = Night()
    assert set(night.passes(600)) == {Phase.NONE}
    night = paused()
    assert set(night.passes(600, wants=False)) == {Phase.NONE}


def test_an_ev_that_is_not_known_to_be_allowed_to_charge_is_not_woken() -> None:
    assert set(paused().passes(600, allowed=None)) == {Phase.NONE}


def test_a_wake_sequence_never_gives_more_than_was_planned() -> None:
    for phase in Phase:
        assert Sleeper(phase=phase).target_kw(1.0, 1.44) <= 1.0
        assert Sleeper(phase=phase).target_kw(5.0, 1.44) <= 5.0
