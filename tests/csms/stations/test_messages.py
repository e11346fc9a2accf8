"""What a station may say, and what becomes of it: the right CALLERROR or close code, others unaffected."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from csms.ports import Json
from csms.stations.connection import Limits
from csms.stations.listener import OcppServer
from csms.stations.observer import Observer, SeenFrame
from csms.store import tables
from optivgi.clock import ManualClock
from tests.csms.stations.conftest import Yard, eventually, meter, start

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}


@pytest.mark.parametrize(
    ("action", "payload", "error"),
    [
        ("Teleport", {}, ("NotImplemented", "unknown action")),
        ("Reset", {"type": "Soft"}, ("NotSupported", "Reset is not a request that stations make here")),
        ("SignCertificate", {"csr": "x"}, ("NotSupported", "SignCertificate is not a request that stations make here")),
        ("StatusNotification", STATUS | {"connectorId": "1"}, ("TypeConstraintViolation", "connectorId: ")),
        ("StatusNotification", STATUS | {"status": "Odd"}, ("PropertyConstraintViolation", "status: ")),
        (
            "StatusNotification",
            STATUS | {"connectorId": 1_634_030_126},
            ("PropertyConstraintViolation", "connectorId is"),
        ),
        ("BootNotification", {"chargePointVendor": "V"}, ("ProtocolError", 'payload: "chargePointModel"')),
        ("Heartbeat", {"a": 1}, ("FormationViolation", "payload: ")),
        ("MeterValues", {"connectorId": 1, "meterValue": []}, ("OccurenceConstraintViolation", "meterValue: ")),
    ],
)
async def test_a_wrong_call_gets_the_right_error(
    yard: Yard, server: OcppServer, action: str, payload: Json, error: tuple[str, str]
) -> None:
    async with yard.station(server) as station:
        answer = await station.ask(action, payload)
        code, description = error
        assert answer[0] == 4
        assert answer[2] == code
        assert answer[3].startswith(description)
        assert await station.beats()


@pytest.mark.parametrize(
    "text",
    [
        '[2,"7","Heartbeat",{"a":NaN}]',
        '[2,"7","Heartbeat",{"a":1e400}]',
        '[2,"7","Heartbeat",{"a":"\\ud800"}]',
        '[2,"7","Heartbeat",{"a":"\\u0000"}]',
        '[2,"7","Heartbeat",' + "[" * 50_000,
        '[2,"7","Heartbeat",' + '{"a":' * 900 + "1" + "}" * 900 + "]",
        '[2,"7","Heartbeat",{}',
        '[2,"7","Heartbeat"]',
    ],
)
async def test_an_unreadable_call_is_answered_and_the_connection_lives(
    yard: Yard, server: OcppServer, text: str
) -> None:
    async with yard.station(server) as station:
        await station.say(text)
        assert (await station.hear())[:3] == [4, "7", "FormationViolation"]
        assert await station.beats()


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "{}", "[]", "[" * 60_000, '[9,"7",{}]', '[3,"foreign",{}]', '[4,"foreign","X","",{}]', "\u0000"],
)
async def test_what_cannot_be_answered_is_passed_over(yard: Yard, server: OcppServer, text: str) -> None:
    async with yard.station(server) as station:
        await station.say(text)
        assert await station.beats()


async def test_of_duplicate_keys_the_last_one_counts(yard: Yard, server: OcppServer) -> None:
    async with yard.station(server) as station:
        await station.say('[2,"7","Authorize",{"idTag":"NOBODY","idTag":"FLEET"}]')
        assert (await station.hear())[2] == {"idTagInfo": {"status": "Accepted"}}


async def test_an_oversize_message_closes_its_connection_and_no_other(yard: Yard, server: OcppServer) -> None:
    async with yard.station(server, "GOOD") as good, yard.station(server, "BAD") as bad:
        await bad.say('[2,"7","DataTransfer",{"vendorId":"' + "x" * 70_000 + '"}]')
        with pytest.raises(ConnectionClosed):
            await bad.hear()
        assert bad.websocket.close_code == 1009
        assert await good.beats()


async def test_bytes_that_are_no_text_close_their_connection(yard: Yard, server: OcppServer) -> None:
    async with yard.station(server) as station:
        await station.websocket.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed):
            await station.hear()
        assert station.websocket.close_code == 1007


async def test_a_stations_messages_are_answered_in_their_order_without_waiting_for_it(
    yard: Yard, server: OcppServer
) -> None:
    async with yard.station(server) as station:
        for number in range(40):
            action, payload = ("Heartbeat", {}) if number % 2 else ("StatusNotification", STATUS)
            await station.say(json.dumps([2, str(number), action, payload]))
        assert [(await station.hear())[1] for _ in range(40)] == [str(number) for number in range(40)]


async def test_six_starts_at_once_on_one_station_are_six_transactions(yard: Yard, server: OcppServer) -> None:
    async with yard.station(server) as station:
        for connector in range(1, 7):
            await station.say(json.dumps([2, f"s{connector}", "StartTransaction", start(connector)]))
        answers = [await station.hear() for _ in range(6)]
        assert [answer[2]["transactionId"] for answer in answers] == [1, 2, 3, 4, 5, 6]
    assert sum(row["isActive"] for row in await yard.rows(tables.transactions)) == 6


async def test_starts_at_once_on_many_stations_are_one_transaction_each(yard: Yard, server: OcppServer) -> None:
    async def plug_in(number: int) -> Any:
        async with yard.station(server, f"ST-{number}") as station:
            await station.ask("BootNotification", BOOT)
            return (await station.ask("StartTransaction", start()))[2]

    answers = await asyncio.gather(*(plug_in(number) for number in range(12)))
    assert answers == [{"transactionId": 1, "idTagInfo": {"status": "Accepted"}}] * 12
    assert len(await yard.rows(tables.transactions, isActive=True)) == 12


async def test_a_message_sent_twice_is_one_transaction_and_two_equal_answers(yard: Yard, server: OcppServer) -> None:
    text = json.dumps([2, "7", "StartTransaction", start()])
    async with yard.station(server) as station:
        await station.say(text)
        first = await station.hear()
        await station.say(text)
        assert await station.hear() == first
    async with yard.station(server) as station:
        await station.say(text.replace('"7"', '"8"'))
        assert (await station.hear())[2] == first[2]
    assert len(await yard.rows(tables.transactions)) == 1


async def test_a_reconnect_in_the_middle_of_a_start_makes_one_transaction(yard: Yard, server: OcppServer) -> None:
    said = start()
    for number in range(4):
        async with yard.station(server) as station:
            await station.say(json.dumps([2, f"try-{number}", "StartTransaction", said]))
            station.websocket.transport.abort()
    async with yard.station(server) as station:
        assert (await station.ask("StartTransaction", said))[2]["transactionId"] == 1
    assert len(await yard.rows(tables.transactions)) == 1


async def test_a_message_that_the_database_refuses_is_an_internal_error_and_the_connection_lives(
    yard: Yard, server: OcppServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with yard.station(server) as station:
        assert await station.beats()
        async with yard.db.begin() as connection:
            await connection.exec_driver_sql('DROP TABLE "LatestStatusNotifications"')
        answer = await station.ask("StatusNotification", STATUS)
        assert answer[2:] == ["InternalError", "the CSMS failed on this message", {}]
        assert await station.beats()
    assert "StatusNotification of ST-1 failed" in caplog.text


async def test_every_frame_is_in_the_message_log_with_its_answer(yard: Yard, server: OcppServer) -> None:
    async with yard.station(server) as station:
        await station.ask("BootNotification", BOOT, "boot")
        call = asyncio.create_task(server.stations.call("ST-1", "ClearCache", {}, "clear"))
        await station.reply({"status": "Accepted"})
        await call
        await station.ask("Teleport", {}, "odd")
    await server.journal.flushed()
    rows = await yard.rows(tables.ocpp_messages)
    shown = [(row["origin"], row["action"], row["state"], row["message"][:2], row["requestMessageId"]) for row in rows]
    assert shown == [
        ("cs", "BootNotification", "1", [2, "boot"], None),
        ("csms", "BootNotification", "2", [3, "boot"], 1),
        ("csms", "ClearCache", "1", [2, "clear"], None),
        ("cs", "ClearCache", "2", [3, "clear"], 3),
        ("cs", "Teleport", "1", [2, "odd"], None),
        ("csms", "Teleport", "2", [4, "odd"], 5),
    ]
    assert {row["protocol"] for row in rows} == {"ocpp1.6"}
    station_row = (await yard.rows(tables.charging_stations))[0]
    assert station_row["latestOcppMessageTimestamp"] == rows[4]["timestamp"]


async def test_events_follow_the_contract_and_never_precede_their_facts(yard: Yard, server: OcppServer) -> None:
    seen: list[int] = []

    async def count(headers: Any, body: Json) -> None:
        if headers["action"] == "StartTransaction" and headers["state"] == "1":
            seen.append(len(await yard.rows(tables.transactions)))

    yard.bus.subscribe(count)
    async with yard.station(server) as station:
        await station.ask("StartTransaction", start(), "a")
        await station.ask("Heartbeat", {"a": 1}, "b")
        call = asyncio.create_task(server.stations.call("ST-1", "ClearCache", {}, "c"))
        await station.reply({"status": "Rejected"})
        await call

        async def told() -> bool:
            return len(yard.events) == 5 and bool(seen)

        await eventually(told)
    assert seen == [1]
    names = ("origin", "eventGroup", "action", "state", "correlationId")
    assert [tuple(headers[name] for name in names) for headers, _ in yard.events] == [
        ("cs", "router", "StartTransaction", "1", "a"),
        ("csms", "router", "StartTransaction", "2", "a"),
        ("cs", "router", "Heartbeat", "1", "b"),
        ("csms", "router", "Heartbeat", "2", "b"),
        ("cs", "router", "ClearCache", "2", "c"),
    ]
    assert yard.events[1][1]["_payload"] == {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}
    assert yard.events[3][1]["_payload"].items() >= {"_messageId": "b", "_errorCode": "FormationViolation"}.items()
    assert yard.events[4][1]["payload"] == {"status": "Rejected"}


async def test_observers_see_connections_and_frames(yard: Yard) -> None:
    frames: list[SeenFrame] = []
    comings: list[str] = []
    observer = Observer(
        on_connect=lambda station_id: comings.append(f"+{station_id}"),
        on_close=lambda station_id: comings.append(f"-{station_id}"),
        on_frame=frames.append,
    )
    async with yard.server(observer=observer) as server:
        async with yard.station(server) as station:
            await station.ask("Heartbeat", {}, "7")

        async def gone() -> bool:
            return comings == ["+ST-1", "-ST-1"]

        await eventually(gone)
    assert [(frame.origin, frame.action, frame.text[:6]) for frame in frames] == [
        ("cs", "Heartbeat", '[2,"7"'),
        ("csms", "Heartbeat", '[3,"7"'),
    ]


async def test_a_flood_is_read_no_faster_than_allowed(yard: Yard) -> None:
    clock = ManualClock()
    limits = Limits(messages_per_s=1, burst=5)
    async with yard.server(clock=clock, limits=limits) as server, yard.station(server) as station:
        for number in range(8):
            await station.say(json.dumps([2, str(number), "Heartbeat", {}]))
        assert [(await station.hear())[1] for _ in range(6)] == ["0", "1", "2", "3", "4", "5"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await station.websocket.recv()
        await clock.advance(1)
        assert (await station.hear())[1] == "6"
        await clock.advance(10)
        assert (await station.hear())[1] == "7"


async def test_metering_follows_the_transaction_over_the_wire(yard: Yard, server: OcppServer) -> None:
    async with yard.station(server) as station:
        await station.ask("StartTransaction", start())
        assert (await station.ask("MeterValues", meter(1500)))[2] == {}
    assert (await yard.rows(tables.transactions))[0]["totalKwh"] == 1.5
