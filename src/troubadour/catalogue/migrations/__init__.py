"""Alembic migrations, run when a store of an older version is opened."""
