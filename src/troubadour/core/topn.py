"""Top-n selection from scores and from dot products, in one pass over memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.core.threads import one_thread

_TILE: Final = 4096
"""Vectors per tile: large enough for hardware prefetching, small enough that the products stay in the cache."""


def best(scores: NDArray[Any], n: int) -> NDArray[np.int64]:
    """Positions of the n largest scores, in descending order; ties in ascending order of position.

    Costs one comparison per score and sorts only the selected ones.

    Args:
        scores: shape (m,). NaN and minus infinity are never selected.
        n: number of positions.

    Returns:
        Positions, shape (min(n, number of usable scores),).
    """
    usable = scores > -np.inf
    count = int(np.count_nonzero(usable))
    n = min(n, count)
    if n < 1:
        return np.empty(0, dtype=np.int64)
    if count < len(scores):
        scores = np.where(usable, scores, -np.inf)
    if n < len(scores):
        least = np.partition(scores, len(scores) - n)[len(scores) - n]
        rows = np.flatnonzero(scores >= least)
    else:
        rows = np.arange(len(scores))
    order = np.lexsort((rows, -scores[rows]))[:n]
    return np.asarray(rows[order], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Vectors stored for dot products with all of them: cut into tiles, each tile transposed.

    A product then reads memory sequentially and costs about as much as that read; with rows in their
    original order, (m, d), it costs half as much again. Takes as much memory as the vectors.
    """

    tiles: NDArray[np.float32]
    """Shape (n_tiles, d, rows per tile), padded with zeros beyond `count`."""
    count: int
    """Number of vectors."""

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Self:
        """Lay out vectors of shape (m, d). Costs one copy.

        Raises:
            InputError: `vectors` is not two-dimensional.
        """
        if vectors.ndim != 2:
            raise InputError(f"vectors have shape {vectors.shape}; need (m, d)")
        starts = range(0, len(vectors), _TILE)
        tiles = np.zeros((len(starts), vectors.shape[1], min(_TILE, max(1, len(vectors)))), dtype=np.float32)
        for tile, start in zip(tiles, starts, strict=True):
            some = vectors[start : start + _TILE]
            tile[:, : len(some)] = some.T
        return cls(tiles, len(vectors))

    def best(
        self, query: NDArray[np.float32], n: int, threads: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The n vectors with the largest dot product with `query`, exact.

        All products are computed, one tile at a time, and compared with the nth best so far while they
        are in the cache.

        Args:
            query: shape (d,).
            n: number of vectors, 1 or more.
            threads: parts that the tiles are divided into; 1 = all in the calling thread.

        Returns:
            Rows and products, products in descending order; ties in ascending order of row.

        Raises:
            InputError: the query has another width, or n or threads is below 1.
        """
        if query.shape != self.tiles.shape[1:2] or min(n, threads) < 1:
            raise InputError(
                f"the query has shape {query.shape}, n is {n} and threads {threads}; "
                f"need {self.tiles.shape[1:2]}, 1 or more and 1 or more"
            )
        query = np.ascontiguousarray(query, dtype=np.float32)
        cuts = np.linspace(0, len(self.tiles), threads + 1).astype(int).tolist()
        with one_thread():  # each part is a thread already
            if threads == 1:
                parts = [self._of_part(query, n, 0, len(self.tiles))]
            else:
                with ThreadPoolExecutor(threads) as pool:
                    parts = [*pool.map(partial(self._of_part, query, n), cuts[:-1], cuts[1:])]
        rows, products = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = best(products, n)
        return rows[order], products[order]

    def _of_part(
        self, query: NDArray[np.float32], n: int, start: int, end: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Best rows of the tiles start .. end, in ascending order of row."""
        width = self.tiles.shape[2]
        some = np.empty(width, dtype=np.float32)
        rows = np.empty(0, dtype=np.int64)
        products = np.empty(0, dtype=np.float32)
        least = -np.inf
        for at in range(start, end):
            np.dot(query, self.tiles[at], out=some)
            found = np.flatnonzero(some[: self.count - at * width] > least)
            if len(found):
                rows = np.concatenate([rows, found + at * width])
                products = np.concatenate([products, some[found]])
                kept = np.sort(best(products, n))
                rows, products = rows[kept], products[kept]
                least = float(products.min()) if len(rows) == n else least
        return rows, products
