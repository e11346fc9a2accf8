"""Columns take and give the same values on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Table, select
from sqlalchemy.exc import StatementError

from csms.store.database import Database
from csms.store.sqlite import json_contains, json_equal, json_has_key
from csms.store.tables import authorizations, boots, charging_stations, locations, meter_values, transactions
from csms.store.types import iso

moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])).filter(
    lambda moment: 2 < moment.year < 9998
)


async def through(db: Database, column: Column[Any], value: Any, **others: Any) -> Any:
    table: Table = column.table
    async with db.begin() as connection:
        await connection.execute(table.insert().values({column.name: value, **others}))
        return (await connection.execute(select(column))).scalar_one()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (meter_values.c.timestamp, datetime(2026, 11, 20, 23, 11, 43, 331000, tzinfo=UTC)),
        (meter_values.c.sampledValue, [{"value": 7200.5, "unitOfMeasure": {"unit": "W"}}, None, True, "é\n"]),
        (meter_values.c.sampledValue, '[{"value": "as text"}]'),
        (meter_values.c.customData, {"nested": {"list": [1, 2.5, None]}}),
        (meter_values.c.customData, None),
        (transactions.c.totalKwh, 0.335),
        (transactions.c.totalKwh, 0.0),
        (transactions.c.timeSpentCharging, 2**40),
        (transactions.c.isActive, True),
        (transactions.c.isActive, None),
        (locations.c.coordinates, {"type": "Point", "coordinates": [7.1, 50.7]}),
    ],
    ids=lambda item: f"{item.table.name}.{item.name}" if isinstance(item, Column) else None,
)
async def test_a_value_comes_back_as_it_went(db: Database, column: Column[Any], value: Any) -> None:
    found = await through(db, column, value)
    assert found == value
    assert type(found) is type(value)


async def test_a_list_of_texts_comes_back_as_it_went(db: Database) -> None:
    words = ["IEC_62196_T2", "with, comma", 'with "quotes"']
    assert await through(db, authorizations.c.allowedConnectorTypes, words, idToken="A") == words


async def test_a_time_in_another_zone_is_the_same_instant_in_utc(db: Database) -> None:
    paris = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    found = await through(db, boots.c.lastBootTime, paris, id="B")
    assert found == paris
    assert found.utcoffset() == timedelta(0)


async def test_a_time_without_zone_is_refused(db: Database) -> None:
    with pytest.raises(StatementError, match="no time zone; give an aware datetime"):
        await through(db, boots.c.lastBootTime, datetime(2026, 7, 1, tzinfo=UTC).replace(tzinfo=None), id="B")


async def test_times_are_compared_as_instants(db: Database) -> None:
    early, late = datetime(2026, 7, 1, 12, tzinfo=UTC), datetime(2026, 7, 1, 12, 0, 0, 5, tzinfo=UTC)
    async with db.begin() as connection:
        await connection.execute(
            boots.insert(), [{"id": "late", "lastBootTime": late}, {"id": "early", "lastBootTime": early}]
        )
        found = await connection.execute(select(boots.c.id).where(boots.c.lastBootTime > early))
        assert found.scalars().all() == ["late"]
        found = await connection.execute(select(boots.c.id).order_by(boots.c.lastBootTime))
        assert found.scalars().all() == ["early", "late"]


async def test_id_tags_are_found_whatever_their_case(db: Database) -> None:
    async with db.begin() as connection:
        await connection.execute(authorizations.insert().values(idToken="Optivgi-01"))
        query = select(authorizations.c.idToken)
        found = await connection.execute(query.where(authorizations.c.idToken == "OPTIVGI-01"))
        assert found.scalar_one() == "Optivgi-01"
        found = await connection.execute(query.where(authorizations.c.idToken.in_(["optivgi-01", "x"])))
        assert found.scalar_one() == "Optivgi-01"


async def test_defaults_are_those_of_the_contract(db: Database) -> None:
    async with db.begin() as connection:
        await connection.execute(charging_stations.insert().values(id="S"))
        row = (await connection.execute(select(charging_stations))).one()
    assert (row.use16StatusNotification0, row.tenantId, row.isOnline) == (True, 1, None)


@given(moments, moments)
def test_times_written_as_text_sort_as_times(left: datetime, right: datetime) -> None:
    assert (iso(left) < iso(right)) == (left < right)
    assert datetime.fromisoformat(iso(left)) == left


@pytest.mark.parametrize(
    ("whole", "part", "contained"),
    [
        ('{"a": 1, "b": [1, 2]}', '{"b": [2]}', True),
        ('{"a": 1}', '{"a": 1.0}', True),
        ('{"a": 1}', '{"a": true}', False),
        ("[1, 2, 3]", "[3, 1]", True),
        ("[1, 2, 3]", "3", True),
        ("[[1]]", "1", False),
        ('{"a": {"b": null}}', '{"a": {}}', True),
        ("{}", "[]", False),
        (None, "{}", None),
    ],
)
def test_containment_is_that_of_jsonb(whole: str | None, part: str, contained: bool | None) -> None:
    assert json_contains(whole, part) is contained


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ('{"a":1,"b":2}', '{"b": 2, "a": 1.0}', True),
        ("[1, 2]", "[2, 1]", False),
        ("[1]", "[true]", False),
        ("[1]", "[1, 1]", False),
        ("1", None, None),
    ],
)
def test_equality_is_that_of_jsonb(left: str, right: str | None, equal: bool | None) -> None:
    assert json_equal(left, right) is equal


@pytest.mark.parametrize(
    ("whole", "present"),
    [('{"a": null}', True), ('["a"]', True), ('"a"', True), ('"ab"', False), ("{}", False), (None, None)],
)
def test_a_key_is_looked_for_as_in_jsonb(whole: str | None, present: bool | None) -> None:
    assert json_has_key(whole, "a") is present
