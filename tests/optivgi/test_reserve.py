"""Room that is kept free for EVs that would begin at once."""

from __future__ import annotations

import pytest

from optivgi.limits.env import ALWAYS
from optivgi.model.limit_series import LimitSeries
from optivgi.model.site import Circuit, Site
from optivgi.reserve import kept_free
from optivgi.testing import a_connector


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
