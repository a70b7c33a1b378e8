"""Phrases, cadences, form letters, and the self-similarity of bars.

Phrases end at rests or long notes of the melody, on a beat, about every four bars. A shortest path
weighs these criteria (boundaries after Cambouropoulos 2001; lengths as a prior after Temperley 2001,
chapter 3). Similar phrases share a letter. Bars are compared slot by slot (self-similarity after Foote
1999, on symbols).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.analysis.beats import beat_ticks, pitched
from troubadour.analysis.harmony import ChordSpan
from troubadour.music.melody import skyline
from troubadour.music.quantise import TICKS_PER_QUARTER, Bars, bars_of
from troubadour.music.score import Score

SLOTS: Final = 24
"""Equal time slots per bar."""
SAME: Final = 0.8
"""Similarity from which two phrases share a letter; from `VARIED` on, the letter gets a prime."""
VARIED: Final = 0.55
_PREFERRED_BARS: Final = 4.0
_LONGEST_BARS: Final = 10
_OFF_LENGTH: Final = 0.35
_PERIOD: Final = 0.5
_CLOSES: Final = {"authentic": 0.9, "plagal": 0.4, "half": 0.2, "deceptive": 0.2}
"""Weight of each cadence as evidence for a phrase end."""
MOST_BARS: Final = 400
"""Largest number of bars compared with each other; the rest of a longer piece is ignored."""

Floats = NDArray[np.float64]
_Placed = tuple[list[int], list[ChordSpan]]
"""Chords that sound, and the onset tick of each."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Phrase of the melody."""

    bars: tuple[int, int]
    """First and last bar, 1-based, inclusive (0 = upbeat)."""
    letter: str
    """Form letter: equal letters for similar phrases, with a prime for variants."""
    likeness: float
    """Similarity to the first phrase with the same letter, 0 to 1."""
    cadence: str
    """`authentic`, `half`, `plagal`, `deceptive`, or empty."""
    chords: tuple[str, ...]
    """Last two Roman numerals, the evidence for the cadence."""


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """Form of a piece."""

    phrases: tuple[Phrase, ...]
    likeness: Floats
    """Similarity of bars, shape (n, n), 0 to 1, 1 on the diagonal; n at most `MOST_BARS`."""
    first_bar: int
    """Bar number of the first row: 0 = upbeat."""

    @property
    def letters(self) -> str:
        """Form letters of all phrases, such as `A B A' C`."""
        return " ".join(p.letter for p in self.phrases)


def find_form(score: Score, chords: Sequence[ChordSpan] = ()) -> Form:
    """Form of a quantised score; about 5 ms per tune.

    Args:
        score: quantised score.
        chords: chords from `find_chords`, for the cadences.
    """
    score = pitched(score)
    if not len(score):
        return Form((), np.zeros((0, 0)), 1)
    bars = bars_of(score)
    first = 0 if score.upbeat_ticks else 1
    sounding = [c for c in chords if c.numeral]
    placed = ([_tick(c, bars, first) for c in sounding], sounding)
    ends = _phrase_ends(score, bars, placed)
    starts = [0, *ends[:-1]]
    slots = [_slots(score, a, b) for a, b in zip(starts, ends, strict=True)]
    letters, likeness = _letters(slots)
    numbers = [_bar_numbers(bars, a, b, first) for a, b in zip(starts, ends, strict=True)]
    closes = [_cadence(placed, end) for end in ends]
    phrases = tuple(
        Phrase(span, letter, round(like, 3), *close)
        for span, letter, like, close in zip(numbers, letters, likeness, closes, strict=True)
    )
    return Form(phrases, self_similarity(score), first)


def self_similarity(score: Score) -> Floats:
    """Share of time slots in which two bars agree, shape (n_bars, n_bars), 0 to 1."""
    score = pitched(score)
    if not len(score):
        return np.zeros((0, 0))
    bars = bars_of(score)
    n = min(len(bars.start), MOST_BARS)
    if not n:
        return np.zeros((0, 0))
    rows = np.stack(
        [
            _slots(score, int(bars.start[i]), int(bars.start[i]) + int(bars.length[i] - bars.lead[i]), SLOTS)
            for i in range(n)
        ]
    )
    found = np.eye(n)
    for i in range(n):
        found[i, i + 1 :] = _alike(rows[i][None], rows[i + 1 :])
    return np.maximum(found, found.T)


