"""Storage of the recommender and of the originality corpus as parts of a release."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from troubadour.catalogue.store import PieceRow
from troubadour.core.errors import ModelError
from troubadour.generation.originality import Corpus
from troubadour.interactions.names import artist_key
from troubadour.recommenders.slate.item_info import ItemInfo
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.releases.store import load_state, save_state


def info_of(piece: PieceRow) -> ItemInfo:
    """Item information of a catalogue piece, as the recommender uses it."""
    artist = piece.display_artist
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
    """Write a ranker as `ranker.json` and `ranker.npz`."""
    save_state(folder, "ranker", ranker.state())


def load_ranker(folder: Path) -> Ranker:
    """Read a ranker that `save_ranker` wrote.

    Raises:
        ModelError: the files are damaged or of another version.
    """
    return load_state(folder, "ranker", Ranker.from_state, "recommender")


def save_corpus(folder: Path, corpus: Corpus) -> None:
    """Write the originality corpus as `corpus.npz`."""
    np.savez(folder / "corpus.npz", allow_pickle=False, **corpus.state())


def load_corpus(folder: Path) -> Corpus:
    """Read a corpus that `save_corpus` wrote.

    Raises:
        ModelError: the file is damaged.
    """
    try:
        with np.load(folder / "corpus.npz", allow_pickle=False) as arrays:
            return Corpus.from_state(dict(arrays))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{folder}: the originality corpus cannot be read: {error}; train again, or go back with `Releases.rollback()`"
        ) from error
