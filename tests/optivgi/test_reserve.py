"""Room that is kept free for EVs that would begin at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from optivgi.cycle import CycleSettings
from optivgi.ledger import Policy
from optivgi.limits.env import ALWAYS
from optivgi.model.charging_profile import Purpose
from optivgi.model.composite import Supply, Transaction, limit_at
from optivgi.model.limit_series import LimitSeries
from optivgi.model.site import Circuit, Site
from optivgi.reserve import kept_free
from optivgi.testing import a_connector
from tests.optivgi.control_room import ControlRoom, evs


def kw(limit_kw: float | None) -> LimitSeries:
    return LimitSeries.constant(limit_kw, ALWAYS, "site limit")


SITE = Site(
    (
        Circuit("site", limit=kw(10.0)),
        Circuit("north", "site", limit=kw(6.0), limit_a=25.0),
        Circuit("south", "site", limit=kw(None)),
    )
)
NORTH, SOUTH = a_connector("ST-1", circuit="north"), a_connector("ST-2", circuit="south")


def limits(site: Site) -> dict[str, float | None]:
    return {c.circuit_id: None if c.limit is None else c.limit.steps[0].limit_kw for c in site.circuits}


def test_what_is_reserved_is_missing_in_every_circuit_above() -> None:
    site = kept_free(SITE, [NORTH, SOUTH], {NORTH.key: 1.44, SOUTH.key: 1.44})
    assert limits(site) == pytest.approx({"site": 7.12, "north": 4.56, "south": None})
    assert [circuit.limit_a for circuit in site.circuits] == [None, 19.0, None]


def test_without_reserves_the_site_is_as_it_was() -> None:
    assert kept_free(SITE, [NORTH], {}) is SITE


def test_what_may_come_leaves_room_for_one_that_is_there() -> None:
    many = [a_connector("ST-1", number, circuit="north") for number in range(1, 11)]
    site = kept_free(SITE, many, {connector.key: 1.44 for connector in many})
    assert limits(site) == pytest.approx({"site": 1.44, "north": 1.44, "south": None})
    assert limits(kept_free(Site.single(kw(1.0)), many, {many[0].key: 1.44})) == {"site": 1.0}


def a_room(limit_kw: float = 10.0, reserved: int = 2) -> ControlRoom:
    policy = Policy(settle_s=5.0, duration_s=180, dead_band_kw=0.1)
    return ControlRoom(limit_kw, settings=CycleSettings(policy=policy, reserved=reserved))


def start_kw(room: ControlRoom, number: int) -> float:
    """What a car would have at once that begins there now."""
    profiles = [one for one in room.csms.installed[f"ST-{number}", 1] if one.purpose is Purpose.TX_DEFAULT]
    limit = limit_at(profiles, (), room.clock.now(), Transaction(None, room.clock.now()), supply=Supply(240.0, 1))
    assert limit is not None
    return round(limit.value / 1000, 3)


async def test_a_car_begins_at_once_where_room_is_kept_for_it() -> None:
    async with a_room().open() as room:
        assert [start_kw(room, number) for number in range(1, 7)] == [1.44, 1.44, 0.0, 0.0, 0.0, 0.0]
        await room.arrive(*evs(4, 5))
        assert room.allowed_kw() == {"4": 3.552, "5": 3.552}, "of 10 kW, 2.88 are kept"


async def test_when_one_has_come_room_is_made_for_the_next_before_it_is_promised() -> None:
    async with a_room().open() as room:
        await room.arrive(*evs(4, 5))
        await room.arrive(*evs(1))
        assert [start_kw(room, number) for number in (2, 3)] == [1.44, 0.0], "others have not followed their cuts yet"
        await room.passes(6)
        assert [start_kw(room, number) for number in (2, 3, 6)] == [1.44, 1.44, 0.0]
        assert sum(room.allowed_kw().values()) <= 10.0 - 2 * 1.44


async def test_no_more_than_half_of_the_limit_is_kept_for_cars_that_are_not_there() -> None:
    async with a_room(limit_kw=4.0, reserved=6).open() as room:
        assert [start_kw(room, number) for number in range(1, 7)] == [1.44, 0.0, 0.0, 0.0, 0.0, 0.0]
        room.limit.now_kw(2.0)
        room.scheduler.wake("limit")
        await room.passes(2)
        assert [start_kw(room, number) for number in range(1, 7)] == [0.0] * 6


async def test_after_its_minimum_a_car_that_nobody_controls_gets_its_share() -> None:
    async with a_room(limit_kw=30.0).open() as room:
        profiles = room.csms.installed["ST-1", 1]
        begun = Transaction("7", room.clock.now())
        powers = [
            limit_at(profiles, (), room.clock.now() + timedelta(seconds=at), begun, supply=Supply(240.0, 1))
            for at in (0, 190, 200)
        ]
        assert [round(one.value / 1000, 3) for one in powers if one is not None] == [1.44, 1.44, 4.992]
