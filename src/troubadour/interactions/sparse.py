"""Typed wrapper of the SciPy sparse functions that recommenders use.

SciPy ships no types; the protocol `Csr` declares the used part of `csr_array`.
"""

from __future__ import annotations

from typing import Any, Protocol, cast, overload

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray

from troubadour.core.errors import InputError

Floats = NDArray[np.float64]
_linalg = cast("Any", scipy.linalg)
_sparse = cast("Any", scipy.sparse)


class Csr(Protocol):
    """Compressed sparse row matrix of float64; column indices are sorted and distinct in each row."""

    shape: tuple[int, int]
    data: Floats
    indices: NDArray[np.int32]
    indptr: NDArray[np.int32]

    @overload
    def __matmul__(self, other: Csr) -> Csr: ...
    @overload
    def __matmul__(self, other: NDArray[Any]) -> Floats: ...
    def __getitem__(self, rows: NDArray[Any] | slice) -> Csr: ...

    def toarray(self) -> Floats:
        """Converts to a dense array."""
        ...


def csr(data: NDArray[Any], columns: NDArray[Any], starts: NDArray[Any], shape: tuple[int, int]) -> Csr:
    """Builds a matrix from CSR arrays: row i has the entries starts[i] to starts[i + 1] - 1."""
    arrays = (data.astype(np.float64), columns.astype(np.int32), starts.astype(np.int32))
    return cast("Csr", _sparse.csr_array(arrays, shape=shape))


def csr_from_cells(
    rows: NDArray[Any], columns: NDArray[Any], data: NDArray[Any], shape: tuple[int, int]
) -> Csr:
    """Builds a matrix from cells in any order; values of repeated cells are added."""
    matrix = _sparse.csr_array((data.astype(np.float64), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    return cast("Csr", matrix)


def transpose(matrix: Csr) -> Csr:
    """Transposes a matrix; the result is in CSR format."""
    return cast("Csr", cast("Any", matrix).T.tocsr())


def combined(first: Csr, second: Csr, factor: float) -> Csr:
    """Computes first + factor * second, of equal shape; cells that become 0 are removed."""
    total = cast("Any", first) + factor * cast("Any", second)
    total.eliminate_zeros()
    return in_order(total)


def in_order(matrix: Csr) -> Csr:
    """Sorts the columns within each row; products leave them unsorted."""
    cast("Any", matrix).sort_indices()
    return matrix


def owners(matrix: Csr) -> NDArray[np.int64]:
    """Returns the row of each cell, in the order of `data`."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def only(matrix: Csr, kept: NDArray[np.bool_]) -> Csr:
    """Selects cells by a mask in the order of `data`."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(owners(matrix)[kept], minlength=matrix.shape[0]))])
    return csr(matrix.data[kept], matrix.indices[kept], starts, matrix.shape)


def with_data(matrix: Csr, data: Floats) -> Csr:
    """Replaces the values of the cells, in the order of `data`."""
    return csr(data, matrix.indices, matrix.indptr, matrix.shape)


def as_spmatrix(matrix: Csr) -> Any:
    """Converts to SciPy's `csr_matrix`, float32, for libraries that require it."""
    return _sparse.csr_matrix(matrix, dtype=np.float32)


def inverse_of_positive_definite(matrix: Floats) -> Floats:
    """Inverts a symmetric positive definite matrix by Cholesky factorisation, float64, shape (n, n).

    Cost: about n^3 operations, a third of a general inverse; `matrix` is overwritten.

    Raises:
        InputError: the matrix is not positive definite.
    """
    if matrix.size == 0:  # LAPACK rejects it
        return matrix
    factor, failed = _linalg.lapack.dpotrf(matrix, lower=1, overwrite_a=1)
    if not failed:
        factor, failed = _linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise InputError("matrix is not positive definite; raise the regularisation")
    inverse = np.tril(cast("Floats", factor))
    inverse += np.tril(inverse, -1).T
    return inverse
