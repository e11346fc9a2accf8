"""Who is connected now, and who may take an identity that is taken already."""

from __future__ import annotations

import logging

from csms.ports import Json, NoReply, Reply
from csms.stations.connection import Connection

log = logging.getLogger("csms.stations")


class Registry:
    """The Stations port. A second connection of the same identity gets in only when the first one is dead."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._leaving: dict[str, Connection] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def protocol_of(self, station_id: str) -> str | None:
        """See ports.Stations."""
        connection = self._connections.get(station_id)
        return connection.dialect.subprotocol if connection is not None and connection.open else None

    async def call(self, station_id: str, action: str, payload: Json, correlation_id: str) -> Reply:
        """See ports.Stations."""
        connection = self._connections.get(station_id)
        if connection is None or not connection.open:
            return NoReply("the station is not connected")
        return await connection.call(action, payload, correlation_id)

    async def disconnect(self, station_id: str, reason: str) -> bool:
        """Closes the station's connection and returns when that is done; False when it has none."""
        connection = self._connections.get(station_id)
        if connection is None or not connection.open:
            return False
        await connection.close(reason)
        return True

    async def vacant(self, station_id: str) -> bool:
        """Whether the identity is free; a connection that holds it and does not answer a ping is cut first."""
        while (holder := self._connections.get(station_id)) is not None:
            if await holder.alive():
                return False
            if self._connections.get(station_id) is holder:
                log.info("The old connection of %s does not answer and is cut", station_id)
                holder.abort()
                self._depart(holder)
        return True

    def enter(self, connection: Connection) -> Connection | None:
        """Takes the identity, which must be vacant; returns the connection before, if it has not finished yet."""
        station_id = connection.station_id
        self._connections[station_id] = connection
        return self._leaving.get(station_id)

    def depart(self, connection: Connection) -> bool:
        """Gives the identity up, until `finish` as one that is leaving; returns whether nobody has it now."""
        self._depart(connection)
        return connection.station_id not in self._connections

    def finish(self, connection: Connection) -> None:
        """Nothing is left to be done for the connection: the next one of its station may go on."""
        if self._leaving.get(connection.station_id) is connection:
            del self._leaving[connection.station_id]
        connection.finished.set()

    def _depart(self, connection: Connection) -> None:
        if self._connections.get(connection.station_id) is connection:
            del self._connections[connection.station_id]
            self._leaving[connection.station_id] = connection
