"""Which charging profiles a station accepts, replaces and deletes (OCPP 1.6 smart charging)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.model.charging_profile import ChargingProfile, Kind, Period, Purpose, RateUnit, Recurrency, Schedule
from simulator.payloads16 import profile_from_wire, profile_to_wire
from simulator.profiles import Capabilities, ProfileStore

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def profile(
    purpose: Purpose = Purpose.TX_DEFAULT, profile_id: int = 1, level: int = 0, **fields: Any
) -> ChargingProfile:
    kind = fields.pop("kind", Kind.ABSOLUTE)
    periods = fields.pop("periods", (Period(0, 6.0),))
    start = fields.pop("start", None if kind is Kind.RELATIVE else NOON)
    schedule = Schedule(fields.pop("unit", RateUnit.A), periods, start, fields.pop("duration_s", None))
    if purpose is Purpose.TX:
        fields.setdefault("transaction_id", "7")
    return ChargingProfile(profile_id, level, purpose, kind, schedule, **fields)


def store(**capabilities: Any) -> ProfileStore:
    return ProfileStore(2, Capabilities(**capabilities))


REFUSED: dict[str, tuple[int, ChargingProfile]] = {
    "unknown connector": (3, profile()),
    "negative connector": (-1, profile()),
    "first period later than 0": (1, profile(periods=(Period(1, 6.0),))),
    "equal period starts": (1, profile(periods=(Period(0, 6.0), Period(60, 7.0), Period(60, 8.0)))),
    "descending period starts": (1, profile(periods=(Period(0, 6.0), Period(60, 7.0), Period(30, 8.0)))),
    "no period": (1, profile(periods=())),
    "limit not a number": (1, profile(periods=(Period(0, float("nan")),))),
    "endless limit": (1, profile(periods=(Period(0, float("inf")),))),
    "negative limit": (1, profile(periods=(Period(0, -1.0),))),
    "four phases": (1, profile(periods=(Period(0, 6.0, 4),))),
    "no phase": (1, profile(periods=(Period(0, 6.0, 0),))),
    "negative duration": (1, profile(duration_s=-1)),
    "absolute without start": (1, profile(start=None)),
    "relative with start": (1, profile(kind=Kind.RELATIVE, start=NOON)),
    "recurring without recurrency": (1, profile(kind=Kind.RECURRING)),
    "validity that ends before it begins": (1, profile(valid_from=NOON, valid_to=NOON)),
    "maximum on a connector": (1, profile(Purpose.STATION_MAX)),
    "relative maximum": (0, profile(Purpose.STATION_MAX, kind=Kind.RELATIVE)),
    "transaction profile on connector 0": (0, profile(Purpose.TX)),
    "transaction profile without a transaction": (2, profile(Purpose.TX)),
    "transaction profile without an id": (1, profile(Purpose.TX, transaction_id=None)),
    "transaction profile for another transaction": (1, profile(Purpose.TX, transaction_id="8")),
    "external constraints": (0, profile(Purpose.EXTERNAL_CONSTRAINTS)),
    "stack level below 0": (1, profile(level=-1)),
    "stack level above the most": (1, profile(level=9)),
    "too many periods": (1, profile(periods=tuple(Period(s, 6.0) for s in range(25)))),
}


@pytest.mark.parametrize(("connector_id", "refused"), REFUSED.values(), ids=REFUSED)
def test_refused(connector_id: int, refused: ChargingProfile) -> None:
    profiles = store()
    assert profiles.install(connector_id, refused, "7" if connector_id == 1 else None) is not None
    assert not profiles.profile_ids


def test_unit_that_is_not_allowed_is_refused() -> None:
    assert store(units=(RateUnit.W,)).install(1, profile(), None) is not None


ACCEPTED: dict[str, tuple[int, ChargingProfile]] = {
    "default on a connector": (1, profile()),
    "default on connector 0": (0, profile()),
    "relative default": (1, profile(kind=Kind.RELATIVE)),
    "daily default": (1, profile(kind=Kind.RECURRING, recurrency=Recurrency.DAILY)),
    "maximum": (0, profile(Purpose.STATION_MAX)),
    "transaction profile": (1, profile(Purpose.TX)),
    "highest stack level": (1, profile(level=8)),
    "most periods": (1, profile(periods=tuple(Period(s, 6.0) for s in range(24)))),
    "zero": (1, profile(periods=(Period(0, 0.0, 3),))),
}


@pytest.mark.parametrize(("connector_id", "accepted"), ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(connector_id: int, accepted: ChargingProfile) -> None:
    assert store().install(connector_id, accepted, "7") is None


def test_lenient_station_takes_what_the_field_sends() -> None:
    profiles = store(lenient=True)
    assert profiles.install(1, profile(start=None), "7") is None
    assert profiles.install(1, profile(Purpose.TX, 2, transaction_id=None), "7") is None
    assert profiles.of_connector(1)[1].transaction_id == "7"


def test_same_id_replaces_wherever_it_was() -> None:
    profiles = store()
    profiles.install(1, profile(), None)
    moved = profile(level=3)
    assert profiles.install(2, moved, None) is None
    assert profiles.of_connector(1) == ()
    assert profiles.of_connector(2) == (moved,)


def test_same_purpose_and_stack_level_replaces_on_that_connector() -> None:
    profiles = store()
    profiles.install(1, profile(profile_id=1), None)
    profiles.install(2, profile(profile_id=2), None)
    profiles.install(1, profile(profile_id=3), None)
    assert profiles.profile_ids == {2, 3}


def test_refused_profile_replaces_nothing() -> None:
    profiles = store()
    profiles.install(1, profile(), None)
    profiles.install(1, profile(level=99), None)
    assert profiles.of_connector(1) == (profile(),)


def test_default_for_connector_0_reaches_every_connector_and_the_last_writer_wins() -> None:
    profiles = store()
    profiles.install(1, profile(profile_id=5), None)
    everywhere, own = profile(profile_id=1), profile(profile_id=6)
    profiles.install(0, everywhere, None)
    profiles.install(2, own, None)
    assert profiles.of_connector(1) == (everywhere,)
    assert profiles.of_connector(2) == (own,)
    assert profiles.of_station == ()


def test_most_profiles_are_counted_once_per_profile_and_replacing_needs_no_room() -> None:
    profiles = store(max_installed=2)
    assert profiles.install(0, profile(profile_id=1), None) is None
    assert profiles.install(0, profile(profile_id=2, level=1), None) is None
    assert profiles.install(1, profile(profile_id=3, level=2), None) is not None
    assert profiles.install(0, profile(profile_id=3, level=1), None) is None


def test_transaction_profiles_end_with_their_transaction() -> None:
    profiles = store()
    profiles.install(1, profile(profile_id=1), None)
    profiles.install(1, profile(Purpose.TX, 2), "7")
    profiles.end_transaction(1)
    assert profiles.profile_ids == {1}


def test_profile_of_a_remote_start_is_for_whatever_transaction_begins() -> None:
    profiles = store()
    assert profiles.install_for_new_transaction(1, profile(Purpose.TX, transaction_id=None)) is None
    assert profiles.of_connector(1)[0].transaction_id is None
    assert profiles.install(1, profile(Purpose.TX, 2), "7") is None
    assert profiles.profile_ids == {2}


def filled() -> ProfileStore:
    profiles = store()
    profiles.install(0, profile(Purpose.STATION_MAX, 1), None)
    profiles.install(0, profile(Purpose.TX_DEFAULT, 2), None)
    profiles.install(1, profile(Purpose.TX_DEFAULT, 3, level=1), None)
    profiles.install(1, profile(Purpose.TX, 4, level=1), "7")
    return profiles


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        ({}, set()),
        ({"profile_id": 2}, {1, 3, 4}),
        ({"profile_id": 2, "connector_id": 9, "stack_level": 9}, {1, 3, 4}),
        ({"connector_id": 0}, {3, 4}),
        ({"connector_id": 1}, {1, 2}),
        ({"connector_id": 0, "purpose": Purpose.TX_DEFAULT}, {1, 3, 4}),
        ({"purpose": Purpose.TX_DEFAULT}, {1, 4}),
        ({"purpose": Purpose.TX_DEFAULT, "stack_level": 1}, {1, 2, 4}),
        ({"stack_level": 1}, {1, 2}),
        ({"purpose": Purpose.STATION_MAX}, {2, 3, 4}),
    ],
)
def test_clear_takes_what_matches_all_criteria(criteria: dict[str, Any], left: set[int]) -> None:
    profiles = filled()
    assert profiles.clear(**criteria)
    assert profiles.profile_ids == left


@pytest.mark.parametrize("criteria", [{"profile_id": 9}, {"stack_level": 7}, {"connector_id": 7}])
def test_clear_says_when_nothing_matches(criteria: dict[str, Any]) -> None:
    profiles = filled()
    assert not profiles.clear(**criteria)
    assert profiles.profile_ids == {1, 2, 3, 4}


moments = st.none() | st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
wire_profiles = st.builds(
    ChargingProfile,
    profile_id=st.integers(0, 2**31),
    stack_level=st.integers(0, 8),
    purpose=st.sampled_from([Purpose.STATION_MAX, Purpose.TX_DEFAULT, Purpose.TX]),
    kind=st.sampled_from(Kind),
    schedule=st.builds(
        Schedule,
        unit=st.sampled_from(RateUnit),
        periods=st.lists(
            st.builds(
                Period,
                start_s=st.integers(0, 10**6),
                limit=st.integers(0, 10**6).map(lambda tenths: tenths / 10),
                phases=st.none() | st.integers(1, 3),
            ),
            min_size=1,
            max_size=3,
        ).map(tuple),
        start=moments,
        duration_s=st.none() | st.integers(0, 10**6),
    ),
    transaction_id=st.none() | st.integers(-1, 10**6).map(str),
    recurrency=st.none() | st.sampled_from(Recurrency),
    valid_from=moments,
    valid_to=moments,
)


@settings(max_examples=60)
@given(wire_profiles)
def test_profile_survives_the_wire(original: ChargingProfile) -> None:
    assert profile_from_wire(profile_to_wire(original)) == original


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), wire_profiles), max_size=20))
def test_no_two_profiles_of_one_layer_are_ever_at_one_connector(commands: list[tuple[int, ChargingProfile]]) -> None:
    profiles = store(lenient=True)
    for connector_id, one in commands:
        profiles.install(connector_id, replace(one, profile_id=one.profile_id % 7), "7")
        for connector in range(3):
            layers = [(p.purpose, p.stack_level) for p in profiles.of_connector(connector)]
            assert len(layers) == len(set(layers))
        assert len(profiles.profile_ids) <= 16
