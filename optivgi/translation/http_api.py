"""Any service that speaks a small JSON interface as a Translation; docs/http-api.md describes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

import httpx
import msgspec

from optivgi.errors import ContractBroken, TranslationError, Unreachable
from optivgi.model.charging_profile import RateUnit
from optivgi.model.clock import Clock
from optivgi.model.ev import EV, Connector
from optivgi.model.limit_series import LimitSeries, LimitStep
from optivgi.model.snapshot import RefusedEV, Snapshot
from optivgi.translation.base import Outcome, OutcomeStatus, PowerCommand, ReadBack, StationRequest
from optivgi.translation.http import Patience, fetch, retried
from optivgi.translation.refusals import why_refused

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Phase = Literal["L1", "L2", "L3"]
Answer = TypeVar("Answer")

ANSWER_TIMEOUT_S = 60.0
"""Wall time for POST /powers, which answers only when all stations did."""


class ConnectorEntry(msgspec.Struct, frozen=True):
    """One of `connectors` in GET /evs."""

    station_id: str
    connector_id: int
    online: bool
    status: str
    min_kw: float
    max_kw: float
    voltage_v: float
    phases: tuple[Phase, ...]
    booted_at: Moment | None = None
    circuit: str = "site"
    unit: RateUnit = RateUnit.A
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    clock_skew_s: float = 0.0


class EVEntry(msgspec.Struct, frozen=True):
    """One of `evs` in GET /evs; in GET /future_evs, with transaction_id "" and delivered_kwh 0 unless said."""

    ev_id: str
    station_id: str
    connector_id: int
    arrival: Moment
    energy_needed_kwh: float
    min_kw: float
    max_kw: float
    voltage_v: float
    phases: tuple[Phase, ...]
    transaction_id: str = ""
    departure: Moment | None = None
    delivered_kwh: float = 0.0
    circuit: str = "site"
    priority: float = 1.0
    unit: RateUnit = RateUnit.A
    suspended_by_ev: bool = False
    measured_kw: float | None = None
    measured_at: Moment | None = None


class EVs(msgspec.Struct, frozen=True):
    """The answer to GET /evs."""

    evs: tuple[EVEntry, ...]
    connectors: tuple[ConnectorEntry, ...]


class FutureEVs(msgspec.Struct, frozen=True):
    """The answer to GET /future_evs."""

    evs: tuple[EVEntry, ...]


class StepEntry(msgspec.Struct, frozen=True):
    """One of `steps` in GET /peak_power_demand."""

    start: Moment
    limit_kw: Annotated[float, msgspec.Meta(ge=0)] | None
    source: str


class PeakPowerDemand(msgspec.Struct, frozen=True):
    """The answer to GET /peak_power_demand; null leaves the limit to the optimizer."""

    steps: tuple[StepEntry, ...] | None


class OutcomeEntry(msgspec.Struct, frozen=True):
    """One of `outcomes` in the answer to POST /powers."""

    status: OutcomeStatus
    reason: str = ""


class Outcomes(msgspec.Struct, frozen=True):
    """The answer to POST /powers: one entry per power, in the same order."""

    outcomes: tuple[OutcomeEntry, ...]


class HttpApiTranslation:
    """The client of that interface."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        clock: Clock,
        *,
        patience: Patience | None = None,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._http, self._base_url, self._clock = http, base_url.rstrip("/"), clock
        self._patience = patience or Patience()
        self._answer_timeout_s = answer_timeout_s

    async def get_evs(self, group: str) -> Snapshot:
        read_at = self._clock.now()
        now = await self._get("/evs", group, EVs)
        later = await self._get("/future_evs", group, FutureEVs)
        evs, refused = _sorted_out([_ev(entry) for entry in now.evs], needs_transaction=True)
        expected, nonsense = _sorted_out([_ev(entry) for entry in later.evs], needs_transaction=False)
        return Snapshot(
            group=group,
            read_at=read_at,
            evs=evs,
            connectors=tuple(Connector(**_fields(entry)) for entry in now.connectors),
            refused=refused,
            doubts=tuple(f"EV {one.ev_id}: announced, but {one.reason}" for one in nonsense),
            expected=expected,
        )

    async def get_peak_power_demand(self, group: str) -> LimitSeries | None:
        answer = await self._get("/peak_power_demand", group, PeakPowerDemand)
        if answer.steps is None:
            return None
        steps = tuple(LimitStep(step.start.astimezone(UTC), step.limit_kw, step.source) for step in answer.steps)
        if not steps or any(later.start <= earlier.start for earlier, later in pairwise(steps)):
            raise ContractBroken(
                "/peak_power_demand: steps must be at least one, in order of time; null means no limit"
            )
        return LimitSeries(steps)

    async def send_power_to_evs(self, commands: Sequence[PowerCommand]) -> tuple[Outcome, ...]:
        if not commands:
            return ()
        try:
            answer = await self._post(commands)
        except Unreachable as error:
            return tuple(Outcome(command, OutcomeStatus.UNKNOWN, str(error)) for command in commands)
        except TranslationError as error:
            status = OutcomeStatus.UNKNOWN if isinstance(error, ContractBroken) else OutcomeStatus.FAILED
            return tuple(Outcome(command, status, str(error)) for command in commands)
        return tuple(
            Outcome(command, outcome.status, outcome.reason)
            for command, outcome in zip(commands, answer.outcomes, strict=True)
        )

    async def ask(self, requests: Sequence[StationRequest]) -> None:
        """The interface has no place for wishes: whoever offers it samples its meters by itself."""

    async def read_back(self, station_id: str, connector_id: int, duration_s: int, unit: RateUnit) -> ReadBack:  # noqa: ARG002 - whichever
        return ReadBack(OutcomeStatus.NOT_SUPPORTED, reason="the JSON interface has no question for it")

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _get(self, path: str, group: str, shape: type[Answer]) -> Answer:
        async def attempt() -> httpx.Response:
            url = self._base_url + path
            timeout_s = self._patience.timeout_s
            return await fetch(
                self._http, "GET", url, timeout_s=timeout_s, check="HTTP_API_URL", params={"group": group}
            )

        return _decode(path, await retried(attempt, self._clock, self._patience), shape)

    async def _post(self, commands: Sequence[PowerCommand]) -> Outcomes:
        response = await fetch(
            self._http,
            "POST",
            self._base_url + "/powers",
            timeout_s=self._answer_timeout_s,
            check="HTTP_API_URL",
            content=msgspec.json.encode({"powers": [_power(command) for command in commands]}),
            headers={"content-type": "application/json"},
        )
        answer = _decode("/powers", response, Outcomes)
        if len(answer.outcomes) != len(commands):
            raise ContractBroken(
                f"/powers: {len(commands)} powers were sent and {len(answer.outcomes)} outcomes came back"
            )
        return answer


