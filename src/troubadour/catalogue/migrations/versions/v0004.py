"""The exact score of a piece beside the quantised one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; it stays null for pieces that were imported before."""
    op.add_column("pieces", sa.Column("exact_score", sa.LargeBinary))
