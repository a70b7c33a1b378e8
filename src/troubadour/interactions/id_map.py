"""Mapping between external ids and dense rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troubadour.core.errors import InputError, NotFoundError

Rows = NDArray[np.int32]


class IdMap:
    """Immutable bidirectional map between external ids and rows 0 .. n-1.

    Rows follow the order of the ids. `extended` only appends, so rows of learned models stay valid.

    Args:
        ids: distinct, non-empty strings; the first has row 0.

    Raises:
        InputError: an id is empty, not a string, or occurs twice.

    Example:
        >>> songs = IdMap(["kesh", "morrisons"])
        >>> songs.row("morrisons"), songs.id(0), len(songs.extended(["banshee"]))
        (1, 'kesh', 3)
    """

    __slots__ = ("_ids", "_rows")

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._ids: tuple[str, ...] = tuple(ids)
        self._rows: dict[str, int] = {}
        for row, external in enumerate(self._ids):
            _check(external)
            if self._rows.setdefault(external, row) != row:
                raise InputError(f"id {external!r} occurs twice; ids must be distinct")

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __contains__(self, external: object) -> bool:
        return external in self._rows

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IdMap):
            return NotImplemented
        return self._ids == other._ids

    def __hash__(self) -> int:
        return hash(self._ids)

    def __repr__(self) -> str:
        return f"IdMap({len(self)} ids)"

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids in row order."""
        return self._ids

    def id(self, row: int) -> str:
        """Returns the id of a row.

        Raises:
            NotFoundError: the row is out of range.
        """
        if not 0 <= row < len(self._ids):
            raise NotFoundError(f"row {row} does not exist; rows are 0 to {len(self) - 1}")
        return self._ids[row]

    def ids_of(self, rows: ArrayLike) -> list[str]:
        """Returns the ids of several rows.

        Raises:
            NotFoundError: a row is out of range.
        """
        return [self.id(int(row)) for row in np.asarray(rows).reshape(-1)]

    def row(self, external: str) -> int:
        """Returns the row of an id.

        Raises:
            NotFoundError: the id is unknown.
        """
        row = self._rows.get(external)
        if row is None:
            raise NotFoundError(f"{external!r} is unknown among {len(self)} ids")
        return row

    def rows(self, externals: Iterable[str]) -> Rows:
        """Returns the rows of several ids, int32, shape (n,).

        Raises:
            NotFoundError: an id is unknown.
        """
        return np.array([self.row(external) for external in externals], dtype=np.int32)

    def find(self, externals: Iterable[str]) -> Rows:
        """Returns the rows of several ids, int32, shape (n,); -1 = unknown."""
        return np.array([self._rows.get(external, -1) for external in externals], dtype=np.int32)

    def extended(self, externals: Iterable[str]) -> IdMap:
        """Returns a map with the unknown ids among `externals` appended in their order."""
        new = [e for e in dict.fromkeys(externals) if e not in self._rows]
        return IdMap((*self._ids, *new)) if new else self


def _check(external: object) -> None:
    if not isinstance(external, str) or not external:
        raise InputError(f"id {external!r} is not allowed; ids are non-empty strings")
