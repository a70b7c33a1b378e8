"""Insertion of composed notes into the given piece, which does not change otherwise.

New notes get the onsets and lengths of the grid in the ticks of the given piece, and the velocities of the
notes around them. A composed note at the same place and of the same length as a given note stands for the
given note.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.generation.tasks.tracks import GAP, OVERLAP
from troubadour.music.exact import note_places
from troubadour.music.marks import WHOLE, MarkKind
from troubadour.music.quantise import TICKS_PER_QUARTER, VELOCITY_LEVELS, nearest
from troubadour.music.score import Score

NEW: Final = -1
"""Value in a map of tracks: a new track."""
KEPT: Final = -2
"""Value in a map of tracks: a copy of given notes, which is ignored."""
_NEIGHBOURS: Final = 4
"""Number of nearest notes whose mean velocity a new note gets."""
_DEFAULT_VELOCITY: Final = 80
"""Velocity in a new track that stands for the velocity of the given notes."""
_ON_NOTES: Final = frozenset({
    MarkKind.LYRIC, MarkKind.ARTICULATION, MarkKind.ORNAMENT, MarkKind.TECHNICAL, MarkKind.FERMATA,
    MarkKind.GRACE, MarkKind.SLUR, MarkKind.STAFF, MarkKind.RELEASE,
    MarkKind.INSTANT,
})  # fmt: skip
"""Kinds of marks that are removed when all notes at their tick are removed."""
Places = set[tuple[int, int, int]]
"""Notes as (onset, pitch, track) on the grid."""


def splice(
    given: Score,
    grid: Score,
    composed: Score,
    tracks: Sequence[int] | None = None,
    removed: Places | frozenset[tuple[int, int, int]] = frozenset(),
    same_timing: bool = False,
) -> Score:
    """The given piece with the new notes of a composed piece.

    Args:
        given: the given piece at its own resolution.
        grid: the given piece, quantised.
        composed: the composed piece, quantised, with the bars of `grid`.
        tracks: track of `grid` for each track of `composed`, or `NEW` or `KEPT`; `None` = the same tracks.
            Entries beyond the tracks of `composed` are ignored.
        removed: notes of `grid` to remove, in addition to those that a track of `composed` lacks.
        same_timing: whether a new note gets the exact onset, length and velocity of the note it replaces.
    """
    tracks = range(len(composed.tracks)) if tracks is None else tracks[: len(composed.tracks)]
    exact_track = np.unique(given.track).tolist()  # of each track of the grid
    there = {(row[0], row[2], row[4]): row[1] for row in grid.notes().tolist()}
    out: Places = set(removed)
    new_notes: list[
        tuple[int, int, int, int, int]
    ] = []  # onset, length, pitch, velocity, track of `composed`
    for index, target in enumerate(tracks):
        rows = composed.notes()[composed.track == index].tolist()
        if target >= 0:
            mine = {(r[0], r[2], target) for r in rows if _as_long(r[1], there.get((r[0], r[2], target)))}
            out |= {place for place in there if place[2] == target} - mine
            rows = [r for r in rows if (r[0], r[2], target) not in mine]
        if target != KEPT:
            new_notes += [(r[0], r[1], r[2], r[3], index) for r in rows]
    places = note_places(given)
    is_removed = np.array([tuple(row) in out for row in places.tolist()], dtype=bool).reshape(-1)
    kept = _without(given, is_removed)
    # New tracks come after all given ones.
    added = [index for index, target in enumerate(tracks) if target == NEW]
    place_of = {index: len(given.tracks) + i for i, index in enumerate(added)}
    place_of |= {i: exact_track[target] for i, target in enumerate(tracks) if target >= 0}
    new = _rows(given, kept, new_notes, place_of, (places, is_removed) if same_timing else None)
    return kept.replace(
        **{
            name: np.concatenate([getattr(kept, name), column])
            for name, column in zip(("onset", "duration", "pitch", "velocity", "track"), new.T, strict=True)
        },
        tracks=(*given.tracks, *(composed.tracks[index] for index in added)),
    )


def _as_long(composed: int, given: int | None) -> bool:
    """Whether a composed length equals a given length within the tolerances of `simplified`."""
    return given is not None and abs(composed - given) <= max(GAP, OVERLAP * max(composed, given))


def _without(score: Score, is_removed: NDArray[np.bool_]) -> Score:
    """The score without some notes, and without the marks at ticks where a track has no note left.

    Args:
        score: any score.
        is_removed: shape (n_notes,), bool.
    """
    if not is_removed.any():
        return score
    marks = score.marks
    if marks:
        kept_places = set(
            zip(score.onset[~is_removed].tolist(), score.track[~is_removed].tolist(), strict=True)
        )
        empty_places = (
            set(zip(score.onset[is_removed].tolist(), score.track[is_removed].tolist(), strict=True))
            - kept_places
        )
        marks = tuple(
            m
            for m in marks
            if m.kind not in _ON_NOTES
            or m.track == WHOLE
            or (m.tick, m.track) not in empty_places
            or _default(m.kind, m.pitch)
        )
    return score.replace(marks=marks).where(~is_removed)


def _default(kind: MarkKind, pitch: int) -> bool:
    """Whether a mark at the start of a track applies to all of its notes."""
    return kind is MarkKind.RELEASE and pitch < 0


def _rows(
    given: Score,
    kept: Score,
    new_notes: list[tuple[int, int, int, int, int]],
    place_of: dict[int, int],
    replaced: tuple[NDArray[np.int64], NDArray[np.bool_]] | None,
) -> NDArray[np.int32]:
    """New notes in the ticks, tracks and velocities of the given piece, shape (n, 5), int32."""
    scale = given.ticks_per_quarter / TICKS_PER_QUARTER
    pitched = ~np.array([t.is_drum for t in given.tracks], dtype=bool)[given.track]
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for onset, length, pitch, _, track in kept.notes().tolist():
        sounding.setdefault((track, pitch), []).append((onset, onset + length))
    timing: dict[tuple[int, int], tuple[int, int, int]] = {}
    if replaced is not None:
        for place, row in zip(
            replaced[0][replaced[1]].tolist(), given.notes()[replaced[1]].tolist(), strict=True
        ):
            timing[place[0], row[4]] = (row[0], row[1], row[3])
    rows = []
    for start, length, pitch, loudness, index in new_notes:
        track = place_of[index]
        onset, stop = round(start * scale), max(round((start + length) * scale), round(start * scale) + 1)
        if (start, track) in timing:
            onset, length, velocity = timing[start, track]
            stop = onset + length
        elif track < len(given.tracks) and bool((mine := given.track == track).any()):
            velocity = _around(given, mine, onset)
        else:
            velocity = round(_around(given, pitched, onset) * loudness / _DEFAULT_VELOCITY)
        # A given note of the same pitch does not change: the new note starts after it or ends before it.
        for begin, end in sounding.get((track, pitch), ()):
            if begin <= onset < end:
                onset = end
            elif onset < begin < stop:
                stop = begin
        if stop > onset:
            rows.append((onset, stop - onset, pitch, velocity, track))
    found = np.array(rows, dtype=np.int32).reshape(-1, 5)
    if given.ticks_per_quarter == TICKS_PER_QUARTER and set(given.velocity.tolist()) <= set(VELOCITY_LEVELS):
        found[:, 3] = nearest(found[:, 3], VELOCITY_LEVELS)  # a piece on the grid stays on it
    found[:, 3] = np.clip(found[:, 3], 1, 127)
    return found


def _around(score: Score, mask: NDArray[np.bool_], tick: int) -> int:
    """Mean velocity of the nearest notes in time.

    Args:
        score: any score.
        mask: notes to consider, shape (n_notes,), bool.
        tick: place of the new note.
    """
    if not mask.any():
        return _DEFAULT_VELOCITY
    onset, velocity = score.onset[mask], score.velocity[mask]
    near = np.argsort(np.abs(onset - tick), kind="stable")[:_NEIGHBOURS]
    return round(float(velocity[near].mean()))