def _slots(score: Score, start: int, stop: int, count: int = 0) -> NDArray[np.int64]:
    """Melody pitch in equal slots of a tick range, negative while held; 0 = silence."""
    count = count or max((stop - start) // 6, 1)
    step = max((stop - start) / count, 1e-9)
    out = np.zeros(count, dtype=np.int64)
    inside = (score.onset < stop) & (score.onset + score.duration > start)
    # Sorted by pitch, so that the highest of simultaneous notes is written last.
    for i in np.flatnonzero(inside)[np.argsort(score.pitch[inside], kind="stable")].tolist():
        onset, end = int(score.onset[i]), int(score.onset[i] + score.duration[i])
        a = max(int((onset - start) / step + 1e-9), 0)
        b = min(max(int(np.ceil((end - start) / step - 1e-9)), a + 1), count)
        if a >= count:
            continue
        out[a:b] = -int(score.pitch[i]) - 1
        if onset >= start:
            out[a] = int(score.pitch[i]) + 1
    return out


def _alike(one: NDArray[np.int64], others: NDArray[np.int64]) -> Floats:
    """Share of slots with equal pitch, 0 to 1; a held against a struck note counts half."""
    same = np.abs(one) == np.abs(others)
    struck = (one > 0) == (others > 0)
    sounding = (one != 0) | (others != 0)
    agree = (same & sounding) * np.where(struck, 1.0, 0.5)
    out: Floats = agree.sum(axis=-1) / np.maximum(sounding.sum(axis=-1), 1)
    return out


def _phrase_ends(score: Score, bars: Bars, placed: _Placed) -> list[int]:
    """Ticks of the phrase ends; the last one is the end of the piece."""
    lead = skyline(score, int(score.track.min()))
    onset = score.onset[lead].astype(np.int64)
    end = int(score.end_ticks)
    gap = np.diff(np.append(onset, end))
    typical = max(float(np.median(gap)), 1.0)
    beat = beat_ticks(score.metres[0])
    rest = np.append(onset[1:], end) - (onset + score.duration[lead])
    strength = np.log2(np.maximum(gap / typical, 0.25)) + 1.5 * (rest >= beat // 2)
    length = float(np.median(bars.length))
    # Candidates: the end of any note that is followed by a note on a beat.
    places = np.append(onset[1:], end)
    origin = bars.start[0] - bars.lead[0]
    on_beat = (places - origin) % beat == 0
    usable = np.flatnonzero(on_beat | (places == end))
    ticks = np.concatenate([[0], places[usable]])
    gain = np.concatenate([[0.0], strength[usable]])
    # A long note before the last one is no phrase end if the harmony reaches its cadence one note later.
    gain += [_CLOSES.get(_cadence(placed, tick)[0], 0.0) for tick in ticks.tolist()]
    offset = float(score.upbeat_ticks)
    period = np.abs(
        (ticks - offset) / (_PREFERRED_BARS * length)
        - np.round((ticks - offset) / (_PREFERRED_BARS * length))
    )
    gain = gain + _PERIOD * 2 * (period < 0.3 / _PREFERRED_BARS)
    total = np.full(len(ticks), -np.inf)
    back = np.zeros(len(ticks), dtype=np.int64)
    total[0] = 0.0
    for j in range(1, len(ticks)):
        spans = (ticks[j] - ticks[:j]) / length
        low = int(np.searchsorted(-spans, -_LONGEST_BARS))
        if low >= j:
            low = j - 1
        off = np.log2(np.maximum(spans[low:], 0.1) / _PREFERRED_BARS)
        worth = total[low:j] + gain[j] - _OFF_LENGTH * 4 * off**2
        best = int(np.argmax(worth))
        total[j], back[j] = worth[best], low + best
    ends: list[int] = []
    j = len(ticks) - 1
    while j > 0:
        ends.append(int(ticks[j]))
        j = int(back[j])
    return ends[::-1]


def _letters(slots: list[NDArray[np.int64]]) -> tuple[list[str], list[float]]:
    firsts: list[NDArray[np.int64]] = []
    letters: list[str] = []
    likeness: list[float] = []
    for own in slots:
        scores = [_phrases_alike(own, other) for other in firsts]
        best = int(np.argmax(scores)) if scores else -1
        if best >= 0 and scores[best] >= VARIED:
            letters.append(_letter(best) + ("" if scores[best] >= SAME else "'"))
            likeness.append(float(scores[best]))
        else:
            letters.append(_letter(len(firsts)))
            likeness.append(1.0)
            firsts.append(own)
    return letters, likeness


def _phrases_alike(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Maximum similarity of two phrases, aligned at their starts or at their ends."""
    n = min(len(one), len(other))
    if n < 0.6 * max(len(one), len(other)):
        return 0.0
    found = max(float(_alike(one[:n], other[:n])), float(_alike(one[-n:], other[-n:])))
    return found * n / max(len(one), len(other))


def _letter(row: int) -> str:
    return chr(ord("A") + row % 26) + (str(row // 26) if row >= 26 else "")


def _bar_numbers(bars: Bars, start: int, stop: int, first: int) -> tuple[int, int]:
    a = int(np.searchsorted(bars.start, start, side="right")) - 1
    b = int(np.searchsorted(bars.start, stop, side="left")) - 1
    return a + first, max(b, a) + first


def _cadence(placed: _Placed, end: int) -> tuple[str, tuple[str, ...]]:
    """Cadence of the last two chords before a tick, and their numerals."""
    ticks, sounding = placed
    last = bisect_left(ticks, end) - 1
    if last < 1:
        return "", ()
    here = sounding[last]
    before = last - 1
    while before >= 0 and sounding[before].root == here.root and sounding[before].quality == here.quality:
        before -= 1
    if before < 0:
        return "", (here.numeral,)
    pair = (sounding[before].numeral, here.numeral)
    return cadence_of(*pair), pair


def _tick(chord: ChordSpan, bars: Bars, first: int) -> int:
    row = min(chord.bar - first, len(bars.start) - 1)
    return int(bars.start[row] - bars.lead[row]) + (chord.beat - 1) * TICKS_PER_QUARTER


def cadence_of(before: str, last: str) -> str:
    """Cadence of two successive Roman numerals; empty if they form none.

    >>> cadence_of("V7", "I"), cadence_of("ii6", "V"), cadence_of("IV", "I"), cadence_of("V", "vi")
    ('authentic', 'half', 'plagal', 'deceptive')
    """
    a, b = _plain(before), _plain(last)
    if b in ("I", "i"):
        return "authentic" if a in ("V", "viio", "VIIo", "vii%") else "plagal" if a in ("IV", "iv") else ""
    if b == "V" and "/" not in last:
        return "half"
    if a == "V" and b in ("vi", "VI"):
        return "deceptive"
    return ""


def _plain(numeral: str) -> str:
    return "" if "/" in numeral else numeral.rstrip("0123456789")
