"""Hummed, whistled, sung or played melodies as queries for melody search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from troubadour.audio.dsp.sung_notes import SungNotes, in_tune
from troubadour.core.errors import InputError
from troubadour.music.theory.names import note_name
from troubadour.similarity.melody_search.lines import LEAST_NOTES, Skyline

LONGEST_SECONDS: Final = 60.0
"""Longer recordings are cut to their middle."""
READINGS: Final = (0.1, 0.5)
"""Adaptation rates of the tuning (`sung_notes.in_tune`): for a stable and for a drifting tuning."""


@dataclass(frozen=True, slots=True, eq=False)
class HummedQuery:
    """Notes transcribed from a monophonic recording."""

    notes: SungNotes
    seconds: float
    """Duration of the whole recording."""
    warnings: tuple[str, ...]

    def queries(self) -> list[Skyline]:
        """Skylines to search for: one for each distinct rounding of the pitches to semitones.

        There is usually one, and two if the tuning drifts.

        Raises:
            InputError: fewer than four notes were found.
        """
        if len(self.notes) < LEAST_NOTES:
            raise InputError(
                f"{len(self.notes)} notes heard in {self.seconds:.1f} s; at least {LEAST_NOTES} are needed. Sing, "
                "whistle or play one line alone, near to the microphone"
            )
        found: dict[tuple[int, ...], Skyline] = {}
        for follow in READINGS:
            sung = np.clip(in_tune(self.notes, follow), 0, 127)
            pitch = np.rint(sung).astype(np.int16)
            # Quarters at 120 beats per minute: the search is invariant to tempo.
            onset, bar = 2 * self.notes.onset, np.ones(len(pitch), dtype=np.int32)
            line = Skyline(pitch, onset, bar, astray=(sung - pitch).astype(np.float32))
            found.setdefault(tuple(pitch.tolist()), line)
        return list(found.values())

    def names(self) -> list[str]:
        """Note names, such as `F#4`."""
        return [note_name(p) for p in np.rint(in_tune(self.notes, READINGS[0])).astype(int).tolist()]

    def to_dict(self) -> dict[str, Any]:
        """Notes and warnings, for JSON."""
        rows = zip(self.names(), self.notes.pitch, self.notes.onset, self.notes.seconds, strict=True)
        return {
            "seconds": round(self.seconds, 2),
            "tuning_cents": round(self.notes.tuning_cents),
            "notes": [
                {"name": name, "pitch": round(p, 2), "onset_seconds": round(o, 2), "seconds": round(s, 2)}
                for name, p, o, s in rows
            ],
            "warnings": list(self.warnings),
        }
