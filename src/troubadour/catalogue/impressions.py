"""Impressions: recommended pieces with rank, surface and propensity.

Impressions distinguish pieces that were offered and ignored from pieces that were never offered.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from troubadour.catalogue.database import Writer
from troubadour.catalogue.records import Impression
from troubadour.catalogue.rows import Reading, append_new, rows_of
from troubadour.catalogue.schema import impressions, listeners, pieces
from troubadour.core.errors import InputError


class ShownItem(Protocol):
    """Item of a recommended list."""

    @property
    def id(self) -> str:
        """Id of the piece."""

    @property
    def propensity(self) -> float:
        """Probability of this choice, above 0 to 1; 1 = deterministic."""


class Impressions:
    """Table of impressions."""

    def __init__(self, reading: Reading, writer: Writer) -> None:
        self._reading, self._writer = reading, writer

    def add(self, shown: Sequence[Impression]) -> int:
        """Appends impressions; impressions with known ids are skipped. Durable on return.

        Returns:
            Number of new impressions.

        Raises:
            InputError: a rank, time or propensity is out of range.
            NotFoundError: a listener or piece does not exist.
        """
        for one in shown:
            _check(one)

        def work(connection: Connection) -> int:
            people = rows_of(connection, listeners, {s.listener for s in shown}, "listener")
            items = rows_of(connection, pieces, {s.piece for s in shown}, "piece")
            rows = [
                {
                    "impression": s.impression, "listener": people[s.listener], "piece": items[s.piece],
                    "rank": s.rank, "release": s.release, "slot": s.slot, "shown_with": s.shown_with,
                    "propensity": s.propensity, "time": s.time,
                }
                for s in shown
            ]  # fmt: skip
            return append_new(connection, impressions, "impression", rows)

        return self._writer.run(work)

    def add_list(self, listener: str, items: Sequence[ShownItem], release: str, slot: str) -> str:
        """Appends a list shown just now, ranks 1 to n.

        Args:
            listener: id of the listener.
            items: items in order of rank.
            release: id of the release that produced the list.
            slot: surface of the list, such as `for-you`.

        Returns:
            Id of the list.

        Raises:
            NotFoundError: the listener or a piece does not exist.
        """
        together, now = secrets.token_hex(8), int(time.time())
        self.add(
            [
                Impression(
                    f"{together}-{rank}", listener, one.id, rank, now, release, slot, together, one.propensity
                )
                for rank, one in enumerate(items, start=1)
            ]
        )
        return together

    def of(self, listener: str, limit: int = 1000) -> list[Impression]:
        """Returns a listener's impressions, newest first.

        Args:
            listener: id of the listener.
            limit: largest number of impressions, 0 or more.

        Raises:
            NotFoundError: the listener does not exist.
        """
        query = (
            select(impressions, pieces.c.id)
            .join(pieces, pieces.c.row == impressions.c.piece)
            .order_by(impressions.c.time.desc(), impressions.c.row.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            row = rows_of(connection, listeners, [listener], "listener")[listener]
            return [
                Impression(
                    r.impression, listener, r.id, r.rank, r.time, r.release, r.slot, r.shown_with, r.propensity
                )
                for r in connection.execute(query.where(impressions.c.listener == row))
            ]  # fmt: skip

    def columns(self) -> dict[str, NDArray[Any]]:
        """Returns all impressions as columns in order of arrival.

        Returns:
            `listener` and `item` (dense rows as in `Store.interaction_columns`, int32), `rank` (int32),
            `time`
            (int64, Unix seconds), `propensity` (float64, NaN = none), `slot` and `release` (str).
        """
        query = select(
            impressions.c.listener, impressions.c.piece, impressions.c.rank, impressions.c.time,
            impressions.c.propensity, impressions.c.slot, impressions.c.release,
        ).order_by(impressions.c.row)  # fmt: skip
        with self._reading() as connection:
            people = np.array(
                connection.execute(select(listeners.c.row).order_by(listeners.c.row)).scalars().all()
            )
            rows = connection.execute(query).all()
        listener, piece, rank, time, propensity, slot, release = (
            zip(*rows, strict=True) if rows else ([],) * 7
        )
        return {
            "listener": np.searchsorted(people, np.array(listener, dtype=np.int64)).astype(np.int32),
            "item": np.array(piece, dtype=np.int32) - 1,
            "rank": np.array(rank, dtype=np.int32),
            "time": np.array(time, dtype=np.int64),
            "propensity": np.array([np.nan if p is None else p for p in propensity], dtype=np.float64),
            "slot": np.array(slot, dtype=np.str_),
            "release": np.array(release, dtype=np.str_),
        }

    def count(self) -> int:
        """Number of impressions."""
        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(impressions)).scalar_one())


def _check(one: Impression) -> None:
    if not one.impression:
        raise InputError("impression id is empty; give each impression an id of its own")
    if one.rank < 1:
        raise InputError(f"rank is {one.rank}; allowed: 1 and above")
    if not 0 <= one.time < 2**40:
        raise InputError(f"time is {one.time}; allowed: Unix seconds from 0 to 2^40")
    if one.propensity is not None and not 0 < one.propensity <= 1:
        raise InputError(f"propensity is {one.propensity}; allowed: above 0 to 1")
