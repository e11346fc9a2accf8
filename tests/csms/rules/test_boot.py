from __future__ import annotations

import pytest

from csms.rules.boot import BootConfig, BootDecision, BootPolicy, decide_boot

POLICY = BootPolicy(heartbeat_interval_s=60, retry_interval_s=15)


@pytest.mark.parametrize(
    ("config", "decision"),
    [
        (None, BootDecision("Accepted", 60)),
        (BootConfig(), BootDecision("Accepted", 60)),
        (BootConfig("Accepted", heartbeat_interval_s=300), BootDecision("Accepted", 300)),
        (BootConfig("Accepted", heartbeat_interval_s=0), BootDecision("Accepted", 60)),
        (BootConfig("Pending", heartbeat_interval_s=300), BootDecision("Pending", 15)),
        (BootConfig("Rejected", retry_interval_s=600), BootDecision("Rejected", 600)),
        (BootConfig("Nonsense"), BootDecision("Accepted", 60)),
    ],
)
def test_a_station_is_accepted_unless_an_operator_said_otherwise(
    config: BootConfig | None, decision: BootDecision
) -> None:
    assert decide_boot(config, POLICY) == decision
