"""Alembic's environment: the connection is handed over by the store."""

from alembic import context

from troubadour.catalogue.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
