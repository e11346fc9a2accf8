"""Sessions come from files, a CSMS or a seed, all as they are meant, and broken ones are refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from optivgi.errors import SettingsError
from optivgi.model.history import History, MeterSample, Register, Transaction
from optivgi.study.generator import KINDS, generate, parse_generate
from optivgi.study.recorded import Powers, recorded_sessions
from optivgi.study.session import by_month, stretches, with_departure_errors
from optivgi.study.session_files import Defaults, load_sessions, parse_acn, parse_csv
from tests.study.days import EIGHT, after, session

DEFAULTS = Defaults()
UTC_ZONE = ZoneInfo("UTC")
CSV = "arrival,departure,energy_kwh,max_kw,min_kw,stated_departure,phases,capacity_kwh\n"
ACN_ANSWER = {
    "_items": [
        {
            "_id": "5bc90cb9f9af8b0d7fe77cd2",
            "clusterID": "0039",
            "connectionTime": "Wed, 25 Apr 2018 11:08:04 GMT",
            "disconnectTime": "Wed, 25 Apr 2018 13:20:10 GMT",
            "doneChargingTime": None,
            "kWhDelivered": 7.932,
            "sessionID": "2_39_78_362_2018-04-25 11:08:04.400812",
            "siteID": "0002",
            "spaceID": "CA-496",
            "stationID": "2-39-78-362",
            "timezone": "America/Los_Angeles",
            "userID": "000000743",
            "userInputs": [
                {
                    "WhPerMile": 400,
                    "kWhRequested": 8.0,
                    "milesRequested": 20,
                    "minutesAvailable": 120,
                    "modifiedAt": "Wed, 25 Apr 2018 11:09:10 GMT",
                    "paymentRequired": True,
                    "requestedDeparture": "Wed, 25 Apr 2018 13:08:04 GMT",
                    "userID": 743,
                }
            ],
        }
    ],
    "_links": {"parent": {"href": "/", "title": "home"}, "self": {"href": "sessions/caltech", "title": "sessions"}},
    "_meta": {"max_results": 25, "page": 1, "total": 1},
}
"""The form of an answer of ACN-Data's API, every field of it."""
ACN_ITEM = {
    "connectionTime": "Mon, 02 Mar 2026 08:00:00 GMT",
    "disconnectTime": "Mon, 02 Mar 2026 12:00:00 GMT",
    "kWhDelivered": 10.5,
    "userInputs": [
        {"requestedDeparture": "Mon, 02 Mar 2026 10:00:00 GMT"},
        {"requestedDeparture": "Mon, 02 Mar 2026 11:00:00 GMT"},
    ],
}


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        parse_csv(text, "s.csv", DEFAULTS)
    return caught.value.problems


def test_a_table_says_everything_or_only_what_it_must() -> None:
    full = parse_csv(
        CSV + "2026-03-02T09:00:00+01:00,2026-03-02T12:00:00Z,10,11,4.2,2026-03-02T11:00:00Z,L1L2L3,60\n",
        "s.csv",
        DEFAULTS,
    )
    least = parse_csv("arrival,departure,energy_kwh\n2026-03-02T08:00:00Z,2026-03-02T12:00:00Z,10\n", "s.csv", DEFAULTS)

    assert full == (
        session(max_kw=11.0, min_kw=4.2, stated_departure=after(3), phases=("L1", "L2", "L3"), capacity_kwh=60.0),
    )
    assert least == (session(stated_departure=None),)


def test_all_that_is_wrong_in_a_table_is_said_at_once() -> None:
    rows = (
        "2026-03-02T08:00:00,2026-03-02T12:00:00Z,10,,,,,\n"
        "2026-03-02T12:00:00Z,2026-03-02T08:00:00Z,-1,0,,,,\n"
        "2026-03-02T08:00:00Z,2026-03-02T12:00:00Z,nan,7.2,8,,L4,\n"
        "2026-03-02T08:00:00Z\n"
    )

    problems = problems_of(CSV + rows)

    assert [problem.split(" ")[2].rstrip(":") + " " + problem.split(": ", 1)[1].split(" ")[0] for problem in problems] == [
        "2 arrival", "3 energy_kwh", "3 max_kw", "3 departure", "4 energy_kwh", "4 phases", "4 min_kw", "5 does",
    ]  # fmt: skip
    assert problems[1] == "s.csv line 3: energy_kwh is '-1'; it must be a number of kWh from 0 to 2000"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arrival,departure\n", "column 'energy_kwh' is missing"),
        ("arrival,departure,energy_kwh,kw\n", "column 'kw' is not known"),
        (CSV, "has 0 sessions"),
        ("", "column 'arrival' is missing"),
    ],
)
def test_a_table_of_another_form_is_refused(text: str, said: str) -> None:
    assert any(said in problem for problem in problems_of(text))


def test_many_problems_are_cut_short() -> None:
    problems = problems_of(CSV + "x,y,z,,,,,\n" * 50)

    assert len(problems) == 21
    assert problems[-1] == "s.csv: and 130 more problems"


def test_acn_data_is_read_with_the_newest_stated_departure() -> None:
    no_inputs = ACN_ITEM | {"userInputs": None}

    sessions = parse_acn(json.dumps({"_items": [ACN_ITEM, no_inputs]}), "acn.json", DEFAULTS)

    assert set(sessions) == {
        session(energy_kwh=10.5, stated_departure=after(3)),
        session(energy_kwh=10.5, stated_departure=None),
    }


