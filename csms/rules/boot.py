"""What a BootNotification is answered."""

from __future__ import annotations

from dataclasses import dataclass

ACCEPTED = "Accepted"
_STATUSES = frozenset({ACCEPTED, "Pending", "Rejected"})


@dataclass(frozen=True, slots=True)
class BootPolicy:
    """The site's rules: what a station is told that nobody configured otherwise."""

    heartbeat_interval_s: int = 60
    retry_interval_s: int = 15


@dataclass(frozen=True, slots=True)
class BootConfig:
    """What an operator configured for one station; None leaves it to the policy."""

    status: str | None = None
    heartbeat_interval_s: int | None = None
    retry_interval_s: int | None = None


@dataclass(frozen=True, slots=True)
class BootDecision:
    """The answer: `interval_s` is the heartbeat interval of an accepted station, else the wait before its next boot."""

    status: str
    interval_s: int


def decide_boot(config: BootConfig | None, policy: BootPolicy) -> BootDecision:
    """Accepted unless the operator configured Pending or Rejected; intervals of 0 or less fall back to the policy's."""
    config = config or BootConfig()
    status = config.status if config.status in _STATUSES else ACCEPTED
    if status == ACCEPTED:
        return BootDecision(status, _positive(config.heartbeat_interval_s, policy.heartbeat_interval_s))
    return BootDecision(status, _positive(config.retry_interval_s, policy.retry_interval_s))


def _positive(value: int | None, otherwise: int) -> int:
    return value if value is not None and value > 0 else otherwise
