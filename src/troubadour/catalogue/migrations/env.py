"""Alembic environment; the store passes the connection."""

from alembic import context

from troubadour.catalogue.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
