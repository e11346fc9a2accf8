"""What the running optimizer tells about its last cycles, and how `optivgi explain` puts it into words."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import numpy as np
import pytest

from optivgi import explain
from optivgi.algorithms import algorithm
from optivgi.clock import ManualClock
from optivgi.errors import ContractBroken, PlanningError, SettingsError, Unreachable
from optivgi.listener import Listener
from optivgi.model.framing import Price, Tariff, frame
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.plan import Plan
from optivgi.model.problem import Problem
from optivgi.model.site import Site
from optivgi.optimizer import optimizer
from optivgi.outlook import NextChange, next_changes
from optivgi.record import CycleRecord
from optivgi.settings import OptimizerSettings, load_settings
from optivgi.status import newest, status_app
from optivgi.testing import MOMENT, a_snapshot, an_ev
from optivgi.translation.base import OutcomeStatus
from tests.optivgi.control_room import ControlRoom, evs

UTC = ZoneInfo("UTC")
FAIR = algorithm("fair")


@dataclass
class Told:
    """What stands in the tables, with the line breaks taken out."""

    code: int
    text: str

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


@asynccontextmanager
async def serving(room: ControlRoom, zone: ZoneInfo = UTC) -> AsyncIterator[str]:
    """The address of a room's optimizer."""
    listener = Listener(status_app(room.scheduler.history, room.clock, zone), "127.0.0.1", 0)
    task = asyncio.create_task(listener.serve())
    try:
        yield f"http://127.0.0.1:{listener.port}"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def told(url: str, ev_id: str | None = None, *, as_json: bool = False) -> Told:
    out = io.StringIO()
    code = await asyncio.to_thread(explain.run, ev_id, url, as_json=as_json, out=out)
    return Told(code, out.getvalue())


def a_room(limit_kw: float = 30.0, **options: Any) -> ControlRoom:
    return ControlRoom(limit_kw=limit_kw, planner=options.pop("planner", FAIR), **options)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


