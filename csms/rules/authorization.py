"""Whether an idTag may charge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from csms.rpc.timestamps import format_timestamp

ACCEPTED, BLOCKED, EXPIRED, INVALID, CONCURRENT_TX = "Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"

_AS_16 = {
    ACCEPTED: ACCEPTED,
    BLOCKED: BLOCKED,
    EXPIRED: EXPIRED,
    INVALID: INVALID,
    CONCURRENT_TX: CONCURRENT_TX,
    "NoCredit": BLOCKED,
    "NotAllowedTypeEVSE": BLOCKED,
    "NotAtThisLocation": BLOCKED,
    "NotAtThisTime": BLOCKED,
}
"""Statuses that an authorization may have been given for OCPP 2.x, in the words of 1.6; any other is Invalid."""

_ID_TAG_SIZE = 20


@dataclass(frozen=True, slots=True)
class Authorization:
    """What is known of one idTag. Whoever looks it up compares idTags without regard to case."""

    row_id: int
    id_tag: str
    status: str
    expires: datetime | None = None
    concurrent_transactions: bool = False
    parent_id_tag: str | None = None


@dataclass(frozen=True, slots=True)
class IdTagInfo:
    """The verdict that travels as idTagInfo."""

    status: str
    expires: datetime | None = None
    parent_id_tag: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether charging may begin."""
        return self.status == ACCEPTED

    def as_payload(self) -> dict[str, Any]:
        """The idTagInfo of OCPP 1.6."""
        payload: dict[str, Any] = {"status": self.status}
        if self.expires is not None:
            payload["expiryDate"] = format_timestamp(self.expires)
        if self.parent_id_tag is not None and len(self.parent_id_tag) <= _ID_TAG_SIZE:
            payload["parentIdTag"] = self.parent_id_tag
        return payload


def authorize(authorization: Authorization | None, now: datetime) -> IdTagInfo:
    """The answer to Authorize: an unknown idTag is Invalid, an Accepted one past its expiry is Expired."""
    if authorization is None:
        return IdTagInfo(INVALID)
    status = _AS_16.get(authorization.status, INVALID)
    if status == ACCEPTED and authorization.expires is not None and authorization.expires <= now:
        status = EXPIRED
    return IdTagInfo(status, authorization.expires, authorization.parent_id_tag)


def authorize_start(authorization: Authorization | None, now: datetime, charging_elsewhere: int) -> IdTagInfo:
    """As `authorize`, and ConcurrentTx when the idTag charges at another connector and may do so only once."""
    info = authorize(authorization, now)
    if authorization is None or not info.accepted:
        return info
    if charging_elsewhere and not authorization.concurrent_transactions:
        return IdTagInfo(CONCURRENT_TX, info.expires, info.parent_id_tag)
    return info
