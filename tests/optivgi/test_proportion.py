"""EVs that draw the same part of whatever they are allowed."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.proportion import MARGIN, Proportion, compared

Samples = list[tuple[float, float]]
"""What was allowed, and what was drawn."""


def after(samples: Samples) -> Proportion:
    return reduce(lambda one, sample: one.seen(*sample), samples, Proportion())


def halves(*allowed_kw: float) -> Samples:
    return [(kw, kw / 2) for kw in allowed_kw]


def test_half_of_everything_it_was_allowed_down_and_up_again_is_proof() -> None:
    assert after(halves(7.2, 7.2, 4.1, 4.1, 2.6, 4.5)).part == pytest.approx(0.5 * MARGIN)


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        (halves(7.2, 7.2, 7.2, 7.2, 7.2, 7.2, 7.2), "one allowance proves nothing"),
        (halves(7.2, 7.2, 4.1, 4.1, 2.6, 2.6, 2.6), "it never drew more again, as an EV that gets full does not"),
        (halves(4.5, 4.1, 4.5, 4.1, 4.5, 4.1, 4.5), "too narrow"),
        (halves(7.2, 2.6, 4.5), "too few"),
        ([(7.2, 7.1), (4.1, 4.0), (2.6, 2.5), (4.5, 4.4), (6.0, 5.9), (7.2, 7.1)], "it leaves nothing"),
        ([(7.2, 3.6), (4.1, 3.6), (2.6, 2.6), (4.5, 3.6), (6.0, 3.6), (7.2, 3.6)], "a bound of its own"),
    ],
)
def test_less_is_no_proof(samples: Samples, why: str) -> None:
    assert after(samples).part is None, why


def test_who_draws_more_than_its_part_once_is_never_believed_again() -> None:
    proven = after(halves(7.2, 7.2, 4.1, 4.1, 2.6, 4.5))
    assert compared(proven, 2.3, 4.5, 4.5) != proven
    broken = compared(proven, 3.0, 4.5, 4.5)
    assert broken.part is None
    assert reduce(lambda one, sample: one.seen(*sample), halves(7.2, 7.2, 4.1, 4.1, 2.6, 4.5), broken).part is None


def test_a_sample_right_after_a_change_neither_proves_nor_breaks() -> None:
    proven = after(halves(7.2, 7.2, 4.1, 4.1, 2.6, 4.5))
    assert compared(proven, 2.25, 4.5, 7.2) == proven
    assert compared(proven, 2.25, None, 7.2) == proven


@given(st.lists(st.tuples(st.floats(0.1, 50), st.floats(0, 1)), max_size=30))
def test_nobody_is_believed_to_draw_less_than_was_ever_seen_since_the_proof_began(seen: Samples) -> None:
    proportion = after([(kw, kw * part) for kw, part in seen])
    if proportion.part is not None:
        assert proportion.part >= max(part for _, part in seen[-proportion.samples :])
