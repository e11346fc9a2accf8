"""EVs that use less than they may: what they leave, and how they get it back."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from optivgi.testing import MOMENT
from optivgi.usage import Draw, Usage, UsageSettings, held, silent_s, used

SETTINGS = UsageSettings()
MAX_KW = 7.2


class Meter:
    """Samples every 10 s of an EV that draws the least of what it can and what it may."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.at = MOMENT

    def sample(self, kw: float, steady_kw: float | None) -> None:
        self.at += timedelta(seconds=10)
        self.usage = used(self.usage, Draw(kw, self.at, steady_kw), self.at, MAX_KW, SETTINGS)

    @property
    def may_kw(self) -> float:
        return MAX_KW if self.usage.usable_kw is None else self.usage.usable_kw

    def draws(self, can_kw: float, samples: int) -> list[float]:
        """What it may draw after each sample."""
        seen = []
        for _ in range(samples):
            self.sample(min(can_kw, self.may_kw), self.may_kw)
            seen.append(self.may_kw)
        return seen


def test_what_an_ev_leaves_twice_in_a_row_goes_to_others() -> None:
    assert Meter().draws(3.6, 3) == [MAX_KW, 4.1, 4.1]


def test_an_ev_that_uses_its_probe_gets_twice_as_much_each_time_until_it_has_all() -> None:
    meter = Meter()
    meter.draws(2.0, 3)
    assert meter.draws(MAX_KW, 4) == [3.5, 5.5, MAX_KW, MAX_KW]


def test_a_taper_is_followed_down() -> None:
    meter = Meter()
    for can_kw in (6.0, 5.0, 4.0, 3.0, 2.0, 1.0):
        meter.draws(can_kw, 3)
    assert meter.may_kw == 1.5


def test_an_ev_that_still_ramps_up_is_not_judged() -> None:
    meter = Meter()
    for kw in (0.5, 1.0, 1.5, 2.0, 2.5):
        meter.sample(kw, MAX_KW)
    assert meter.usage.usable_kw is None


def test_an_ev_that_was_just_raised_or_of_which_nothing_is_known_is_not_judged() -> None:
    meter = Meter()
    for steady_kw in (None, 0.0, 1.44) * 3:
        meter.sample(1.4, steady_kw)
    assert meter.usage.usable_kw is None


def test_a_stale_sample_judges_nothing() -> None:
    usage = Usage()
    assert used(usage, Draw(1.0, MOMENT, MAX_KW), MOMENT + timedelta(seconds=61), MAX_KW, SETTINGS) is usage


def test_an_ev_that_draws_a_part_of_whatever_it_may_is_left_alone() -> None:
    meter = Meter()
    for _ in range(8):
        meter.sample(meter.may_kw / 2, meter.may_kw)
    assert meter.usage.follows_offer
    assert meter.may_kw == MAX_KW
    assert silent_s(meter.usage, meter.at) == 0, "its meter goes on telling"


def test_silence_holds_an_ev_where_it_is_then_brings_it_to_its_safe_share_and_never_loosens() -> None:
    usage = Usage(usable_kw=5.0, seen_at=MOMENT)
    assert held(usage, 60, 3.0, 1.44, SETTINGS) == 5.0
    assert held(usage, 121, 3.0, 1.44, SETTINGS) == 3.0
    assert held(usage, 301, 3.0, 1.44, SETTINGS) == 1.44
    assert held(usage, 301, 3.0, 6.0, SETTINGS) == 3.0
    assert silent_s(usage, MOMENT + timedelta(seconds=90)) == 90
    assert silent_s(Usage(), MOMENT) == 0, "a meter that never spoke is not silent"


@given(draws=st.lists(st.floats(0, MAX_KW), min_size=1, max_size=40))
def test_an_ev_may_always_draw_what_it_just_drew(draws: list[float]) -> None:
    meter = Meter()
    for can_kw in draws:
        drawn_kw = min(can_kw, meter.may_kw)
        meter.sample(drawn_kw, meter.may_kw)
        assert meter.may_kw >= drawn_kw
        assert meter.may_kw <= MAX_KW
