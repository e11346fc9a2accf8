"""What a database needs before the first station: a tenant, and the idTags of a demonstration."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from csms.store import tables
from csms.store.upsert import insert_if_new

TENANT_ID = 1
TENANT_NAME = "Default Tenant"


async def seed(connection: AsyncConnection, id_tags: Iterable[str]) -> list[str]:
    """Makes sure that tenant 1 and `id_tags` exist; changes nothing that is there. Returns the idTags that are new."""
    await insert_if_new(connection, tables.tenants, {"id": TENANT_ID, "name": TENANT_NAME}, ["id"])
    if connection.dialect.name == "postgresql":
        # A row with a chosen id does not move the counter, and the next tenant would collide.
        await connection.execute(
            text("""SELECT setval(pg_get_serial_sequence('"Tenants"', 'id'), (SELECT max(id) FROM "Tenants"))""")
        )
    wanted = list(dict.fromkeys(id_tags))
    tags = tables.authorizations
    known = await connection.scalars(select(tags.c.idToken).where(tags.c.idToken.in_(wanted)))
    there = {tag.lower() for tag in known}
    new = [tag for tag in wanted if tag.lower() not in there]
    for tag in new:
        await connection.execute(
            tags.insert().values(idToken=tag, idTokenType="ISO14443", status="Accepted", concurrentTransaction=True)
        )
    return new
