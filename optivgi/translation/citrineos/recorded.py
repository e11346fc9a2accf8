"""What a station answered, by the CSMS's record of OCPP messages: for when the event that tells it got lost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from optivgi.errors import TranslationError
from optivgi.translation.citrineos.graphql import GraphQL

LOOK_AFTER_S, LOOK_EVERY_S = 1.0, 2.0
"""Events are faster than the record, and cost nothing: the record is read only when they are late."""
CLOCKS_APART_S = 30.0
"""How far the CSMS's clock may be off for a message still to be found."""
CALL, RESULT, ERROR = 2, 3, 4

QUERY = """query Recorded($station: String!, $since: timestamptz!) {
  OCPPMessages(where: { stationId: { _eq: $station }, timestamp: { _gte: $since } }, order_by: { id: asc }) {
    message
  }
}"""


class RecordedAnswers:
    """Looks answers up."""

    def __init__(self, graphql: GraphQL) -> None:
        self._graphql = graphql

    async def find(self, station_id: str, body: Mapping[str, Any], sent_at: datetime) -> object | None:
        """The station's answer to the newest CALL with this payload, as an event would tell it; None if it has none yet."""
        since = (sent_at - timedelta(seconds=CLOCKS_APART_S)).isoformat()
        try:
            rows = (await self._graphql.query(QUERY, {"station": station_id, "since": since})).get("OCPPMessages")
        except TranslationError:
            return None
        return _answer([row.get("message") for row in rows or () if isinstance(row, Mapping)], body)


def _answer(frames: list[object], body: Mapping[str, Any]) -> object | None:
    message_id, answer = None, None
    for frame in frames:
        match frame:
            case [int(kind), str(known), _, payload, *_] if kind == CALL and payload == body:
                message_id, answer = known, None
            case [int(kind), str(known), payload, *_] if kind == RESULT and known == message_id:
                answer = payload
            case [int(kind), str(known), code, *rest] if kind == ERROR and known == message_id:
                answer = {"errorCode": code, "errorDescription": rest[0] if rest else ""}
    return answer
