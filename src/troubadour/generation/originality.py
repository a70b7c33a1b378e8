"""Originality: the longest passage that a piece shares with a corpus, in any key and tempo.

Each track is a string of steps between successive notes of its skyline: the interval in semitones and
the ratio of durations (`melody.EXACT`). Passages match if their steps are equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.music.bars import bar_numbers
from troubadour.music.melody import EXACT, Steps, ngram_hash, ngram_hashes, skyline
from troubadour.music.score import Score

_SEPARATOR: Final = -1
_TABLE_BITS: Final = 16
"""High bits of a hash that index the table of candidate places."""


@dataclass(frozen=True, slots=True)
class SharedPassage:
    """The longest passage that a piece has in common with a piece of the corpus."""

    notes: int
    """Length in notes; 0 = no passage in common."""
    piece: str
    """Id of the piece of the corpus; empty if no passage matches."""
    bars: tuple[int, int] = (0, 0)
    """First and last bar in the query piece (1-based, inclusive; 0 = upbeat)."""
    their_bars: tuple[int, int] = (0, 0)
    """First and last bar in the piece of the corpus (1-based, inclusive; 0 = upbeat)."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """The voices of many pieces as one string of steps, each followed by a separator.

    Memory: 24 bytes a note.
    """

    steps: Steps
    """Codes of `melody.EXACT`, or -1 for a separator, shape (n_notes,)."""
    bars: NDArray[np.int32]
    """Bar of the first note of each step, at a separator of the last note of the voice, shape (n_notes,)."""
    starts: NDArray[np.int64]
    """Index into `steps` of the first step of each voice, shape (n_voices,)."""
    owners: NDArray[np.int32]
    """Index into `pieces` of each voice, shape (n_voices,)."""
    pieces: tuple[str, ...]
    """Ids of the pieces."""

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, Score]]) -> Self:
        """Build from pairs of an id and a quantised score."""
        steps: list[Steps] = []
        bars: list[NDArray[np.int32]] = []
        owners: list[int] = []
        names: list[str] = []
        for name, score in pieces:
            for voice_steps, voice_bars in voices(score):
                steps += [voice_steps, np.array([_SEPARATOR])]
                bars.append(voice_bars)
                owners.append(len(names))
            names.append(name)
        lengths = [len(s) for s in steps]
        starts = np.cumsum([0, *[a + b for a, b in zip(lengths[::2], lengths[1::2], strict=True)]])[:-1]
        return cls(
            np.concatenate(steps) if steps else np.zeros(0, dtype=np.int64),
            np.concatenate(bars) if bars else np.zeros(0, dtype=np.int32),
            starts.astype(np.int64),
            np.array(owners, dtype=np.int32),
            tuple(names),
        )

    def longest_match(self, score: Score, without: str = "") -> SharedPassage:
        """The longest passage that a quantised score shares with any piece of the corpus.

        A binary search over lengths compares hashes of all runs of a length (Karp & Rabin, 1987) and
        verifies matches step by step. Costs about 0.1 s for a tune and a million notes.

        Args:
            without: id of a piece to ignore, such as the score itself.
        """
        best = SharedPassage(0, "")
        mine = voices(score)
        allowed = np.ones(len(self.steps), dtype=bool)
        if without in self.pieces:
            row = self.pieces.index(without)
            for start in self.starts[self.owners == row].tolist():
                stop = start + int(np.argmax(self.steps[start:] == _SEPARATOR))
                allowed[start:stop] = False
        for steps, bars in mine:
            # A match of n steps has n + 1 notes. Increments double until a length fails; then bisection.
            low, high, step = max(best.notes - 1, 0), len(steps), 4
            while low < high:
                middle = min(low + step, high) if step else (low + high + 1) // 2
                place = self._find(steps, middle, allowed)
                if place is None:
                    high, step = middle - 1, 0
                    continue
                low, step = middle, step * 2
                here, there = place
                owner = self.owners[int(np.searchsorted(self.starts, there, side="right")) - 1]
                best = SharedPassage(
                    middle + 1,
                    self.pieces[owner],
                    (int(bars[here]), int(bars[here + middle])),
                    (int(self.bars[there]), int(self.bars[there + middle])),
                )
        return best

    def _find(self, steps: Steps, length: int, allowed: NDArray[np.bool_]) -> tuple[int, int] | None:
        """Indices into `steps` and `self.steps` at which `length` equal steps start; None if there are none."""
        ours = ngram_hashes(steps, length)
        theirs = ngram_hashes(self.steps, length)
        if not len(ours) or not len(theirs):
            return None
        # A table of the high bits of the hashes leaves few places for the exact comparison.
        table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        shift = np.uint64(64 - _TABLE_BITS)
        table[(ours >> shift).astype(np.int64)] = True
        hits = np.flatnonzero(table[(theirs >> shift).astype(np.int64)] & allowed[: len(theirs)])
        for there in hits[np.isin(theirs[hits], ours)].tolist():
            passage = self.steps[there : there + length]
            if (passage == _SEPARATOR).any():
                continue
            for here in np.flatnonzero(ours == theirs[there]).tolist():
                if (steps[here : here + length] == passage).all():
                    return here, there
        return None

    def windows(self, length: int) -> PassageIndex:
        """An index of all passages of `length` steps, for lookups during generation.

        Costs 0.1 s and 8 bytes a note for half a million notes; callers should keep it.
        """
        n = len(self.steps) - length + 1
        if n < 1:
            return PassageIndex(length, np.zeros(0, dtype=np.uint64))
        found = ngram_hashes(self.steps, length)
        # Passages that contain a separator belong to two voices.
        ends = np.cumsum(np.append(0, self.steps == _SEPARATOR))
        return PassageIndex(length, np.unique(found[ends[length:] == ends[:n]]))

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays for storage."""
        return {
            "steps": self.steps,
            "bars": self.bars,
            "starts": self.starts,
            "owners": self.owners,
            "pieces": np.array(self.pieces, dtype=np.str_),
        }

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """The corpus whose `state` is given."""
        return cls(
            arrays["steps"],
            arrays["bars"],
            arrays["starts"],
            arrays["owners"],
            tuple(str(p) for p in arrays["pieces"]),
        )


@dataclass(frozen=True, slots=True)
class PassageIndex:
    """All passages of a corpus with one length, as sorted hashes.

    Lookups are probabilistic: with half a million passages, about one lookup in 10^13 reports a passage
    that the corpus does not contain.
    """

    length: int
    """Steps of a passage, one less than its notes."""
    hashes: NDArray[np.uint64]

    def contain(self, steps: Sequence[Any], n: int) -> NDArray[np.bool_]:
        """Whether the corpus contains each of `n` passages, shape (n,); a few microseconds.

        Args:
            steps: `length` steps, each a number for all passages or an array of shape (n,).
        """
        if not len(self.hashes):
            return np.zeros(n, dtype=bool)
        total = ngram_hash(steps, n)
        place = np.minimum(np.searchsorted(self.hashes, total), len(self.hashes) - 1)
        known: NDArray[np.bool_] = self.hashes[place] == total
        return known


def voices(score: Score) -> list[tuple[Steps, NDArray[np.int32]]]:
    """Steps of the skyline of each pitched track, shape (n - 1,), and the bar of each note, shape (n,).

    Tracks whose skyline has fewer than two notes are left out.
    """
    found: list[tuple[Steps, NDArray[np.int32]]] = []
    if not len(score):
        return found
    for i, track in enumerate(score.tracks):
        line = skyline(score, i)
        if not track.is_drum and len(line) > 1:
            found.append((EXACT.along(score, line), bar_numbers(score, score.onset[line])))
    return found
