"""The evaluator of the truth: what counts as over the limit, and for how long."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.chaos.truth import HEADER, Overshoot, Step, Truth

AT = 1_800_000_000.0


def truth(*rows: tuple[float, int, float]) -> Truth:
    """Rows of (seconds, connector, kW) at one station."""
    return Truth((AT + at, "A", connector, kw) for at, connector, kw in rows)


def test_a_value_holds_until_the_next_one_of_its_connector() -> None:
    seen = truth((0, 1, 6.0), (1, 2, 3.0), (2, 1, 0.0), (3, 1, 0.0))
    assert [seen.mean_kw(AT + s, AT + s + 1) for s in range(3)] == [6.0, 9.0, 3.0]
    assert seen.at(AT + 1.5) == {("A", 1): 6.0, ("A", 2): 3.0}


def test_at_the_limit_is_not_over_it() -> None:
    assert truth((0, 1, 5.0), (0, 2, 5.0), (9, 1, 5.0)).over([Step(0, 10.0)], AT, AT + 9) == Overshoot()


def test_every_tenth_over_the_limit_counts() -> None:
    over = truth((0, 1, 9.0), (2, 2, 3.0), (2.5, 2, 4.0), (2.6, 2, 1.0), (9, 1, 9.0)).over([Step(0, 10.0)], AT, AT + 9)
    assert (over.seconds, over.worst_kw, over.worst_at) == (0.6, 3.0, AT + 2.5)
    assert over.kw_s == pytest.approx(0.5 * 2 + 0.1 * 3)
    assert (over.begin, over.end) == (AT + 2.0, AT + 2.6)


def test_each_moment_is_judged_by_the_limit_of_that_moment() -> None:
    limit = [Step(0, 10.0), Step(AT + 3, 4.0), Step(AT + 5, 10.0)]
    over = truth((0, 1, 8.0), (4, 1, 4.0), (6, 1, 8.0), (9, 1, 8.0)).over(limit, AT, AT + 9)
    assert (over.begin, over.end, over.seconds, over.worst_kw) == (AT + 3, AT + 4, 1.0, 4.0)


def test_only_the_asked_span_counts() -> None:
    assert truth((0, 1, 20.0), (1, 1, 5.0), (9, 1, 5.0)).over([Step(0, 10.0)], AT + 1, AT + 9).seconds == 0
    assert truth((0, 1, 20.0), (1, 1, 5.0), (9, 1, 5.0)).over([Step(0, 10.0)], AT + 0.9, AT + 9).seconds == 0.1


def test_many_connectors_add_up_exactly() -> None:
    rows = [(0.1 * n, n, 0.1) for n in range(300)] + [(60.0, 1, 0.1)]
    assert truth(*rows).over([Step(0, 30.0)], AT, AT + 60) == Overshoot()


def test_a_line_that_was_cut_off_means_nothing(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(f"{HEADER}\n{AT:.1f},A,1,7.2000\n{AT + 1:.1f},A,1,7.2000\n{AT + 2:.1f},A,1,99")
    assert Truth.read(path).end == AT + 1


def test_a_file_that_is_no_trace_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("a,b\n")
    with pytest.raises(ValueError, match="is no trace"):
        Truth.read(path)
