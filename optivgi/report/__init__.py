"""What really happened at a site, judged against its limits: facts, named checks, and both as text and JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from optivgi.model.history import History
from optivgi.report.bounds import Limits
from optivgi.report.checks import Check, run_checks
from optivgi.report.facts import Facts, StatedMax, gather, nobody_said
from optivgi.report.told import facts_as_json, site_limit_kw
from optivgi.report.truth import Truth

__all__ = ["Check", "Facts", "Limits", "Report", "StatedMax", "Truth", "judge", "nobody_said"]

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

    @property
    def limit_words(self) -> str:
        """As in "30.0 kW", or "12.0 to 30.0 kW" where it changed."""
        limit, grace_s = self.facts.limits.announced, self.facts.limits.grace_s
        seen = limit.within(self.facts.begin.timestamp(), self.facts.end.timestamp())
        if seen.is_constant:
            words = f"{seen.highest} kW" if math.isfinite(seen.highest) else "none"
        else:
            highest = f"{seen.highest} kW" if math.isfinite(seen.highest) else "none"
            changes = len(seen.levels) - 1
            words = f"{seen.lowest} to {highest} ({changes} change{'s' if changes > 1 else ''})"
        return words + (f", {grace_s:g} s to respond" if grace_s else "")

    def text(self) -> str:
        """The lines for a terminal."""
        facts = self.facts
        return "\n".join(
            [
                TITLE,
                f"Config: url={self.url}, site_limit={self.limit_words}, voltage={facts.voltage_v} V",
                *(
                    f"[{'PASS' if check.passed else 'FAIL'}] Check {check.number}: {check.name} -- {check.detail}"
                    for check in self.checks
                ),
                f"Result: {self.verdict}",
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """The same for programs, with everything that was found. Times are ISO 8601 in UTC."""
        facts = self.facts
        return {
            "config": {"url": self.url, "site_limit_kw": site_limit_kw(facts), "voltage_v": facts.voltage_v},
            "passed": self.passed,
            "checks": [
                {"number": check.number, "name": check.name, "passed": check.passed, "detail": check.detail}
                for check in self.checks
            ],
            **facts_as_json(facts),
        }


def judge(
    history: History,
    *,
    url: str,
    limits: Limits,
    voltage_v: float,
    stated_max_kw: StatedMax = nobody_said,
    truth: Truth | None = None,
    zone: tzinfo | None = None,
) -> Report:
    """The verdict on `history`; `zone` is for showing times, by default the machine's own. See `gather`."""
    facts = gather(history, limits, voltage_v, stated_max_kw, truth=truth, zone=zone)
    return Report(url, facts, run_checks(facts))
