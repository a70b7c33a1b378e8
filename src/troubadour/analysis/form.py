"""Phrases, their cadences and the form that they make; and how like each bar is to each other.

Phrases end where the melody rests or holds a note, on a beat, about every four bars: a shortest
path weighs those against each other (boundaries after Cambouropoulos 2001; lengths as a prior
after Temperley 2001, chapter 3). Equal phrases get equal letters. Bars are compared slot by slot
(self-similarity after Foote 1999, on symbols).
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
"""Places of a bar that are compared."""
SAME: Final = 0.8
"""From this likeness on two phrases bear one letter; from `VARIED` on, the letter with a prime."""
VARIED: Final = 0.55
_USUAL_BARS: Final = 4.0
_LONGEST_BARS: Final = 10
_OFF_LENGTH: Final = 0.35
_PERIOD: Final = 0.5
_CLOSES: Final = {"authentic": 0.9, "plagal": 0.4, "half": 0.2, "deceptive": 0.2}
"""What a cadence adds to an end."""
MOST_BARS: Final = 400
"""Bars that are compared with each other; of a longer piece the first."""

Floats = NDArray[np.float64]
_Placed = tuple[list[int], list[ChordSpan]]
"""Chords that sound, and the tick of each."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A stretch of music between two rests of its melody."""

    bars: tuple[int, int]
    """First and last, from 1 (0 = upbeat)."""
    letter: str
    """Equal letters: equal phrases; with a prime: varied."""
    likeness: float
    """To the first phrase of the letter, 0 to 1."""
    cadence: str
    """`authentic`, `half`, `plagal`, `deceptive`, or empty."""
    chords: tuple[str, ...]
    """The last two numerals, on which the cadence rests."""


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """How a piece is laid out."""

    phrases: tuple[Phrase, ...]
    likeness: Floats
    """Of each bar with each other, shape (n, n), 0 to 1, 1 on the diagonal; at most `MOST_BARS`."""
    first_bar: int
    """Number of the first row: 0 = upbeat."""

    @property
    def letters(self) -> str:
        """The form in letters: `A B A' C`."""
        return " ".join(p.letter for p in self.phrases)


def find_form(score: Score, chords: Sequence[ChordSpan] = ()) -> Form:
    """Phrases, cadences and self-similarity of a quantised score; about 5 ms a tune."""
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
    """Share of slots in which two bars sound alike, shape (n_bars, n_bars)."""
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
    """The melody's pitch in equal slots of a stretch, negative where it is held; 0 = silence."""
    count = count or max((stop - start) // 6, 1)
    step = max((stop - start) / count, 1e-9)
    out = np.zeros(count, dtype=np.int64)
    inside = (score.onset < stop) & (score.onset + score.duration > start)
    # In order of pitch, so that of notes that sound together the highest is written last.
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
    """Share of slots that agree in pitch (and half of it for held against struck)."""
    same = np.abs(one) == np.abs(others)
    struck = (one > 0) == (others > 0)
    sounding = (one != 0) | (others != 0)
    agree = (same & sounding) * np.where(struck, 1.0, 0.5)
    out: Floats = agree.sum(axis=-1) / np.maximum(sounding.sum(axis=-1), 1)
    return out


def _phrase_ends(score: Score, bars: Bars, placed: _Placed) -> list[int]:
    """Ticks at which phrases end; the last is the end of the piece."""
    lead = skyline(score, int(score.track.min()))
    onset = score.onset[lead].astype(np.int64)
    end = int(score.end_ticks)
    gap = np.diff(np.append(onset, end))
    usual = max(float(np.median(gap)), 1.0)
    beat = beat_ticks(score.metres[0])
    rest = np.append(onset[1:], end) - (onset + score.duration[lead])
    strength = np.log2(np.maximum(gap / usual, 0.25)) + 1.5 * (rest >= beat // 2)
    length = float(np.median(bars.length))
    # A phrase may end after any note that gives way to one on a beat.
    places = np.append(onset[1:], end)
    origin = bars.start[0] - bars.lead[0]
    on_beat = (places - origin) % beat == 0
    usable = np.flatnonzero(on_beat | (places == end))
    ticks = np.concatenate([[0], places[usable]])
    gain = np.concatenate([[0.0], strength[usable]])
    # A held note before the last is no end where the harmony closes a note later.
    gain += [_CLOSES.get(_cadence(placed, tick)[0], 0.0) for tick in ticks.tolist()]
    offset = float(score.upbeat_ticks)
    period = np.abs(
        (ticks - offset) / (_USUAL_BARS * length) - np.round((ticks - offset) / (_USUAL_BARS * length))
    )
    gain = gain + _PERIOD * 2 * (period < 0.3 / _USUAL_BARS)
    total = np.full(len(ticks), -np.inf)
    back = np.zeros(len(ticks), dtype=np.int64)
    total[0] = 0.0
    for j in range(1, len(ticks)):
        spans = (ticks[j] - ticks[:j]) / length
        low = int(np.searchsorted(-spans, -_LONGEST_BARS))
        if low >= j:
            low = j - 1
        off = np.log2(np.maximum(spans[low:], 0.1) / _USUAL_BARS)
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
    """The best agreement when both are laid from their starts or from their ends."""
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
    """What the last two chords before a tick make."""
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
    """The cadence that two numerals make.

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
