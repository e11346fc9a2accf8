"""Power over time: highest of several, rises early and drops late, spans that hide nothing."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from optivgi.envelope import Envelope, highest

MOMENTS = st.floats(0, 100).map(lambda moment: round(moment * 4) / 4)
STEPS = st.lists(st.tuples(MOMENTS, st.sampled_from([0.0, 1.4, 2.5, 5.0])), min_size=1, max_size=5)
ENVELOPES = STEPS.map(lambda steps: Envelope.of(sorted(dict(steps).items())))


def test_equal_neighbours_are_one_step() -> None:
    assert Envelope.of([(0, 5.0), (3, 5.0), (7, 2.5)]) == Envelope((0, 7), (5.0, 2.5))


def test_the_first_power_also_holds_before_and_the_last_one_for_ever() -> None:
    envelope = Envelope((10, 20), (5.0, 2.5))
    assert [envelope.at(moment) for moment in (0, 10, 19.9, 20, 1e9)] == [5.0, 5.0, 5.0, 2.5, 2.5]


def test_until_goes_over_to_another_one() -> None:
    assert Envelope.constant(5.0).until(60, Envelope((0, 90), (0.0, 2.5))).powers_kw == (5.0, 0.0, 2.5)
    assert Envelope((0, 50), (5.0, 4.0)).until(50, Envelope.constant(2.5)).powers_kw == (5.0, 2.5)


def test_the_least_from_a_moment_on_is_what_was_before_no_more() -> None:
    envelope = Envelope((0, 10, 20), (1.0, 5.0, 2.5))
    assert [envelope.least_from(moment) for moment in (-5, 9.9, 10, 25)] == [1.0, 1.0, 2.5, 2.5]


def test_widened_drops_come_late_and_rises_early() -> None:
    envelope = Envelope((0, 60, 80), (5.0, 2.0, 3.0)).widened(5, 10)
    assert envelope == Envelope((-math.inf, 70, 75), (5.0, 2.0, 3.0))


@given(ENVELOPES, MOMENTS, st.sampled_from([0.0, 5.0]), st.sampled_from([0.0, 10.0]))
@example(Envelope((1.0, 6.0), (0.0, 1.4)), 0.0, 5.0, 0.0)
def test_widened_is_the_most_around_each_moment(
    envelope: Envelope, moment: float, early_s: float, late_s: float
) -> None:
    around = np.arange(moment - late_s, moment + early_s + 0.01, 0.25)
    assert envelope.widened(early_s, late_s).at(moment) == max(envelope.at(one) for one in around)


@given(st.lists(ENVELOPES, min_size=1, max_size=4), MOMENTS)
def test_highest_is_the_highest_at_each_moment(envelopes: list[Envelope], moment: float) -> None:
    assert highest(envelopes).at(moment) == max(one.at(moment) for one in envelopes)


@given(ENVELOPES, st.lists(MOMENTS, min_size=1, max_size=6, unique=True), MOMENTS)
def test_spans_hide_nothing(envelope: Envelope, moments: list[float], moment: float) -> None:
    spans = np.array(sorted(moments))
    if moment >= spans[0]:
        span = int(np.searchsorted(spans, moment, side="right")) - 1
        assert envelope.over(spans)[span] >= envelope.at(moment)
    for span, power_kw in enumerate(envelope.over(spans)):
        end = spans[span + 1] - 0.25 if span + 1 < len(spans) else 1e9
        assert power_kw == envelope.most(spans[span], end)
