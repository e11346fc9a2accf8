"""A report as one self-contained HTML page: nothing is fetched, nothing runs, every word of the data is escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from optivgi.report import Report
from optivgi.report.evidence import Evidence, evidence
from optivgi.report.facts import Facts
from optivgi.report.page_tables import Cell, element, overshoot_table, pause_table, response_table, session_table, table
from optivgi.report.words import day_of, duration, power

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG with what it shows in words."""

    title: str
    caption: str
    png: bytes


def page(report: Report, pictures: Sequence[Picture] = ()) -> str:
    """The page, as a whole document in UTF-8."""
    facts = report.facts
    title = f"Charging run of {day_of(facts.begin, facts.zone)}" if facts.history.transactions else "Charging run"
    style = files("optivgi.report").joinpath("page.css").read_text(encoding="utf-8")
    sections = [
        _head(report, title),
        _tiles(facts),
        _section("Checks", _checks(report)),
        _section(
            "Over the limit",
            overshoot_table(facts),
            "Energy tells of windows in which the registers prove a mean power above the mean limit; it has no peak.",
        ),
        _section("When the limit fell", response_table(facts), _grace_words(facts)) if facts.responses else "",
        _section("Pictures", "".join(_figure(one) for one in pictures)) if pictures else "",
        _section("EVs", session_table(facts) + _pauses(facts)) if facts.sessions else "",
        _section("Evidence", _evidence_table(evidence(report))),
        element("footer", "Written by optivgi verify, which trusts neither the optimizer nor its log."),
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"{element('title', f'{report.verdict} · {title}')}<style>{style}</style>"
    )
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body><main>{"".join(sections)}</main></body></html>\n'


def _head(report: Report, title: str) -> str:
    facts = report.facts
    verdict = element("span", report.verdict.replace("--", "—"), css=f"verdict {_css(report.passed)}")
    window = f"{facts.clock(facts.begin)} to {facts.clock(facts.end)} {facts.begin.astimezone(facts.zone).tzname()}"
    about = element("p", f"{window} · site limit {report.limit_words} · {report.url}", css="sub")
    return f"<header><h1>{element('span', title)}</h1>{verdict}</header>{about}"


def _css(passed: bool) -> str:
    return "pass" if passed else "fail"


def _section(title: str, content: str, note: str = "") -> str:
    return f"<section>{element('h2', title)}{content}{element('p', note, css='note') if note else ''}</section>"


def _tiles(facts: Facts) -> str:
    over = facts.whole.over_truth
    witness = "in truth" if over is not None else "by meter samples"
    over = over or facts.whole.over_metered
    energy_kwh = sum(session.energy_kwh or 0.0 for session in facts.sessions)
    most = max((step.active for step in facts.site), default=0)
    used = facts.used_of_limit()
    told = [
        (duration(over.seconds), f"over the limit {witness}"),
        ("none" if over.worst is None else f"+{power(over.worst.excess, 3)}", "worst overshoot"),
        (f"{len(facts.sessions)}", f"sessions, at most {most} at once"),
        (f"{energy_kwh:.2f} kWh", "delivered by the meters"),
        ("—" if used is None else f"{used:.1%}", "of the limit used while EVs wanted more"),
        (duration(sum(session.paused_s for session in facts.sessions)), "paused, all EVs together"),
    ]
    tiles = "".join(f'<div class="tile">{element("b", number)}{element("span", words)}</div>' for number, words in told)
    return f'<div class="tiles">{tiles}</div>'


def _checks(report: Report) -> str:
    rows = [
        (
            Cell(str(check.number), "number"),
            Cell(check.name, "nowrap"),
            Cell("PASS" if check.passed else "FAIL", badge=_css(check.passed)),
            Cell(check.detail, "words"),
        )
        for check in report.checks
    ]
    return table(("#:number", "Check", "Verdict", "What was seen"), rows)


def _grace_words(facts: Facts) -> str:
    words = "Time from the fall until the site was first back under the limit. Meters can tell to one sampling interval only."
    grace_s = facts.limits.grace_s
    return words + (f" The checks allow {grace_s:g} s." if grace_s else "")


def _pauses(facts: Facts) -> str:
    count = sum(len(session.pauses) for session in facts.sessions)
    if not count:
        return ""
    return f"<details>{element('summary', f'Every wait and pause with its reason ({count})')}{pause_table(facts)}</details>"


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    words = f"<b>{element('span', picture.title)}.</b> {element('span', picture.caption)}"
    alt = element("img", None, alt=f"{picture.title}. {picture.caption}", src=f"data:image/png;base64,{data}")
    return f"<figure>{alt}<figcaption>{words}</figcaption></figure>"


def _evidence_table(found: Sequence[Evidence]) -> str:
    rows = [(Cell(one.name, "nowrap"), Cell(one.used, "words"), Cell(one.missing or "—", "words")) for one in found]
    return table(("Evidence", "Used", "Missing"), rows)
