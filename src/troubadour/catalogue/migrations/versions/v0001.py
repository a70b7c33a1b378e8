"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "pieces",
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("title", sa.Text, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False, server_default="")
            for name in ("composer", "style", "collection", "source", "number", "licence")
        ),
        sa.Column("work", sa.Text, nullable=False),
        sa.Column("split", sa.Text, nullable=False),
        sa.Column("generated", sa.Integer, nullable=False, server_default="0"),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("grams", sa.LargeBinary, nullable=False),
        sa.Column("attributes", sa.Text, nullable=False),
        sa.Column("quality", sa.Text, nullable=False, server_default="[]"),
        sa.Column("provenance", sa.Text, nullable=False, server_default="{}"),
        sa.Column("score", sa.LargeBinary, nullable=False),
        sa.Column("vector", sa.LargeBinary),
        sa.Column("added", sa.Float, nullable=False),
    )
    op.create_index("pieces_by_fingerprint", "pieces", ["fingerprint"])
    op.create_index("pieces_by_work", "pieces", ["work"])
    op.create_table(
        "listeners",
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False, server_default=""),
        sa.Column("simulated", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.create_table(
        "interactions",
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("listener", sa.Integer, sa.ForeignKey("listeners.row"), nullable=False),
        sa.Column("piece", sa.Integer, sa.ForeignKey("pieces.row"), nullable=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("time", sa.Integer, nullable=False),
        sa.Column("release", sa.Text),
        sa.Column("rank", sa.Integer),
        sa.Column("propensity", sa.Float),
        sa.UniqueConstraint("event"),
    )
    op.create_index("interactions_by_listener", "interactions", ["listener", "time"])
    op.create_index("interactions_by_piece", "interactions", ["piece"])
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
