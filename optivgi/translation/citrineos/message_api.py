"""Commands over CitrineOS's message API: what the CSMS says at once, before the station is asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from optivgi.translation.base import OutcomeStatus
from optivgi.translation.citrineos.rows import TENANT_ID

SET_CHARGING_PROFILE = "/ocpp/1.6/smartcharging/setChargingProfile"
GET_COMPOSITE_SCHEDULE = "/ocpp/1.6/smartcharging/getCompositeSchedule"
TRIGGER_MESSAGE = "/ocpp/1.6/configuration/triggerMessage"
CHANGE_AVAILABILITY = "/ocpp/1.6/configuration/changeAvailability"
REMOTE_STOP_TRANSACTION = "/ocpp/1.6/evdriver/remoteStopTransaction"
NOT_CONNECTED = "No connection found"
NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The CSMS did not say that it hands the command on. With status UNKNOWN it may do so all the same."""

    status: OutcomeStatus
    reason: str


class MessageAPI:
    """One CSMS's message API; at most `concurrency` requests are under way at once."""

    def __init__(
        self, http: httpx.AsyncClient, base_url: str, *, timeout_s: float = 10.0, concurrency: int = 32
    ) -> None:
        """`timeout_s` is wall time for one request."""
        self._http, self._base_url, self._timeout_s = http, base_url.rstrip("/"), timeout_s
        self._places = asyncio.Semaphore(concurrency)

    async def set_charging_profile(
        self, station_id: str, body: dict[str, Any], callback_url: str | None = None
    ) -> Undelivered | None:
        """Asks the CSMS to send SetChargingProfile; None if it says that it does. Never raises for the CSMS's sake."""
        return await self.command(SET_CHARGING_PROFILE, station_id, body, callback_url)

    async def command(
        self, path: str, station_id: str, body: dict[str, Any], callback_url: str | None = None
    ) -> Undelivered | None:
        """The same for any message, by its path."""
        query: dict[str, str | int] = {"identifier": station_id, "tenantId": TENANT_ID}
        if callback_url is not None:
            query["callbackUrl"] = callback_url
        async with self._places:
            try:
                async with asyncio.timeout(self._timeout_s):
                    response = await self._http.post(self._base_url + path, params=query, json=body)
            except NEVER_ARRIVED as error:
                return Undelivered(
                    OutcomeStatus.FAILED, f"the CSMS cannot be reached: {str(error) or type(error).__name__}"
                )
            except TimeoutError:
                reason = f"no answer within {self._timeout_s:g} s"
                return Undelivered(OutcomeStatus.UNKNOWN, f"the CSMS did not confirm: {reason}")
            except httpx.RequestError as error:
                reason = str(error) or type(error).__name__
                return Undelivered(OutcomeStatus.UNKNOWN, f"the CSMS did not confirm: {reason}")
        return read_confirmation(response)

    async def aclose(self) -> None:
        """Closes the HTTP client."""
        await self._http.aclose()


def read_confirmation(response: httpx.Response) -> Undelivered | None:
    """What the CSMS said of a command to one station; None if it hands it on."""
    status = response.status_code
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not response.is_success:
        said = answer.get("message") if isinstance(answer, dict) else None
        reason = f"the CSMS answered {status}: {said or response.text[:120] or response.reason_phrase}"
        return Undelivered(OutcomeStatus.UNKNOWN if status >= 500 else OutcomeStatus.FAILED, reason)
    first = answer[0] if isinstance(answer, list) and len(answer) == 1 else None
    if not isinstance(first, dict) or not isinstance(first.get("success"), bool):
        return Undelivered(OutcomeStatus.UNKNOWN, f"the CSMS answered {response.text[:120]!r}, which says nothing")
    if first["success"]:
        return None
    reason = str(first.get("payload") or "the CSMS gives no reason")
    return Undelivered(OutcomeStatus.OFFLINE if NOT_CONNECTED in reason else OutcomeStatus.FAILED, reason)
