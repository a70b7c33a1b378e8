"""Alembic migrations, executed when a store of an older schema version is opened."""
