"""Audio embedding: a small convolutional network over MFCCs, run with NumPy.

Trained without labels on pairs of excerpts of one piece (`sound_training.py`). Two convolutions over
time have a receptive field of half a second. Mean and standard deviation of their output over the
excerpt are projected to 64 dimensions by one matrix.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError, ModelError

WEIGHTS: Final = "encoder.npz"
DOCUMENT: Final = "encoder.json"
WIDTH: Final = 64
KERNEL: Final = 5
STRIDE: Final = 2
LEAST_FRAMES: Final = 20
ARRAYS: Final = (
    "mean", "scale", "first", "first_bias", "second", "second_bias", "out", "out_bias",
)  # fmt: skip

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SoundEncoder:
    """Network that maps the MFCCs of an excerpt to a unit vector."""

    name: str
    """Name of the training run; embeddings of two encoders are not comparable."""
    weights: dict[str, Floats]
    notes: dict[str, Any]
    """Training data and settings."""

    @classmethod
    def shipped(cls) -> Self | None:
        """Encoder that is installed with the package; None if the installation has none."""
        with as_file(files("troubadour") / "data" / "models" / "sound") as folder:
            return cls.load(folder) if (folder / WEIGHTS).is_file() else None

    @classmethod
    def found(cls, own: Path | None = None) -> Self | None:
        """Encoder in the home's own folder, else the installed one; None without either.

        Raises:
            ModelError: the home's own encoder cannot be read.
        """
        return cls.load(own) if own is not None and (own / WEIGHTS).is_file() else cls.shipped()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an encoder from a folder.

        Raises:
            ModelError: the files are missing, damaged, or of another shape.
        """
        try:
            document = json.loads((folder / DOCUMENT).read_text())
            with np.load(folder / WEIGHTS, allow_pickle=False) as arrays:
                weights = {name: arrays[name].astype(np.float32) for name in ARRAYS}
            name = str(document["name"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{folder}: the audio encoder cannot be read: {error}; train it again"
            ) from error
        if not all(np.isfinite(w).all() for w in weights.values()):
            raise ModelError(f"{folder}: the encoder's weights hold NaN; train it again")
        if weights["out"].shape[0] != 2 * weights["second"].shape[0]:
            raise ModelError(f"{folder}: the encoder's arrays do not fit each other; train it again")
        return cls(name, weights, document)

    def save(self, folder: Path) -> None:
        """Write the weights as npz and the notes as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / DOCUMENT).write_text(json.dumps({**self.notes, "name": self.name}, indent=1) + "\n")
        np.savez(folder / WEIGHTS, allow_pickle=False, **self.weights)

    def embed(self, frames: Floats) -> Floats:
        """Embedding of an excerpt, unit vector of shape (WIDTH,), float32. Takes 4 ms for 25 s of audio.

        Args:
            frames: MFCCs from `audio.dsp.spectrum.mfcc`, shape (n, 20), n at least `LEAST_FRAMES`.

        Raises:
            InputError: n is too small, or a value is NaN.
        """
        if len(frames) < LEAST_FRAMES or not np.isfinite(frames).all():
            raise InputError(
                f"{len(frames)} frames of MFCCs; at least {LEAST_FRAMES}, all finite, are needed"
            )
        w = self.weights
        hidden = (frames - w["mean"]) / w["scale"]
        hidden = np.maximum(_convolve(hidden, w["first"]) + w["first_bias"], 0)
        hidden = np.maximum(_convolve(hidden, w["second"]) + w["second_bias"], 0)
        pooled = np.concatenate([hidden.mean(axis=0), np.sqrt(hidden.var(axis=0) + 1e-6)])
        out = pooled @ w["out"] + w["out_bias"]
        return np.asarray(out / max(float(np.linalg.norm(out)), 1e-9), dtype=np.float32)


def _convolve(frames: Floats, kernel: Floats) -> Floats:
    """Convolution of stride 2 without padding: (n, c_in), (c_out, c_in, width) -> (m, c_out)."""
    windows = np.lib.stride_tricks.sliding_window_view(frames, kernel.shape[2], axis=0)[::STRIDE]
    flat = windows.reshape(len(windows), -1)  # (m, c_in * width)
    return np.asarray(flat @ kernel.reshape(len(kernel), -1).T, dtype=np.float32)
