"""Approximate nearest neighbours with an inverted file (IVF) index, for catalogues where exact search is slow.

Vectors are assigned to lists by their nearest centroid (Jegou, Douze & Schmid 2011, in faiss) and stored
in 8 bits per dimension. A query reads only the nearest lists; the candidates are ranked again with the
full vectors. The number of lists to read is measured on the index's own vectors when it is built. Under
a selective filter the exact index is used, because the lists would miss neighbours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troubadour.core.errors import InputError, MissingExtraError, ModelError
from troubadour.similarity.vectors import Facts, Neighbour, VectorIndex, Where

PAYS_FROM: Final = 50_000
"""Number of items from which the lists are faster than exact search (see the benchmark)."""
_SELECTIVE: Final = 0.1
"""Filters that pass no larger share of the items are answered by exact search."""
_STALE: Final = 0.1
"""Share of items that may be added or removed before the lists are rebuilt."""
_RESCORED: Final = 8
"""Candidates ranked again with full vectors, per requested neighbour."""
_TRAIN: Final = 64
"""Training vectors per centroid."""
_PROBES: Final = 200
"""Vectors of the index used as queries to measure the number of lists to read."""
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class IvfIndex:
    """Exact index with inverted lists. Immutable: changes return a new index."""

    exact: VectorIndex
    """All vectors, ids and facts."""
    centroids: NDArray[np.float32]
    """Shape (n_lists, d)."""
    list_of: NDArray[np.int64]
    """List of each item present when the lists were built, shape (m,)."""
    row_of: NDArray[np.int64]
    """Current row of each of those items in `exact`, -1 = removed or changed, shape (m,)."""
    read: int
    """Number of lists read per query."""
    _faiss: Any = field(repr=False)
    _units: NDArray[np.float32] = field(repr=False)
    """Vectors that the lists were built from, shape (m, d)."""
    fresh: NDArray[np.int64] = field(init=False, repr=False)
    """Rows of `exact` added after the lists were built."""

    def __post_init__(self) -> None:
        listed = np.zeros(len(self.exact), dtype=bool)
        listed[self.row_of[self.row_of >= 0]] = True
        object.__setattr__(self, "fresh", np.flatnonzero(~listed))

    @classmethod
    def of(cls, exact: VectorIndex, recall: float = 0.98, seed: int = 0) -> Self:
        """Build lists for an exact index; 17 s for 200,000 vectors of 128 dimensions.

        Args:
            exact: index of 1,000 vectors or more.
            recall: target of recall@10 on the index's own vectors, above 0 to 1; determines the number of lists read.
            seed: of the centroids.

        Raises:
            InputError: fewer than 1,000 vectors, or a recall out of range.
            MissingExtraError: faiss is not installed.
        """
        if len(exact) < 1000 or not 0 < recall <= 1:
            raise InputError(f"{len(exact)} vectors, recall {recall}; allowed: 1,000 or more, above 0 to 1")
        faiss = _module()
        count = int(2 ** np.round(np.log2(4 * np.sqrt(len(exact)))))
        rng = np.random.default_rng(seed)
        sample = rng.permutation(len(exact))[: count * _TRAIN]
        means = faiss.Kmeans(
            exact.units.shape[1], count, niter=10, seed=seed, spherical=True, min_points_per_centroid=1
        )
        means.train(np.ascontiguousarray(exact.units[sample]))
        centroids = np.asarray(means.centroids, dtype=np.float32).reshape(count, -1)
        quantiser = faiss.IndexFlatIP(centroids.shape[1])
        quantiser.add(centroids)
        list_of = np.asarray(quantiser.search(exact.units, 1)[1][:, 0], dtype=np.int64)
        made = cls(
            exact, centroids, list_of, np.arange(len(exact)), 1, _filled(centroids, list_of, exact.units),
            exact.units,
        )  # fmt: skip
        return replace(made, read=_lists_needed(made, recall, rng))

    def __len__(self) -> int:
        return len(self.exact)

    def nearest(
        self, vector: ArrayLike, k: int = 10, *, where: Where | None = None, without: Sequence[str] = ()
    ) -> list[Neighbour]:
        """Nearest neighbours as `VectorIndex.nearest`, approximate; exact under a selective filter.

        Items added after the lists were built are always compared.

        Raises:
            InputError: k, the vector's width or the name of a fact is invalid.
        """
        query = np.asarray(vector, dtype=np.float32)
        few = self.exact.rows(where) if where else None
        if (
            (few is not None and len(few) <= max(_SELECTIVE * len(self), 20 * k))
            or not 0 < 20 * k <= len(self)
            or query.shape != self.exact.units.shape[1:]
        ):
            return self.exact.nearest(query, k, where=where, without=without)
        allowed = np.ones(len(self), dtype=bool) if few is None else np.zeros(len(self), dtype=bool)
        if few is not None:
            allowed[few] = True
        rows = self._listed(query, k, None if few is None else allowed)
        return self.exact.nearest_of(
            np.concatenate([rows, self.fresh[allowed[self.fresh]]]), query, k, without=without
        )

    def _listed(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """Candidate rows of `exact` from the lists and from the items added later."""
        faiss = _module()
        read = self.read
        options: dict[str, Any] = {}
        if allowed is not None or len(self.fresh) or len(self.row_of) > len(self):
            passed = self.row_of >= 0
            if allowed is not None:
                passed &= allowed[self.row_of]
                # A filter spreads the remaining neighbours over more lists, in inverse proportion to its share.
                read = min(int(np.ceil(read / max(passed.mean(), 1e-6))), len(self.centroids))
            options["sel"] = faiss.IDSelectorBitmap(np.packbits(passed, bitorder="little"))
        length = max(float(np.linalg.norm(query)), 1e-12)
        found = self._faiss.search(
            (query / length)[None],
            _RESCORED * k,
            params=faiss.SearchParametersIVF(nprobe=read, **options),
        )[1][0]
        return np.asarray(self.row_of[found[found >= 0]])

    def vector(self, item: str) -> NDArray[np.float32]:
        """Unit vector of an item, shape (d,).

        Raises:
            NotFoundError: the item is not in the index.
        """
        return self.exact.vector(item)

    def updated(self, ids: Sequence[str], vectors: ArrayLike, facts: Sequence[Facts] = ()) -> Self:
        """Index with items added; an item with a known id is replaced.

        Raises:
            InputError: as `VectorIndex.updated`.
        """
        return self._moved(self.exact.updated(ids, vectors, facts), set(ids))

    def without(self, ids: Sequence[str]) -> Self:
        """Index without some items; unknown ids are ignored."""
        return self._moved(self.exact.without(ids), set(ids))

    def _moved(self, exact: VectorIndex, changed: set[str]) -> Self:
        # A changed item keeps its place in the lists under its old vector, so it is marked as removed there.
        row_of = np.full(len(self.row_of), -1, dtype=np.int64)
        for place, row in enumerate(self.row_of.tolist()):
            if row >= 0 and (one := self.exact.ids[row]) not in changed:
                row_of[place] = exact.row(one)
        moved = replace(self, exact=exact, row_of=row_of)
        stale = len(moved.fresh) + int((row_of < 0).sum())
        return type(self).of(exact) if stale > _STALE * len(row_of) and len(exact) >= 1000 else moved

    def save(self, folder: Path) -> None:
        """Write the exact index, `lists.json` and `lists.npz` into a folder."""
        self.exact.save(folder)
        (folder / "lists.json").write_text(json.dumps({"version": _VERSION, "read": self.read}))
        # Only what the exact index does not hold: the contents of the lists are recomputed on loading.
        gone = self._units[self.row_of < 0]
        np.savez(
            folder / "lists.npz", allow_pickle=False, centroids=self.centroids, list_of=self.list_of,
            row_of=self.row_of, gone=gone,
        )  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an index that `save` wrote.

        Raises:
            ModelError: the files are missing, damaged or of another version.
            MissingExtraError: faiss is not installed.
        """
        exact = VectorIndex.load(folder)
        try:
            document = json.loads((folder / "lists.json").read_text())
            with np.load(folder / "lists.npz", allow_pickle=False) as arrays:
                centroids, list_of, row_of = (arrays[n] for n in ("centroids", "list_of", "row_of"))
                units = np.zeros((len(row_of), exact.units.shape[1]), dtype=np.float32)
                units[row_of < 0] = arrays["gone"]
            if document["version"] != _VERSION or len(list_of) != len(row_of):
                raise ModelError(f"{folder}: lists of another version, or of other items")
            if len(row_of) and (row_of.min() < -1 or row_of.max() >= len(exact)):
                raise ModelError(f"{folder}: the lists name items that the index does not hold")
            if len(list_of) and (list_of.min() < 0 or list_of.max() >= len(centroids)):
                raise ModelError(f"{folder}: the lists do not fit their centroids")
            units[row_of >= 0] = exact.units[row_of[row_of >= 0]]
            return cls(
                exact, centroids, list_of, row_of, int(document["read"]), _filled(centroids, list_of, units),
                units,
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder}: the lists cannot be read: {error}; build the index again") from error


