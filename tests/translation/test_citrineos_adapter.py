"""What only the CitrineOS adapter does: turns per station, doubts said once, answers that come late or early."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
from starlette.responses import Response

from optivgi.clock import ManualClock, settle
from optivgi.errors import Unreachable
from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.ev_config import EVConfig, SiteView
from optivgi.testing import MOMENT
from optivgi.translation.base import OutcomeStatus, PowerCommand
from optivgi.translation.citrineos.adapter import CitrineOSTranslation
from optivgi.translation.citrineos.answers import AnswersByEvents
from optivgi.translation.citrineos.graphql import GraphQL
from optivgi.translation.citrineos.message_api import MessageAPI
from optivgi.translation.citrineos.payloads import set_charging_profile
from tests.translation.citrineos_double import CitrineOSDouble, a_sample

SITE = SiteView(("ST-1", "ST-2"), EVConfig(energy_needed_kwh=20.0, max_kw=7.2, min_kw=1.44), voltage_v=240.0)
PROFILE = ChargingProfile(
    1, 1, Purpose.TX, Kind.ABSOLUTE, Schedule(RateUnit.A, (Period(0, 16.0),), start=MOMENT), transaction_id="1"
)


def a_command(station_id: str = "ST-1", connector_id: int = 1, transaction_id: str = "1") -> PowerCommand:
    return PowerCommand(station_id, connector_id, replace(PROFILE, transaction_id=transaction_id), limit_kw=3.84)


@pytest.fixture
def csms(clock: ManualClock) -> CitrineOSDouble:
    csms = CitrineOSDouble(clock)
    csms.add_station("ST-1", connectors=2)
    csms.add_station("ST-2")
    return csms


@pytest.fixture
def translation(csms: CitrineOSDouble, clock: ManualClock) -> CitrineOSTranslation:
    answers = AnswersByEvents(clock)
    csms.subscribe(answers.take)
    http = csms.client()
    graphql = GraphQL(http, "http://csms/v1/graphql", clock, admin_secret="s3cret")
    return CitrineOSTranslation(SITE, clock, graphql, MessageAPI(http, "http://csms"), answers)


async def test_the_whole_site_is_one_request(csms: CitrineOSDouble, translation: CitrineOSTranslation) -> None:
    csms.admin_secret = "s3cret"
    for station_id, connector_id in (("ST-1", 1), ("ST-1", 2), ("ST-2", 1)):
        csms.start(station_id, str(connector_id), connector_id)
    assert len((await translation.get_evs("default")).evs) == 3
    assert csms.queries == 1


async def test_a_site_limit_is_none_of_its_business(translation: CitrineOSTranslation) -> None:
    assert await translation.get_peak_power_demand("default") is None


async def test_a_station_gets_one_command_at_a_time_and_others_do_not_wait(
    csms: CitrineOSDouble, translation: CitrineOSTranslation, clock: ManualClock
) -> None:
    csms.station_says["ST-1"] = None
    commands = [a_command("ST-1", 1), a_command("ST-1", 2), a_command("ST-2")]
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(translation.send_power_to_evs(commands))
        await clock.advance(0)
        assert [(station_id, body["connectorId"]) for station_id, body in csms.posted] == [("ST-1", 1), ("ST-2", 1)]
        await clock.advance(22)
        assert len(csms.posted) == 3
        csms.publish("cs", 2, "ST-1", {"status": "Accepted"}, csms.calls[-1])
    assert [outcome.status.name for outcome in sending.result()] == ["UNKNOWN", "ACCEPTED", "ACCEPTED"]
    assert sending.result()[0].reason == "ST-1 gave no answer within 22 s"


async def test_a_command_that_waits_for_its_turn_is_not_sent_once_another_optimizer_may_lead(
    csms: CitrineOSDouble, clock: ManualClock
) -> None:
    answers, leading = AnswersByEvents(clock), {"ST-1"}
    csms.subscribe(answers.take)
    messages, graphql = MessageAPI(csms.client(), "http://csms"), GraphQL(csms.client(), "http://csms/v1", clock)
    translation = CitrineOSTranslation(SITE, clock, graphql, messages, answers, may_command=leading.__contains__)
    csms.station_says["ST-1"] = None
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(translation.send_power_to_evs([a_command("ST-1", 1), a_command("ST-1", 2)]))
        await clock.advance(0)
        leading.clear()
        await clock.advance(50)
    assert [body["connectorId"] for _, body in csms.posted] == [1]
    assert [outcome.status.name for outcome in sending.result()] == ["UNKNOWN", "OFFLINE"]
    await translation.aclose()


async def test_a_command_that_the_csms_did_not_confirm_may_still_be_answered(
    csms: CitrineOSDouble, translation: CitrineOSTranslation, clock: ManualClock
) -> None:
    csms.rest_answers = [Response("boom", status_code=500)] * 2
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(translation.send_power_to_evs([a_command("ST-1"), a_command("ST-2")]))
        await clock.advance(1)
        csms.publish("csms", 1, "ST-2", set_charging_profile(1, PROFILE), "went out all the same")
        csms.publish("cs", 2, "ST-2", {"status": "Accepted"}, "went out all the same")
        await clock.advance(22)
    assert [outcome.status.name for outcome in sending.result()] == ["UNKNOWN", "ACCEPTED"]
    assert sending.result()[0].reason == "the CSMS answered 500: boom"


async def test_a_question_holds_up_no_command_and_tells_silence_from_absence(
    csms: CitrineOSDouble, translation: CitrineOSTranslation, clock: ManualClock
) -> None:
    csms.station_says["ST-1"], csms.offline = None, {"ST-2"}
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(translation.read_back("ST-1", 1, 60, RateUnit.A))
        await clock.advance(1)
        csms.station_says["ST-1"] = {"status": "Accepted"}
        (outcome,) = await translation.send_power_to_evs([a_command("ST-1")])
        assert outcome.status is OutcomeStatus.ACCEPTED
        assert not asking.done()
        await clock.advance(22)
    assert asking.result().status is OutcomeStatus.UNKNOWN
    assert (await translation.read_back("ST-2", 1, 60, RateUnit.A)).status is OutcomeStatus.OFFLINE
    csms.rest_answers = [Response("boom", status_code=500)]
    lost = await translation.read_back("ST-1", 1, 60, RateUnit.A)
    assert (lost.status, lost.reason) == (OutcomeStatus.FAILED, "the CSMS answered 500: boom")


async def test_what_cannot_be_sent_fails_alone(csms: CitrineOSDouble, translation: CitrineOSTranslation) -> None:
    outcomes = await translation.send_power_to_evs([a_command("ST-1", transaction_id="tx"), a_command("ST-2")])
    assert [outcome.status.name for outcome in outcomes] == ["FAILED", "ACCEPTED"]
    assert "'tx' is not the whole number" in outcomes[0].reason
    assert [station_id for station_id, _ in csms.posted] == ["ST-2"]


async def test_a_cancelled_batch_leaves_nothing_behind(
    csms: CitrineOSDouble, translation: CitrineOSTranslation, clock: ManualClock
) -> None:
    csms.station_says["ST-1"] = None
    sending = asyncio.create_task(translation.send_power_to_evs([a_command("ST-1")]))
    await settle()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    csms.station_says["ST-1"] = {"status": "Accepted"}
    (outcome,) = await translation.send_power_to_evs([a_command("ST-1")])
    assert outcome.status is OutcomeStatus.ACCEPTED
    assert clock.sleeping == 0


async def test_a_doubt_is_logged_when_it_arises_and_not_at_every_read(
    csms: CitrineOSDouble, translation: CitrineOSTranslation, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "optivgi.translation")
    transaction = csms.start("ST-1")
    for register in ("NaN", -1, "1000", "NaN"):
        await clock.advance(10)
        transaction["MeterValues"].clear()
        csms.meter(transaction, a_sample(register, "Energy.Active.Import.Register", "Wh"))
        await translation.get_evs("default")
    said = [record.getMessage() for record in caplog.records]
    assert said == ["EV 1: meter sample: 'NaN' is no finite number is not believed"] * 2


async def test_an_answer_that_died_with_its_connection_is_not_waited_for(
    csms: CitrineOSDouble, translation: CitrineOSTranslation, clock: ManualClock
) -> None:
    csms.station_says = {"ST-1": None, "ST-2": None}
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(translation.send_power_to_evs([a_command("ST-1")]))
        other = tasks.create_task(translation.send_power_to_evs([a_command("ST-2")]))
        await clock.advance(1)
        csms.rows["ChargingStations"][0]["isOnline"] = False
        await translation.get_evs("default")
        await settle()
        assert sending.done()
        assert not other.done()
        await clock.advance(22)
    (outcome,) = sending.result()
    assert (outcome.status, outcome.reason) == (OutcomeStatus.UNKNOWN, "its connection was lost")


async def test_no_answer_is_waited_for_once_the_csms_was_away(
    csms: CitrineOSDouble, translation: CitrineOSTranslation, clock: ManualClock
) -> None:
    csms.station_says["ST-1"] = None
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(translation.send_power_to_evs([a_command("ST-1")]))
        await clock.advance(1)
        csms.graphql_answers = [Response(status_code=503)] * 3
        reading = asyncio.gather(translation.get_evs("default"), return_exceptions=True)
        await clock.advance(10)
        assert isinstance((await reading)[0], Unreachable)
        assert sending.done()
    (outcome,) = sending.result()
    assert outcome.status is OutcomeStatus.UNKNOWN
    assert "away" in outcome.reason
