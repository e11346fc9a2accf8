"""The optimizer's figures, as a scraper sees them."""

from __future__ import annotations

import httpx

from optivgi.errors import Unreachable
from optivgi.metrics import Metrics
from optivgi.translation.base import OutcomeStatus
from tests.optivgi.control_room import ControlRoom, evs


async def test_cycles_powers_and_outcomes_are_counted() -> None:
    metrics = Metrics()

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    async with ControlRoom(observers=(metrics,)).open() as room:
        await room.arrive(*evs(1, 2, 3, 4, 5))
        assert value("optivgi_allocated_kw", group="default") == 30.0
        assert value("optivgi_requested_kw", group="default") == 36.0
        assert value("optivgi_limit_kw", group="default") == 30.0
        assert value("optivgi_evs", group="default") == 5
        assert value("optivgi_cycles_total", group="default") == 2
        assert value("optivgi_events_total", action="StartTransaction") == 5
        assert value("optivgi_outcomes_total", group="default", status="Accepted") == 11
        assert value("optivgi_safe_start_connectors", group="default") == 6
        assert value("optivgi_hop_seconds_count", hop="read") == 2
        room.csms.answers["ST-1"] = OutcomeStatus.REJECTED
        room.csms.failure = Unreachable("gone")
        room.limit.now_kw(20.0)
        await room.passes(67)
        assert value("optivgi_outcomes_total", group="default", status="Rejected") == 4
        assert (value("optivgi_read_failures_total", group="default") or 0) >= 1
        assert value("optivgi_uncontrolled_evs", group="default") == 1
        assert (value("optivgi_facts_age_seconds", group="default") or 0) > 60


def test_the_figures_are_served_until_closed() -> None:
    metrics = Metrics()
    port = metrics.serve(0, "127.0.0.1")
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
        assert "optivgi_crashes_total" in answer.text
    finally:
        metrics.close()
    metrics.close()