def quickest(exact: VectorIndex) -> VectorIndex | IvfIndex:
    """IVF index if the index is large enough and faiss is installed, else the exact index."""
    if len(exact) < PAYS_FROM:
        return exact
    try:
        return IvfIndex.of(exact)
    except MissingExtraError:
        return exact  # slower, with full recall


def _filled(centroids: NDArray[np.float32], list_of: NDArray[np.int64], units: NDArray[np.float32]) -> Any:
    """The faiss index rebuilt from centroids, lists and vectors."""
    faiss = _module()
    count, width = centroids.shape
    quantiser = faiss.IndexFlatIP(width)
    quantiser.add(np.ascontiguousarray(centroids))
    index = faiss.IndexIVFScalarQuantizer(
        quantiser, width, count, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, False
    )
    units = np.ascontiguousarray(units, dtype=np.float32)
    index.train(units[: count * _TRAIN])
    pointer, places = faiss.swig_ptr, np.ascontiguousarray(list_of, dtype=np.int64)
    index.add_core(len(units), pointer(units), None, pointer(places))
    return index


def _lists_needed(index: IvfIndex, recall: float, rng: np.random.Generator) -> int:
    rows = rng.permutation(len(index))[:_PROBES].tolist()
    truth = [{n.id for n in index.exact.nearest(index.exact.units[r], 10)} for r in rows]
    read = 1
    while read < len(index.centroids):
        some = replace(index, read=read)
        found = [{n.id for n in some.nearest(index.exact.units[r], 10)} for r in rows]
        kept = sum(len(a & b) for a, b in zip(found, truth, strict=True))
        if kept >= recall * sum(len(t) for t in truth):
            break
        read *= 2
    return min(read, len(index.centroids))


def _module() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError(
            "an index of lists needs faiss: pip install 'troubadour[faiss]'; the exact index works without it"
        ) from error
    return faiss
