"""The page is one file that fetches nothing, escapes everything, and tells all that was found."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from optivgi import plot
from optivgi.model.history import History
from optivgi.report import Limits, Report
from optivgi.report.curve import LimitCurve
from optivgi.report.page import Picture, page
from tests.report.histories import at, curtailed, history, judged, with_session
from tests.report.traces import truth_of

END_S = 1300
VOID = {"meta", "img", "br"}


class Document(HTMLParser):
    """The tags, attributes and words of a page; it must be well formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"] and data.strip():
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return "\n".join(self.words)


@pytest.fixture(scope="module")
def bad() -> Report:
    """A run with a charger that ignores its limit, a limit that falls, a missing meter and a paused EV."""
    sessions = with_session(curtailed(), 3, drawn=[(123.3, 7.2)])
    sessions = with_session(sessions, 2, silent=(300.0, 340.0))
    first = sessions[0]
    sessions = with_session(sessions, 1, allowed=[*first.allowed[:-1], (420, 0.0), (480, first.allowed[-1][1])])
    steps = [(0.0, 30.0), (at(400).timestamp(), 24.0), (at(700).timestamp(), 30.0)]
    limits = Limits(LimitCurve.of(steps), sources=("limit.csv",))
    return judged(history(*sessions, end_s=END_S), limits=limits, truth=truth_of(sessions, END_S))


def test_nothing_is_fetched_and_nothing_runs(bad: Report) -> None:
    text = page(bad, plot.pictures(bad))
    document = Document(text)

    assert not {"script", "link", "iframe", "object", "base", "form"} & set(document.tags)
    fetched = [value for name, value in document.attributes if name in ("src", "href", "srcset", "action", "data")]
    assert fetched
    assert all(value.startswith("data:image/png;base64,") for value in fetched)
    assert not [name for name, _ in document.attributes if name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    assert ("http-equiv", "Content-Security-Policy") in document.attributes


def test_all_that_was_found_is_there(bad: Report) -> None:
    words = Document(page(bad)).text

    assert bad.verdict.replace("--", "—") in words
    for check in bad.checks:
        assert check.name in words
        assert check.detail in words
    assert "Over the limit" in words
    assert "When the limit fell" in words
    assert "not before it changed again" in words
    assert [f"STATION-{number:02d}" in words for number in range(1, 7)] == [True] * 6
    assert "its TxProfile said 0 while 5 other EVs had" in words
    assert "it waited for its first TxProfile: the TxDefaultProfile begins with 0" in words
    assert "12.0 to" not in words
    assert "24.0 to 30.0 kW (2 changes), from limit.csv" in words


def test_evidence_names_what_is_missing(bad: Report) -> None:
    without = judged(replace(history(*curtailed(), end_s=END_S), unreadable=("message 7 of STATION-01",)))

    assert "\n4 samples\n" in Document(page(bad)).text
    words = Document(page(without)).text
    assert "a trace of what really flowed (--trace; a simulator can write one)" in words
    assert "not understood: message 7 of STATION-01" in words
    assert "none: the site limit is the only one" in words


def test_a_meter_that_counted_what_never_flowed_is_named() -> None:
    facts = history(*curtailed(), end_s=END_S)
    true = truth_of(with_session(curtailed(), 4, drawn=[(183.3, 3.0)]), END_S)

    assert "1 session whose meter counted another energy" in Document(page(judged(facts, truth=true))).text


def test_names_from_stations_are_words_and_never_markup() -> None:
    name = '<script>alert("1")</script>&amp;'
    facts = history(*curtailed(), end_s=END_S)
    renamed = replace(
        facts,
        transactions=tuple(
            replace(tx, station_id=name) if tx.station_id == "STATION-01" else tx for tx in facts.transactions
        ),
        unreadable=(f"SetChargingProfile to {name}: 'x'",),
    )
    report = judged(renamed)

    text = page(report, [Picture(name, f'"{name}"', b"\x89PNG")])

    document = Document(text)
    assert "script" not in document.tags
    assert "<script" not in text.lower()
    assert name in document.words
    assert ("alt", f'{name}. "{name}"') in document.attributes


def test_a_page_of_nothing_is_still_a_page() -> None:
    report = judged(History(None, None, (), ()))

    document = Document(page(report, plot.pictures(report)))
    assert "0/5 checks passed — FAIL" in document.words
    assert "img" not in document.tags


def test_the_same_report_gives_the_same_page(bad: Report) -> None:
    assert page(bad, plot.pictures(bad)) == page(bad, plot.pictures(bad))


def test_there_are_pictures_of_what_there_is_to_see(bad: Report) -> None:
    titles = [picture.title for picture in plot.pictures(bad)]

    assert titles == [
        "What the EVs drew and what they were allowed",
        "The site against its limit",
        "A closer look",
        "Who charged, waited and paused",
    ]
    assert all(picture.png.startswith(b"\x89PNG") for picture in plot.pictures(bad))


def test_pauses_are_counted_from_what_an_ev_was_allowed(bad: Report) -> None:
    first = bad.facts.sessions[0]

    assert first.paused_s == 60
    assert first.waited_s == pytest.approx(0.3)
    assert [pause.seconds for pause in first.pauses if not pause.at_start] == [60]
    assert first.pauses[-1].others == 5
