"""The parts of a release on disk: the recommender and the originality corpus, and what they know of a piece."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from troubadour.catalogue.store import PieceRow
from troubadour.composers.originality import Corpus
from troubadour.errors import ModelError
from troubadour.listening.names import artist_key
from troubadour.recommenders.info import ItemInfo
from troubadour.recommenders.rank import Ranker
from troubadour.rights import artist_of


def info_of(piece: PieceRow) -> ItemInfo:
    """What the recommender needs to know of a piece."""
    artist = artist_of(piece)
    return ItemInfo(
        piece.title,
        piece.work,
        artist or piece.collection,
        {**piece.attributes, "style": piece.style},
        piece.generated,
        piece.explicit,
        artist if artist_key(artist) else "",
    )


def save_ranker(folder: Path, ranker: Ranker) -> None:
    """Write a ranker as JSON and arrays."""
    spec, arrays = ranker.state()
    (folder / "ranker.json").write_text(json.dumps(spec))
    np.savez(folder / "ranker.npz", allow_pickle=False, **arrays)


def load_ranker(folder: Path) -> Ranker:
    """Read what `save_ranker` wrote.

    Raises:
        ModelError: it is damaged or of another version.
    """
    try:
        spec = json.loads((folder / "ranker.json").read_text())
        with np.load(folder / "ranker.npz", allow_pickle=False) as arrays:
            return Ranker.from_state(spec, dict(arrays))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no recommender can be read there: {error}") from error


def save_corpus(folder: Path, corpus: Corpus) -> None:
    """Write the originality corpus."""
    np.savez(folder / "corpus.npz", allow_pickle=False, **corpus.state())


def load_corpus(folder: Path) -> Corpus:
    """Read what `save_corpus` wrote.

    Raises:
        ModelError: it is damaged.
    """
    try:
        with np.load(folder / "corpus.npz", allow_pickle=False) as arrays:
            return Corpus.from_state(dict(arrays))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder}: no corpus can be read there: {error}") from error
