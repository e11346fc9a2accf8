"""An EV that draws more than it may: when that is judged, what is done about it, and when all is forgiven."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.adherence import Action, AdherenceSettings, Conduct, Sample, Stage, exceeds, judged
from optivgi.adherence import given as as_given
from optivgi.testing import MOMENT

SETTINGS = AdherenceSettings(adherence_s=20.0)


def after(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


def a_sample(at_s: float, kw: float, allowed_kw: float | None = 3.0) -> Sample:
    return Sample(kw, after(at_s), allowed_kw)


class Watch:
    """Judges a sample every 10 s and keeps what was to be done when."""

    def __init__(self) -> None:
        self.conduct = Conduct()
        self.actions: list[tuple[float, Action]] = []

    def see(self, at_s: float, kw: float, allowed_kw: float | None = 3.0) -> None:
        self.conduct, action = judged(self.conduct, a_sample(at_s, kw, allowed_kw), after(at_s), SETTINGS)
        if action is not None:
            self.actions.append((at_s, action))


def test_a_draw_above_the_limit_counts_at_once_and_its_profile_is_sent_again() -> None:
    watch = Watch()
    watch.see(0, 7.2)
    assert watch.conduct.overdraw_kw == 7.2
    assert watch.actions == [(0, Action.RESEND)]


def test_what_does_not_help_is_followed_by_other_forms_and_the_alarm_in_time() -> None:
    watch = Watch()
    for at_s in range(0, 61, 10):
        watch.see(at_s, 7.2)
        assert watch.conduct.alarming(after(at_s), SETTINGS) == (at_s >= 10)
    assert watch.actions == [
        (0, Action.RESEND),
        (10, Action.NEXT_FORM),
        (30, Action.NEXT_FORM),
        (50, Action.NEXT_FORM),
    ]


def test_a_pause_that_is_not_kept_becomes_the_minimum() -> None:
    watch = Watch()
    for at_s in (0, 10):
        watch.see(at_s, 7.2, allowed_kw=0.0)
    assert watch.actions == [(0, Action.RESEND), (10, Action.FLOOR)]
    watch.see(20, 1.44, allowed_kw=1.44)
    assert watch.conduct == Conduct(Stage.OBEYS, seen_at=after(20), floored=True)


def test_one_obedient_sample_forgives_all() -> None:
    watch = Watch()
    for at_s in (0, 10, 20):
        watch.see(at_s, 7.2)
    watch.see(30, 3.0)
    assert watch.conduct.overdraw_kw is None
    assert not watch.conduct.alarming(after(30), SETTINGS)


def test_a_draw_taken_as_given_is_questioned_again_after_a_while() -> None:
    watch = Watch()
    for at_s in (0, 10):
        watch.see(at_s, 7.2)
    watch.conduct = as_given(watch.conduct)
    for at_s in range(20, 640, 10):
        watch.see(at_s, 7.2)
    assert watch.actions[2:] == [(610, Action.RESEND), (620, Action.NEXT_FORM)]


@pytest.mark.parametrize(
    ("sample", "now_s", "why"),
    [
        (None, 0.0, "no meter"),
        (a_sample(0, 7.2, None), 0.0, "nobody knows what it was allowed"),
        (a_sample(0, 7.2), 61.0, "too old"),
    ],
)
def test_what_is_not_known_judges_nothing_and_forgives_nothing(sample: Sample | None, now_s: float, why: str) -> None:
    for before in (Conduct(), Conduct(Stage.RESENT, after(-10), 7.2, after(-10), after(-10))):
        assert judged(before, sample, after(now_s), SETTINGS) == (before, None), why


def test_the_same_sample_is_judged_once() -> None:
    once = judged(Conduct(), a_sample(0, 7.2), after(0), SETTINGS)[0]
    assert judged(once, a_sample(0, 7.2), after(5), SETTINGS) == (once, None)


@given(allowed_kw=st.floats(1.44, 300), share=st.floats(0, 1.0499))
def test_meter_noise_is_no_excess(allowed_kw: float, share: float) -> None:
    assert not exceeds(allowed_kw * share, allowed_kw)
    assert exceeds(allowed_kw * 1.06 + 0.25, allowed_kw)


@given(draws=st.lists(st.floats(0, 22), max_size=30), allowed_kw=st.floats(0, 11))
def test_an_ev_is_counted_at_what_it_was_last_seen_to_draw_above_its_limit(
    draws: list[float], allowed_kw: float
) -> None:
    watch = Watch()
    for position, kw in enumerate(draws):
        watch.see(position * 10, kw, allowed_kw)
        counted_kw = watch.conduct.overdraw_kw
        assert (counted_kw is not None) == exceeds(kw, allowed_kw)
        assert counted_kw is None or counted_kw >= kw
