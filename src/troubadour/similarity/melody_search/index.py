"""Melody index: search invariant to key, octave and tempo, tolerant of altered notes.

Runs of four melodic intervals (n-grams, as Downie & Nelson 2000 index them) are looked up in one
table over all melodic lines, stored end to end. Each hit votes for a place: the position of the
query's first note in the index. Places with many votes are aligned with the query note by note
(`align`), in the transposition that most of their votes share, and ranked by the alignment score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import ModelError
from troubadour.music.score import Score
from troubadour.similarity.melody_search.align import FINE, HELD, AlignmentWindows, align, trace
from troubadour.similarity.melody_search.lines import Skyline, skylines
from troubadour.similarity.melody_search.runs import GRAM, RADIX, coded, fine, gaps, readings, runs_of

_PLACE_BITS: Final = 4
"""Votes within 16 notes are added up: inserted or omitted notes move a place by less, and repeats of a
passage lie further apart.
"""
_SLACK: Final = 10
_BUDGET: Final = 3_000_000
_LEAST_GRAMS: Final = 4
MOST_NOTES: Final = 400
"""Upper limit of a query, in notes: alignment is quadratic, and 400 notes identify any tune."""
CANDIDATES: Final = 96


@dataclass(frozen=True, slots=True)
class MelodyMatch:
    """Match of a query melody in a piece."""

    piece: str
    score: float
    """Share of the maximal alignment score, 0 to 1; 1 = all intervals and rhythms are equal."""
    notes: int
    """Number of query notes matched."""
    bars: tuple[int, int]
    """First and last matched bar of the query, 1-based, inclusive (0 = upbeat)."""
    their_bars: tuple[int, int]
    """First and last matched bar of the piece, 1-based, inclusive (0 = upbeat)."""
    semitones: int
    """Transposition from the query to the piece, in semitones."""
    track: int
    """Index of the matched track in the piece."""


@dataclass(frozen=True, slots=True, eq=False)
class MelodyIndex:
    """Melodic lines of many pieces, end to end, and an inverted table of their interval n-grams.

    Memory: 13 bytes per note. Immutable: `with_pieces` and `without` return new indexes.
    """

    pitch: NDArray[np.uint8]
    """MIDI pitch, shape (n,)."""
    gap: NDArray[np.int8]
    """Time to the next note of the line, eighths of log2 quarters, shape (n,); -128 at the end of a line."""
    bar: NDArray[np.int16]
    starts: NDArray[np.int64]
    """First note of each line, followed by n: shape (n_lines + 1,)."""
    owner: NDArray[np.int32]
    """Row in `pieces` of each line, shape (n_lines,)."""
    track: NDArray[np.int16]
    pieces: tuple[str, ...]
    order: NDArray[np.int32]
    """Notes sorted by the n-gram that starts there, shape (n,)."""
    first: NDArray[np.int32]
    """Position in `order` of each n-gram's first note, shape (RADIX**GRAM + 1,)."""
    removed: frozenset[str] = frozenset()

    def __len__(self) -> int:
        """Number of pieces that can be found."""
        return len(self.pieces) - len(self.removed)

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, Score]]) -> Self:
        """Build an index of (id, quantised score) pairs; about 1 s per million notes."""
        names: list[str] = []
        found: list[tuple[int, Skyline]] = []
        for name, score in pieces:
            found += [(len(names), line) for line in skylines(score)]
            names.append(name)
        return cls.of_skylines(names, found)

    @classmethod
    def of_skylines(cls, names: Sequence[str], found: Sequence[tuple[int, Skyline]]) -> Self:
        """Build an index of (row in `names`, line) pairs."""
        lengths = np.array([len(line) for _, line in found], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return cls._sorted(
            _joined([line.pitch for _, line in found], np.uint8),
            _joined([gaps(line) for _, line in found], np.int8),
            _joined([np.minimum(line.bar, 2**15 - 1) for _, line in found], np.int16),
            starts,
            np.array([row for row, _ in found], dtype=np.int32),
            np.array([line.track for _, line in found], dtype=np.int16),
            tuple(names),
        )

    @classmethod
    def _sorted(
        cls,
        pitch: NDArray[np.uint8],
        gap: NDArray[np.int8],
        bar: NDArray[np.int16],
        starts: NDArray[np.int64],
        owner: NDArray[np.int32],
        track: NDArray[np.int16],
        pieces: tuple[str, ...],
    ) -> Self:
        codes = runs_of(pitch, starts)
        order = np.argsort(codes, kind="stable").astype(np.int32)
        counts = np.bincount(codes, minlength=RADIX**GRAM)
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        return cls(pitch, gap, bar, starts, owner, track, pieces, order, first)

    def with_pieces(self, pieces: Iterable[tuple[str, Score]]) -> Self:
        """Index with further pieces; a piece with a known id is replaced. Sorts all notes again."""
        new = type(self).of(pieces)
        kept = self.without(new.pieces)._compact()
        return type(self)._sorted(
            np.concatenate([kept.pitch, new.pitch]),
            np.concatenate([kept.gap, new.gap]),
            np.concatenate([kept.bar, new.bar]),
            np.concatenate([kept.starts[:-1], new.starts + len(kept.pitch)]),
            np.concatenate([kept.owner, new.owner + len(kept.pieces)]).astype(np.int32),
            np.concatenate([kept.track, new.track]),
            kept.pieces + new.pieces,
        )

    def without(self, ids: Iterable[str]) -> Self:
        """Index without some pieces; unknown ids are ignored."""
        gone = self.removed | (frozenset(ids) & frozenset(self.pieces))
        return replace(self, removed=gone)

    def _compact(self) -> Self:
        """Index with the notes of removed pieces deleted."""
        if not self.removed:
            return self
        stays = np.array([p not in self.removed for p in self.pieces], dtype=bool)
        lines_kept = stays[self.owner]
        lengths = np.diff(self.starts)
        notes = np.repeat(lines_kept, lengths)
        return type(self)._sorted(
            self.pitch[notes],
            self.gap[notes],
            self.bar[notes],
            np.concatenate([[0], np.cumsum(lengths[lines_kept])]),
            (np.cumsum(stays) - 1)[self.owner[lines_kept]].astype(np.int32),
            self.track[lines_kept],
            tuple(p for p in self.pieces if p not in self.removed),
        )

    def search(
        self, query: Skyline, n: int = 10, *, candidates: int = CANDIDATES, without: str = ""
    ) -> list[MelodyMatch]:
        """Pieces that contain a melody, best first, each with its best match.

        Args:
            query: skyline from `lines.query_skyline` or `typed.typed_skyline`; notes beyond `MOST_NOTES`
                are ignored.
            n: maximal number of pieces.
            candidates: number of places to align; more places cost time and raise the recall.
            without: id of a piece to exclude, such as the source of the query.
        """
        query = query[:MOST_NOTES]
        if not len(self.owner) or len(query) < 2:
            return []
        windows = self._places(query, candidates, self.removed | {without})
        if not len(windows.start):
            return []
        pitch, gap = fine(query), gaps(query)
        scores = align(pitch, gap, self.pitch, self.gap, windows)
        best: dict[int, int] = {}
        for i in np.argsort(-scores, kind="stable").tolist():
            best.setdefault(int(self.owner[windows.line[i]]), i)
            if len(best) == n:
                break
        return [self._match(query, pitch, gap, windows[i], float(scores[i])) for i in best.values()]

    def _match(
        self,
        query: Skyline,
        pitch: NDArray[np.int16],
        gap: NDArray[np.int8],
        window: AlignmentWindows,
        score: float,
    ) -> MelodyMatch:
        mine, theirs = trace(pitch, gap, self.pitch, self.gap, window)
        line = int(window.line[0])
        shift = int(window.semitones[0])
        apart = FINE * (self.pitch[theirs].astype(np.int16) - np.int16(shift)) - pitch[mine]
        equal = np.abs(apart) <= HELD
        mine, theirs = mine[equal], theirs[equal]
        return MelodyMatch(
            self.pieces[self.owner[line]],
            round(score, 6),
            len(mine),
            _span(query.bar[mine]),
            _span(self.bar[theirs]),
            shift,
            int(self.track[line]),
        )

    def _places(self, query: Skyline, candidates: int, without: frozenset[str]) -> AlignmentWindows:
        """Candidate windows with the most votes."""
        where, note, weight, first = self._votes(query)
        if not len(where):
            return AlignmentWindows.none()
        place = where.astype(np.int64) - note + len(query)
        bucket = place >> _PLACE_BITS
        votes = np.bincount(bucket, weight)
        votes = votes + np.append(votes[1:], 0.0)  # a bucket plus the next one: no place falls between two
        most = min(2 * candidates, int(np.count_nonzero(votes)))
        top = np.argpartition(-votes, most - 1)[:most] if most < len(votes) else np.arange(len(votes))
        top = top[np.argsort(-votes[top], kind="stable")]
        # Two neighbouring buckets share their votes; one of them is enough.
        rank = np.full(len(votes) + 2, len(top), dtype=np.int64)
        rank[top] = np.arange(len(top))
        local = (rank[top] <= rank[top + 1]) & (rank[top] <= rank[np.maximum(top - 1, 0)])
        top = top[local][:candidates]
        slot = np.full(len(votes) + 1, -1, dtype=np.int64)
        slot[top] = np.arange(len(top))
        both = []
        for shift in (0, 1):  # each vote counts in its own bucket and in the one before
            mine = slot[np.maximum(bucket - shift, 0)]
            if shift:
                mine = np.where(bucket > 0, mine, -1)
            hit = np.flatnonzero(mine >= 0)
            both.append((mine[hit], hit))
        candidate = np.concatenate([b[0] for b in both])
        hit = np.concatenate([b[1] for b in both])
        origin = (top << _PLACE_BITS) - len(query)
        votes_of = (where[hit], note[hit], weight[hit], first[hit])
        return self._windows(query, candidate, *votes_of, origin, without)

    def _votes(
        self, query: Skyline
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64], NDArray[np.int16]]:
        """Occurrences of the query's n-grams: index note, query note, weight of the vote, pitch of the query note.

        Frequent n-grams carry little information and cost much time: the rarest are looked up first, until
        the budget of occurrences is used up.
        """
        length = min(GRAM, len(query) - 1)
        runs, starts, trust = readings(query, length)
        codes = coded(runs)
        span = RADIX ** (GRAM - length)  # a shorter n-gram is a prefix: a contiguous range of the table
        begin, end = self.first[codes * span], self.first[(codes + 1) * span]
        count = (end - begin).astype(np.int64)
        order = np.argsort(count, kind="stable")
        order = order[count[order] > 0]
        taken = order[: max(_LEAST_GRAMS, int(np.searchsorted(np.cumsum(count[order]), _BUDGET)))]
        if not len(taken):
            nothing = np.zeros(0, dtype=np.int32)
            return nothing, nothing, np.zeros(0), nothing.astype(np.int16)
        where = np.concatenate([self.order[begin[i] : end[i]] for i in taken.tolist()])
        several = count[taken]
        note = np.repeat(starts[taken].astype(np.int32), several)
        rarity = trust[taken] * np.log1p(len(self.pitch) / several)
        return where, note, np.repeat(rarity, several), np.repeat(runs[taken, 0], several)

    def _windows(
        self,
        query: Skyline,
        candidate: NDArray[np.int64],
        where: NDArray[np.int32],
        note: NDArray[np.int32],
        weight: NDArray[np.float64],
        first: NDArray[np.int16],
        origin: NDArray[np.int64],
        without: frozenset[str],
    ) -> AlignmentWindows:
        """Window of each candidate: line, transposition, tempo, and the range of notes to align."""
        n = len(origin)
        # First the line with the most votes, then the transposition with the most votes in that line.
        line = np.searchsorted(self.starts, where, side="right") - 1
        line = _mode(candidate, line, weight, n)[candidate] == line
        candidate, where, note, weight = candidate[line], where[line], note[line], weight[line]
        shift = self.pitch[where].astype(np.int64) - first[line] + 128
        chosen = _mode(candidate, shift, weight, n)
        agree = chosen[candidate] == shift
        candidate, where, note, weight = candidate[agree], where[agree], note[agree], weight[agree]
        stretch = self.gap[where].astype(np.int64) - gaps(query)[note] + 256
        tempo = _mode(candidate, stretch, weight, n) - 256
        some = np.zeros(n, dtype=np.int64)
        some[candidate] = where
        row = np.searchsorted(self.starts, some, side="right") - 1
        start = np.maximum(origin - _SLACK, self.starts[row])
        stop = np.minimum(origin + (2 << _PLACE_BITS) + len(query) + _SLACK, self.starts[row + 1])
        gone = np.array([self.pieces[o] in without for o in self.owner[row].tolist()], dtype=bool)
        keep = (stop > start) & ~gone
        tempo = tempo if query.timed else np.full(n, 127)
        return AlignmentWindows(row, start, stop, chosen - 128, tempo)[keep]

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays to store."""
        kept = self._compact()
        names = ("pitch", "gap", "bar", "starts", "owner", "track", "order", "first")
        return {name: getattr(kept, name) for name in names} | {"pieces": np.array(kept.pieces, np.str_)}

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Build an index from the arrays of `state`.

        Raises:
            ModelError: an array is missing, or the arrays do not fit each other.
        """
        try:
            columns: dict[str, Any] = {**arrays, "pieces": tuple(arrays["pieces"].tolist())}
            found = cls(**columns)
            n = len(found.pitch)
            fits = len(found.gap) == len(found.bar) == len(found.order) == n == found.starts[-1]
            fits &= len(found.first) == RADIX**GRAM + 1 and int(found.first[-1]) == n
            fits &= len(found.owner) == len(found.track) == len(found.starts) - 1
        except (TypeError, KeyError, IndexError) as error:
            raise ModelError(f"not a stored melody index: {error}") from error
        if not fits:
            raise ModelError("the arrays of the stored melody index do not fit each other")
        return found


def _mode(
    group: NDArray[np.int64], value: NDArray[Any], weight: NDArray[np.float64], n: int
) -> NDArray[np.int64]:
    """Value with the largest total weight in each of n groups; 0 for an empty group."""
    out = np.zeros(n, dtype=np.int64)
    if not len(group):
        return out
    span = int(value.max()) + 1
    keys, inverse = np.unique(group * span + value, return_inverse=True)
    total = np.bincount(inverse, weight)
    order = np.argsort(total, kind="stable")
    out[keys[order] // span] = keys[order] % span  # sorted by weight, so the heaviest is written last
    return out


def _span(bars: NDArray[Any]) -> tuple[int, int]:
    return (int(bars[0]), int(bars[-1])) if len(bars) else (0, 0)


def _joined(parts: list[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate(parts).astype(kind) if parts else np.zeros(0, dtype=kind)
