"""Count model of four voices: intervals in nested contexts, from the most specific one seen.

Interpolated by Witten & Bell (1991). Counts are of intervals from the voice's last
pitch, so one piece counts in all keys.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from troubadour.core.errors import InputError

from .voices import PITCHES, VOICES, VoiceGrid

_REST = 99
_SYMBOLS = PITCHES + 1
_Context: TypeAlias = tuple[int | tuple[int, ...], ...]


class VoiceCounts:
    """Counts of intervals by nested contexts; memory grows with the pieces counted."""

    def __init__(self, order: Sequence[int] = range(VOICES)) -> None:
        if sorted(order) != list(range(VOICES)):
            raise InputError(f"order is {tuple(order)}; allowed: each of 0 to {VOICES - 1} once")
        self._order = tuple(order)
        self._seen: dict[_Context, dict[int, int]] = defaultdict(dict)
        self._total: dict[_Context, int] = defaultdict(int)

    def fit(self, pieces: Sequence[VoiceGrid]) -> VoiceCounts:
        """Add the counts of these pieces."""
        for piece in pieces:
            for _, _, contexts, symbol in self._cells(piece):
                for context in contexts:
                    seen = self._seen[context]
                    seen[symbol] = seen.get(symbol, 0) + 1
                    self._total[context] += 1
        return self

    def cell_nats(self, pieces: Sequence[VoiceGrid]) -> list[np.ndarray]:
        """Nats of each cell of each piece, (time, 4)."""
        found = []
        for piece in pieces:
            nats = np.empty(piece.frames.shape)
            for t, voice, contexts, symbol in self._cells(piece):
                share = 1.0 / _SYMBOLS
                for context in contexts:
                    total = self._total.get(context, 0)
                    if not total:
                        break
                    seen = self._seen[context]
                    share = (seen.get(symbol, 0) + len(seen) * share) / (total + len(seen))
                nats[t, voice] = -np.log(share)
            found.append(nats)
        return found

    def _cells(self, piece: VoiceGrid) -> Iterator[tuple[int, int, list[_Context], int]]:
        """Frame, voice, contexts from coarse to fine, and the interval."""
        for t in range(len(piece)):
            frame, before, reference = (
                piece.frames[t].tolist(),
                piece.before[t].tolist(),
                piece.reference[t].tolist(),
            )
            earlier, held = piece.earlier[t].tolist(), piece.held[t].tolist()
            for place, voice in enumerate(self._order):
                own = reference[voice]
                given = self._order[:place]

                def apart(pitch: int, own: int = own) -> int:
                    return pitch - own if pitch else _REST

                moved = tuple(int(frame[u] != before[u]) for u in given)
                sounding = tuple(apart(frame[u]) for u in given)
                waiting = tuple(apart(before[u]) for u in self._order[place + 1 :])
                rhythm = (voice, t % 4, held[voice] if held[voice] < 8 else 8 + held[voice] // 8)
                contexts: list[_Context] = [
                    (0, voice),
                    (1, *rhythm),
                    (2, *rhythm, moved),
                    (3, *rhythm, moved, sounding),
                    (4, *rhythm, moved, sounding, own - earlier[voice]),
                    (5, *rhythm, moved, sounding, own - earlier[voice], waiting),
                ]
                yield t, voice, contexts, apart(frame[voice])