async def asked(url: str, **query: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(f"{url}/cycles", params=query)


async def test_every_ev_is_explained_in_words() -> None:
    room = a_room(inline=False)
    async with room.open(), serving(room) as url:
        await until_planned(room, *evs(1, 2, 3, 4, 5, 6))
        all_evs = await told(url)
    assert all_evs.code == 0
    assert "default, cycle" in all_evs.words
    assert "because of StartTransaction" in all_evs.words
    assert "limit 30.0 kW" in all_evs.words
    assert all_evs.words.count("shares 30.0 kW site limit with 5 others") == 6


async def until_planned(room: ControlRoom, *cars: Any) -> None:
    """The planner runs in a thread here, as it does outside of tests."""
    await room.arrive(*cars)
    async with asyncio.timeout(10):
        while not room.scheduler.history or len(room.scheduler.history[-1].decisions) < len(cars):
            await asyncio.to_thread(lambda: None)
            await room.quiet()
    await room.a_moment()


async def test_the_endpoint_gives_decisions_outcomes_limit_and_hops() -> None:
    room = a_room(10.0, inline=False)
    async with room.open(), serving(room) as url:
        await until_planned(room, *evs(1, 2))
        answer = (await asked(url)).json()
    (cycle,) = answer["cycles"]
    assert answer["time_zone"] == "UTC"
    assert (cycle["group"], cycle["algorithm"], cycle["reasons"]) == ("default", "fair", ["StartTransaction"])
    assert cycle["limit"] == {"limit_kw": 10.0, "source": "site limit"}
    assert {"read", "frame", "decide", "dispatch"} <= cycle["hops_ms"].keys()
    assert [ev["ev_id"] for ev in cycle["evs"]] == ["1", "2"]
    first = cycle["evs"][0]
    assert first["target_kw"] == pytest.approx(4.992)
    assert first["reason"] == {
        "text": "5.0 kW: shares 10.0 kW site limit with 1 other",
        "binding": "circuit",
        "circuit": "site",
        "phase": None,
    }
    assert {(one["ev_id"], one["purpose"], one["status"]) for one in cycle["outcomes"]} >= {
        ("1", "TxProfile", "Accepted")
    }


async def test_one_ev_is_told_with_its_history_and_what_comes_next() -> None:
    room = a_room(10.0, inline=False)
    async with room.open(), serving(room, ZoneInfo("Europe/Berlin")) as url:
        first = an_ev("1", departure=MOMENT + timedelta(hours=8), energy_needed_kwh=30.0)
        second = an_ev("2", departure=MOMENT + timedelta(hours=2), energy_needed_kwh=9.0)
        await until_planned(room, first)
        await until_planned(room, first, second)
        one = await told(url, "1")
        everything = await told(url)
        as_json = json.loads((await told(url, "1", as_json=True)).text)
    assert "EV 1 (ST-1 connector 1, circuit site L1): " in one.words
    assert "needs 30.00 kWh more, leaves 17:00:00" in one.words
    assert "next: " in one.words
    assert "without control: falls back to 1.7 kW at 09:03:" in one.words
    assert "its own maximum" in one.words
    assert "shares 10.0 kW site limit with 1 other" in one.words
    assert one.words.count("StartTransaction") == 2
    assert "09:00:00" in everything.words
    assert {ev["ev_id"] for cycle in as_json["cycles"] for ev in cycle["evs"]} == {"1"}


async def test_an_ev_that_nobody_knows_is_refused_with_those_that_there_are() -> None:
    room = a_room(inline=False)
    async with room.open(), serving(room) as url:
        await until_planned(room, *evs(1, 2))
        with pytest.raises(SettingsError, match="EV is '9', which is in none of the last cycles: there are 1, 2"):
            await told(url, "9")


async def test_trouble_is_told() -> None:
    room = a_room(inline=False)
    room.csms.answers["ST-1"] = OutcomeStatus.REJECTED
    async with room.open(), serving(room) as url:
        await until_planned(room, *evs(2))
        room.csms.failure = Unreachable("the CSMS does not answer")
        await room.passes(61)
        words = (await told(url)).words
    assert "Facts are not fresh: the CSMS does not answer" in words


async def test_a_plan_that_failed_is_told() -> None:
    def fails(problem: Problem) -> Plan:
        raise PlanningError("no rung gave a plan")

    room = a_room(planner=fails, inline=False)
    async with room.open(), serving(room) as url:
        await room.arrive(*evs(1))
        async with asyncio.timeout(10):
            while not any(record.undecided for record in room.scheduler.history):
                await asyncio.to_thread(lambda: None)
                await room.quiet()
        words = (await told(url)).words
    assert "No new plan: no rung gave a plan" in words


async def test_before_the_first_cycle_there_is_nothing_to_tell() -> None:
    room = a_room()
    async with serving(room) as url:
        assert (await told(url)).words == "The optimizer has not planned yet."


@pytest.mark.parametrize("last", ["0", "51", "many", "-1"])
async def test_a_senseless_number_of_cycles_is_refused(last: str) -> None:
    room = a_room()
    async with serving(room) as url:
        answer = await asked(url, last=last)
    assert answer.status_code == 400
    assert "whole number from 1 to 50" in answer.json()["error"]


async def test_a_page_that_names_this_machine_otherwise_is_not_let_in() -> None:
    room = a_room()
    async with serving(room) as url, httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/cycles", headers={"host": "evil.example"})
        posted = await client.post(f"{url}/cycles")
    assert (answer.status_code, posted.status_code) == (400, 405)


async def test_an_address_at_which_nobody_or_somebody_else_answers_is_named() -> None:
    with pytest.raises(Unreachable, match=r"no optimizer answers at http://127.0.0.1:1 .*STATUS_PORT"):
        await told("http://127.0.0.1:1")
    room = a_room()
    async with serving(room) as url:
        with pytest.raises(ContractBroken, match="answers 404"):
            await told(f"{url}/elsewhere")


def settings_with(port: int) -> OptimizerSettings:
    other = {"translation": "http_api", "http_api_url": "http://127.0.0.1:1", "status_port": port}
    return load_settings(None).model_copy(update=other)


async def test_the_service_answers_on_its_status_port_and_does_without_if_that_is_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with optimizer(settings_with(port), ManualClock()):
            assert f"STATUS_PORT {port} is not to be had" in caplog.text
    async with optimizer(settings_with(port), ManualClock()):
        assert (await asked(f"http://127.0.0.1:{port}")).json()["cycles"] == []
    async with optimizer(settings_with(0), ManualClock()):
        with pytest.raises(httpx.ConnectError):
            await asked(f"http://127.0.0.1:{port}")


def test_the_newest_cycles_of_each_group_are_found() -> None:
    history = [CycleRecord(group, number, MOMENT, ()) for number in range(3) for group in ("north", "south")]
    assert [(one.group, one.number) for one in newest(history, 1)] == [("south", 2), ("north", 2)]
    assert [(one.group, one.number) for one in newest(history, 2, "north")] == [("north", 2), ("north", 1)]


def changes(*cars: Any, limit: LimitSeries | float = 10.0, tariff: Tariff | None = None, name: str = "fair") -> Any:
    """What comes next for each EV, by its id."""
    series = limit if isinstance(limit, LimitSeries) else LimitSeries.constant(limit, MOMENT, "site limit")
    problem = frame(a_snapshot(*cars), Site.single(series), MOMENT, tariff=tariff).problem
    plan = algorithm(name)(problem)
    return dict(zip(problem.ev_ids, next_changes(problem, plan), strict=True))


def in_hours(hours: float) -> Any:
    return MOMENT + timedelta(hours=hours)


def test_an_ev_that_completes_its_energy_is_told_so() -> None:
    change = changes(
        an_ev("1", energy_needed_kwh=7.2, departure=in_hours(4)), an_ev("2", departure=in_hours(2)), limit=20
    )
    assert change["2"] == NextChange(in_hours(2), 0.0, "it leaves")
    assert change["1"] == NextChange(in_hours(1), 0.0, "its energy is complete")


def test_a_known_drop_of_the_limit_is_told() -> None:
    steps = (LimitStep(MOMENT, 10.0, "site limit"), LimitStep(in_hours(1), 4.0, "demand response"))
    change = changes(
        *(an_ev(str(n), energy_needed_kwh=40, departure=in_hours(6)) for n in (1, 2)), limit=LimitSeries(steps)
    )
    assert (change["1"].at, change["1"].why) == (in_hours(1), "site limit goes from 10.0 kW to 4.0 kW")
    assert change["1"].power_kw == pytest.approx(2.0)


def test_an_ev_that_leaves_makes_room_for_others() -> None:
    change = changes(
        an_ev("1", energy_needed_kwh=40, departure=in_hours(6)), an_ev("2", energy_needed_kwh=40, departure=in_hours(1))
    )
    assert change["1"].at == in_hours(1)
    assert change["1"].why == "EV 2 leaves"
    assert change["1"].power_kw > 5.0


def test_an_ev_that_is_expected_is_told() -> None:
    change = changes(
        an_ev("1", energy_needed_kwh=60, departure=in_hours(6)),
        *(an_ev(str(n), arrival=in_hours(1), energy_needed_kwh=60, departure=in_hours(6)) for n in range(2, 6)),
    )
    assert change["1"].why == "4 EVs arrive"
    assert change["2"].why == "it arrives"


def test_a_price_that_changes_is_told() -> None:
    tariff = Tariff((Price(MOMENT, 0.5), Price(in_hours(1), 0.1)))
    change = changes(an_ev("1", energy_needed_kwh=7.2, departure=in_hours(2)), tariff=tariff, name="cost")
    assert (change["1"].at, change["1"].why) == (in_hours(1), "the price changes")
    assert change["1"].power_kw == pytest.approx(7.2)


def test_a_mean_over_a_long_stretch_is_no_change() -> None:
    """Two EVs of 5 kW that need 20 kWh within eight hours: a plan that spreads the rest is put off by the next one."""
    cars = [an_ev(str(n), energy_needed_kwh=20, departure=in_hours(8)) for n in (1, 2)]
    assert changes(*cars)["1"] == NextChange(in_hours(4), 0.0, "its energy is complete")


def test_turns_are_told() -> None:
    change = changes(
        *(an_ev(str(n), min_kw=4.0, energy_needed_kwh=30, departure=in_hours(6)) for n in (1, 2)), limit=5.0
    )
    assert "EVs take turns" in {one.why for one in change.values()}


def test_without_evs_or_changes_nothing_is_told() -> None:
    assert changes() == {}
    problem = frame(
        a_snapshot(an_ev("1", energy_needed_kwh=40)), Site.single(LimitSeries.constant(9.0, MOMENT, "x")), MOMENT
    ).problem
    power = np.full_like(problem.stay_h, 5.0)
    plan = Plan("test", power, problem.energy_kwh(power), problem.need_kwh, ())
    assert next_changes(problem, plan) == (None,)
