"""The plain JSON interface: what a service answers wrongly is named by its field."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from optivgi.clock import ManualClock
from optivgi.errors import ContractBroken, Refused, Unreachable
from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Schedule
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.testing import MOMENT
from optivgi.translation.base import OutcomeStatus, PowerCommand
from optivgi.translation.http import Patience
from optivgi.translation.http_api import HttpApiTranslation

Json = dict[str, Any]
AN_EV: Json = {
    "ev_id": "1",
    "station_id": "ST-1",
    "connector_id": 1,
    "transaction_id": "t",
    "arrival": "2026-03-03T09:00:00+01:00",
    "energy_needed_kwh": 20,
    "min_kw": 1.44,
    "max_kw": 7.2,
    "voltage_v": 240,
    "phases": ["L1"],
}
A_FUTURE_EV = {name: value for name, value in AN_EV.items() if name != "transaction_id"}
A_CONNECTOR: Json = {
    "station_id": "ST-1",
    "connector_id": 1,
    "online": True,
    "status": "Charging",
    "min_kw": 1.44,
    "max_kw": 7.2,
    "voltage_v": 240,
    "phases": ["L1"],
}
COMMAND = PowerCommand(
    "ST-1",
    1,
    ChargingProfile(7, 1, Purpose.TX, Kind.ABSOLUTE, Schedule(RateUnit.A, (Period(0, 16.0),), start=MOMENT), "t"),
    limit_kw=3.84,
    ev_id="1",
)


def a_translation(answer: Callable[[httpx.Request], httpx.Response]) -> HttpApiTranslation:
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return HttpApiTranslation(http, "http://service/", ManualClock(), patience=Patience(tries=1))


def serving(**answers: Any) -> HttpApiTranslation:
    """Answers by path; an empty site where nothing else is said."""
    usual = {"evs": {"evs": [], "connectors": []}, "future_evs": {"evs": []}, "peak_power_demand": {"steps": None}}
    return a_translation(lambda request: httpx.Response(200, json={**usual, **answers}[request.url.path.strip("/")]))


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("evs", {"evs": []}, r"/evs: Object missing required field `connectors`"),
        ("evs", {"evs": [{**AN_EV, "max_kw": "7"}], "connectors": []}, r"\$\.evs\[0\]\.max_kw"),
        ("evs", {"evs": [{**AN_EV, "phases": ["L4"]}], "connectors": []}, r"\$\.evs\[0\]\.phases"),
        ("evs", {"evs": [{**AN_EV, "arrival": "2026-03-03T09:00:00"}], "connectors": []}, r"\$\.evs\[0\]\.arrival"),
        ("evs", {"evs": [], "connectors": [{**A_CONNECTOR, "online": "yes"}]}, r"\$\.connectors\[0\]\.online"),
        ("future_evs", {"evs": [{}]}, r"/future_evs: .*`ev_id`"),
        ("future_evs", [], "/future_evs: Expected `object`"),
    ],
)
async def test_a_wrong_answer_is_named_by_its_field(path: str, answer: Any, words: str) -> None:
    with pytest.raises(ContractBroken, match=words):
        await serving(**{path: answer}).get_evs("default")


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"start": "2026-03-03T08:00:00Z", "limit_kw": -1, "source": "x"}],
        [{"start": "2026-03-03T08:00:00Z", "limit_kw": 1, "source": "x"}] * 2,
    ],
)
async def test_a_limit_that_makes_no_sense_is_a_broken_contract(steps: Any) -> None:
    with pytest.raises(ContractBroken, match="/peak_power_demand"):
        await serving(peak_power_demand={"steps": steps}).get_peak_power_demand("default")


async def test_a_limit_over_time_may_end_in_none() -> None:
    steps = [
        {"start": "2026-03-03T09:00:00+01:00", "limit_kw": 12.5, "source": "grid operator"},
        {"start": "2026-03-03T09:00:00Z", "limit_kw": None, "source": "all clear"},
    ]
    assert await serving(peak_power_demand={"steps": steps}).get_peak_power_demand("default") == LimitSeries(
        (
            LimitStep(datetime(2026, 3, 3, 8, tzinfo=UTC), 12.5, "grid operator"),
            LimitStep(datetime(2026, 3, 3, 9, tzinfo=UTC), None, "all clear"),
        )
    )


async def test_a_limit_may_be_left_to_the_optimizer() -> None:
    assert await serving().get_peak_power_demand("default") is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"energy_needed_kwh": -1}, "energy_needed_kwh is -1; it must be at least 0"),
        ({"max_kw": 1.0}, "max_kw is 1; it must be at least 1.44"),
        ({"min_kw": 0, "max_kw": 0}, "max_kw is 0; it must be above 0"),
        ({"voltage_v": 0}, "voltage_v is 0; it must be above 0"),
        ({"phases": []}, "phases is empty; it must name at least one of L1, L2, L3"),
        ({"transaction_id": ""}, "transaction_id is empty; an EV that is there has one"),
        ({"measured_kw": -0.5}, "measured_kw is -0.5; it must be at least 0"),
    ],
)
async def test_an_ev_that_makes_no_sense_is_refused_and_the_others_count(change: Json, reason: str) -> None:
    evs = [{**AN_EV, **change}, {**AN_EV, "ev_id": "2", "station_id": "ST-2"}]
    found = await serving(evs={"evs": evs, "connectors": [A_CONNECTOR]}).get_evs("default")
    assert [ev.ev_id for ev in found.evs] == ["2"]
    assert [(refused.ev_id, refused.reason) for refused in found.refused] == [("1", reason)]


async def test_future_evs_are_expected_and_not_there() -> None:
    absurd = {**A_FUTURE_EV, "ev_id": "2", "voltage_v": -1}
    found = await serving(future_evs={"evs": [A_FUTURE_EV, absurd]}).get_evs("default")
    assert (found.evs, [ev.ev_id for ev in found.expected]) == ((), ["1"])
    assert found.expected[0].arrival == MOMENT
    assert found.doubts == ("EV 2: announced, but voltage_v is -1; it must be above 0",)


async def test_the_group_is_asked_for_and_powers_are_posted_as_documented() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"steps": None, "outcomes": [{"status": "Accepted"}]})

    translation = a_translation(answer)
    await translation.get_peak_power_demand("north")
    (outcome,) = await translation.send_power_to_evs([COMMAND])
    assert outcome.status is OutcomeStatus.ACCEPTED
    assert str(asked[0].url) == "http://service/peak_power_demand?group=north"
    assert json.loads(asked[1].content) == {
        "powers": [
            {
                "station_id": "ST-1",
                "connector_id": 1,
                "ev_id": "1",
                "limit_kw": 3.84,
                "profile": {
                    "profile_id": 7,
                    "stack_level": 1,
                    "purpose": "TxProfile",
                    "kind": "Absolute",
                    "schedule": {
                        "unit": "A",
                        "periods": [{"start_s": 0, "limit": 16.0, "phases": None}],
                        "start": "2026-03-03T08:00:00Z",
                        "duration_s": None,
                        "min_rate": None,
                    },
                    "transaction_id": "t",
                    "recurrency": None,
                    "valid_from": None,
                    "valid_to": None,
                },
            }
        ]
    }


@pytest.mark.parametrize(
    ("response", "status", "words"),
    [
        (httpx.Response(503), OutcomeStatus.UNKNOWN, "answered 503"),
        (
            httpx.Response(200, json={"outcomes": []}),
            OutcomeStatus.UNKNOWN,
            "1 powers were sent and 0 outcomes came back",
        ),
        (httpx.Response(200, json={"outcomes": [{"status": "Great"}]}), OutcomeStatus.UNKNOWN, r"$.outcomes[0].status"),
        (httpx.Response(400, text="no"), OutcomeStatus.FAILED, "answered 400"),
    ],
)
async def test_only_a_clear_answer_is_an_outcome(response: httpx.Response, status: OutcomeStatus, words: str) -> None:
    (outcome,) = await a_translation(lambda _: response).send_power_to_evs([COMMAND])
    assert outcome.status is status
    assert words in outcome.reason


@pytest.mark.parametrize(("status", "error"), [(500, Unreachable), (404, Refused)])
async def test_a_failing_service_is_an_error(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        await a_translation(lambda _: httpx.Response(status)).get_evs("default")
