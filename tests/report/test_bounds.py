"""What holds for every history: bounds that contain the truth, and sums that agree with adding by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optivgi.report.energy import Grid, windows
from tests.report.histories import Session, at, energy_wh, history, judged

POWERS = st.floats(0, 22, allow_nan=False).map(lambda kw: round(kw, 3))


@st.composite
def sessions(draw: st.DrawFn) -> list[Session]:
    found = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        start = draw(st.integers(0, 200)) + draw(st.sampled_from([0.0, 0.25, 0.5]))
        end = start + draw(st.integers(1, 300)) + 0.125
        changes = draw(st.lists(st.tuples(st.floats(start, end, exclude_max=True), POWERS), min_size=1, max_size=6))
        steps = [(start, draw(POWERS)), *sorted((round(s, 3), kw) for s, kw in changes)]
        found.append(Session(number, start, end, steps, unaligned_s=draw(st.sampled_from([0.0, 0.0, 1.5, 3.25]))))
    return found


@given(sessions(), st.sampled_from([1.0, 0.1, 0.001]))
def test_the_bounds_of_every_energy_window_contain_the_true_mean_power(
    run: list[Session], resolution_wh: float
) -> None:
    facts = history(*run, resolution_wh=resolution_wh, end_s=600)
    begin, end = at(-10).timestamp(), at(600).timestamp()

    found = windows(facts.transactions, facts.samples, Grid(10, 0), begin, end)

    origin = at(0).timestamp()
    for index in range(len(found)):
        window = found[index]
        first, last = window.start - origin, window.start - origin + window.seconds
        energy = sum(
            energy_wh(one.allowed, min(last, one.end_s or 600)) - energy_wh(one.allowed, min(first, one.end_s or 600))
            for one in run
        )
        true_kw = energy * 3.6 / window.seconds
        assert window.lowest_kw - 1e-6 <= true_kw <= window.highest_kw + 1e-6


@given(sessions(), st.floats(1, 60))
def test_seconds_over_by_energy_are_never_claimed_where_the_power_never_was(
    run: list[Session], limit_kw: float
) -> None:
    most_kw = sum(max(kw for _, kw in one.allowed) for one in run)
    facts = history(*run, end_s=600)

    over = windows(facts.transactions, facts.samples, Grid(10, 0), at(-10).timestamp(), at(600).timestamp())

    if most_kw <= limit_kw:
        assert over.proven(limit_kw) == []
    assert all(
        first < last <= following
        for (first, last), (following, _) in zip(over.proven(0.5), over.proven(0.5)[1:], strict=False)
    )


@given(sessions())
def test_the_sum_of_the_allocations_at_every_change_is_the_sum_of_each_alone(run: list[Session]) -> None:
    facts = judged(history(*run, end_s=600)).facts

    for step in facts.site:
        alone = [
            allocation.at(step.start)
            for allocation in facts.allocated
            if allocation.transaction.start <= step.start < allocation.end
        ]
        assert step.active == len(alone)
        assert step.allocated_kw == pytest.approx(sum(kw or 0.0 for kw in alone), abs=1e-6)
        assert len(step.unlimited) == alone.count(None)


@given(sessions(), st.floats(0.5, 60))
def test_the_aggregate_check_agrees_with_looking_at_every_moment_of_the_run(
    run: list[Session], limit_kw: float
) -> None:
    """By hand: what each session was last told before a moment, summed, just after each telling."""
    report = judged(history(*run, end_s=600, defaults=False), limit_kw=limit_kw)

    told = sorted({at(s) for one in run for s, _ in one.allowed} | {at(one.start_s) for one in run})
    over = False
    for index, moment in enumerate(told):
        lasts_until = told[index + 1] if index + 1 < len(told) else moment + timedelta(seconds=1)
        total_w = 0
        for one in run:
            if at(one.start_s) <= moment < at(one.end_s or 600) and moment < lasts_until:
                total_w += round([kw for s, kw in one.allowed if at(s) <= moment][-1] * 1000)
        over = over or total_w > limit_kw * 1000
    assert report.checks[2].passed is not over
