"""Tables of the store. `migrations` brings an older file up to `HEAD`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

HEAD: Final = "0001"
"""Newest migration; a store of a newer one is refused."""

metadata: Final = MetaData()

pieces: Final = Table(
    "pieces",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=True),  # order of arrival, from 1
    Column("id", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("composer", Text, nullable=False, server_default=""),
    Column("style", Text, nullable=False, server_default=""),
    Column("collection", Text, nullable=False, server_default=""),
    Column("source", Text, nullable=False, server_default=""),
    Column("number", Text, nullable=False, server_default=""),
    Column("licence", Text, nullable=False, server_default=""),
    Column("work", Text, nullable=False),
    Column("split", Text, nullable=False),  # train, valid, test; generated pieces: none
    Column("generated", Integer, nullable=False, server_default="0"),
    Column("fingerprint", Text, nullable=False),
    Column("grams", LargeBinary, nullable=False),
    Column("attributes", Text, nullable=False),  # JSON
    Column("quality", Text, nullable=False, server_default="[]"),  # JSON list of sentences
    Column("provenance", Text, nullable=False, server_default="{}"),  # JSON; generated pieces only
    Column("score", LargeBinary, nullable=False),
    Column("vector", LargeBinary),  # float32
    Column("added", Float, nullable=False),
    Index("pieces_by_fingerprint", "fingerprint"),
    Index("pieces_by_work", "work"),
)

listeners: Final = Table(
    "listeners",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, server_default=""),
    Column("simulated", Integer, nullable=False, server_default="0"),
    Column("created", Float, nullable=False),
)

interactions: Final = Table(
    "interactions",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=True),
    Column("event", Text, nullable=False),  # sent twice = stored once
    Column("listener", Integer, ForeignKey("listeners.row"), nullable=False),
    Column("piece", Integer, ForeignKey("pieces.row"), nullable=False),
    Column("kind", Integer, nullable=False),  # 0 play, 1 like, 2 skip, 3 rating
    Column("value", Float),
    Column("time", Integer, nullable=False),  # Unix seconds
    Column("release", Text),
    Column("rank", Integer),
    Column("propensity", Float),
    UniqueConstraint("event"),
    Index("interactions_by_listener", "listener", "time"),
    Index("interactions_by_piece", "piece"),
)

meta: Final = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)
