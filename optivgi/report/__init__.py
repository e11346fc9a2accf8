"""What really happened at a site, judged against its limit: facts, five checks, and both as text and JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from optivgi.model.history import History, MeterSample
from optivgi.report.allocation import Allocation
from optivgi.report.checks import Check, run_checks
from optivgi.report.facts import Facts, StatedMax, gather, nobody_said

__all__ = ["Check", "Facts", "Report", "StatedMax", "judge", "nobody_said"]

TITLE = "=== Opti-VGI Curtailment Verification ==="


@dataclass(frozen=True, slots=True)
class Report:
    """The checks over one history, and the facts that they judged."""

    url: str
    facts: Facts
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def verdict(self) -> str:
        """As in "5/5 checks passed -- PASS"."""
        good = sum(check.passed for check in self.checks)
        return f"{good}/{len(self.checks)} checks passed -- {'PASS' if self.passed else 'FAIL'}"

    def text(self) -> str:
        """The lines for a terminal."""
        facts = self.facts
        return "\n".join(
            [
                TITLE,
                f"Config: url={self.url}, site_limit={facts.limit_kw} kW, voltage={facts.voltage_v} V",
                *(
                    f"[{'PASS' if check.passed else 'FAIL'}] Check {check.number}: {check.name} -- {check.detail}"
                    for check in self.checks
                ),
                f"Result: {self.verdict}",
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """The same for programs, with the window, the meters and a summary per EV. Times are ISO 8601 in UTC."""
        facts, meters = self.facts, self.facts.metering
        samples: dict[int, list[MeterSample]] = defaultdict(list)
        for sample in facts.history.samples:
            samples[sample.transaction_row_id].append(sample)
        by_power_s, by_energy_s = meters.seconds_over(facts.limit_kw)
        return {
            "config": {"url": self.url, "site_limit_kw": facts.limit_kw, "voltage_v": facts.voltage_v},
            "window": {"since": facts.begin.isoformat(), "until": facts.end.isoformat()},
            "passed": self.passed,
            "checks": [
                {"number": check.number, "name": check.name, "passed": check.passed, "detail": check.detail}
                for check in self.checks
            ],
            "site": {
                "allocated": [
                    {
                        "at": step.start.isoformat(),
                        "kw": None if step.unlimited else step.allocated_kw,
                        "evs": step.active,
                    }
                    for step in facts.site
                ],
                "metered": [
                    {"at": _iso(second), "kw": power_kw if complete else None, "samples": present, "of": expected}
                    for second, power_kw, present, expected, complete in meters.rows()
                ],
                "sample_interval_s": meters.step_s,
                "samples": meters.samples,
                "samples_missing": meters.missing,
                "register_resolution_wh": meters.resolution_wh,
                "seconds_over_by_power": by_power_s,
                "seconds_over_by_energy": by_energy_s,
            },
            "evs": [
                _ev(allocation, can_take_kw, samples.get(allocation.transaction.row_id, []))
                for allocation, can_take_kw in zip(facts.allocated, facts.can_take_kw, strict=True)
            ],
        }


def judge(
    history: History,
    *,
    url: str,
    limit_kw: float,
    voltage_v: float,
    stated_max_kw: StatedMax = nobody_said,
    zone: tzinfo | None = None,
) -> Report:
    """The verdict on `history`; `zone` is for showing times, by default the machine's own. See `gather`."""
    facts = gather(history, limit_kw, voltage_v, stated_max_kw, zone)
    return Report(url, facts, run_checks(facts))


def _ev(allocation: Allocation, can_take_kw: float, samples: Sequence[MeterSample]) -> dict[str, Any]:
    tx = allocation.transaction
    powers = [one.power_kw for one in samples if one.power_kw is not None]
    registers = [one.register.energy_wh for one in samples if one.register is not None]
    registers += [one.energy_wh for one in (tx.meter_start, tx.meter_stop) if one is not None]
    return {
        "station_id": tx.station_id,
        "connector_id": tx.connector_id,
        "transaction_id": tx.transaction_id,
        "start": tx.start.isoformat(),
        "end": None if tx.end is None else tx.end.isoformat(),
        "can_take_kw": can_take_kw,
        "allocated": [{"at": at.isoformat(), "kw": allowed_kw} for at, allowed_kw in allocation.steps],
        "metered": {
            "samples": len(powers),
            "max_kw": max(powers, default=None),
            "mean_kw": round(sum(powers) / len(powers), 6) if powers else None,
            "energy_kwh": round((max(registers) - min(registers)) / 1000, 6) if registers else None,
        },
    }


def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()
