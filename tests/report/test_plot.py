"""The picture shows what the report says; it is the same for the same report, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from optivgi import plot
from optivgi.model.history import History
from optivgi.plot import run, style
from optivgi.report import Report
from tests.report.histories import Session, curtailed, history, judged, with_session

PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def good() -> Report:
    return judged(history(*curtailed(), end_s=1300))


def texts(picture: Figure) -> str:
    own = [text.get_text() for text in picture.texts]
    legends = [text.get_text() for legend in picture.legends for text in legend.get_texts()]
    return "\n".join([*own, *legends])


def test_the_picture_is_written_and_the_same_each_time(good: Report, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        plot.save(good, tmp_path / name)

    first, second = ((tmp_path / name).read_bytes() for name in ("one.png", "two.png"))
    assert first.startswith(PNG)
    assert first == second


def test_the_title_says_the_verdict_and_the_limit(good: Report) -> None:
    words = texts(plot.figure(good))

    assert "Site power against the limit of 30 kW" in words
    assert "5/5 checks passed — PASS" in words
    assert "sampled every 10 s, 0 missing · never over the limit" in words


def test_few_evs_are_all_named_with_their_energy(good: Report) -> None:
    words = texts(plot.figure(good))

    assert [f"STATION-{number:02d}" in words for number in range(1, 7)] == [True] * 6
    assert "STATION-01  1.00 kWh" in words


def test_of_many_evs_the_largest_are_named_and_a_bar_tells_the_rest() -> None:
    sessions = [Session(n, 3, 600 + 10 * n, [(3.3, 2.5)]) for n in range(1, 61)]
    picture = plot.figure(judged(history(*sessions, end_s=1300), limit_kw=150))

    words = texts(picture)
    assert "STATION-60" in words
    assert "STATION-01" not in words
    assert [axes.get_ylabel() for axes in picture.axes if axes.get_ylabel()] == ["EV by arrival"]


def test_time_over_the_limit_is_red(good: Report) -> None:
    over = judged(history(*with_session(curtailed(), 3, drawn=[(123.3, 7.2)]), end_s=1300))

    assert "over the limit for 420 s" in texts(plot.figure(over))
    assert _red_spans(plot.figure(over)) == 1
    assert _red_spans(plot.figure(good)) == 0


def _red_spans(picture: Figure) -> int:
    red = mpl.colors.to_rgb(style.RED)
    return sum(mpl.colors.to_rgb(patch.get_facecolor()) == red for axes in picture.axes for patch in axes.patches)


def test_a_missing_sample_leaves_a_gap_that_the_legend_explains() -> None:
    gap = judged(history(*with_session(curtailed(), 2, silent=(300.0, 340.0)), end_s=1300))

    assert "a sample is missing" in texts(plot.figure(gap))


def test_nothing_recorded_still_gives_a_picture(tmp_path: Path) -> None:
    report = judged(History(None, None, (), ()))

    plot.save(report, tmp_path / "empty.png")
    assert "no session in the window" in texts(plot.figure(report))


def test_long_histories_keep_their_peaks() -> None:
    sessions = [Session(1, 5, 50_000, [(5, 2.0), (25_000, 9.0), (25_010, 2.0)])]
    picture = plot.figure(judged(history(*sessions, end_s=50_100)))

    line = picture.axes[0].lines[0]
    power_kw = np.asarray(line.get_ydata(), dtype=float)
    assert len(power_kw) < run.MOST_INSTANTS + 10
    assert power_kw.max() == pytest.approx(9.0)


def test_no_global_state_of_matplotlib_is_touched(good: Report, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    plot.save(good, tmp_path / "picture.png")

    assert dict(mpl.rcParams) == before
