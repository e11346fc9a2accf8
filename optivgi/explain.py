"""`optivgi explain [EV]`: asks the running optimizer what every EV gets and why, and tells it in tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import httpx
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from optivgi.errors import ContractBroken, SettingsError, Unreachable
from optivgi.log import OWN_POWER, printable

TIMEOUT_S = 5.0
HISTORY = 50
SAME_KW = 0.05

Cycle = Mapping[str, Any]


def run(ev_id: str | None, url: str, *, as_json: bool = False, out: TextIO | None = None) -> int:
    """Asks the optimizer at `url` and prints; 0. Raises Unreachable, ContractBroken, and SettingsError for an unknown EV."""
    stream = out or sys.stdout
    answer = ask(url, {"last": 1} if ev_id is None else {"last": HISTORY, "ev": ev_id})
    if as_json:
        stream.write(json.dumps(answer, indent=2) + "\n")
        return 0
    try:
        zone = ZoneInfo(answer["time_zone"])
        console = Console(file=stream)
        if ev_id is None:
            show_standings(answer["standings"], zone, answer["now"], console)
            show_all(answer["cycles"], zone, console)
        else:
            show_one(ev_id, answer["cycles"], zone, console, known=lambda: _known(url))
    except (LookupError, TypeError, ValueError) as error:
        raise ContractBroken(f"{url} answers, but not as an optimizer of this version ({error!r})") from error
    return 0


def ask(url: str, query: Mapping[str, str | int]) -> Any:
    """GET `url`/cycles. Raises Unreachable or ContractBroken."""
    try:
        response = httpx.get(f"{url.rstrip('/')}/cycles", params=dict(query), timeout=TIMEOUT_S)
        response.raise_for_status()
        return response.json()
    except httpx.HTTPStatusError as error:
        raise ContractBroken(
            f"{url} answers {error.response.status_code}: is that an optimizer's STATUS_PORT?"
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(
            f"no optimizer answers at {url} ({error}): start `optivgi run` on this machine, with STATUS_PORT as here, "
            "or name its address with --url"
        ) from error
    except ValueError as error:
        raise ContractBroken(f"{url} does not answer with JSON: is that an optimizer's STATUS_PORT?") from error


def _known(url: str) -> list[str]:
    return [ev["ev_id"] for cycle in ask(url, {"last": 1})["cycles"] for ev in _everyone(cycle)]


def _everyone(cycle: Cycle) -> Iterator[Any]:
    yield from cycle["evs"]
    yield from cycle["refused"]
    yield from cycle["out_of_control"]


def show_standings(standings: Mapping[str, Any], zone: ZoneInfo, now: str, console: Console) -> None:
    """Where this optimizer waits for another one, or leads with something to know about that."""
    for group, one in standings.items():
        if one["role"] != "leads":
            since = _clock(one["since"], zone, now)
            console.print(Text(printable(f"{group}: waiting to lead since {since}, sending nothing: {one['why']}")))
        elif one["why"]:
            console.print(Text(printable(f"{group}: leading, but {one['why']}")))


def show_all(cycles: Sequence[Cycle], zone: ZoneInfo, console: Console) -> None:
    """The newest cycle of each station group: who gets what, and why."""
    if not cycles:
        console.print("The optimizer has not planned yet.")
    for cycle in cycles:
        console.print(Text(_headline(cycle, zone)))
        if cycle.get("base_load") is not None:
            console.print(Text(_building(cycle["base_load"])))
        for trouble in _troubles(cycle):
            console.print(Text(trouble))
        table = _table("EV", "kW", "of kW", "needs kWh", "until", "why", "next")
        for ev in cycle["evs"]:
            change = ev["next_change"]
            table.add_row(
                Text(printable(ev["ev_id"])),
                f"{ev['target_kw']:.1f}",
                f"{ev['max_kw']:.1f}",
                f"{ev['energy_needed_kwh']:.1f}",
                _clock(ev["departure"], zone, cycle["at"]),
                Text(_why(ev["reason"]["text"])),
                "" if change is None else f"{change['power_kw']:.1f} kW {_clock(change['at'], zone, cycle['at'])}",
            )
        for one in cycle["out_of_control"]:
            words = f"out of control: {printable(one['reason'])}; others make room for it"
            table.add_row(Text(printable(one["ev_id"])), f"≤ {one['counted_kw']:.1f}", "", "", "", Text(words), "")
        for one in cycle["refused"]:
            words = f"not planned for: {printable(one['reason'])}; it gets the safe share"
            table.add_row(Text(printable(one["ev_id"])), "", "", "", "", Text(words), "")
        console.print(table)


def _headline(cycle: Cycle, zone: ZoneInfo) -> str:
    limit = cycle["limit"]
    if limit is None and cycle["facts_age_s"] is None:
        held = "nothing read yet"
    elif limit is None or limit["limit_kw"] is None:
        held = "no limit"
    else:
        held = f"{limit['source']} {limit['limit_kw']:.1f} kW"
    hops = ", ".join(f"{name} {took:.0f} ms" for name, took in cycle["hops_ms"].items())
    return printable(
        f"{cycle['group']}, cycle {cycle['number']} at {_clock(cycle['at'], zone, cycle['at'])} because of "
        f"{', '.join(cycle['reasons'])}: {held}, allocated {cycle['allocated_kw']:.1f} kW to {len(cycle['evs'])} EVs "
        f"that want {cycle['requested_kw']:.1f} kW ({cycle['algorithm'] or 'no plan'}; {hops})"
    )


def _building(base_load: Mapping[str, Any]) -> str:
    metered, age_s = base_load["metered_kw"], base_load["age_s"]
    shown = (
        "its meter showed nothing yet" if metered is None else f"its meter showed {metered:.1f} kW {age_s:.0f} s before"
    )
    counted = "counts with" if base_load["fresh"] else "counts at its maximum with"
    doubt = f"; {base_load['doubt']}" if base_load["doubt"] else ""
    words = f"The building {counted} {base_load['load_kw']:.1f} kW and {base_load['margin_kw']:g} kW margin ({shown}{doubt})"
    return printable(words)


def _troubles(cycle: Cycle) -> Iterator[str]:
    if cycle["unreadable"]:
        yield f"Facts are not fresh: {printable(cycle['unreadable'])}"
    if cycle["undecided"]:
        yield f"No new plan: {printable(cycle['undecided'])}"
    for alarm in cycle.get("alarms", ()):
        yield f"ALARM: {printable(alarm['text'])}"
    for kind, form in cycle.get("forms", {}).items():
        yield printable(f"{kind} takes profiles as {form}")
    if cycle["unprotected"]:
        yield f"Not known to start cars safely: {printable(', '.join(cycle['unprotected']))}"
    for outcome in cycle["outcomes"]:
        if outcome["status"] != "Accepted":
            yield printable(
                f"{outcome['station_id']} connector {outcome['connector_id']}: {outcome['purpose']} of "
                f"{outcome['limit_kw']:.1f} kW: {outcome['status']} {outcome['reason']}".rstrip()
            )


def show_one(ev_id: str, cycles: Sequence[Cycle], zone: ZoneInfo, console: Console, *, known: Any) -> None:
    """One EV: its power and why, when that changes next and why, and what it was before. Raises SettingsError if unknown."""
    mine = [cycle for cycle in cycles if any(one["ev_id"] == ev_id for one in _everyone(cycle))]
    if not mine:
        there = ", ".join(known()) or "none"
        raise SettingsError(f"EV is {ev_id!r}, which is in none of the last cycles: there are {there}")
    newest = next(cycle for cycle in cycles if cycle["group"] == mine[0]["group"])
    if newest is not mine[0]:
        console.print(
            Text(f"EV {printable(ev_id)} is not there any more; at {_clock(mine[0]['at'], zone, None)} it was.")
        )
    for line in _standing(ev_id, mine[0], zone):
        console.print(Text(line))
    table = _table("from", "kW", "why", "planned because of", "station said")
    for cycle in reversed(list(_turns(ev_id, mine))):
        ev = _of(ev_id, cycle["evs"])
        said = next((one for one in cycle["outcomes"][::-1] if one["ev_id"] == ev_id), None)
        table.add_row(
            _clock(cycle["at"], zone, mine[0]["at"]),
            "" if ev is None else f"{ev['target_kw']:.1f}",
            Text(_why(ev["reason"]["text"]) if ev is not None else _aside(ev_id, cycle)),
            Text(printable(", ".join(cycle["reasons"]))),
            Text("" if said is None else printable(f"{said['status']} {said['reason']}".strip())),
        )
    console.print(table)


def _standing(ev_id: str, cycle: Cycle, zone: ZoneInfo) -> Iterator[str]:
    ev = _of(ev_id, cycle["evs"])
    if ev is None:
        yield f"EV {printable(ev_id)}: {_aside(ev_id, cycle)}"
        return
    where = printable(
        f"{ev['station_id']} connector {ev['connector_id']}, circuit {ev['circuit']} {' '.join(ev['phases'])}"
    )
    yield f"EV {printable(ev_id)} ({where}): {ev['target_kw']:.1f} kW: {_why(ev['reason']['text'])}"
    leaves = (
        "nobody said when it leaves"
        if ev["departure"] is None
        else f"leaves {_clock(ev['departure'], zone, cycle['at'])}"
    )
    metered = "never metered" if ev["measured_kw"] is None else f"drew {ev['measured_kw']:.2f} kW"
    yield (
        f"  takes up to {ev['max_kw']:.1f} kW, {metered}, has {ev['delivered_kwh']:.2f} kWh, needs "
        f"{ev['energy_needed_kwh']:.2f} kWh more, {leaves}"
        + (f", priority {ev['priority']:g}" if ev["priority"] != 1 else "")
    )
    change = ev["next_change"]
    if change is None:
        yield "  next: stays as it is until something happens"
    else:
        at = _clock(change["at"], zone, cycle["at"])
        yield f"  next: {change['power_kw']:.1f} kW at {at}: {printable(change['why'])}"
    if (last := ev.get("without_control")) is not None:
        yield f"  without control: falls back to {last['power_kw']:.1f} kW at {_clock(last['at'], zone, cycle['at'])}"


def _turns(ev_id: str, cycles: Sequence[Cycle]) -> Iterator[Cycle]:
    """Newest first, the cycles in which the EV's power or its reason became what it then was."""
    for cycle, before in zip(cycles, [*cycles[1:], None], strict=True):
        if before is None or _said(ev_id, cycle) != _said(ev_id, before):
            yield cycle


