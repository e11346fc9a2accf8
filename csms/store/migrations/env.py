"""Run by alembic for each command: the connection comes from the caller, who owns its transaction."""

from alembic import context

from csms.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
