"""Sites: a tree of circuits, with every problem named at once."""

from __future__ import annotations

import pytest

from optivgi.errors import SettingsError
from optivgi.model.site import Circuit, Site
from tests.algorithms.instances import NOW, limit


def test_parents_come_before_children_whatever_the_order_they_are_stated_in() -> None:
    site = Site((Circuit("feeder", "panel"), Circuit("panel", "main"), Circuit("main")))
    assert [circuit.circuit_id for circuit in site.circuits] == ["main", "panel", "feeder"]
    assert site.root.circuit_id == "main"


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Site(
            (
                Circuit("main", limit=limit((0, -5.0))),
                Circuit("main"),
                Circuit("panel", "nowhere", limit_a=-1.0),
                Circuit("x", "y"),
                Circuit("y", "x"),
            ),
            unbalance_kw=-1.0,
        )
    text = str(caught.value)
    for part in (
        "'main' is there 2 times",
        "-5 kW",
        "'nowhere'",
        "-1 A",
        "'x' is its own ancestor",
        "unbalance limit is -1",
    ):
        assert part in text
    assert len(caught.value.problems) >= 7


def test_a_site_without_circuits_is_refused() -> None:
    with pytest.raises(SettingsError, match="no circuits"):
        Site(())


def test_a_tightened_site_keeps_the_stricter_limit_at_every_instant() -> None:
    site = Site.single(limit((0, 30.0))).tightened(limit((0, 40.0), (1, 10.0)))
    series = site.root.limit
    assert series is not None
    assert [step.limit_kw for step in series.steps] == [30.0, 10.0]
    assert series.at(NOW).source == "site limit"
