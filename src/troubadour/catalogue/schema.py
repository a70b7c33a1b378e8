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

HEAD: Final = "0004"
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
    Column("artist", Text, nullable=False, server_default=""),
    Column("album", Text, nullable=False, server_default=""),
    Column("title_key", Text, nullable=False, server_default=""),  # listening.names
    Column("artist_key", Text, nullable=False, server_default=""),
    Column("medium", Text, nullable=False, server_default="score"),  # score, audio, metadata
    Column("duration_seconds", Float),  # of a recording, where it is known
    Column("explicit", Integer, nullable=False, server_default="0"),
    Column("exact_score", LargeBinary),  # as the file has it; nothing: `score` is that
    Index("pieces_by_fingerprint", "fingerprint"),
    Index("pieces_by_work", "work"),
    Index("pieces_by_name", "title_key", "artist_key"),
)

identifiers: Final = Table(
    "identifiers",  # what others call a piece; one that names two pieces is ambiguous and matches none
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
    Column("event", Text, nullable=False),  # sent twice = stored once
    Column("listener", Integer, ForeignKey("listeners.row"), nullable=False),
    Column("piece", Integer, ForeignKey("pieces.row"), nullable=False),
    Column("kind", Integer, nullable=False),  # 0 play, 1 like, 2 skip, 3 rating
    Column("value", Float),
    Column("time", Integer, nullable=False),  # Unix seconds
    Column("release", Text),
    Column("rank", Integer),
    Column("propensity", Float),
    Column("flags", Integer, nullable=False, server_default="0"),  # bits of listening.suspicion.Flag
    Column("source", Text, nullable=False, server_default=""),  # the importer; empty: recorded live
    UniqueConstraint("event"),
    Index("interactions_by_listener", "listener", "time"),
    Index("interactions_by_piece", "piece"),
)

unmatched: Final = Table(
    "unmatched",  # imported plays of what is not in the catalogue, kept apart
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
    "impressions",  # what was shown, whether or not anything came of it
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=True),
    Column("impression", Text, nullable=False),  # sent twice = stored once
    Column("listener", Integer, ForeignKey("listeners.row"), nullable=False),
    Column("piece", Integer, ForeignKey("pieces.row"), nullable=False),
    Column("rank", Integer, nullable=False),  # from 1
    Column("release", Text, nullable=False, server_default=""),
    Column("slot", Text, nullable=False, server_default=""),  # context: for-you, radio, discover ...
    Column("shown_with", Text, nullable=False, server_default=""),  # id of the list that it stood in
    Column("propensity", Float),  # probability of being shown there, above 0 to 1
    Column("time", Integer, nullable=False),
    UniqueConstraint("impression"),
    Index("impressions_by_listener", "listener", "time"),
    Index("impressions_by_piece", "piece"),
)

blocks: Final = Table(
    "blocks",  # what a listener never wants to get again
    metadata,
    Column("listener", Integer, ForeignKey("listeners.row"), primary_key=True),
    Column("what", Text, primary_key=True),  # piece, artist
    Column("value", Text, primary_key=True),  # id of the piece, or the artist's key
    Column("name", Text, nullable=False, server_default=""),  # as it was given
    Column("time", Integer, nullable=False),
)

sounds: Final = Table(
    "sounds",  # what a piece sounds like, of its recording or of its score played by the renderer
    metadata,
    Column("piece", Integer, ForeignKey("pieces.row"), primary_key=True),
    Column("version", Integer, nullable=False),  # audio.describe.VERSION
    Column("origin", Text, nullable=False),  # recording, rendered
    Column("statistics", LargeBinary, nullable=False),  # float32, audio.describe.STATISTICS
    Column("timbre", LargeBinary, nullable=False),  # float32: 20 means, 20 x 20 covariances
    Column("embedding", LargeBinary),  # float32
    Column("encoder", Text, nullable=False, server_default=""),  # which made the embedding
    Column("facts", Text, nullable=False, server_default="{}"),  # JSON
)

audio_files: Final = Table(
    "audio_files",  # every audio file that an import finished with, by its content
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("piece", Integer, ForeignKey("pieces.row")),  # nothing: refused
    Column("cause", Text, nullable=False, server_default=""),  # why it was refused
    Column("time", Float, nullable=False),
    Index("audio_files_by_piece", "piece"),
)

meta: Final = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)
