"""What pieces sound like, and which audio files were taken in or refused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "sounds",
        sa.Column("piece", sa.Integer, sa.ForeignKey("pieces.row"), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("statistics", sa.LargeBinary, nullable=False),
        sa.Column("timbre", sa.LargeBinary, nullable=False),
        sa.Column("embedding", sa.LargeBinary),
        sa.Column("encoder", sa.Text, nullable=False, server_default=""),
        sa.Column("facts", sa.Text, nullable=False, server_default="{}"),
    )
    op.create_table(
        "audio_files",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("piece", sa.Integer, sa.ForeignKey("pieces.row")),
        sa.Column("cause", sa.Text, nullable=False, server_default=""),
        sa.Column("time", sa.Float, nullable=False),
    )
    op.create_index("audio_files_by_piece", "audio_files", ["piece"])
