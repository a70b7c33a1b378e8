"""Training of the audio encoder on a catalogue's own audio, without labels."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

import numpy as np

from troubadour.app.audio_library.encoders import encoder_folder
from troubadour.app.audio_library.pool import Workers
from troubadour.app.audio_library.score_features import to_play
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError, MissingExtraError
from troubadour.core.progress import Progress

PIECES: Final = 600
"""Default number of training pieces; more cost time and improve little."""
_FEWEST: Final = 20


def train_sound(
    store: Store,
    workers: Workers,
    *,
    pieces: int = PIECES,
    steps: int = 1500,
    seed: int = 0,
    soundfont: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train the home's own encoder. Measure the features again afterwards to get its embeddings.

    Recordings come first, then rendered scores: about half a second per piece and worker, and a minute of
    training (`sound_training`). Needs torch.

    Args:
        store: the catalogue.
        workers: processes that measure.
        pieces: largest number of training pieces, drawn at random.
        steps: training steps.
        seed: of the random choices.
        soundfont: `.sf2` file for rendering.
        progress: callback.

    Returns:
        `encoder` (its name), `pieces` used, `failed`, `folder`.

    Raises:
        InputError: fewer than 20 pieces can be heard.
        MissingExtraError: torch is not installed.
    """
    try:
        from troubadour.similarity.sound_training import EncoderOptions, train_encoder
    except ImportError as error:
        raise MissingExtraError("training needs torch: pip install 'troubadour[train]'") from error

    rng = np.random.default_rng(seed)
    files = sorted(
        (f.piece, f.path) for f in store.sounds.files().values() if f.piece and Path(f.path).is_file()
    )
    scores = store.piece_ids(medium="score")
    chosen: list[tuple[str, str]] = [files[i] for i in rng.permutation(len(files))[:pieces].tolist()]
    chosen += [(scores[i], "") for i in rng.permutation(len(scores))[: pieces - len(chosen)].tolist()]
    font = str(soundfont.resolve()) if soundfont else None

    def request(task: tuple[str, str]) -> dict[str, Any]:
        piece, path = task
        return {**({"path": path} if path else to_play(store, piece, font)), "frames": True}

    heard: list[tuple[str, Any]] = []
    failed = 0
    for done, ((piece, _), found) in enumerate(workers.run(chosen, request), start=1):
        if "cause" in found:
            failed += 1
        else:
            flat = np.frombuffer(base64.b64decode(found["frames"]), dtype="<f4")
            heard.append((piece, flat.reshape(-1, found["coefficients"]).astype(np.float32)))
        if progress:
            progress("listen", done, len(chosen))
    if len(heard) < _FEWEST:
        raise InputError(
            f"{len(heard)} pieces can be heard; at least {_FEWEST} are needed: import more music"
        )
    heard.sort(key=lambda one: one[0])  # independent of the workers' speed
    options = EncoderOptions(steps=steps, seed=seed)
    notes = {"pieces": len(heard), "recordings": len(files), "steps": steps, "seed": seed}
    encoder = train_encoder([f for _, f in heard], options, notes, progress)
    folder = encoder_folder(store)
    encoder.save(folder)
    return {"encoder": encoder.name, "pieces": len(heard), "failed": failed, "folder": str(folder)}
