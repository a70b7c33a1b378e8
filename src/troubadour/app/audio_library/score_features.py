"""What scores sound like when the renderer plays them, so that every piece stands in one space of sound."""

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
    """What a round of measuring did."""

    added: int
    known: int
    """Had sounds before."""
    left: int
    """Still have none."""
    failed: tuple[tuple[str, str], ...]
    """(piece, cause)."""


def measure_scores(
    store: Store,
    workers: Workers,
    *,
    limit: int | None = None,
    soundfont: Path | None = None,
    progress: Progress | None = None,
) -> Measured:
    """Measure recordings, and the first 25 s of pieces with notes, played, that have no sound yet.

    A sound of another version or encoder counts as none.

    About half a second a piece and worker. Each is stored when it is done: killed and started again,
    it goes on where it was. Pieces in an even spread over the catalogue come first, so that a limit
    does not take one collection alone.

    Raises:
        InputError: limit is not positive.
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
    """Request to a worker: the opening of a piece with notes."""
    midi = write_midi(opening(store.score(piece), EXCERPT_SECONDS))
    return {"midi": base64.b64encode(midi).decode(), "soundfont": soundfont}


def opening(score: Score, seconds: float) -> Score:
    """The notes that start in the first seconds; all of a shorter score."""
    inside = score.seconds_at(score.onset) < seconds
    return score.where(inside) if inside.any() and not inside.all() else score
