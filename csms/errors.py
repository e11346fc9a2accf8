"""Every exception that the CSMS raises on purpose.

CsmsError
├── SettingsError            a setting is wrong: `problems` lists all of them, each with name, value, bound and remedy
├── PortUnavailable          a listener cannot have its port: names the port and the setting that moves it
├── DatabaseUnreachable      the database did not answer: worth trying again
├── DatabaseUnusable         its schema is not one that this version can serve: says what to give instead
├── RecordConflict           a row would break a rule of its table: a reference to nothing, a value taken already
├── EventMalformed           a message of the event exchange does not have the contract's shape
├── CallRefused              an OCPP CALL is answered with this CALLERROR: code, description, details
└── RequestRefused           an HTTP request is answered with this status and message
    ├── InvalidRequest       400, in the words of the contract's validator
    ├── InvalidJson          400, the body cannot be parsed
    ├── RouteNotFound        404
    ├── BodyTooLarge         413
    └── UnsupportedMediaType 415

A station's Rejected, a duplicate message, an unknown idTag are values with a reason, not exceptions.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any


class CsmsError(Exception):
    """Base of all deliberate errors; its text is fit for an operator to read."""


class SettingsError(CsmsError):
    """Configuration is wrong. `problems` lists all of them, each with name, value, bound and remedy."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class PortUnavailable(CsmsError):
    """A listener cannot be opened on the port that its setting names."""

    def __init__(self, listener: str, host: str, port: int, setting: str, cause: OSError) -> None:
        reason = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else str(cause)
        match cause.errno:
            case errno.EADDRINUSE:
                remedy = f"free the port or set {setting} to another one"
            case errno.EACCES:
                remedy = f"set {setting} to a port above 1023"
            case _:
                remedy = "check BIND_HOST"
        super().__init__(f"{listener} cannot listen on {host}:{port}: {reason}; {remedy}")
        self.port, self.setting = port, setting


class DatabaseUnreachable(CsmsError):
    """The database did not answer; nothing was written, and trying again may help."""


class DatabaseUnusable(CsmsError):
    """The database answers, but its schema is not one that this version can serve."""


class RecordConflict(CsmsError):
    """A row would break a rule of its table; nothing was written."""


class EventMalformed(CsmsError):
    """A message of the event exchange does not have the shape that the contract promises."""


class CallRefused(CsmsError):
    """A station's CALL is answered with a CALLERROR; `code` is the name that the station's OCPP version uses."""

    def __init__(self, code: str, description: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code, self.description, self.details = code, description, dict(details or {})


class RequestRefused(CsmsError):
    """An HTTP request that is answered with an error body; `code` is the contract's machine-readable name, if any."""

    status = HTTPStatus.BAD_REQUEST
    code: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequest(RequestRefused):
    """Body or query string does not fit its schema."""

    code = "FST_ERR_VALIDATION"


class InvalidJson(RequestRefused):
    """The body cannot be parsed."""

    code = "FST_ERR_CTP_INVALID_JSON_BODY"


class RouteNotFound(RequestRefused):
    """No such method and path."""

    status = HTTPStatus.NOT_FOUND


class BodyTooLarge(RequestRefused):
    """The body is larger than the server accepts."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "FST_ERR_CTP_BODY_TOO_LARGE"


class UnsupportedMediaType(RequestRefused):
    """The body is not JSON."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "FST_ERR_CTP_INVALID_MEDIA_TYPE"
