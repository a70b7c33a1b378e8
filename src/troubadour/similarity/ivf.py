"""Approximate nearest neighbours through inverted lists, for catalogues where exact search is slow.

Vectors are put into lists by their nearest centroid (Jegou, Douze & Schmid 2011, in faiss), held in 8 bits
each, and only the lists nearest to a query are read; what is found is compared anew with the whole
vectors. How many lists are read is measured when the index is made, on its own vectors. Under a filter
that lets few items through the exact index answers, since lists would lose neighbours silently.
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
"""Items from which lists are quicker than comparing all (see the benchmark)."""
_SELECTIVE: Final = 0.1
"""A filter that lets no larger share through is answered exactly: lists would lose neighbours."""
_STALE: Final = 0.1
"""Share of items that may have come or gone before the lists are made anew."""
_RESCORED: Final = 8
"""Candidates compared anew for each neighbour asked for."""
_TRAIN: Final = 64
"""Vectors that a centroid is learnt from."""
_ASKED: Final = 200
"""Own vectors on which the number of lists to read is measured."""
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class IvfIndex:
    """An exact index with inverted lists beside it. Immutable: changes return a new index."""

    exact: VectorIndex
    """The truth: all vectors, ids and facts."""
    centroids: NDArray[np.float32]
    """Shape (lists, d)."""
    list_of: NDArray[np.int64]
    """List of each item that was there when the lists were made, shape (m,)."""
    row_of: NDArray[np.int64]
    """Row of each of those items in `exact` now, -1 = gone or changed, shape (m,)."""
    read: int
    """Lists that a query reads."""
    _faiss: Any = field(repr=False)
    _units: NDArray[np.float32] = field(repr=False)
    """Vectors that the lists were made of, shape (m, d)."""
    fresh: NDArray[np.int64] = field(init=False, repr=False)
    """Rows of `exact` that are in no list, since they came later."""

    def __post_init__(self) -> None:
        listed = np.zeros(len(self.exact), dtype=bool)
        listed[self.row_of[self.row_of >= 0]] = True
        object.__setattr__(self, "fresh", np.flatnonzero(~listed))

    @classmethod
    def of(cls, exact: VectorIndex, recall: float = 0.98, seed: int = 0) -> Self:
        """Make lists for an exact index; 17 s for 200,000 vectors of 128.

        Args:
            recall: at 10, on the index's own vectors; as many lists are read as that takes.
            seed: of the centroids.

        Raises:
            InputError: fewer than 1,000 vectors, or a recall that is none.
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
        """As `VectorIndex.nearest`, which answers itself where a filter lets few items through.

        Items that came after the lists were made are always compared.

        Raises:
            InputError: k, the vector's width or a fact's name is not acceptable.
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
        """Rows of `exact` that the lists offer."""
        faiss = _module()
        read = self.read
        options: dict[str, Any] = {}
        if allowed is not None or len(self.fresh) or len(self.row_of) > len(self):
            passed = self.row_of >= 0
            if allowed is not None:
                passed &= allowed[self.row_of]
                # Neighbours that a filter leaves lie in as many more lists as it takes items away.
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
        """The unit vector of an item, shape (d,).

        Raises:
            NotFoundError: it is not in the index.
        """
        return self.exact.vector(item)

    def updated(self, ids: Sequence[str], vectors: ArrayLike, facts: Sequence[Facts] = ()) -> Self:
        """With items added, or put in the place of those of the same id.

        Raises:
            InputError: as `VectorIndex.updated`.
        """
        return self._moved(self.exact.updated(ids, vectors, facts), set(ids))

    def without(self, ids: Sequence[str]) -> Self:
        """Without some items; unknown ids are ignored."""
        return self._moved(self.exact.without(ids), set(ids))

    def _moved(self, exact: VectorIndex, changed: set[str]) -> Self:
        # An item that changed keeps its place in the lists under its old vector: it counts as gone there.
        row_of = np.full(len(self.row_of), -1, dtype=np.int64)
        for place, row in enumerate(self.row_of.tolist()):
            if row >= 0 and (one := self.exact.ids[row]) not in changed:
                row_of[place] = exact.row(one)
        moved = replace(self, exact=exact, row_of=row_of)
        stale = len(moved.fresh) + int((row_of < 0).sum())
        return type(self).of(exact) if stale > _STALE * len(row_of) and len(exact) >= 1000 else moved

    def save(self, folder: Path) -> None:
        """Write the exact index and `lists.json` with `lists.npz` into a folder."""
        self.exact.save(folder)
        (folder / "lists.json").write_text(json.dumps({"version": _VERSION, "read": self.read}))
        # Only what the exact index does not hold: the lists' contents follow from it.
        gone = self._units[self.row_of < 0]
        np.savez(
            folder / "lists.npz", allow_pickle=False, centroids=self.centroids, list_of=self.list_of,
            row_of=self.row_of, gone=gone,
        )  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: it is missing, damaged or of another version.
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
            raise ModelError(f"{folder}: no lists can be read there: {error}") from error


def quickest(exact: VectorIndex) -> VectorIndex | IvfIndex:
    """The index to search with: lists where they pay and faiss is installed, else the exact one."""
    if len(exact) < PAYS_FROM:
        return exact
    try:
        return IvfIndex.of(exact)
    except MissingExtraError:
        return exact  # slower, never worse


def _filled(centroids: NDArray[np.float32], list_of: NDArray[np.int64], units: NDArray[np.float32]) -> Any:
    """The faiss index that follows from the centroids and the lists."""
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
    rows = rng.permutation(len(index))[:_ASKED].tolist()
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
            "an index of lists needs faiss: pip install 'troubadour[faiss]'; the exact index needs nothing"
        ) from error
    return faiss
