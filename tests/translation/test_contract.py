"""One suite that every Translation passes: the shipped fake, CitrineOS, and the plain JSON interface."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import time
from typing import Any, Protocol

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from optivgi.clock import ManualClock
from optivgi.errors import TranslationError, Unreachable
from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.ev_config import EVConfig, SiteView
from optivgi.testing import MOMENT, FakeTranslation, a_connector, an_ev
from optivgi.translation.base import OutcomeStatus, PowerCommand, StationRequest, Translation, Wish
from optivgi.translation.citrineos.adapter import CitrineOSTranslation
from optivgi.translation.citrineos.answers import AnswersByCallback, AnswersByEvents
from optivgi.translation.citrineos.callback_listener import callback_app
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.citrineos.message_api import MessageAPI
from optivgi.translation.http import Patience
from optivgi.translation.http_api import HttpApiTranslation
from tests.translation.citrineos_double import CitrineOSDouble

ONCE = Patience(tries=1)
STATIONS = ("ST-1", "ST-2", "ST-3")
NEED = EVConfig(energy_needed_kwh=20.0, max_kw=7.2, min_kw=1.44, departure=time(14))
SITE = SiteView(
    station_ids=STATIONS,
    default_ev=NEED,
    voltage_v=240.0,
    groups={"default": None, "north": ("ST-1", "ST-2"), "south": ("ST-3",)},
)


class Site(Protocol):
    """A CSMS with three one-connector stations, and the translation that speaks to it."""

    translation: Translation

    def plug_in(self, station_id: str) -> None: ...

    def station_answers(self, station_id: str, status: OutcomeStatus) -> None: ...

    def go_away(self) -> None: ...

    def installed_limits(self, station_id: str) -> list[float]: ...


class FakeSite:
    def __init__(self, clock: ManualClock) -> None:
        groups = {"default": STATIONS, "north": STATIONS[:2], "south": STATIONS[2:]}
        self.fake = FakeTranslation(clock, groups)
        self.translation: Translation = self.fake
        self.fake.add_connectors(*(a_connector(station_id) for station_id in STATIONS))

    def plug_in(self, station_id: str) -> None:
        self.fake.plug_in(an_ev(station_id[-1], station_id=station_id, departure=MOMENT.replace(hour=14)))

    def station_answers(self, station_id: str, status: OutcomeStatus) -> None:
        self.fake.answers[station_id] = status

    def go_away(self) -> None:
        self.fake.failure = Unreachable("gone")

    def installed_limits(self, station_id: str) -> list[float]:
        return [profile.schedule.periods[0].limit for profile in self.fake.installed.get((station_id, 1), [])]


STATION_SAYS: dict[OutcomeStatus, dict[str, Any] | None] = {
    OutcomeStatus.ACCEPTED: {"status": "Accepted"},
    OutcomeStatus.REJECTED: {"status": "Rejected"},
    OutcomeStatus.NOT_SUPPORTED: {"status": "NotSupported"},
    OutcomeStatus.FAILED: {"errorCode": "InternalError", "errorDescription": "", "errorDetails": {}},
    OutcomeStatus.UNKNOWN: None,
}


class CitrineOSSite:
    """Learns answers from events."""

    def __init__(self, clock: ManualClock) -> None:
        self.double = CitrineOSDouble(clock)
        for station_id in STATIONS:
            self.double.add_station(station_id)
        self.translation: Translation = self.translate(clock)

    def translate(self, clock: ManualClock) -> Translation:
        answers = AnswersByEvents(clock)
        self.double.subscribe(answers.take)
        return self.citrineos(clock, self.double.client(), answers)

    def citrineos(
        self, clock: ManualClock, http: httpx.AsyncClient, answers: AnswersByEvents | AnswersByCallback
    ) -> Translation:
        graphql = GraphQL(http, "http://csms/v1/graphql", clock, patience=ONCE)
        return CitrineOSTranslation(SITE, clock, graphql, MessageAPI(http, "http://csms"), answers)

    def plug_in(self, station_id: str) -> None:
        self.double.start(station_id)
        self.double.set_status(station_id, "Charging")

    def station_answers(self, station_id: str, status: OutcomeStatus) -> None:
        if status is OutcomeStatus.OFFLINE:
            self.double.offline.add(station_id)
        else:
            self.double.station_says[station_id] = STATION_SAYS[status]

    def go_away(self) -> None:
        self.double.graphql_answers = [Response(status_code=503)] * 9
        self.double.rest_answers = [Response(status_code=503)] * 9

    def installed_limits(self, station_id: str) -> list[float]:
        return [
            body["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]
            for posted_to, body in self.double.posted
            if posted_to == station_id
            and self.double.station_says.get(station_id, {"status": "Accepted"}) == {"status": "Accepted"}
            and station_id not in self.double.offline
        ]


class CitrineOSByCallbackSite(CitrineOSSite):
    """Learns answers from the CSMS's POSTs."""

    def translate(self, clock: ManualClock) -> Translation:
        answers = AnswersByCallback(clock, "http://optivgi/answers")
        listener = callback_app(answers, "/answers")
        self.double.post_callbacks_to(httpx.AsyncClient(transport=httpx.ASGITransport(listener)))
        return self.citrineos(clock, self.double.client(), answers)


