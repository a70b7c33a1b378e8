"""How much of a piece stands in other music: the longest transposition-invariant match.

A voice is a string of steps, one for each pair of successive notes: the interval in semitones and
the ratio of their durations. Two passages match when their steps do, whatever their key and tempo.
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


@dataclass(frozen=True, slots=True)
class SharedPassage:
    """The longest passage that a piece shares with the corpus."""

    notes: int
    """Length in notes; 0 = nothing in common."""
    piece: str
    """Id of the piece of the corpus, empty where nothing matches."""
    bars: tuple[int, int] = (0, 0)
    """First and last bar in the piece that was asked about, from 1 (0 = upbeat)."""
    their_bars: tuple[int, int] = (0, 0)
    """First and last bar in the piece of the corpus."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """The voices of many pieces as one long string of steps, with separators between them.

    Memory: 24 bytes a note.
    """

    steps: Steps
    bars: NDArray[np.int32]
    """Bar of the note that each step starts from; at a separator, of the voice's last note."""
    starts: NDArray[np.int64]
    """Where each voice starts in `steps`."""
    owners: NDArray[np.int32]
    """Row in `pieces` of each voice."""
    pieces: tuple[str, ...]

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, Score]]) -> Self:
        """Take in (id, quantised score)."""
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
        """The longest passage that a quantised score shares with any piece but `without`.

        A binary search over lengths, each answered by rolling hashes of the whole corpus; the
        match is then compared step by step. About 0.1 s at a million notes.
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
            # A match of n steps has n + 1 notes. Lengths are doubled until one fails, then halved.
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
        """Where `length` steps in a row stand in both, or nothing."""
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
        """All passages of `length` steps, for asking about one note at a time.

        Costs 0.1 s and 8 bytes a note at half a million notes; keep it.
        """
        n = len(self.steps) - length + 1
        if n < 1:
            return PassageIndex(length, np.zeros(0, dtype=np.uint64))
        found = ngram_hashes(self.steps, length)
        # Passages that reach over a separator belong to two voices.
        ends = np.cumsum(np.append(0, self.steps == _SEPARATOR))
        return PassageIndex(length, np.unique(found[ends[length:] == ends[:n]]))

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays to store."""
        return {
            "steps": self.steps,
            "bars": self.bars,
            "starts": self.starts,
            "owners": self.owners,
            "pieces": np.array(self.pieces, dtype=np.str_),
        }

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Read back what `state` gave."""
        return cls(
            arrays["steps"],
            arrays["bars"],
            arrays["starts"],
            arrays["owners"],
            tuple(str(p) for p in arrays["pieces"]),
        )


@dataclass(frozen=True, slots=True)
class PassageIndex:
    """Every passage of some number of steps, as sorted hashes. Two passages may share a hash (one
    in 10^13 asked for at half a million): then a passage counts as known that is not."""

    length: int
    """Steps; the notes are one more."""
    hashes: NDArray[np.uint64]

    def contain(self, steps: Sequence[Any], n: int) -> NDArray[np.bool_]:
        """Whether each of `n` passages is known, shape (n,). Costs a few microseconds.

        Args:
            steps: `length` steps, each a number or an array of shape (n,).
        """
        if not len(self.hashes):
            return np.zeros(n, dtype=bool)
        total = ngram_hash(steps, n)
        place = np.minimum(np.searchsorted(self.hashes, total), len(self.hashes) - 1)
        known: NDArray[np.bool_] = self.hashes[place] == total
        return known


def voices(score: Score) -> list[tuple[Steps, NDArray[np.int32]]]:
    """The steps of each track's top line, shape (n - 1,), and the bar of each of its n notes."""
    found: list[tuple[Steps, NDArray[np.int32]]] = []
    if not len(score):
        return found
    for i, track in enumerate(score.tracks):
        line = skyline(score, i)
        if not track.is_drum and len(line) > 1:
            found.append((EXACT.along(score, line), bar_numbers(score, score.onset[line])))
    return found
