"""The reader turns a data service's rows into a History, whole, in pages, and never a fault into "nothing happened"."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from optivgi.clock import ManualClock
from optivgi.errors import ContractBroken, Refused, Unreachable
from optivgi.model.charging_profile import Kind, Purpose, RateUnit
from optivgi.model.history import History, ProfilesCleared
from optivgi.translation.citrineos.history import read_history
from tests.report.data_service import DataService
from tests.report.histories import at

Row = dict[str, Any]


def stamp(seconds: float) -> str:
    return at(seconds).isoformat(timespec="milliseconds")


def transaction(row_id: int, start_s: float, end_s: float | None, **changes: Any) -> Row:
    stop = None if end_s is None else {"timestamp": stamp(end_s), "meterStop": 1000}
    return {
        "id": row_id,
        "stationId": "STATION-01",
        "transactionId": str(row_id),
        "isActive": end_s is None,
        "startTime": stamp(start_s + 1),
        "endTime": None if end_s is None else stamp(end_s + 1),
        "updatedAt": stamp(5000),
        "meterStart": 0,
        "Connector": {"connectorId": 1},
        "StartTransaction": {"timestamp": stamp(start_s), "meterStart": 0},
        "StopTransaction": stop,
    } | changes


def message(
    row_id: int, seconds: float, origin: str, frame: Any, action: str = "SetChargingProfile", **changes: Any
) -> Row:
    return {
        "id": row_id,
        "stationId": "STATION-01",
        "correlationId": "m1",
        "origin": origin,
        "protocol": "ocpp1.6",
        "action": action,
        "message": frame,
        "timestamp": stamp(seconds),
    } | changes


def set_profile(correlation_id: str = "m1", **changes: Any) -> list[Any]:
    profile = {
        "chargingProfileId": 7,
        "transactionId": 1,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": "2026-03-03T08:00:00Z",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 20.8, "numberPhases": 1}],
        },
    } | changes
    return [2, correlation_id, "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile}]


def meter_values(row_id: int, seconds: float, sampled: Any, transaction_row_id: int | None = 1) -> Row:
    return {
        "id": row_id,
        "transactionDatabaseId": transaction_row_id,
        "timestamp": stamp(seconds),
        "sampledValue": sampled,
    }


def sampled(measurand: str | None, value: Any, unit: str, context: str = "Sample.Clock", **more: Any) -> Row:
    return {"value": value, "context": context, "unitOfMeasure": {"unit": unit, "multiplier": 0}} | (
        more if measurand is None else {"measurand": measurand, **more}
    )


async def read(rows: dict[str, list[Row]], page_size: int = 1000, **options: Any) -> History:
    service = DataService(rows)
    return await read_history(
        "http://data", clock=ManualClock(), transport=service.transport(), page_size=page_size, **options
    )


async def test_a_profile_is_joined_with_its_answer_whatever_their_order() -> None:
    answer = message(1, 2.5, "cs", [3, "m1", {"status": "Accepted"}])
    history = await read({"OCPPMessages": [answer, message(2, 2.4, "csms", set_profile())]})

    (sent,) = history.profiles
    assert (sent.status, sent.sent_at, sent.answered_at) == ("Accepted", at(2.4), at(2.5))
    assert (sent.profile.purpose, sent.profile.kind, sent.profile.transaction_id) == (Purpose.TX, Kind.ABSOLUTE, "1")
    assert (sent.profile.schedule.unit, sent.profile.schedule.periods[0].limit) == (RateUnit.A, 20.8)


async def test_the_same_message_id_at_another_station_is_not_its_answer() -> None:
    foreign = message(2, 2.5, "cs", [3, "m1", {"status": "Accepted"}], stationId="STATION-02")
    history = await read({"OCPPMessages": [message(1, 2.4, "csms", set_profile()), foreign]})

    assert history.profiles[0].status is None


async def test_a_call_error_is_an_answer_that_accepts_nothing() -> None:
    error = message(2, 2.5, "cs", [4, "m1", "InternalError", "", {}])
    history = await read({"OCPPMessages": [message(1, 2.4, "csms", set_profile()), error]})

    assert history.profiles[0].status == "CALLERROR InternalError"


async def test_an_accepted_clear_is_read_with_its_criteria() -> None:
    criteria = {"chargingProfilePurpose": "TxDefaultProfile", "connectorId": 1}
    call = message(1, 3, "csms", [2, "m2", "ClearChargingProfile", criteria], "ClearChargingProfile")
    answer = message(2, 4, "cs", [3, "m2", {"status": "Accepted"}], "ClearChargingProfile")
    history = await read({"OCPPMessages": [call, answer]})

    assert history.cleared == (ProfilesCleared("STATION-01", at(4), connector_id=1, purpose=Purpose.TX_DEFAULT),)


@pytest.mark.parametrize(
    "broken",
    [
        message(1, 1, "csms", set_profile(chargingProfilePurpose="Unheard")),
        message(1, 1, "csms", [2, "m1", "SetChargingProfile", {}]),
        message(1, 1, "csms", set_profile(), protocol="ocpp2.0.1"),
        message(1, 1, "csms", "no JSON"),
        message(1, 1, "csms", None),
        message(1, 1, "csms", [2]),
    ],
)
async def test_what_cannot_be_understood_is_named(broken: Row) -> None:
    history = await read({"OCPPMessages": [broken]})

    assert len(history.unreadable) == 1
    assert "STATION-01" in history.unreadable[0]


async def test_a_frame_stored_as_json_text_is_the_same_frame() -> None:
    history = await read({"OCPPMessages": [message(1, 1, "csms", json.dumps(set_profile()))]})

    assert history.profiles[0].profile.profile_id == 7


async def test_power_and_register_are_read_with_units_and_the_resolution_of_the_print() -> None:
    values = [
        sampled("Power.Active.Import", 7200, "W"),
        sampled(None, "1.2345", "kWh"),
        sampled("Current.Import", 30, "A"),
    ]
    history = await read({"Transactions": [transaction(1, 0, None)], "MeterValues": [meter_values(1, 10, values)]})

    (sample,) = history.samples
    assert (sample.clock_aligned, sample.power_kw, sample.at) == (True, 7.2, at(10))
    assert sample.register is not None
    assert (sample.register.energy_wh, sample.register.resolution_wh) == pytest.approx((1234.5, 0.1))


async def test_samples_as_json_text_and_by_phase_are_read_and_clocked_ones_kept_apart() -> None:
    phases = [sampled("Power.Active.Import", 1000, "W", phase=phase) for phase in ("L1", "L2", "L3")]
    periodic = sampled("Power.Active.Import", 5, "kW", context="Sample.Periodic")
    rows = [meter_values(1, 10, json.dumps([*phases, periodic]))]
    history = await read({"Transactions": [transaction(1, 0, None)], "MeterValues": rows})

    assert [(sample.clock_aligned, sample.power_kw) for sample in history.samples] == [(True, 3.0), (False, 5.0)]


@pytest.mark.parametrize("value", ["NaN", "much", None, -5])
async def test_a_value_that_makes_no_sense_is_missing_not_zero(value: Any) -> None:
    rows = [meter_values(1, 10, [sampled("Power.Active.Import", value, "W")])]
    history = await read({"Transactions": [transaction(1, 0, None)], "MeterValues": rows})

    assert history.samples == ()


async def test_the_stations_own_times_bound_a_transaction() -> None:
    history = await read({"Transactions": [transaction(1, 0, 600)]})

    (tx,) = history.transactions
    assert (tx.start, tx.end) == (at(0), at(600))
    assert tx.meter_stop is not None
    assert tx.meter_stop.energy_wh == 1000


async def test_a_transaction_whose_stop_was_lost_ends_when_the_next_one_begins() -> None:
    lost = transaction(1, 0, None, isActive=False)
    history = await read({"Transactions": [lost, transaction(2, 300, 600)]})

    assert [tx.end for tx in history.transactions] == [at(300), at(600)]


async def test_large_tables_are_read_in_pages_without_loss_or_repetition() -> None:
    rows = [meter_values(n, 10 * n, [sampled("Power.Active.Import", n, "W")]) for n in range(1, 26)]
    service = DataService({"Transactions": [transaction(1, 0, None)], "MeterValues": rows})

    history = await read_history("http://data", clock=ManualClock(), transport=service.transport(), page_size=10)

    assert [sample.power_kw for sample in history.samples] == pytest.approx([n / 1000 for n in range(1, 26)])
    assert service.asked.count("MeterValues") == 3


async def test_by_default_the_last_run_is_read_but_profiles_from_the_beginning() -> None:
    rows = {
        "Transactions": [transaction(1, 0, 600), transaction(2, 5000, 5600)],
        "OCPPMessages": [
            message(1, -5, "csms", set_profile()),
            message(2, 4990, "cs", [2, "b", "BootNotification", {}], "BootNotification"),
        ],
        "MeterValues": [meter_values(n, 1000 * n, [sampled("Power.Active.Import", 1, "W")], 2) for n in range(1, 6)],
    }
    history = await read(rows)

    assert history.since == at(4990)
    assert [tx.row_id for tx in history.transactions] == [2]
    assert len(history.profiles) == 1
    assert len(history.samples) == 1


async def test_a_boot_between_sessions_begins_a_new_run_and_one_during_a_session_does_not() -> None:
    boots = [message(n, s, "cs", [2, "b", "BootNotification", {}], "BootNotification") for n, s in ((1, 300), (2, 650))]
    rows = {"Transactions": [transaction(1, 0, 600), transaction(2, 700, 900)], "OCPPMessages": boots}

    assert (await read(rows)).since == at(650)
    assert (await read(rows | {"OCPPMessages": boots[:1]})).since == at(0)


async def test_since_and_until_choose_the_window() -> None:
    rows = {"Transactions": [transaction(1, 0, 600), transaction(2, 700, 900), transaction(3, 1000, 1100)]}
    history = await read(rows, since=at(650), until=at(950))

    assert [tx.row_id for tx in history.transactions] == [2]


async def test_a_wrong_secret_is_refused_and_the_right_one_taken() -> None:
    service = DataService({}, secret="s3cret")

    with pytest.raises(Refused, match="HASURA_ADMIN_SECRET"):
        await read_history("http://data", clock=ManualClock(), transport=service.transport())
    assert (
        await read_history("http://data", "s3cret", clock=ManualClock(), transport=service.transport())
    ).since is None


async def test_nobody_listening_is_unreachable() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(Unreachable, match="connection refused"):
        await read_history("http://data", clock=ManualClock(), transport=httpx.MockTransport(refuse))


@pytest.mark.parametrize(
    "answer", [{"data": {"Transactions": None}}, {"data": None}, [1], {"data": {"Transactions": [7]}}]
)
async def test_an_answer_of_another_shape_breaks_the_contract(answer: Any) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))

    with pytest.raises(ContractBroken):
        await read_history("http://data", clock=ManualClock(), transport=transport)
