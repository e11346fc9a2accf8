"""Who may charge."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.rules.authorization import Authorization
from csms.store import tables


async def find(connection: AsyncConnection, id_tag: str) -> Authorization | None:
    """The authorization of an idTag, in any spelling of upper and lower case."""
    own = tables.authorizations
    group = own.alias("groups")
    statement = (
        select(
            own.c.id,
            own.c.idToken,
            own.c.status,
            own.c.cacheExpiryDateTime,
            own.c.concurrentTransaction,
            group.c.idToken.label("parent"),
        )
        .outerjoin(group, own.c.groupAuthorizationId == group.c.id)
        .where(own.c.idToken == id_tag)
        .order_by(own.c.id)
        .limit(1)
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return None
    return Authorization(
        row_id=row.id,
        id_tag=row.idToken,
        status=row.status,
        expires=row.cacheExpiryDateTime,
        concurrent_transactions=bool(row.concurrentTransaction),
        parent_id_tag=row.parent,
    )


async def charging_elsewhere(connection: AsyncConnection, authorization_id: int, connector_row_id: int) -> int:
    """How many transactions of this authorization are active at other connectors."""
    transactions = tables.transactions
    statement = select(func.count()).where(
        transactions.c.authorizationId == authorization_id,
        transactions.c.isActive.is_(True),
        transactions.c.connectorId != connector_row_id,
    )
    return int(await connection.scalar(statement) or 0)
