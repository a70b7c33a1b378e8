"""Find a melody in many, whatever its key, octave and tempo, with some of its notes altered.

Runs of four melodic intervals (n-grams, as Downie & Nelson 2000 index them) are looked up in one
table over all lines, laid end to end. Each hit votes for a place: where in the music the query's
first note would lie. Places with many votes are then aligned with the query note by note, in the
transposition that most of their votes agree on (`align`), and ranked by that.
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
from troubadour.similarity.melody_search.lines import Skyline, lines
from troubadour.similarity.melody_search.runs import GRAM, RADIX, coded, fine, gaps, readings, runs_of

_PLACE_BITS: Final = 4
"""Votes within 16 notes count together: notes added or left out move a place by no more, and where a
passage returns, its places are further apart."""
_SLACK: Final = 10
_BUDGET: Final = 3_000_000
_LEAST_GRAMS: Final = 4
MOST_NOTES: Final = 400
"""A longer query is cut: alignment is quadratic, and 400 notes name any tune."""
CANDIDATES: Final = 96


@dataclass(frozen=True, slots=True)
class MelodyMatch:
    """Where a melody was found."""

    piece: str
    score: float
    """Share of the most that an alignment can reach, 0 to 1; 1 = every interval and rhythm is equal."""
    notes: int
    """Notes of the query that stand in the piece."""
    bars: tuple[int, int]
    """First and last bar of the match in the query, from 1 (0 = upbeat)."""
    their_bars: tuple[int, int]
    """First and last bar of the match in the piece."""
    semitones: int
    """Transposition from the query to the piece."""
    track: int
    """Track of the piece in which it was found."""


@dataclass(frozen=True, slots=True, eq=False)
class MelodyIndex:
    """The lines of many pieces, one after the other, and where each run of intervals stands.

    Memory: 13 bytes a note. Immutable: `with_pieces` and `without` return new ones.
    """

    pitch: NDArray[np.uint8]
    """Shape (n,)."""
    gap: NDArray[np.int8]
    """Time to the next note of the line in eighths of an octave (log2 of quarters); -128 at its end."""
    bar: NDArray[np.int16]
    starts: NDArray[np.int64]
    """Where each line starts, and n: shape (n_lines + 1,)."""
    owner: NDArray[np.int32]
    """Piece of each line, shape (n_lines,)."""
    track: NDArray[np.int16]
    pieces: tuple[str, ...]
    order: NDArray[np.int32]
    """Notes in the order of the run of intervals that starts there, shape (n,)."""
    first: NDArray[np.int32]
    """Where in `order` each run's notes start, shape (RADIX**GRAM + 1,)."""
    removed: frozenset[str] = frozenset()

    def __len__(self) -> int:
        """Pieces that can be found."""
        return len(self.pieces) - len(self.removed)

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, Score]]) -> Self:
        """Index (id, quantised score); about 1 s a million notes."""
        names: list[str] = []
        found: list[tuple[int, Skyline]] = []
        for name, score in pieces:
            found += [(len(names), line) for line in lines(score)]
            names.append(name)
        return cls.of_lines(names, found)

    @classmethod
    def of_lines(cls, names: Sequence[str], found: Sequence[tuple[int, Skyline]]) -> Self:
        """Index (row in `names`, line)."""
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
        """With further pieces; one whose id is there already takes its place. Sorts anew."""
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
        """Without some pieces; unknown ids are ignored."""
        gone = self.removed | (frozenset(ids) & frozenset(self.pieces))
        return replace(self, removed=gone)

    def _compact(self) -> Self:
        """With the removed pieces' notes really gone."""
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
        """The pieces in which a melody stands, best first, each with its best place.

        Args:
            query: `lines.query_line` of a score, or `typed.typed_line`; of more than `MOST_NOTES`
                notes the first are taken.
            n: how many pieces at most.
            candidates: places to align; more is slower and finds more.
            without: a piece not to report (the one that the query was taken from).
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
        """The places that most runs of the query agree on."""
        where, note, weight, first = self._votes(query)
        if not len(where):
            return AlignmentWindows.none()
        place = where.astype(np.int64) - note + len(query)
        bucket = place >> _PLACE_BITS
        votes = np.bincount(bucket, weight)
        votes = votes + np.append(votes[1:], 0.0)  # a bucket and the next: no place falls between
        most = min(2 * candidates, int(np.count_nonzero(votes)))
        top = np.argpartition(-votes, most - 1)[:most] if most < len(votes) else np.arange(len(votes))
        top = top[np.argsort(-votes[top], kind="stable")]
        # Of two neighbouring buckets that share their votes one is enough.
        rank = np.full(len(votes) + 2, len(top), dtype=np.int64)
        rank[top] = np.arange(len(top))
        local = (rank[top] <= rank[top + 1]) & (rank[top] <= rank[np.maximum(top - 1, 0)])
        top = top[local][:candidates]
        slot = np.full(len(votes) + 1, -1, dtype=np.int64)
        slot[top] = np.arange(len(top))
        both = []
        for shift in (0, 1):  # a vote belongs to its own bucket and to the one before
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
        """Where runs of the query stand: note of the index, note of the query, weight of the vote, its pitch.

        Runs that stand in many places say little and cost much: the rarest are looked up first,
        until the budget of places is spent.
        """
        length = min(GRAM, len(query) - 1)
        runs, starts, trust = readings(query, length)
        codes = coded(runs)
        span = RADIX ** (GRAM - length)  # a shorter run is a prefix: a stretch of the table
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
        """Of each candidate: its line, transposition, tempo, and the stretch of notes to align."""
        n = len(origin)
        # The line that most votes lie in, then the transposition that most of those agree on.
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
        """Read back what `state` gave.

        Raises:
            ModelError: an array is missing, or they do not fit each other.
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
    """The value with the most weight in each of n groups; 0 for a group without any."""
    out = np.zeros(n, dtype=np.int64)
    if not len(group):
        return out
    span = int(value.max()) + 1
    keys, inverse = np.unique(group * span + value, return_inverse=True)
    total = np.bincount(inverse, weight)
    order = np.argsort(total, kind="stable")
    out[keys[order] // span] = keys[order] % span  # the heaviest is written last
    return out


def _span(bars: NDArray[Any]) -> tuple[int, int]:
    return (int(bars[0]), int(bars[-1])) if len(bars) else (0, 0)


def _joined(parts: list[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate(parts).astype(kind) if parts else np.zeros(0, dtype=kind)
