"""Audio features of scores, rendered by the synthesiser, in the same feature space as recordings."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from troubadour.app.audio_library.encoders import encoder_folder
from troubadour.app.audio_library.importing import sound_row
from troubadour.app.audio_library.pool import Workers
from troubadour.audio.describe import VERSION
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError
from troubadour.core.progress import Progress
from troubadour.formats.midi import write_midi
from troubadour.music.score import Score
from troubadour.similarity.encoder import SoundEncoder

EXCERPT_SECONDS: Final = 25.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Result of one measuring run."""

    added: int
    known: int
    """Pieces measured before."""
    left: int
    """Pieces still without features."""
    failed: tuple[tuple[str, str], ...]
    """Pairs of piece id and cause."""


def measure_scores(
    store: Store,
    workers: Workers,
    *,
    limit: int | None = None,
    soundfont: Path | None = None,
    progress: Progress | None = None,
) -> Measured:
    """Measure all pieces without audio features: recordings, and the first 25 s of rendered scores.

    Features of another version or encoder count as missing. Takes about half a second per piece and worker.
    Each result is stored at once, so an interrupted run continues where it stopped. The order is a random
    permutation of the catalogue, so that `limit` pieces are spread over all collections.

    Args:
        store: the catalogue.
        workers: processes that measure.
        limit: largest number of pieces to measure, 1 or more.
        soundfont: `.sf2` file for rendering.
        progress: callback, called after each piece.

    Raises:
        InputError: limit is below 1.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}; allowed: 1 and above")
    workers = replace(workers, encoder=encoder_folder(store))
    encoder = SoundEncoder.found(workers.encoder)
    known = store.sounds.known(VERSION, encoder.name if encoder else "")
    files = {f.piece: f.path for f in store.sounds.files().values() if f.piece and Path(f.path).is_file()}
    ids = [*sorted(files), *store.piece_ids(medium="score")]
    order = np.random.default_rng(0).permutation(len(ids))
    missing = [ids[i] for i in order.tolist() if ids[i] not in known]
    chosen = missing[:limit]
    font = str(soundfont.resolve()) if soundfont else None

    added, failed = 0, list[tuple[str, str]]()
    for done, (piece, found) in enumerate(
        workers.run(chosen, lambda p: {"path": files[p]} if p in files else to_play(store, p, font)), start=1
    ):
        if "cause" in found:
            failed.append((piece, found["cause"]))
        else:
            store.sounds.put(sound_row(piece, "recording" if piece in files else "rendered", found))
            added += 1
        if progress:
            progress("Measuring", done, len(chosen))
    return Measured(added, len(ids) - len(missing), len(missing) - added, tuple(failed))


def to_play(store: Store, piece: str, soundfont: str | None) -> dict[str, Any]:
    """Worker request for the opening of a score."""
    midi = write_midi(opening(store.score(piece), EXCERPT_SECONDS))
    return {"midi": base64.b64encode(midi).decode(), "soundfont": soundfont}


def opening(score: Score, seconds: float) -> Score:
    """Notes that start in the first `seconds`; all notes of a shorter score."""
    inside = score.seconds_at(score.onset) < seconds
    return score.where(inside) if inside.any() and not inside.all() else score
