"""Note segmentation of a pitch track: onset, duration and pitch of each sung note.

Sung pitch has glides, vibrato and drift. The notes are the best piecewise constant fit with a cost per
step (a hidden Markov model of notes, simpler than that of Mauch et al., 2015). Vibrato and glides stay
within a note; the pitch of a note is its median.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.audio.dsp.pitch import PitchTrack, track_pitch
from troubadour.audio.sound import Sound

_STEP: Final = 0.25
"""Resolution of note pitches in semitones."""
_SPREAD: Final = 0.5
"""Standard deviation of the sung pitch around its note, in semitones."""
_MOST_COST: Final = 2.0
"""Upper limit of a frame's cost, for glides and tracking errors."""
_NEW_NOTE_COST: Final = (8.0, 22.0)
"""Cost of a new note: for a steady pitch, and for one that moves by `_MOVING` semitones per frame."""
_MOVING: Final = 0.05
_LEAST_SECONDS: Final = 0.05
_BREATH_SECONDS: Final = 0.04
"""Shorter gaps are consonants within a note, not rests."""
_RISE_DB: Final = (2.5, 5.0)
"""Rise in level that starts a new note on the same pitch: for a steady and for a moving pitch."""
_RISE_FRAMES: Final = 5
_BEFORE_FRAMES: Final = 8
_CORE: Final = (0.35, 0.9)
"""Part of a note used for its pitch: singers glide at the start more than at the end."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SungNotes:
    """Notes of a sung melody, in order."""

    pitch: Floats
    """MIDI pitch with fractions, shape (n,)."""
    onset: Floats
    """Onsets in seconds from the start, ascending, shape (n,)."""
    seconds: Floats
    """Durations in seconds, shape (n,)."""

    def __len__(self) -> int:
        return len(self.pitch)

    @property
    def tuning_cents(self) -> float:
        """Mean tuning offset of the notes from A4 = 440 Hz in cents, -50 to 50."""
        return 100 * _tuning(self.pitch, self.seconds)


def sung_notes(sound: Sound) -> SungNotes:
    """Transcribe a monophonic recording; about 15 times faster than real time.

    Raises:
        InputError: the sound is silent or too short.
    """
    return notes_of(track_pitch(sound.mono()))


def notes_of(track: PitchTrack) -> SungNotes:
    """Segment a pitch track into notes; empty for an unvoiced track."""
    found: list[tuple[int, int]] = []
    moving = _moving(track.pitch)
    cost = _NEW_NOTE_COST[0] + moving * (_NEW_NOTE_COST[1] - _NEW_NOTE_COST[0])
    starts = _attacks(track, _RISE_DB[0] + moving * (_RISE_DB[1] - _RISE_DB[0]))
    for first, last in _phrases(np.isfinite(track.pitch), track.hop_seconds):
        edges = _steps(track.pitch[first:last], cost) + first
        inside = starts[(starts > first) & (starts < last)]
        # An attack near a pitch change belongs to that change.
        lone = [s for s in inside.tolist() if not len(edges) or np.abs(edges - s).min() > _BEFORE_FRAMES]
        edges = np.unique([first, *edges.tolist(), *lone, last])
        found += list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    least = _LEAST_SECONDS / track.hop_seconds
    kept = [(a, b) for a, b in found if b - a >= least]
    return SungNotes(
        np.array([_height(track.pitch[a:b]) for a, b in kept]),
        np.array([a * track.hop_seconds for a, _ in kept]),
        np.array([(b - a) * track.hop_seconds for a, b in kept]),
    )


def in_tune(notes: SungNotes, follow: float) -> Floats:
    """Pitches corrected for a tuning that may drift, near whole semitones, shape (n,).

    Args:
        notes: the transcribed notes.
        follow: adaptation rate of the tuning, 0 to 1: 0 = fixed tuning, 1 = each note is measured relative
            to the previous one.
    """
    out = np.zeros(len(notes))
    off = _tuning(notes.pitch, notes.seconds)
    for i, pitch in enumerate(notes.pitch.tolist()):
        out[i] = pitch - off
        off += follow * (out[i] - round(out[i]))
    return out


def _phrases(sung: NDArray[np.bool_], hop: float) -> list[tuple[int, int]]:
    """Voiced segments as frame ranges, with short gaps closed."""
    edge = np.flatnonzero(np.diff(np.concatenate([[False], sung, [False]]).astype(np.int8)))
    pairs: list[tuple[int, int]] = []
    for first, last in zip(edge[::2].tolist(), edge[1::2].tolist(), strict=True):
        if pairs and (first - pairs[-1][1]) * hop < _BREATH_SECONDS:
            pairs[-1] = (pairs[-1][0], last)
        else:
            pairs.append((first, last))
    return pairs


def _moving(pitch: Floats) -> float:
    """Instability of the pitch, 0 (steady instrument) to 1 (voice with vibrato); it reduces the detection of short notes."""
    moves = np.abs(np.diff(pitch))
    moves = moves[np.isfinite(moves)]
    return min(float(np.median(moves)) / _MOVING, 1.0) if len(moves) else 1.0


def _steps(pitch: Floats, step_cost: float) -> NDArray[np.int64]:
    """Frames of a phrase where the pitch steps to another note, ascending."""
    known = np.where(np.isfinite(pitch), pitch, np.nan)
    low, high = float(np.nanmin(known)) - 1, float(np.nanmax(known)) + 1
    heights = np.arange(low, high + _STEP, _STEP)
    apart = (known[:, None] - heights) / _SPREAD
    cost = np.minimum(np.nan_to_num(0.5 * np.square(apart), nan=0.0), _MOST_COST)
    total, stayed = cost[0], np.zeros(cost.shape, dtype=bool)
    came = np.zeros(len(cost), dtype=np.int64)
    for i in range(1, len(cost)):
        came[i] = int(total.argmin())
        leap = float(total[came[i]]) + step_cost
        stayed[i] = total <= leap
        total = np.minimum(total, leap) + cost[i]
    edges: list[int] = []
    at = int(total.argmin())
    for i in range(len(cost) - 1, 0, -1):
        if not stayed[i, at]:
            edges.append(i)
            at = int(came[i])
    return np.array(edges[::-1], dtype=np.int64)


def _attacks(track: PitchTrack, least_db: float) -> NDArray[np.int64]:
    """Frames where the level rises sharply, ascending."""
    level = track.level_db
    if len(level) <= 2 * _RISE_FRAMES:
        return np.zeros(0, dtype=np.int64)
    rise = np.zeros(len(level))
    rise[:-_RISE_FRAMES] = level[_RISE_FRAMES:] - level[:-_RISE_FRAMES]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(rise, _BEFORE_FRAMES), 2 * _BEFORE_FRAMES + 1)
    peaks = np.flatnonzero((rise >= least_db) & (rise >= around.max(axis=1)))
    return np.asarray(peaks + _RISE_FRAMES // 2)


def _height(pitch: Floats) -> float:
    """Median pitch of a note without its ends."""
    known = pitch[np.isfinite(pitch)]
    first, last = (int(share * len(known)) for share in _CORE)
    return float(np.median(known[first : max(last, first + 1)]))


def _tuning(pitch: Floats, seconds: Floats) -> float:
    """Circular mean of the deviation from whole semitones, weighted by duration, -0.5 to 0.5."""
    if not len(pitch):
        return 0.0
    return float(np.angle(np.sum(seconds * np.exp(2j * np.pi * pitch))) / (2 * np.pi))
