"""The type of a connection, for those who pass one on without talking to the database themselves."""

from sqlalchemy.ext.asyncio import AsyncConnection as Connection

__all__ = ["Connection"]
