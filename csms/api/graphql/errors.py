"""What a client is told when its request cannot be answered, in the dialect's codes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

VALIDATION_FAILED = "validation-failed"
CONSTRAINT_VIOLATION = "constraint-violation"
DATA_EXCEPTION = "data-exception"
ACCESS_DENIED = "access-denied"
UNEXPECTED = "unexpected"

_SQLSTATE_PREFIX = {
    "23505": "Uniqueness violation. ",
    "23503": "Foreign key violation. ",
    "23502": "Not-NULL violation. ",
    "23514": "Check constraint violation. ",
}
_SQLITE_PREFIX = {
    "UNIQUE": "Uniqueness violation. ",
    "FOREIGN": "Foreign key violation. ",
    "NOT": "Not-NULL violation. ",
    "CHECK": "Check constraint violation. ",
}


class Refusal(Exception):
    """A request that is answered with errors: `path` says where in the request, `code` what kind."""

    def __init__(self, message: str, path: str = "$", code: str = VALIDATION_FAILED) -> None:
        super().__init__(message)
        self.entries = [{"message": message, "extensions": {"path": path, "code": code}}]

    def answer(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"errors": self.entries}


def of_request(errors: Sequence[GraphQLError], path: str = "$") -> Refusal:
    """What is wrong with a request that does not fit the schema."""
    refusal = Refusal(errors[0].message, path)
    refusal.entries = [entry for error in errors for entry in Refusal(error.message, path).entries]
    return refusal


# What a statement may fail with because of what the client asked for.
ClientsFault = (SQLAlchemyError, ValueError, OverflowError, RecursionError)


def of_database(error: Exception, path: str) -> Refusal:
    """What the database said about the request, without the statement."""
    if isinstance(error, RecursionError) or "parser stack overflow" in str(error):
        return Refusal("the request is nested deeper than the database can follow; ask for less at once", path)
    if not isinstance(error, DBAPIError) or error.orig is None:
        return Refusal(f"the database cannot take this value: {type(error).__name__}", path, DATA_EXCEPTION)
    message = str(error.orig).split("\n")[0]
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is not None:
        # asyncpg puts the class of its error in front.
        message = re.sub(r"^<class '[^']*'>: ", "", message)
        if sqlstate in _SQLSTATE_PREFIX:
            return Refusal(_SQLSTATE_PREFIX[sqlstate] + message, path, CONSTRAINT_VIOLATION)
        return Refusal(message, path, DATA_EXCEPTION if sqlstate.startswith("22") else UNEXPECTED)
    kind = _SQLITE_PREFIX.get(message.split(" ", 1)[0])
    if kind and "constraint failed" in message:
        return Refusal(kind + message, path, CONSTRAINT_VIOLATION)
    return Refusal(message, path, UNEXPECTED)
