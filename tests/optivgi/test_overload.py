"""A circuit whose meters add up to more than its limit, whoever is to blame."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.site import Circuit, Site
from optivgi.overload import FOLLOW_S, Drawn, overloads
from optivgi.testing import MOMENT


def limit(kw: float | None) -> LimitSeries:
    return LimitSeries.constant(kw, MOMENT, "fuse")


SITE = Site((Circuit("main", limit=limit(20.0)), Circuit("panel", "main", limit(10.0)), Circuit("hall", "main")))


def draws(number: int, kw: float, circuit: str = "panel", *, excess: bool = False) -> Drawn:
    return Drawn((f"ST-{number}", 1), str(number), circuit, kw, excess)


def test_a_panel_over_its_limit_is_told_with_those_who_draw_more_than_they_may() -> None:
    (found,) = overloads(SITE, [draws(1, 7.2, excess=True), draws(2, 3.6), draws(3, 7.2, "hall", excess=True)], MOMENT)
    assert str(found) == (
        "meters below panel show 10.8 kW of 10.0 kW; EV 1 at ST-1 draws 7.2 kW, which is more than it may"
    )


def test_without_anybody_to_blame_that_is_told_too() -> None:
    (found,) = overloads(SITE, [draws(1, 7.2), draws(2, 3.6)], MOMENT)
    assert str(found).endswith("10.8 kW of 10.0 kW; no EV draws more than it may")


def test_every_circuit_above_counts_and_an_unknown_one_hangs_on_the_grid_connection() -> None:
    found = overloads(SITE, [draws(1, 9.0), draws(2, 9.0, "hall"), draws(3, 9.0, "nowhere")], MOMENT)
    assert [one.circuit_id for one in found] == ["main"]


def test_a_limit_that_just_fell_is_not_held_against_a_site_that_still_follows() -> None:
    fallen = LimitSeries((LimitStep(MOMENT, 20.0, "fuse"), LimitStep(MOMENT + timedelta(seconds=60), 5.0, "grid")))
    site = Site((Circuit("main", limit=fallen),))
    evs = [draws(1, 7.2, "main")]
    assert not overloads(site, evs, MOMENT + timedelta(seconds=60 + FOLLOW_S - 1))
    assert overloads(site, evs, MOMENT + timedelta(seconds=60 + FOLLOW_S + 1))


def test_no_limit_is_never_exceeded() -> None:
    assert not overloads(Site((Circuit("main"),)), [draws(1, 500.0, "main")], MOMENT)
    assert not overloads(Site((Circuit("main", limit=limit(None)),)), [draws(1, 500.0, "main")], MOMENT)


@given(share=st.floats(0, 1.0199), limit_kw=st.floats(0.1, 1000))
def test_what_meters_are_out_by_is_no_overload(share: float, limit_kw: float) -> None:
    site = Site((Circuit("main", limit=limit(limit_kw)),))
    assert not overloads(site, [draws(1, share * limit_kw, "main")], MOMENT)
    assert overloads(site, [draws(1, 1.03 * limit_kw + 0.25, "main")], MOMENT)