def _decode(path: str, response: httpx.Response, shape: type[Answer]) -> Answer:
    try:
        return msgspec.json.decode(response.content, type=shape)
    except msgspec.DecodeError as error:
        raise ContractBroken(f"{path}: {error}") from None


def _fields(entry: msgspec.Struct) -> dict[str, Any]:
    members = msgspec.structs.asdict(entry).items()
    return {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in members}


def _ev(entry: EVEntry) -> EV:
    return EV(**_fields(entry))


def _sorted_out(evs: Sequence[EV], needs_transaction: bool) -> tuple[tuple[EV, ...], tuple[RefusedEV, ...]]:
    good: list[EV] = []
    refused: list[RefusedEV] = []
    for ev in evs:
        unnamed = (
            "transaction_id is empty; an EV that is there has one"
            if needs_transaction and not ev.transaction_id
            else None
        )
        reason = why_refused(ev) or unnamed
        if reason is None:
            good.append(ev)
        else:
            refused.append(RefusedEV(ev.ev_id, ev.station_id, ev.connector_id, ev.transaction_id, reason))
    return tuple(good), tuple(refused)


def _power(command: PowerCommand) -> dict[str, Any]:
    return {
        "station_id": command.station_id,
        "connector_id": command.connector_id,
        "ev_id": command.ev_id,
        "limit_kw": command.limit_kw,
        "profile": command.profile,
    }
