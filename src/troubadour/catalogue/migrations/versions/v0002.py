"""Names and identifiers to match plays by, unmatched plays, flags, impressions and blocks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from troubadour.interactions.names import artist_key, title_key

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns and tables; keys of names are made for the pieces that are there."""
    for name in ("artist", "album", "title_key", "artist_key"):
        op.add_column("pieces", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("pieces", sa.Column("medium", sa.Text, nullable=False, server_default="score"))
    op.add_column("pieces", sa.Column("duration_seconds", sa.Float))
    op.add_column("pieces", sa.Column("explicit", sa.Integer, nullable=False, server_default="0"))
    op.add_column("interactions", sa.Column("flags", sa.Integer, nullable=False, server_default="0"))
    op.add_column("interactions", sa.Column("source", sa.Text, nullable=False, server_default=""))
    connection = op.get_bind()
    named = connection.execute(sa.text("SELECT row, title, composer FROM pieces WHERE generated = 0")).all()
    keys = [{"row": row, "title": title_key(title), "artist": artist_key(by)} for row, title, by in named]
    if keys:
        change = sa.text("UPDATE pieces SET title_key = :title, artist_key = :artist WHERE row = :row")
        connection.execute(change, keys)
    op.create_index("pieces_by_name", "pieces", ["title_key", "artist_key"])
    op.create_table(
        "identifiers",
        sa.Column("scheme", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("piece", sa.Integer, sa.ForeignKey("pieces.row"), primary_key=True),
    )
    op.create_index("identifiers_by_piece", "identifiers", ["piece"])
    op.create_table(
        "unmatched",
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("listener", sa.Integer, sa.ForeignKey("listeners.row"), nullable=False),
        *(sa.Column(n, sa.Text, nullable=False, server_default="") for n in ("title", "artist", "album")),
        sa.Column("identifiers", sa.Text, nullable=False, server_default="{}"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("time", sa.Integer, nullable=False),
        sa.Column("flags", sa.Integer, nullable=False, server_default="0"),
        sa.Column("source", sa.Text, nullable=False, server_default=""),
        sa.UniqueConstraint("event"),
    )
    op.create_index("unmatched_by_listener", "unmatched", ["listener"])
    op.create_table(
        "impressions",
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("impression", sa.Text, nullable=False),
        sa.Column("listener", sa.Integer, sa.ForeignKey("listeners.row"), nullable=False),
        sa.Column("piece", sa.Integer, sa.ForeignKey("pieces.row"), nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False, server_default="")
            for name in ("release", "slot", "shown_with")
        ),
        sa.Column("propensity", sa.Float),
        sa.Column("time", sa.Integer, nullable=False),
        sa.UniqueConstraint("impression"),
    )
    op.create_index("impressions_by_listener", "impressions", ["listener", "time"])
    op.create_index("impressions_by_piece", "impressions", ["piece"])
    op.create_table(
        "blocks",
        sa.Column("listener", sa.Integer, sa.ForeignKey("listeners.row"), primary_key=True),
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, server_default=""),
        sa.Column("time", sa.Integer, nullable=False),
    )
