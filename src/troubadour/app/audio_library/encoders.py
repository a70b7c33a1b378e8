"""Folder of the audio encoder that is trained on a home's own catalogue."""

from __future__ import annotations

from pathlib import Path

from troubadour.catalogue.store import Store


def encoder_folder(store: Store) -> Path:
    """Path of the folder; it need not exist."""
    return store.path.parent / "models" / "sound"
