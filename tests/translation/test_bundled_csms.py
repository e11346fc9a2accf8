"""The CitrineOS adapter against the bundled CSMS: its real REST, GraphQL, events and SQLite, and a station on a wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from csms.app import Csms
from csms.events.bus import InProcessBus
from csms.ports import Json
from optivgi.clock import ScaledClock, WallClock
from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.clock import Clock
from optivgi.model.ev_config import EVConfig, SiteView
from optivgi.translation.base import OutcomeStatus, PowerCommand
from optivgi.translation.citrineos.adapter import CitrineOSTranslation
from optivgi.translation.citrineos.answers import Answers, AnswersByCallback, AnswersByEvents
from optivgi.translation.citrineos.callback_listener import CallbackListener
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.citrineos.message_api import MessageAPI
from optivgi.translation.citrineos.recorded import RecordedAnswers
from optivgi.translation.inprocess import InProcessEventSource
from tests.csms.test_app import Station, boot, migrated, settings, station
from tests.services import free_port

__all__ = ["migrated"]

SITE = SiteView(("ST-01",), EVConfig(energy_needed_kwh=20.0, max_kw=7.2, min_kw=1.44), voltage_v=240.0)


@pytest.fixture
async def csms(tmp_path: Path) -> AsyncIterator[Csms]:
    async with Csms(settings(tmp_path, hasura_admin_secret="s3cret"), WallClock(), listen_http=False) as csms:
        yield csms


def translate(csms: Csms, answers: Answers, clock: Clock, deadline_s: float = 10.0) -> CitrineOSTranslation:
    graphql = GraphQL(
        httpx.AsyncClient(transport=httpx.ASGITransport(csms.graphql_app)),
        "http://csms/v1/graphql",
        clock,
        admin_secret="s3cret",
    )
    messages = MessageAPI(httpx.AsyncClient(transport=httpx.ASGITransport(csms.rest_app)), "http://csms")
    recorded = RecordedAnswers(graphql)
    return CitrineOSTranslation(
        SITE, clock, graphql, messages, answers, answer_deadline_s=deadline_s, recorded=recorded
    )


async def start_charging(charger: Station, meter_wh: int = 1000) -> str:
    now = WallClock().now().isoformat(timespec="milliseconds")
    await charger.request("StatusNotification", {"connectorId": 2, "errorCode": "NoError", "status": "Available"})
    await charger.request("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"})
    start: Json = {"connectorId": 1, "idTag": "OPTIVGI-01", "meterStart": meter_wh, "timestamp": now}
    transaction_id = (await charger.request("StartTransaction", start))["transactionId"]
    samples = [
        {"value": f"{meter_wh + 500}", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": "7.2", "measurand": "Power.Active.Import", "unit": "kW"},
    ]
    meter: Json = {
        "connectorId": 1,
        "transactionId": transaction_id,
        "meterValue": [{"timestamp": now, "sampledValue": samples}],
    }
    await charger.request("MeterValues", meter)
    await charger.request("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"})
    return str(transaction_id)


async def test_what_a_station_said_is_the_snapshot(csms: Csms) -> None:
    translation = translate(csms, AnswersByEvents(WallClock()), WallClock())
    assert (await translation.get_evs("default")).evs == ()
    async with station(csms) as charger:
        await boot(charger)
        transaction_id = await start_charging(charger)
        found = await translation.get_evs("default")
    (ev,) = found.evs
    assert (found.refused, found.doubts) == ((), ())
    assert (ev.ev_id, ev.station_id, ev.connector_id, ev.transaction_id) == ("1", "ST-01", 1, transaction_id)
    assert (ev.delivered_kwh, ev.energy_needed_kwh) == (0.5, 19.5)
    assert ev.measured_kw == pytest.approx(7.2)
    assert ev.unit is RateUnit.A
    connectors = {one.connector_id: one for one in found.connectors if one.station_id == "ST-01"}
    assert {number: (one.online, one.status) for number, one in connectors.items()} == {
        1: (True, "Charging"),
        2: (True, "Available"),
    }
    assert connectors[1].booted_at is not None
    await translation.aclose()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ([3, {"status": "Accepted"}], OutcomeStatus.ACCEPTED),
        ([3, {"status": "Rejected"}], OutcomeStatus.REJECTED),
        ([4, "NotImplemented", "no smart charging here", {}], OutcomeStatus.NOT_SUPPORTED),
        ([4, "PropertyConstraintViolation", "chargingRateUnit", {}], OutcomeStatus.REJECTED),
        ([4, "InternalError", "out of memory", {}], OutcomeStatus.FAILED),
    ],
)
@pytest.mark.parametrize("way", ["events", "callback", "record"])
async def test_a_command_reaches_the_station_and_its_answer_comes_back(
    csms: Csms, way: str, answer: list[Any], status: OutcomeStatus
) -> None:
    assert isinstance(csms.bus, InProcessBus)
    speed = 20.0 if way == "record" else 1.0
    clock = ScaledClock(speed)
    by_events = AnswersByEvents(clock)
    heard = by_events.take if way == "events" else lambda *_: None
    source = InProcessEventSource(csms.bus.subscribe, clock, on_answer=heard)
    by_callback = AnswersByCallback(clock, f"http://127.0.0.1:{free_port()}")
    listener = CallbackListener(by_callback, "127.0.0.1", urlsplit(by_callback.base_url).port or 0)
    translation = translate(csms, by_callback if way == "callback" else by_events, clock, 10.0 * speed)
    async with station(csms) as charger:
        await boot(charger)
        transaction_id = await start_charging(charger)
        schedule = Schedule(RateUnit.A, (Period(0, 16.0),), start=WallClock().now().replace(microsecond=0))
        profile = ChargingProfile(1, 1, Purpose.TX, Kind.ABSOLUTE, schedule, transaction_id)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(listener.serve())
            sending = tasks.create_task(translation.send_power_to_evs([PowerCommand("ST-01", 1, profile, 3.84, "1")]))
            call = await charger.called()
            assert call[2] == "SetChargingProfile"
            assert call[3]["csChargingProfiles"]["transactionId"] == int(transaction_id)
            await charger._websocket.send(json.dumps([answer[0], call[1], *answer[1:]]))
            await sending
            serving.cancel()
    assert [outcome.status for outcome in sending.result()] == [status]
    await source.aclose()
    await translation.aclose()


SCHEDULE = {
    "chargingRateUnit": "A",
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}, {"startPeriod": 60, "limit": 6.5}],
}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ([3, {"status": "Accepted", "connectorId": 1, "chargingSchedule": SCHEDULE}], OutcomeStatus.ACCEPTED),
        ([3, {"status": "Accepted"}], OutcomeStatus.NOT_SUPPORTED),
        ([3, {"status": "Rejected"}], OutcomeStatus.REJECTED),
        ([4, "NotImplemented", "", {}], OutcomeStatus.NOT_SUPPORTED),
    ],
)
@pytest.mark.parametrize("way", ["events", "callback"])
async def test_what_a_station_has_installed_comes_back(
    csms: Csms, way: str, answer: list[Any], status: OutcomeStatus
) -> None:
    assert isinstance(csms.bus, InProcessBus)
    by_events = AnswersByEvents(WallClock())
    source = InProcessEventSource(csms.bus.subscribe, WallClock(), on_answer=by_events.take)
    by_callback = AnswersByCallback(WallClock(), f"http://127.0.0.1:{free_port()}")
    listener = CallbackListener(by_callback, "127.0.0.1", urlsplit(by_callback.base_url).port or 0)
    translation = translate(csms, by_callback if way == "callback" else by_events, WallClock())
    async with station(csms) as charger:
        await boot(charger)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(listener.serve())
            asking = tasks.create_task(translation.read_back("ST-01", 1, 120, RateUnit.A))
            call = await charger.called()
            assert call[2:] == ["GetCompositeSchedule", {"connectorId": 1, "duration": 120, "chargingRateUnit": "A"}]
            await charger._websocket.send(json.dumps([answer[0], call[1], *answer[1:]]))
            await asking
            serving.cancel()
    said = asking.result()
    assert said.status is status
    if status is OutcomeStatus.ACCEPTED:
        assert said.schedule == Schedule(RateUnit.A, (Period(0, 16.0), Period(60, 6.5)))
    else:
        assert said.schedule is None
        assert said.reason
    await source.aclose()
    await translation.aclose()
