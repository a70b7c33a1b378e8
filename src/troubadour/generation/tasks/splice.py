"""Put what was composed on the grid into the given piece, which stays exactly as it was.

Only what a task was asked for is new. Its onsets and lengths are those of the grid, in the piece's
own ticks; its velocities are those of the notes around it. A note that the composer wrote once more
where it stood, as long as it was, is the given one.
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
"""In a map of tracks: a track that the given piece has not."""
KEPT: Final = -2
"""In a map of tracks: notes of the given piece, shown again."""
_NEIGHBOURS: Final = 4
"""Notes of a track whose mean velocity a new note gets."""
_USUAL: Final = 80
"""Velocity of a new track's notes that are as loud as the piece."""
_ON_NOTES: Final = frozenset({
    MarkKind.LYRIC, MarkKind.ARTICULATION, MarkKind.ORNAMENT, MarkKind.TECHNICAL, MarkKind.FERMATA,
    MarkKind.GRACE, MarkKind.SLUR, MarkKind.STAFF, MarkKind.RELEASE,
    MarkKind.INSTANT,
})  # fmt: skip
"""Kinds that go where all notes at their place go."""
Places = set[tuple[int, int, int]]
"""Notes by onset, pitch and track on the grid."""


def splice(
    given: Score,
    grid: Score,
    made: Score,
    tracks: Sequence[int] | None = None,
    gone: Places | frozenset[tuple[int, int, int]] = frozenset(),
    same_timing: bool = False,
) -> Score:
    """The given piece with what is new in the piece that was made from it.

    Args:
        given: as its file has it.
        grid: the same, quantised.
        made: what was composed, quantised; at the places of the grid's bars.
        tracks: for each track of `made` the track of `grid` that it stands for, `NEW` or `KEPT`; without
            it they are the same. More of them than `made` has do not count.
        gone: notes of the grid to be taken out, beside those that a track of `made` has no longer.
        same_timing: new notes get the exact onset, length and velocity of a note that they replace.
    """
    tracks = range(len(made.tracks)) if tracks is None else tracks[: len(made.tracks)]
    exact_track = np.unique(given.track).tolist()  # of each track of the grid
    there = {(row[0], row[2], row[4]): row[1] for row in grid.notes().tolist()}
    out: Places = set(gone)
    fresh: list[tuple[int, int, int, int, int]] = []  # onset, length, pitch, velocity, track of `made`
    for index, target in enumerate(tracks):
        rows = made.notes()[made.track == index].tolist()
        if target >= 0:
            mine = {(r[0], r[2], target) for r in rows if _as_long(r[1], there.get((r[0], r[2], target)))}
            out |= {place for place in there if place[2] == target} - mine
            rows = [r for r in rows if (r[0], r[2], target) not in mine]
        if target != KEPT:
            fresh += [(r[0], r[1], r[2], r[3], index) for r in rows]
    places = note_places(given)
    leaves = np.array([tuple(row) in out for row in places.tolist()], dtype=bool).reshape(-1)
    kept = _without(given, leaves)
    # New tracks come after all given ones.
    added = [index for index, target in enumerate(tracks) if target == NEW]
    place_of = {index: len(given.tracks) + i for i, index in enumerate(added)}
    place_of |= {i: exact_track[target] for i, target in enumerate(tracks) if target >= 0}
    new = _rows(given, kept, made, fresh, place_of, (places, leaves) if same_timing else None)
    return kept.replace(
        **{
            name: np.concatenate([getattr(kept, name), column])
            for name, column in zip(("onset", "duration", "pitch", "velocity", "track"), new.T, strict=True)
        },
        tracks=(*given.tracks, *(made.tracks[index] for index in added)),
    )


def _as_long(made: int, given: int | None) -> bool:
    """Whether there is a given length, and the composed one is equal but for what `simplified` changes."""
    return given is not None and abs(made - given) <= max(GAP, OVERLAP * max(made, given))


def _without(score: Score, leaves: NDArray[np.bool_]) -> Score:
    """The score without some notes, and without the marks that stood on them alone."""
    if not leaves.any():
        return score
    marks = score.marks
    if marks:
        stay = set(zip(score.onset[~leaves].tolist(), score.track[~leaves].tolist(), strict=True))
        go = set(zip(score.onset[leaves].tolist(), score.track[leaves].tolist(), strict=True)) - stay
        marks = tuple(
            m
            for m in marks
            if m.kind not in _ON_NOTES
            or m.track == WHOLE
            or (m.tick, m.track) not in go
            or _default(m.kind, m.pitch)
        )
    return score.replace(marks=marks).where(~leaves)


def _default(kind: MarkKind, pitch: int) -> bool:
    """Whether a mark at the start of a track holds for all of its notes."""
    return kind is MarkKind.RELEASE and pitch < 0


def _rows(
    given: Score,
    kept: Score,
    made: Score,
    fresh: list[tuple[int, int, int, int, int]],
    place_of: dict[int, int],
    replaced: tuple[NDArray[np.int64], NDArray[np.bool_]] | None,
) -> NDArray[np.int32]:
    """New notes in the given piece's ticks, tracks and loudness, shape (n, 5)."""
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
    for start, length, pitch, loudness, index in fresh:
        track = place_of[index]
        onset, stop = round(start * scale), max(round((start + length) * scale), round(start * scale) + 1)
        if (start, track) in timing:
            onset, length, velocity = timing[start, track]
            stop = onset + length
        elif track < len(given.tracks) and bool((mine := given.track == track).any()):
            velocity = _around(given, mine, onset)
        else:
            velocity = round(_around(given, pitched, onset) * loudness / _USUAL)
        # A given note of this pitch stays as it is: a new one begins after it or ends before it.
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
    """Mean velocity of the notes nearest in time, among some."""
    if not mask.any():
        return _USUAL
    onset, velocity = score.onset[mask], score.velocity[mask]
    near = np.argsort(np.abs(onset - tick), kind="stable")[:_NEIGHBOURS]
    return round(float(velocity[near].mean()))
