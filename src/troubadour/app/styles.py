"""Style model of a catalogue: fitting and storage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from troubadour.analysis.style import StyleModel
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError
from troubadour.core.threads import one_thread
from troubadour.releases.store import load_state, save_state


def fit_styles(store: Store, seed: int = 0) -> StyleModel | None:
    """Fit a style model on the catalogue's labels; None if there are too few."""
    rows = [p for p in store.pieces(generated=False, medium="score") if p.style and p.split != "test"]
    try:
        with one_thread():
            return StyleModel.fit(
                store.scores([p.id for p in rows]),
                [p.style for p in rows],
                [p.work for p in rows],
                np.random.default_rng(seed),
            )
    except InputError:
        return None  # the analysis report states why there is no style


def save_styles(folder: Path, model: StyleModel) -> None:
    """Write a style model as `style.json` and `style.npz`."""
    save_state(folder, "style", model.state())


def load_styles(folder: Path) -> StyleModel:
    """Read a style model that `save_styles` wrote.

    Raises:
        ModelError: the files are damaged or of another version.
    """
    return load_state(folder, "style", StyleModel.from_state, "model of styles")