def _said(ev_id: str, cycle: Cycle) -> tuple[object, ...]:
    ev = _of(ev_id, cycle["evs"])
    if ev is None:
        return (_aside(ev_id, cycle),)
    return round(ev["target_kw"] / SAME_KW), ev["reason"]["binding"], ev["reason"]["circuit"], ev["reason"]["phase"]


def _aside(ev_id: str, cycle: Cycle) -> str:
    if (one := _of(ev_id, cycle["out_of_control"])) is not None:
        return printable(f"out of control: {one['reason']}; others make room for {one['counted_kw']:.1f} kW")
    one = _of(ev_id, cycle["refused"])
    return "" if one is None else printable(f"not planned for: {one['reason']}; it gets the safe share")


def _of(ev_id: str, listed: Sequence[Any]) -> Any:
    return next((one for one in listed if one["ev_id"] == ev_id), None)


def _why(text: str) -> str:
    return OWN_POWER.sub("", printable(text))


def _clock(moment: str | None, zone: ZoneInfo, near: str | None) -> str:
    if moment is None:
        return ""
    local = datetime.fromisoformat(moment).astimezone(zone)
    same_day = near is None or datetime.fromisoformat(near).astimezone(zone).date() == local.date()
    return f"{local:%H:%M:%S}" if same_day else f"{local:%m-%d %H:%M}"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns:
        number = name in ("kW", "of kW", "needs kWh")
        wraps = name in ("EV", "why", "planned because of", "station said")
        table.add_column(name, justify="right" if number else "left", overflow="fold", no_wrap=not wraps)
    return table