def test_an_answer_of_acn_data_is_read_as_it_is() -> None:
    (one,) = parse_acn(json.dumps(ACN_ANSWER), "acn.json", DEFAULTS)

    assert (one.arrival, one.departure) == (
        datetime(2018, 4, 25, 11, 8, 4, tzinfo=UTC),
        datetime(2018, 4, 25, 13, 20, 10, tzinfo=UTC),
    )
    assert (one.energy_kwh, one.station_id, one.connector_id) == (7.932, "2-39-78-362", 1)
    assert one.stated_departure == datetime(2018, 4, 25, 13, 8, 4, tzinfo=UTC)


def test_a_table_may_say_at_which_evse_each_session_was() -> None:
    head = "arrival,departure,energy_kwh,station_id,connector_id\n2026-03-02T08:00:00Z,2026-03-02T12:00:00Z,10,"

    (there,) = parse_csv(head + "ST-9,2\n", "s.csv", DEFAULTS)

    assert there == session(stated_departure=None, station_id="ST-9", connector_id=2)
    assert problems_of(head + "ST-9,1.5\n") == (
        "s.csv line 2: connector_id is '1.5'; it must be a whole number from 1 to 1000",
    )


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "has no list _items"),
        (json.dumps({"_items": [7]}), "_items[0]: is 7"),
        (json.dumps({"_items": [ACN_ITEM | {"kWhDelivered": None}]}), "_items[0]: kWhDelivered is None"),
        (json.dumps({"_items": [ACN_ITEM | {"connectionTime": 5}]}), "_items[0]: connectionTime is 5"),
    ],
)
def test_broken_acn_data_is_refused_with_its_own_names(document: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said.replace("[", r"\[")):
        parse_acn(document, "acn.json", DEFAULTS)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.csv: cannot be read"):
        load_sessions(tmp_path / "nowhere.csv", DEFAULTS)
    (tmp_path / "acn.json").write_text(json.dumps({"_items": [ACN_ITEM]}))
    assert len(load_sessions(tmp_path / "acn.json", DEFAULTS)) == 1


def test_transactions_that_ended_are_sessions_and_the_others_are_named() -> None:
    def transaction(row_id: int, end: datetime | None, stop_wh: float | None) -> Transaction:
        stop = None if stop_wh is None else Register(stop_wh, 1.0)
        return Transaction(row_id, "ST-1", 1, str(row_id), EIGHT, end, Register(1000.0, 1.0), stop)

    history = History(
        None,
        None,
        (transaction(1, after(4), 11_000.0), transaction(2, None, None), transaction(3, after(4), None), transaction(4, after(4), None)),
        (),
        samples=(MeterSample(4, after(1), True, register=Register(3000.0, 1.0)),),
    )  # fmt: skip

    recorded = recorded_sessions(history, lambda *_: Powers(1.4, 7.2))

    assert recorded.sessions == (
        session(energy_kwh=2.0, stated_departure=None, station_id="ST-1"),
        session(stated_departure=None, station_id="ST-1"),
    )
    assert [words.split(" ")[1] for words in recorded.left_out] == ["2", "3"]
    with pytest.raises(SettingsError, match="recorded 0 transactions"):
        recorded_sessions(replace(history, transactions=history.transactions[1:2]), lambda *_: Powers(1.4, 7.2))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_invented_days_are_the_same_for_the_same_seed_and_make_sense(kind: str) -> None:
    sessions = generate(kind, 40, days=3, seed=7, zone=UTC_ZONE)

    assert sessions == generate(kind, 40, days=3, seed=7, zone=UTC_ZONE)
    assert sessions != generate(kind, 40, days=3, seed=8, zone=UTC_ZONE)
    assert len(sessions) == 120
    assert set(generate(kind, 40, days=1, seed=7, zone=UTC_ZONE)) <= set(sessions)
    for one in sessions:
        assert 0 < one.energy_kwh <= one.max_kw * one.stay_s / 3600
        assert 0 < one.min_kw <= one.max_kw


@pytest.mark.parametrize("text", ["workplace", "workplace:0", "workplace:x", "office:5", "workplace:-3", ":"])
def test_what_cannot_be_invented_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--generate"):
        parse_generate(text)


def test_departures_are_wrong_by_the_stated_deviation_and_never_before_the_arrival() -> None:
    sessions = generate("workplace", 400, days=1, seed=1, zone=UTC_ZONE)

    wrong = with_departure_errors(sessions, 45.0, seed=1)

    errors_min = [
        (one.stated_departure - one.departure).total_seconds() / 60 for one in wrong if one.stated_departure is not None
    ]
    assert len(errors_min) == 400
    assert np.std(errors_min) == pytest.approx(45.0, rel=0.1)
    assert all(one.stated_departure is not None and one.stated_departure > one.arrival for one in wrong)
    assert [one.departure for one in wrong] == [one.departure for one in sessions]
    assert with_departure_errors((session(stated_departure=None),), 0.0, seed=1) == (session(),)
    assert with_departure_errors((session(stated_departure=None),), None, seed=1) == (session(stated_departure=None),)


def test_stretches_are_cut_only_where_the_site_is_empty() -> None:
    first, second, third = session(0, 2), session(1, 3), session(3 + 1 / 60, 4)

    assert stretches((third, second, first)) == ((first, second), (third,))
    assert stretches((first, replace(second, arrival=EIGHT + timedelta(hours=2)))) == (
        (first, replace(second, arrival=datetime(2026, 3, 2, 10, tzinfo=UTC))),
    )


def test_stretches_of_a_month_go_together_by_the_sites_clock() -> None:
    """In Berlin the 31st of March ends at 22:00 UTC."""
    march, still_march, april = (session(hours, hours + 1) for hours in (0.0, 24 * 29 + 13.0, 24 * 29 + 14.5))

    months = by_month(stretches((march, still_march, april)), ZoneInfo("Europe/Berlin"))

    assert months == ((march, still_march), (april,))
