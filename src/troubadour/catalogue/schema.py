"""Tables of the store. `migrations` upgrades older files to `HEAD`."""

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

HEAD: Final = "0004"
"""Newest migration; stores of newer versions are refused."""

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
    Column("split", Text, nullable=False),  # train, valid, test; "" for generated pieces
    Column("generated", Integer, nullable=False, server_default="0"),
    Column("fingerprint", Text, nullable=False),
    Column("grams", LargeBinary, nullable=False),
    Column("attributes", Text, nullable=False),  # JSON
    Column("quality", Text, nullable=False, server_default="[]"),  # JSON list of quality entries
    Column("provenance", Text, nullable=False, server_default="{}"),  # JSON; generated pieces only
    Column("score", LargeBinary, nullable=False),
    Column("vector", LargeBinary),  # float32
    Column("added", Float, nullable=False),
    Column("artist", Text, nullable=False, server_default=""),
    Column("album", Text, nullable=False, server_default=""),
    Column("title_key", Text, nullable=False, server_default=""),  # interactions.names
    Column("artist_key", Text, nullable=False, server_default=""),
    Column("medium", Text, nullable=False, server_default="score"),  # score, audio, metadata
    Column("duration_seconds", Float),  # of a recording, if known
    Column("explicit", Integer, nullable=False, server_default="0"),
    Column("exact_score", LargeBinary),  # score of the file; null = equal to `score`
    Index("pieces_by_fingerprint", "fingerprint"),
    Index("pieces_by_work", "work"),
    Index("pieces_by_name", "title_key", "artist_key"),
)

identifiers: Final = Table(
    "identifiers",  # external identifiers; an identifier of two pieces is ambiguous and matches none
    metadata,
    Column("scheme", Text, primary_key=True),  # mbid, isrc, spotify ...
    Column("value", Text, primary_key=True),
    Column("piece", Integer, ForeignKey("pieces.row"), primary_key=True),
    Index("identifiers_by_piece", "piece"),
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
    Column("event", Text, nullable=False),  # unique: repeated events are stored once
    Column("listener", Integer, ForeignKey("listeners.row"), nullable=False),
    Column("piece", Integer, ForeignKey("pieces.row"), nullable=False),
    Column("kind", Integer, nullable=False),  # 0 play, 1 like, 2 skip, 3 rating
    Column("value", Float),
    Column("time", Integer, nullable=False),  # Unix seconds
    Column("release", Text),
    Column("rank", Integer),
    Column("propensity", Float),
    Column("flags", Integer, nullable=False, server_default="0"),  # bits of interactions.bot_filter.Flag
    Column("source", Text, nullable=False, server_default=""),  # name of the importer; empty: recorded live
    UniqueConstraint("event"),
    Index("interactions_by_listener", "listener", "time"),
    Index("interactions_by_piece", "piece"),
)

unmatched: Final = Table(
    "unmatched",  # imported plays without a matching piece
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=True),
    Column("event", Text, nullable=False),
    Column("listener", Integer, ForeignKey("listeners.row"), nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    Column("artist", Text, nullable=False, server_default=""),
    Column("album", Text, nullable=False, server_default=""),
    Column("identifiers", Text, nullable=False, server_default="{}"),  # JSON: scheme to value
    Column("reason", Text, nullable=False),  # unknown, ambiguous
    Column("kind", Integer, nullable=False),
    Column("value", Float),
    Column("time", Integer, nullable=False),
    Column("flags", Integer, nullable=False, server_default="0"),
    Column("source", Text, nullable=False, server_default=""),
    UniqueConstraint("event"),
    Index("unmatched_by_listener", "listener"),
)

impressions: Final = Table(
    "impressions",  # shown items of lists, with or without later interactions
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=True),
    Column("impression", Text, nullable=False),  # unique: repeated impressions are stored once
    Column("listener", Integer, ForeignKey("listeners.row"), nullable=False),
    Column("piece", Integer, ForeignKey("pieces.row"), nullable=False),
    Column("rank", Integer, nullable=False),  # from 1
    Column("release", Text, nullable=False, server_default=""),
    Column("slot", Text, nullable=False, server_default=""),  # surface: for-you, radio, discover ...
    Column("shown_with", Text, nullable=False, server_default=""),  # id of the list
    Column("propensity", Float),  # probability of the choice, above 0 to 1
    Column("time", Integer, nullable=False),
    UniqueConstraint("impression"),
    Index("impressions_by_listener", "listener", "time"),
    Index("impressions_by_piece", "piece"),
)

blocks: Final = Table(
    "blocks",  # exclusions of listeners
    metadata,
    Column("listener", Integer, ForeignKey("listeners.row"), primary_key=True),
    Column("what", Text, primary_key=True),  # piece, artist, explicit
    Column("value", Text, primary_key=True),  # id of the piece, key of the artist, or `all`
    Column("name", Text, nullable=False, server_default=""),  # as given
    Column("time", Integer, nullable=False),
)

sounds: Final = Table(
    "sounds",  # audio descriptors of a recording, or of a rendered score
    metadata,
    Column("piece", Integer, ForeignKey("pieces.row"), primary_key=True),
    Column("version", Integer, nullable=False),  # audio.describe.VERSION
    Column("origin", Text, nullable=False),  # recording, rendered
    Column("statistics", LargeBinary, nullable=False),  # float32, audio.describe.STATISTICS
    Column("timbre", LargeBinary, nullable=False),  # float32: 20 means, 20 x 20 covariances
    Column("embedding", LargeBinary),  # float32
    Column("encoder", Text, nullable=False, server_default=""),  # name of the encoder
    Column("facts", Text, nullable=False, server_default="{}"),  # JSON
)

audio_files: Final = Table(
    "audio_files",  # journal of imported audio files, by content hash
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("piece", Integer, ForeignKey("pieces.row")),  # NULL = refused
    Column("cause", Text, nullable=False, server_default=""),  # cause of the refusal
    Column("time", Float, nullable=False),
    Index("audio_files_by_piece", "piece"),
)

meta: Final = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)
