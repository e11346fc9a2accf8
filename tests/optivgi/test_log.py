"""Exactly what a site manager reads: each change once, nothing a station sent raw."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from optivgi.errors import Unreachable
from optivgi.log import CHATTY, SiteLog, configure
from optivgi.model.snapshot import RefusedEV
from optivgi.testing import a_connector, an_ev
from optivgi.translation.base import OutcomeStatus
from tests.optivgi.control_room import ControlRoom, evs


class Pages:
    """The site log's lines, with their levels unless that is INFO."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        caplog.set_level(logging.INFO, "optivgi.site")

    def new(self) -> list[str]:
        """The lines since the last call."""
        lines = [
            record.getMessage() if record.levelno == logging.INFO else f"{record.levelname} {record.getMessage()}"
            for record in self._caplog.records
            if record.name == "optivgi.site"
        ]
        self._caplog.clear()
        return lines


@pytest.fixture
def pages(caplog: pytest.LogCaptureFixture) -> Pages:
    return Pages(caplog)


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in CHATTY}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)


def a_room(limit_kw: float = 30.0, *, stations: int = 6) -> ControlRoom:
    return ControlRoom(limit_kw, stations=stations, observers=(SiteLog(),))


async def test_arrivals_departures_and_curtailment_from_beginning_to_end(pages: Pages) -> None:
    async with a_room().open() as room:
        assert pages.new() == ["Safe start confirmed on 6 connectors"]
        await room.arrive(*evs(1, 2, 3, 4))
        assert pages.new() == [
            *["OCPP event: StartTransaction"] * 4,
            *[f"EV {number} arrived — max 7.20 kW" for number in (1, 2, 3, 4)],
        ]
        await room.arrive(*evs(5))
        assert pages.new() == [
            "OCPP event: StartTransaction",
            "EV 5 arrived — max 7.20 kW",
            "CURTAILMENT ON — 5 EVs requesting 36.0 kW, site limit 30.0 kW, allocated 30.0 kW",
            *[f"  EV {number}: 6.0 kW of 7.2 kW: shares the limit" for number in (1, 2, 3, 4, 5)],
        ]
        await room.passes(300, 10)
        assert pages.new() == [], "nothing new is not told"
        room.csms.plug_in(an_ev("1", delivered_kwh=3.456))
        room.scheduler.wake("timer")
        await room.a_moment()
        await room.leave("1")
        assert pages.new() == [
            "OCPP event: StopTransaction",
            "EV 1 left — 3.46 kWh at the last reading",
            "CURTAILMENT OFF",
        ]


async def test_who_is_paused_is_told_with_the_reason(pages: Pages) -> None:
    async with a_room(4.0).open() as room:
        await room.arrive(*evs(1, 2, 3))
        assert pages.new()[-4:] == [
            "CURTAILMENT ON — 3 EVs requesting 21.6 kW, site limit 4.0 kW, allocated 4.0 kW",
            "  EV 1: 2.0 kW of 7.2 kW: shares the limit",
            "  EV 2: 2.0 kW of 7.2 kW: shares the limit",
            "  EV 3: 0.0 kW of 7.2 kW: no room",
        ]
        room.limit.now_kw(2.0)
        await room.passes(61)
        assert pages.new() == [
            "CURTAILMENT ON — 3 EVs requesting 21.6 kW, site limit 2.0 kW, allocated 2.0 kW",
            "  EV 1: 2.0 kW of 7.2 kW: shares the limit",
            "  EV 2: 0.0 kW of 7.2 kW: no room",
            "  EV 3: 0.0 kW of 7.2 kW: no room",
        ]


async def test_a_lost_csms_is_told_once_when_it_goes_and_once_when_it_is_back(pages: Pages) -> None:
    async with a_room().open() as room:
        await room.arrive(*evs(1, 2))
        pages.new()
        room.csms.failure = Unreachable("nobody answers at http://citrineos:8080")
        room.source.reconnect()
        await room.passes(34)
        assert pages.new() == [
            "WARNING Cannot read EVs: nobody answers at http://citrineos:8080; the last 2 known keep what they have, "
            "nothing is raised"
        ]
        room.csms.failure = None
        room.source.reconnect()
        await room.passes(1)
        assert pages.new() == ["EVs are read again, after 34 s"]


async def test_a_station_that_refuses_is_told_once_and_when_it_accepts_again(pages: Pages) -> None:
    async with a_room().open() as room:
        await room.arrive(*evs(1, 2, 3, 4, 5))
        pages.new()
        room.csms.answers["ST-1"] = OutcomeStatus.REJECTED
        await room.arrive(*evs(6))
        lines = [line for line in pages.new() if "CURTAILMENT" not in line and "  EV" not in line]
        assert lines == ["OCPP event: StartTransaction", "EV 6 arrived — max 7.20 kW"], "one refusal may be a race"
        await room.passes(6)
        lines = [line for line in pages.new() if "CURTAILMENT" not in line and "  EV" not in line]
        assert lines == [
            "WARNING ST-1 connector 1 did not take 5.0 kW for EV 1: Rejected (ST-1 answers Rejected); trying on",
            "WARNING EV 1 at ST-1 is out of control: its station did not take its profile; others make room for 6.0 kW",
        ]
        await room.passes(4)
        del room.csms.answers["ST-1"]
        await room.passes(11)
        assert "ST-1 connector 1 accepts 5.0 kW for EV 1" in pages.new()


async def test_a_connector_without_safe_start_is_told_once(pages: Pages) -> None:
    room = a_room(stations=2)
    room.csms.answers["ST-1"] = OutcomeStatus.NOT_SUPPORTED
    room.csms.add_connectors(a_connector("ST-9", online=False))
    async with room.open():
        await room.passes(130, 5)
        assert pages.new() == [
            "WARNING Not connected, and not known to start cars safely: ST-9",
            "WARNING ST-1 connector 1 did not take the safe start: NotSupported (ST-1 answers NotSupported); "
            "a car that starts there may draw full power until it is controlled",
        ]


async def test_an_ev_that_is_not_planned_for_is_told_once_with_the_reason(pages: Pages) -> None:
    async with a_room().open() as room:
        room.csms.add_connectors(a_connector("ST-1"))
        room.csms.refused.append(RefusedEV("1", "ST-1", 1, "7", "its meter went backwards"))
        await room.passes(180, 10)
        assert pages.new()[1:] == ["WARNING EV 1 is not planned for: its meter went backwards; it gets the safe share"]


@pytest.mark.usefixtures("_logging_as_before")
def test_every_line_has_the_prefix_and_no_control_character() -> None:
    output = io.StringIO()
    configure("INFO", output)
    log = logging.getLogger("optivgi.site")
    log.info("EV %s arrived", "1\n\x1b[31m[Opti-VGI] EV 2 arrived\u2028")
    log.debug("not shown")
    logging.getLogger("httpx").info("not shown")
    try:
        raise ValueError("from a station: \x07")
    except ValueError:
        log.exception("Unforeseen")
    lines = [line.partition("[Opti-VGI] ")[2] or line for line in output.getvalue().splitlines()]
    assert lines[0] == "EV 1\\n\\x1b[31m[Opti-VGI] EV 2 arrived\\u2028 arrived"
    assert lines[1] == "ERROR: Unforeseen"
    assert lines[-1] == "ValueError: from a station: \\x07"
    assert all(character.isprintable() for line in lines for character in line)
