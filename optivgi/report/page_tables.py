"""The tables of a report's page. Whatever comes from data goes through `element`, which escapes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from optivgi.report.facts import Facts, Witnesses
from optivgi.report.overshoot import Overshoot
from optivgi.report.words import because, duration, energy, power, reasons, seconds

NOT_SEEN = "—"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell's text, how it looks, and the kind of badge it is, if it is one."""

    text: str
    css: str = ""
    badge: str = ""

    def html(self, tag: str = "td") -> str:
        inner = element("span", self.text, css=f"badge {self.badge}") if self.badge else escape(self.text)
        return f"<{tag}{f' class={chr(34)}{self.css}{chr(34)}' if self.css else ''}>{inner}</{tag}>"


Row = Sequence[Cell]


def element(tag: str, text: str | None, css: str = "", **attributes: str) -> str:
    """One element with escaped text and attributes; text None makes an empty one."""
    given = {"class": css, **attributes} if css else attributes
    shown = "".join(f' {name}="{escape(value, quote=True)}"' for name, value in given.items())
    return f"<{tag}{shown}>" if text is None else f"<{tag}{shown}>{escape(text)}</{tag}>"


def table(heads: Sequence[str], rows: Sequence[Row]) -> str:
    """A table; a head that ends in ":number" is above numbers."""
    cells = (head.partition(":") for head in heads)
    head = "".join(Cell(name, css).html("th") for name, _, css in cells)
    body = "".join(f"<tr>{''.join(cell.html() for cell in row)}</tr>" for row in rows)
    return f'<div class="card"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def overshoot_table(facts: Facts) -> str:
    """Every limit with every witness: how far, how long and how much over."""
    heads = (
        "Limit",
        "Witness",
        "Seconds over:number",
        "Stretches:number",
        "Worst:number",
        "for:number",
        "above it:number",
    )
    rows = list(_overshoot_rows("Site", facts, facts.whole))
    for part in facts.parts:
        for one in part.witnesses:
            rows += _overshoot_rows(f"{part.circuit.name} {one.bound.name}".strip(), facts, one)
    return table((*heads, "from"), rows)


def _overshoot_rows(name: str, facts: Facts, witnesses: Witnesses) -> Iterator[Row]:
    unit = witnesses.bound.unit
    yield _overshoot_row(name, "allowed", facts, witnesses.over_allocated, unit)
    meters = witnesses.metering
    if meters.step_s is None:
        yield _blank(name, "metered power", "no clock-aligned samples")
    else:
        yield _overshoot_row(name, "metered power", facts, witnesses.over_metered, unit)
    _, by_energy_s = meters.seconds_over(witnesses.bound.limit)
    if len(meters.windows):
        css = "number over" if by_energy_s else "number"
        yield [
            Cell(name, "nowrap"),
            Cell("metered energy"),
            Cell(f"{by_energy_s:.0f} s", css),
            *(Cell(NOT_SEEN, "number") for _ in range(4)),
            Cell(""),
        ]
    else:
        yield _blank(name, "metered energy", "no registers")
    truth = witnesses.over_truth
    if truth is not None:
        yield _overshoot_row(name, "truth", facts, truth, unit)


def _overshoot_row(name: str, witness: str, facts: Facts, over: Overshoot, unit: str) -> Row:
    worst = over.worst
    css = "number" if worst is None else "number over"
    told = [NOT_SEEN] * 3
    if worst is not None:
        told = [f"+{power(worst.excess, 3, unit)}", seconds(worst.seconds), f"{worst.area:.1f} {unit}·s"]
    return [
        Cell(name, "nowrap"),
        Cell(witness),
        Cell(f"{over.seconds:.1f} s", css),
        Cell(str(len(over.spells)), "number"),
        *(Cell(text, css) for text in told),
        Cell("" if worst is None else facts.clock(worst.begin, tenths=True)),
    ]


def _blank(name: str, witness: str, words: str) -> Row:
    return [Cell(name, "nowrap"), Cell(witness), Cell(words), *(Cell("") for _ in range(5))]


def response_table(facts: Facts) -> str:
    """Every fall of the limit with the time until each witness was back under it."""
    heads = ("At", "From:number", "To:number", "Allowed:number", "Metered:number", "Truth:number")
    rows = []
    for one in facts.responses:
        metered = _response(one.metered_s, seen=bool(len(facts.metering.complete)))
        truth = _response(one.truth_s, seen=facts.truth is not None)
        rows.append(
            [
                Cell(facts.clock(one.second, tenths=True)),
                Cell(power(one.before_kw), "number"),
                Cell(power(one.after_kw), "number"),
                _response(one.allocated_s, seen=True),
                metered,
                truth,
            ]
        )
    return table(heads, rows)


def _response(waited_s: float | None, *, seen: bool) -> Cell:
    if not seen:
        return Cell(NOT_SEEN, "number")
    return (
        Cell("not before it changed again", "number over") if waited_s is None else Cell(f"{waited_s:.1f} s", "number")
    )


def session_table(facts: Facts) -> str:
    """Every session: its energy by each witness, what it was allowed, how long it was held, and by what."""
    true = ("True:number",) if facts.truth is not None else ()
    heads = ("EV", "From", "To", "Metered:number", *true, "Allowed:number", "Could take:number", "Waited:number")
    labels = facts.labels()
    rows = []
    for session in facts.sessions:
        tx = session.transaction
        allowed = "no limit" if session.allocated_kwh is None else energy(session.allocated_kwh)
        rows.append(
            [
                Cell(labels[tx.key], "nowrap"),
                Cell(facts.clock(tx.start)),
                Cell("still runs" if tx.end is None else facts.clock(tx.end), "nowrap"),
                Cell(energy(session.energy_kwh), "number"),
                *([Cell(energy(session.true_kwh), "number")] if true else []),
                Cell(allowed, "number over" if session.allocated_kwh is None else "number"),
                Cell(power(session.can_take_kw, 2), "number"),
                Cell(duration(session.waited_s), "number"),
                Cell(duration(session.paused_s), "number"),
                Cell(reasons(session), "words"),
            ]
        )
    return table((*heads, "Paused:number", "What set its limit"), rows)


def pause_table(facts: Facts) -> str:
    """Every wait and every pause with its reason, in order of time."""
    labels = facts.labels()
    listed = sorted(
        ((pause, session) for session in facts.sessions for pause in session.pauses), key=lambda one: one[0].begin
    )
    rows = [
        [
            Cell(labels[session.transaction.key], "nowrap"),
            Cell("waited" if pause.at_start else "paused"),
            Cell(facts.clock(pause.begin)),
            Cell(duration(pause.seconds), "number"),
            Cell(because(pause), "words"),
        ]
        for pause, session in listed
    ]
    return table(("EV", "", "From", "For:number", "Because"), rows)