class JsonSite:
    """A service that implements docs/http-api.md, written against the document and not against the client."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.evs: dict[str, dict[str, Any]] = {}
        self.statuses: dict[str, OutcomeStatus] = {}
        self.limits: dict[str, list[float]] = {}
        self.away = False
        app = Starlette(
            routes=[
                Route("/evs", self._evs),
                Route("/future_evs", self._future_evs),
                Route("/peak_power_demand", self._peak_power_demand),
                Route("/powers", self._powers, methods=["POST"]),
            ]
        )
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app))
        self.translation: Translation = HttpApiTranslation(http, "http://service", clock, patience=ONCE)

    def plug_in(self, station_id: str) -> None:
        self.evs[station_id] = {
            "ev_id": station_id[-1],
            "station_id": station_id,
            "connector_id": 1,
            "transaction_id": "1",
            "arrival": "2026-03-03T09:00:00+01:00",
            "departure": "2026-03-03T14:00:00Z",
            "energy_needed_kwh": 20,
            "min_kw": 1.44,
            "max_kw": 7.2,
            "voltage_v": 240,
            "phases": ["L1"],
        }

    def station_answers(self, station_id: str, status: OutcomeStatus) -> None:
        self.statuses[station_id] = status

    def go_away(self) -> None:
        self.away = True

    def installed_limits(self, station_id: str) -> list[float]:
        return self.limits.get(station_id, [])

    def _group(self, request: Request) -> tuple[str, ...]:
        return SITE.stations(request.query_params["group"]) or STATIONS

    async def _evs(self, request: Request) -> Response:
        if self.away:
            return Response(status_code=503)
        group = self._group(request)
        connectors = [
            {
                "station_id": station_id,
                "connector_id": 1,
                "online": True,
                "status": "Charging" if station_id in self.evs else "Available",
                "min_kw": 1.44,
                "max_kw": 7.2,
                "voltage_v": 240,
                "phases": ["L1"],
            }
            for station_id in group
        ]
        return JSONResponse({"evs": [ev for key, ev in self.evs.items() if key in group], "connectors": connectors})

    async def _future_evs(self, request: Request) -> Response:
        return JSONResponse({"evs": []})

    async def _peak_power_demand(self, request: Request) -> Response:
        if self.away:
            return Response(status_code=503)
        return JSONResponse({"steps": [{"start": "2026-03-03T08:00:00Z", "limit_kw": 30, "source": "grid operator"}]})

    async def _powers(self, request: Request) -> Response:
        if self.away:
            return Response(status_code=503)
        outcomes = []
        for power in msgspec.json.decode(await request.body())["powers"]:
            status = self.statuses.get(power["station_id"], OutcomeStatus.ACCEPTED)
            if status is OutcomeStatus.ACCEPTED:
                limits = self.limits.setdefault(power["station_id"], [])
                limits.append(power["profile"]["schedule"]["periods"][0]["limit"])
            outcomes.append(
                {"status": status.value, "reason": "" if status is OutcomeStatus.ACCEPTED else "so it says"}
            )
        return JSONResponse({"outcomes": outcomes})


@pytest.fixture(
    params=[FakeSite, CitrineOSSite, CitrineOSByCallbackSite, JsonSite],
    ids=["fake", "citrineos by events", "citrineos by callback", "http_api"],
)
def site(request: pytest.FixtureRequest, clock: ManualClock) -> Site:
    make: Callable[[ManualClock], Site] = request.param
    return make(clock)


def a_command(station_id: str, limit_a: float = 16.0) -> PowerCommand:
    schedule = Schedule(RateUnit.A, (Period(0, limit_a),), start=MOMENT)
    profile = ChargingProfile(1, 1, Purpose.TX, Kind.ABSOLUTE, schedule, transaction_id="1")
    return PowerCommand(station_id, 1, profile, limit_kw=limit_a * 0.24, ev_id=station_id[-1])


async def test_an_ev_that_is_there_is_read(site: Site, clock: ManualClock) -> None:
    await clock.advance(0.5)
    site.plug_in("ST-2")
    found = await site.translation.get_evs("default")
    (ev,) = found.evs
    expected = an_ev("2", departure=MOMENT.replace(hour=14))
    assert replace(ev, arrival=expected.arrival) == expected
    assert (found.group, found.read_at, found.refused, found.doubts) == ("default", clock.now(), (), ())


async def test_every_connector_is_read_with_or_without_an_ev(site: Site) -> None:
    site.plug_in("ST-2")
    connectors = (await site.translation.get_evs("default")).connectors
    assert {connector.key: connector.status for connector in connectors} == {
        ("ST-1", 1): "Available",
        ("ST-2", 1): "Charging",
        ("ST-3", 1): "Available",
    }


async def test_a_group_is_read_alone(site: Site) -> None:
    for station_id in STATIONS:
        site.plug_in(station_id)
    found = await site.translation.get_evs("north")
    assert {ev.station_id for ev in found.evs} == {"ST-1", "ST-2"}
    assert {connector.station_id for connector in found.connectors} == {"ST-1", "ST-2"}


async def test_an_empty_site_is_no_error(site: Site) -> None:
    assert (await site.translation.get_evs("default")).evs == ()


async def test_a_failure_to_read_is_an_error_and_not_an_empty_site(site: Site) -> None:
    site.plug_in("ST-1")
    site.go_away()
    with pytest.raises(TranslationError):
        await site.translation.get_evs("default")


async def test_each_command_has_its_outcome_in_the_order_of_the_commands(site: Site) -> None:
    site.station_answers("ST-2", OutcomeStatus.REJECTED)
    commands = [a_command(station_id) for station_id in ("ST-3", "ST-2", "ST-1")]
    outcomes = await site.translation.send_power_to_evs(commands)
    assert [outcome.command for outcome in outcomes] == commands
    assert [outcome.status.name for outcome in outcomes] == ["ACCEPTED", "REJECTED", "ACCEPTED"]
    assert [bool(outcome.reason) for outcome in outcomes] == [False, True, False]


@pytest.mark.parametrize(
    "status",
    [OutcomeStatus.REJECTED, OutcomeStatus.NOT_SUPPORTED, OutcomeStatus.OFFLINE, OutcomeStatus.FAILED],
)
async def test_what_is_not_accepted_is_an_outcome_with_a_reason_and_changes_nothing(
    site: Site, status: OutcomeStatus
) -> None:
    await site.translation.send_power_to_evs([a_command("ST-2", 6.0)])
    before = site.installed_limits("ST-1")
    site.station_answers("ST-1", status)
    (outcome,) = await site.translation.send_power_to_evs([a_command("ST-1")])
    assert outcome.status is status
    assert outcome.reason
    assert site.installed_limits("ST-1") == before


async def test_an_accepted_profile_is_at_the_station(site: Site) -> None:
    await site.translation.send_power_to_evs([a_command("ST-1", 16.0), a_command("ST-3", 0.0)])
    assert [site.installed_limits(station_id) for station_id in STATIONS] == [[16.0], [], [0.0]]


async def test_a_station_that_says_nothing_leaves_the_outcome_unknown(site: Site, clock: ManualClock) -> None:
    site.station_answers("ST-1", OutcomeStatus.UNKNOWN)
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(site.translation.send_power_to_evs([a_command("ST-1"), a_command("ST-2")]))
        await clock.advance(30)
    assert [outcome.status.name for outcome in sending.result()] == ["UNKNOWN", "ACCEPTED"]


async def test_no_commands_have_no_outcomes(site: Site) -> None:
    assert await site.translation.send_power_to_evs([]) == ()


async def test_closing_is_clean(site: Site) -> None:
    await site.translation.get_evs("default")
    await site.translation.aclose()


async def test_a_wish_is_passed_on_or_forgotten_and_never_an_error(site: Site) -> None:
    wishes = [StationRequest(wish, "ST-1", 1, "1") for wish in Wish]
    await site.translation.ask(wishes)
    site.go_away()
    await site.translation.ask(wishes)
