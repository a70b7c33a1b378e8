"""The store: everything that must not be lost, behind one typed class."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, or_, select, text, update
from sqlalchemy.dialects.sqlite import insert as upsert

from troubadour.catalogue.blocks import Blocks
from troubadour.catalogue.database import Writer, as_storage_errors, open_engine
from troubadour.catalogue.erasing import compact, erase
from troubadour.catalogue.impressions import Impressions
from troubadour.catalogue.records import KINDS, Event, ListenerRow, NewPiece, PieceRow
from troubadour.catalogue.rows import CHUNK, identify, piece_values, rows_of
from troubadour.catalogue.schema import identifiers, interactions, listeners, meta, pieces
from troubadour.catalogue.sounds import Sounds
from troubadour.catalogue.unmatched import UnmatchedPlays
from troubadour.errors import InputError, NotFoundError
from troubadour.music.score import Score

_BLOCK: Final = 20_000  # rows read at once


_LIGHT: Final = [
    pieces.c[name]
    for name in (
        "row", "id", "title", "composer", "style", "collection", "source", "number", "licence", "work",
        "split", "generated", "attributes", "quality", "provenance", "artist", "album", "medium",
        "duration_seconds", "explicit",
    )
]  # fmt: skip


class Store:
    """One home's store. Reads run on their own connections, writes through one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = open_engine(path)
        self._writer = Writer(self._engine)
        self.impressions = Impressions(self._reading, self._writer)
        """What was shown to whom."""
        self.blocks = Blocks(self._reading, self._writer)
        """What listeners never want to get again."""
        self.unmatched = UnmatchedPlays(self._reading, self._writer)
        """Imported plays of what the catalogue does not hold."""
        self.sounds = Sounds(self._reading, self._writer)
        """What pieces sound like, and the audio files that were taken in."""

    @classmethod
    def open(cls, home: Path) -> Self:
        """Open, or create, the store of a home folder.

        Raises:
            StorageError: it cannot be opened; the message says why and what to do.
        """
        return cls(home / "catalogue.sqlite")

    def close(self) -> None:
        """Finish waiting writes and let go of the file."""
        self._writer.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with as_storage_errors(self.path), self._engine.connect() as connection:
            yield connection

    # Pieces -----------------------------------------------------------------------------------

    def add_pieces(self, batch: Sequence[NewPiece]) -> int:
        """Add pieces in one transaction; those whose id is there already stay as they are.

        Returns:
            How many were new.
        """
        rows = [piece_values(p) for p in batch]
        named = [(p.id, scheme, value) for p in batch for scheme, value in p.identifiers.items() if value]

        def work(connection: Connection) -> int:
            before = connection.execute(select(func.count()).select_from(pieces)).scalar_one()
            if rows:
                connection.execute(upsert(pieces).on_conflict_do_nothing(index_elements=["id"]), rows)
            identify(connection, named)
            return int(connection.execute(select(func.count()).select_from(pieces)).scalar_one() - before)

        return self._writer.run(work)

    def piece(self, piece: str) -> PieceRow:
        """A piece by id.

        Raises:
            NotFoundError: there is none.
        """
        with self._reading() as connection:
            found = connection.execute(select(*_LIGHT).where(pieces.c.id == piece)).first()
        if found is None:
            raise NotFoundError(f"no piece '{piece}'")
        return _light(found)

    def mark_explicit(self, piece: str, explicit: bool) -> None:
        """Say whether a piece is explicit, for listeners who block such pieces; at once.

        Raises:
            NotFoundError: no such piece.
        """

        def work(connection: Connection) -> None:
            rows_of(connection, pieces, [piece], "piece")
            connection.execute(update(pieces).where(pieces.c.id == piece).values(explicit=int(explicit)))

        self._writer.run(work)

    def identify(self, named: Iterable[tuple[str, str, str]]) -> None:
        """Tell what others call pieces: (piece, scheme, value); what is known already stays.

        Raises:
            NotFoundError: a piece does not exist.
        """
        given = [(piece, scheme, value) for piece, scheme, value in named if value]
        self._writer.run(lambda connection: identify(connection, given))

    def identifiers(self) -> list[tuple[str, str, int]]:
        """All that others call pieces: (scheme, value, dense row of the piece)."""
        query = select(identifiers).order_by(identifiers.c.scheme, identifiers.c.value)
        with self._reading() as connection:
            return [(r.scheme, r.value, r.piece - 1) for r in connection.execute(query)]

    def pieces(
        self, *, generated: bool | None = None, split: str | None = None, medium: str | None = None
    ) -> list[PieceRow]:
        """All pieces in order of arrival, without notes; of `medium` "score" those that have some."""
        query = select(*_LIGHT).order_by(pieces.c.row)
        if generated is not None:
            query = query.where(pieces.c.generated == int(generated))
        if split is not None:
            query = query.where(pieces.c.split == split)
        if medium is not None:
            query = query.where(pieces.c.medium == medium)
        with self._reading() as connection:
            return [_light(row) for row in connection.execute(query)]

    def find(self, words: str, limit: int = 20) -> list[PieceRow]:
        """Pieces whose title, composer, artist or style holds all of the words."""
        query = select(*_LIGHT).order_by(pieces.c.row).limit(limit)
        for word in words.split():
            columns = (pieces.c.title, pieces.c.composer, pieces.c.artist, pieces.c.style)
            query = query.where(or_(*(c.icontains(word, autoescape=True) for c in columns)))
        with self._reading() as connection:
            return [_light(row) for row in connection.execute(query)]

    def score(self, piece: str) -> Score:
        """The notes of one piece.

        Raises:
            NotFoundError: there is no such piece.
        """
        return self.scores([piece])[0]

    def scores(self, ids: Sequence[str]) -> list[Score]:
        """The notes of pieces, in the order asked for.

        Raises:
            NotFoundError: a piece does not exist.
            InputError: a piece has no notes, it is known by name or sound alone.
        """
        found: dict[str, bytes] = {}
        with self._reading() as connection:
            for start in range(0, len(ids), CHUNK):
                query = select(pieces.c.id, pieces.c.score).where(pieces.c.id.in_(ids[start : start + CHUNK]))
                found |= {row.id: row.score for row in connection.execute(query)}
        missing = next((i for i in ids if i not in found), None)
        if missing is not None:
            raise NotFoundError(f"no piece '{missing}'")
        empty = next((i for i in ids if not found[i]), None)
        if empty is not None:
            raise InputError(f"piece '{empty}' has no notes; import its score to work with them")
        return [Score.from_bytes(found[i]) for i in ids]

    def piece_ids(self, *, medium: str | None = None) -> list[str]:
        """Ids in row order: the item vocabulary; of `medium` "score" those that have notes."""
        query = select(pieces.c.id).order_by(pieces.c.row)
        if medium is not None:
            query = query.where(pieces.c.medium == medium)
        with self._reading() as connection:
            return list(connection.execute(query).scalars())

    def vectors(self) -> NDArray[np.float32]:
        """Content vectors in row order, shape (n_pieces, d); NaN where a piece has none."""
        with self._reading() as connection:
            blobs = list(connection.execute(select(pieces.c.vector).order_by(pieces.c.row)).scalars())
        width = next((len(b) // 4 for b in blobs if b), 0)
        out = np.full((len(blobs), width), np.nan, dtype=np.float32)
        for i, blob in enumerate(blobs):
            if blob and len(blob) == 4 * width:
                out[i] = np.frombuffer(blob, dtype="<f4")
        return out

    def set_vectors(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Store content vectors of pieces."""

        def work(connection: Connection) -> None:
            for piece, vector in vectors.items():
                blob = vector.astype("<f4").tobytes()
                connection.execute(update(pieces).where(pieces.c.id == piece).values(vector=blob))

        self._writer.run(work)

    def works(self) -> list[tuple[str, str, str, str, NDArray[np.uint32]]]:
        """(id, work, split, fingerprint, grams) of every piece with notes that was not generated."""
        query = (
            select(pieces.c.id, pieces.c.work, pieces.c.split, pieces.c.fingerprint, pieces.c.grams)
            .where(pieces.c.generated == 0, pieces.c.medium == "score")
            .order_by(pieces.c.row)
        )
        with self._reading() as connection:
            return [
                (r.id, r.work, r.split, r.fingerprint, np.frombuffer(r.grams, dtype="<u4").astype(np.uint32))
                for r in connection.execute(query)
            ]

    # Listeners --------------------------------------------------------------------------------

    def add_listeners(self, people: Iterable[tuple[str, str, bool]]) -> None:
        """Add (id, name, simulated); those who are there already stay as they are."""
        now = time.time()
        rows = [{"id": i, "name": n, "simulated": int(s), "created": now} for i, n, s in people]

        def work(connection: Connection) -> None:
            if rows:
                connection.execute(upsert(listeners).on_conflict_do_nothing(index_elements=["id"]), rows)

        self._writer.run(work)

    def listeners(self) -> list[ListenerRow]:
        """Everybody, in order of arrival."""
        with self._reading() as connection:
            rows = connection.execute(select(listeners).order_by(listeners.c.row))
            return [ListenerRow(i, r.id, r.name, bool(r.simulated)) for i, r in enumerate(rows)]

    def listener(self, listener: str) -> ListenerRow:
        """A listener by id.

        Raises:
            NotFoundError: there is none; the message names some who exist.
        """
        with self._reading() as connection:
            row = connection.execute(select(listeners).where(listeners.c.id == listener)).first()
            if row is None:
                some = list(
                    connection.execute(select(listeners.c.id).order_by(listeners.c.row).limit(3)).scalars()
                )
                known = f"there are {', '.join(some)} ..." if some else "there are none yet"
                raise NotFoundError(f"no listener '{listener}'; {known}")
            before = select(func.count()).select_from(listeners).where(listeners.c.row < row.row)
            return ListenerRow(connection.execute(before).scalar_one(), row.id, row.name, bool(row.simulated))

    def created(self, listener: str) -> float:
        """When a listener was added, Unix seconds.

        Raises:
            NotFoundError: there is no such listener.
        """
        self.listener(listener)
        with self._reading() as connection:
            query = select(listeners.c.created).where(listeners.c.id == listener)
            return float(connection.execute(query).scalar_one())

    # Interactions -----------------------------------------------------------------------------

    def record(self, events: Sequence[Event]) -> int:
        """Append events, durable on return; those sent before are passed over.

        Returns:
            How many were new.

        Raises:
            InputError: a kind, value or time is out of range, or an id was given to another event before.
            NotFoundError: a listener or piece does not exist.
            StorageError: nothing was stored.
        """
        for one in events:
            _check_event(one)

        def work(connection: Connection) -> int:
            people = rows_of(connection, listeners, {e.listener for e in events}, "listener")
            items = rows_of(connection, pieces, {e.piece for e in events}, "piece")
            rows = [
                {
                    "event": e.event, "listener": people[e.listener], "piece": items[e.piece],
                    "kind": KINDS.index(e.kind), "value": e.value, "time": e.time, "release": e.release,
                    "rank": e.rank, "propensity": e.propensity, "flags": e.flags, "source": e.source,
                }
                for e in events
            ]  # fmt: skip
            before = connection.execute(text("SELECT total_changes()")).scalar_one()
            if rows:
                connection.execute(
                    upsert(interactions).on_conflict_do_nothing(index_elements=["event"]), rows
                )
            new = int(connection.execute(text("SELECT total_changes()")).scalar_one() - before)
            if new < len(rows):
                _check_sent_before(connection, rows)
            return new

        return self._writer.run(work)

    def last_event(self) -> int:
        """Number of the event that arrived last, 0 without any: names a state of the log."""
        with self._reading() as connection:
            return int(connection.execute(select(func.max(interactions.c.row))).scalar() or 0)

    def interaction_columns(
        self, *, flagged: bool = False, until: int | None = None, without: str | None = None
    ) -> dict[str, NDArray[Any]]:
        """Events as columns: listener and item (dense rows), kind, value (NaN = none), time.

        In order of time, events of one second in order of arrival. About 2 s a million.

        Args:
            flagged: also those that were flagged as a bot's or as duplicates.
            until: only those that had arrived when `last_event` was this.
            without: as if this listener had done nothing.

        Raises:
            NotFoundError: there is no listener `without`.
        """
        query = select(
            interactions.c.listener, interactions.c.piece - 1, interactions.c.kind, interactions.c.value,
            interactions.c.time,
        ).order_by(interactions.c.row)  # fmt: skip
        if not flagged:
            query = query.where(interactions.c.flags == 0)
        if until is not None:
            query = query.where(interactions.c.row <= until)
        parts = [np.zeros((0, 5))]
        with self._reading() as connection:
            people = np.array(
                connection.execute(select(listeners.c.row).order_by(listeners.c.row)).scalars().all()
            )
            if without is not None:
                left_out = rows_of(connection, listeners, [without], "listener")[without]
                query = query.where(interactions.c.listener != left_out)
            # Past SQLAlchemy's rows, which are slow, and in blocks: a million rows as Python objects
            # would take 400 MB. None becomes NaN.
            compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
            result = connection.exec_driver_sql(str(compiled))
            while rows := result.cursor.fetchmany(_BLOCK):
                parts.append(np.array(rows, dtype=np.float64))
        table = np.concatenate(parts)
        table = table[np.argsort(table[:, 4], kind="stable")]
        return {
            # Rows of those who were forgotten are missing, and the numbers are dense.
            "listener": np.searchsorted(people, table[:, 0]).astype(np.int32),
            "item": table[:, 1].astype(np.int32),
            "kind": table[:, 2].astype(np.uint8),
            "value": table[:, 3].astype(np.float32),
            "time": table[:, 4].astype(np.int64),
        }

    def events_of(self, people: Iterable[str]) -> dict[str, NDArray[Any]]:
        """All events of some listeners, flagged ones too, as columns in order of arrival.

        Event (id), listener and piece (ids), kind, time; who is unknown has none.
        """
        parts: list[Any] = []
        with self._reading() as connection:
            for person in sorted(set(people)):
                query = (
                    select(
                        interactions.c.event, listeners.c.id, pieces.c.id, interactions.c.kind,
                        interactions.c.time,
                    )
                    .join(listeners, listeners.c.row == interactions.c.listener)
                    .join(pieces, pieces.c.row == interactions.c.piece)
                    .where(listeners.c.id == person)
                    .order_by(interactions.c.row)
                )  # fmt: skip
                parts += connection.execute(query).all()
        names = ("event", "listener", "piece", "kind", "time")
        columns = zip(*parts, strict=True) if parts else ([] for _ in names)
        return {
            name: np.array(column, dtype=np.int64 if name in ("kind", "time") else object)
            for name, column in zip(names, columns, strict=True)
        }

    def event_rows(self, listener: str, until: int | None = None) -> list[dict[str, Any]]:
        """Everything held of a listener's events, flagged ones too, in order of arrival.

        Args:
            until: only those that had arrived when `last_event` was this.

        Raises:
            NotFoundError: there is no such listener.
        """
        columns = ("event", "value", "time", "release", "rank", "propensity", "flags", "source")
        query = (
            select(pieces.c.id, interactions.c.kind, *(interactions.c[name] for name in columns))
            .join(pieces, pieces.c.row == interactions.c.piece)
            .order_by(interactions.c.row)
        )
        if until is not None:
            query = query.where(interactions.c.row <= until)
        with self._reading() as connection:
            row = rows_of(connection, listeners, [listener], "listener")[listener]
            return [
                {
                    "event": r.event, "piece": r.id, "kind": KINDS[r.kind], **{n: getattr(r, n) for n in columns[1:]}
                }
                for r in connection.execute(query.where(interactions.c.listener == row))
            ]  # fmt: skip

    def history(self, listener: str, limit: int = 1000) -> list[tuple[str, str, float | None, int]]:
        """A listener's events, newest first: (piece, kind, value, time); flagged ones are left out."""
        query = (
            select(pieces.c.id, interactions.c.kind, interactions.c.value, interactions.c.time)
            .join(pieces, pieces.c.row == interactions.c.piece)
            .order_by(interactions.c.time.desc(), interactions.c.row.desc())
            .limit(limit)
        )
        self.listener(listener)
        with self._reading() as connection:
            row = rows_of(connection, listeners, {listener}, "listener")[listener]
            query = query.where(interactions.c.listener == row, interactions.c.flags == 0)
            return [(r.id, KINDS[r.kind], r.value, r.time) for r in connection.execute(query)]

    def met_by(self, listener: str, beyond: int) -> set[str]:
        """Ids of all pieces that a listener ever met, if they have more events than `beyond`; else none.

        For what `history` with such a limit does not reach. About .5 s for a listener with a million
        events.

        Raises:
            NotFoundError: there is no such listener.
        """
        with self._reading() as connection:
            row = rows_of(connection, listeners, {listener}, "listener")[listener]
            mine = interactions.c.listener == row
            more = select(interactions.c.row).where(mine).limit(1).offset(beyond)
            if connection.execute(more).first() is None:
                return set()
            query = select(interactions.c.piece).where(mine, interactions.c.flags == 0).distinct()
            return set(connection.execute(select(pieces.c.id).where(pieces.c.row.in_(query))).scalars())

    # Rights -----------------------------------------------------------------------------------

    def erase(self, listener: str) -> dict[str, int]:
        """Delete a listener and every row of theirs; how many of each table.

        See `erasing.erase`; `compact` then takes the bytes out of the file.

        Raises:
            NotFoundError: there is no such listener.
        """
        return self._writer.run(lambda connection: erase(connection, listener))

    def compact(self) -> None:
        """Rewrite the file without what was deleted; see `erasing.compact`."""
        with as_storage_errors(self.path):
            compact(self._engine)

    # Counts and settings ----------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """pieces (generated ones not counted), generated, listeners, interactions."""
        with self._reading() as connection:
            query = select(pieces.c.generated, func.count()).group_by(pieces.c.generated)
            by_kind: dict[int, int] = {row[0]: row[1] for row in connection.execute(query)}
            return {
                "pieces": int(by_kind.get(0, 0)),
                "generated": int(by_kind.get(1, 0)),
                "listeners": int(
                    connection.execute(select(func.count()).select_from(listeners)).scalar_one()
                ),
                "interactions": int(
                    connection.execute(select(func.count()).select_from(interactions)).scalar_one()
                ),
            }

    def get(self, key: str) -> Any:
        """A setting, `None` if it was never set."""
        with self._reading() as connection:
            value = connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
        return None if value is None else json.loads(value)

    def set(self, key: str, value: Any) -> None:
        """Set a setting (JSON-able)."""
        stored = json.dumps(value)

        def work(connection: Connection) -> None:
            statement = upsert(meta).values(key=key, value=stored)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["key"], set_={"value": stored})
            )

        self._writer.run(work)


def _light(row: Any) -> PieceRow:
    values = row._mapping
    return PieceRow(
        row=values["row"] - 1,
        **{n: values[n] for n in (
            "id", "title", "composer", "style", "collection", "source", "number", "licence", "work", "split",
            "artist", "album", "medium", "duration_seconds",
        )},
        generated=bool(values["generated"]),
        explicit=bool(values["explicit"]),
        attributes=json.loads(values["attributes"]),
        quality=json.loads(values["quality"]),
        provenance=json.loads(values["provenance"]),
    )  # fmt: skip


def _check_sent_before(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """That what bears an id is what was sent: passed over in silence, another event would be lost."""
    names = ("listener", "piece", "kind")  # not the time, which the server may have stamped anew
    columns = [interactions.c[name] for name in ("event", *names)]
    for start in range(0, len(rows), CHUNK):
        sent = rows[start : start + CHUNK]
        query = select(*columns).where(interactions.c.event.in_([row["event"] for row in sent]))
        stored = {found.event: found[1:] for found in connection.execute(query)}
        for row in sent:
            if tuple(row[name] for name in names) != tuple(stored[row["event"]]):
                raise InputError(
                    f"event id '{row['event']}' was given to another event before; give each an id of its own"
                )


def _check_event(event: Event) -> None:
    if event.kind not in KINDS:
        raise InputError(f"kind is '{event.kind}'; allowed: {', '.join(KINDS)}")
    if not 0 <= event.time < 2**40:
        raise InputError(f"time is {event.time}; allowed: Unix seconds from 0 to 2^40")
    value = event.value
    if event.kind == "rating" and (value is None or not 1 <= value <= 5):
        raise InputError(f"rating is {value}; allowed: 1 to 5")
    if event.kind in ("play", "skip") and value is not None and not 0 <= value <= 1:
        raise InputError(f"share heard is {value}; allowed: 0 to 1")
    if not event.event:
        raise InputError("event id is empty; give each event an id of its own")


__all__ = ["KINDS", "Event", "ListenerRow", "NewPiece", "PieceRow", "Store"]
