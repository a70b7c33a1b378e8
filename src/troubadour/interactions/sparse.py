"""The little of SciPy that the recommenders need, typed once at its edge.

SciPy ships no types; `Csr` names what is used of its `csr_array`.
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
    """A compressed sparse row matrix of float64 with sorted, distinct column indices a row."""

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
        """All cells, shape as the matrix."""
        ...


def csr(data: NDArray[Any], columns: NDArray[Any], starts: NDArray[Any], shape: tuple[int, int]) -> Csr:
    """A matrix from its CSR arrays: row i holds entries starts[i] to starts[i + 1]."""
    arrays = (data.astype(np.float64), columns.astype(np.int32), starts.astype(np.int32))
    return cast("Csr", _sparse.csr_array(arrays, shape=shape))


def csr_from_cells(
    rows: NDArray[Any], columns: NDArray[Any], data: NDArray[Any], shape: tuple[int, int]
) -> Csr:
    """A matrix from its cells, in any order; the values of a cell that occurs twice are added."""
    matrix = _sparse.csr_array((data.astype(np.float64), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    return cast("Csr", matrix)


def transpose(matrix: Csr) -> Csr:
    """Rows become columns; again by rows."""
    return cast("Csr", cast("Any", matrix).T.tocsr())


def combined(first: Csr, second: Csr, factor: float) -> Csr:
    """first + factor * second, of one shape; cells that become 0 are absent."""
    total = cast("Any", first) + factor * cast("Any", second)
    total.eliminate_zeros()
    return in_order(total)


def in_order(matrix: Csr) -> Csr:
    """The matrix itself, its columns sorted within each row (a product leaves them unsorted)."""
    cast("Any", matrix).sort_indices()
    return matrix


def owners(matrix: Csr) -> NDArray[np.int64]:
    """The row of each cell, in the order of `data`."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def only(matrix: Csr, kept: NDArray[np.bool_]) -> Csr:
    """Only some cells, by a mask in the order of `data`."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(owners(matrix)[kept], minlength=matrix.shape[0]))])
    return csr(matrix.data[kept], matrix.indices[kept], starts, matrix.shape)


def with_data(matrix: Csr, data: Floats) -> Csr:
    """The same cells with other values, in the order of `data`."""
    return csr(data, matrix.indices, matrix.indptr, matrix.shape)


def as_spmatrix(matrix: Csr) -> Any:
    """SciPy's older kind of the same matrix, float32, for libraries that insist on it."""
    return _sparse.csr_matrix(matrix, dtype=np.float32)


def inverse_of_positive_definite(matrix: Floats) -> Floats:
    """The inverse of a symmetric positive definite matrix (Cholesky), shape (n, n), float64.

    Costs about n^3 operations, one third of a general inverse; `matrix` is overwritten.

    Raises:
        InputError: the matrix is not positive definite.
    """
    if matrix.size == 0:  # LAPACK refuses it
        return matrix
    factor, failed = _linalg.lapack.dpotrf(matrix, lower=1, overwrite_a=1)
    if not failed:
        factor, failed = _linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise InputError("matrix is not positive definite; raise the regularisation")
    inverse = np.tril(cast("Floats", factor))
    inverse += np.tril(inverse, -1).T
    return inverse
