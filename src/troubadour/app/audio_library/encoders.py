"""Where a home keeps the encoder of sound that was trained on its own catalogue."""

from __future__ import annotations

from pathlib import Path

from troubadour.catalogue.store import Store


def encoder_folder(store: Store) -> Path:
    """The folder; it need not exist."""
    return store.path.parent / "models" / "sound"
