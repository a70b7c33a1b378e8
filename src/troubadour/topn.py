"""The n best of many scores, and of the products of many vectors: in one pass over memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.blas import one_thread
from troubadour.errors import InputError

_CHUNK_BYTES: Final = 2**20
"""So many bytes of vectors at once: their products are still in the cache when they are compared."""


def best(scores: NDArray[Any], n: int) -> NDArray[np.int64]:
    """Positions of the n greatest of `scores`, shape (m,), greatest first, of equals the first.

    NaN and minus infinity are never among them; fewer than n where there are no more. Costs one
    comparison a score, and sorts only what is kept.
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


def best_products(
    vectors: NDArray[np.float32], query: NDArray[np.float32], n: int, threads: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The n rows of `vectors`, shape (m, d), whose product with `query`, shape (d,), is greatest.

    Exact: every product is computed, a piece of memory at a time, and compared with the nth best so
    far while it is still in the cache. Costs about the time to read the vectors once.

    Args:
        threads: into so many parts the rows are cut; 1 = all in the calling thread.

    Returns:
        Rows and products, greatest first, of equals the first.

    Raises:
        InputError: the shapes do not fit, or n or threads < 1.
    """
    if vectors.ndim != 2 or query.shape != vectors.shape[1:] or min(n, threads) < 1:
        raise InputError(
            f"vectors have shape {vectors.shape}, the query {query.shape}, n is {n} and threads {threads}; "
            "need (m, d), (d,), 1 or more and 1 or more"
        )
    cuts = np.linspace(0, len(vectors), threads + 1).astype(int).tolist()
    with one_thread():  # each part is a thread already
        if threads == 1:
            parts = [_of_part(vectors, query, n, 0, len(vectors))]
        else:
            with ThreadPoolExecutor(threads) as pool:
                parts = [*pool.map(partial(_of_part, vectors, query, n), cuts[:-1], cuts[1:])]
    rows, products = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = best(products, n)
    return rows[order], products[order]


def _of_part(
    vectors: NDArray[np.float32], query: NDArray[np.float32], n: int, start: int, end: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best of rows start .. end, in the order of rows."""
    step = max(n, _CHUNK_BYTES // max(1, vectors.strides[0]))
    rows = np.empty(0, dtype=np.int64)
    products = np.empty(0, dtype=np.float32)
    least = -np.inf
    for at in range(start, end, step):
        some = vectors[at : min(at + step, end)] @ query
        found = np.flatnonzero(some > least)
        if len(found):
            rows = np.concatenate([rows, found + at])
            products = np.concatenate([products, some[found]])
            kept = np.sort(best(products, n))
            rows, products = rows[kept], products[kept]
            least = float(products.min()) if len(rows) == n else least
    return rows, products
