"""The n best of many scores, and of the products of many vectors: in one pass over memory."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

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
    vectors: NDArray[np.float32], query: NDArray[np.float32], n: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The n rows of `vectors`, shape (m, d), whose product with `query`, shape (d,), is greatest.

    Exact: every product is computed, a piece of memory at a time, and compared with the nth best so
    far while it is still in the cache. Costs about the time to read the vectors once.

    Returns:
        Rows and products, greatest first, of equals the first.

    Raises:
        InputError: the shapes do not fit, or n < 1.
    """
    if vectors.ndim != 2 or query.shape != vectors.shape[1:] or n < 1:
        raise InputError(
            f"vectors have shape {vectors.shape}, the query {query.shape}, and n is {n}; "
            "need (m, d), (d,) and 1 or more"
        )
    step = max(n, _CHUNK_BYTES // max(1, vectors.strides[0]))
    rows = np.empty(0, dtype=np.int64)
    products = np.empty(0, dtype=np.float32)
    least = -np.inf
    for start in range(0, len(vectors), step):
        some = vectors[start : start + step] @ query
        found = np.flatnonzero(some > least)
        if not len(found):
            continue
        rows = np.concatenate([rows, found + start])
        products = np.concatenate([products, some[found]])
        if len(rows) > n:
            kept = np.sort(best(products, n))  # in the order of rows, so that of equals the first stays
            rows, products = rows[kept], products[kept]
        if len(rows) == n:
            least = float(products.min())
    order = best(products, n)
    return rows[order], products[order]
