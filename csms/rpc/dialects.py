"""What differs between OCPP versions on the wire: names of errors, numbers of frames, where the schemas are."""

from __future__ import annotations

from dataclasses import dataclass

CALL, CALLRESULT, CALLERROR = 2, 3, 4


@dataclass(frozen=True, slots=True)
class Dialect:
    """One OCPP-J version. The error names are those of its CALLERROR table, spelt as that table spells them."""

    version: str
    subprotocol: str
    schema_folder: str
    request_suffix: str
    formation: str
    occurrence: str
    message_types: frozenset[int]


OCPP16 = Dialect(
    version="1.6",
    subprotocol="ocpp1.6",
    schema_folder="v16/schemas",
    request_suffix="",
    formation="FormationViolation",
    occurrence="OccurenceConstraintViolation",
    message_types=frozenset({CALL, CALLRESULT, CALLERROR}),
)

DIALECTS = {dialect.subprotocol: dialect for dialect in (OCPP16,)}
"""Subprotocol name to dialect."""

NOT_IMPLEMENTED = "NotImplemented"
NOT_SUPPORTED = "NotSupported"
INTERNAL_ERROR = "InternalError"
PROTOCOL_ERROR = "ProtocolError"
PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
TYPE_CONSTRAINT_VIOLATION = "TypeConstraintViolation"
