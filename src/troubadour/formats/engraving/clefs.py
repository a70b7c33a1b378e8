"""Which clef a staff has: by its instrument, and where the music stays high or low, by its range."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from troubadour.music.marks import Mark


class Clef(NamedTuple):
    """A clef."""

    sign: str
    line: int
    octaves: int
    lowest: int
    """Written pitch on the lowest line."""
    highest: int
    """Written pitch on the highest line."""


TREBLE: Final = Clef("G", 2, 0, 64, 77)
BASS: Final = Clef("F", 4, 0, 43, 57)
ALTO: Final = Clef("C", 3, 0, 53, 67)
TENOR: Final = Clef("C", 4, 0, 50, 64)
TREBLE_8: Final = Clef("G", 2, -1, 52, 65)
PERCUSSION: Final = Clef("percussion", 2, 0, 64, 77)
_CHANGE: Final = 14.0
"""Cost of a change of clef, in ledger lines."""
_GUITARS: Final = (*range(24, 32), 105)
_VOICES: Final = (52, 53, 54)
# The usual clef first.
_BY_PROGRAM: Final = {
    **dict.fromkeys((40, 110, 56, 59, 60, *range(64, 70), *range(71, 80), 9, 10, 11, 13, 21, 22, 23, 104, 106, 107), (TREBLE,)),
    **dict.fromkeys(_GUITARS, (TREBLE_8,)),
    **dict.fromkeys((*range(32, 40), 43, 47, 58), (BASS,)),
    41: (ALTO, TREBLE), 42: (BASS, TENOR, TREBLE), 57: (BASS, TENOR), 70: (BASS, TENOR), 109: (TREBLE,),
}  # fmt: skip
_WORDS: Final = (
    ("soprano", TREBLE), ("alto", TREBLE), ("tenor sax", None), ("tenor", TREBLE_8), ("bass clarinet", None),
    ("baritone", BASS), ("bass", BASS),
)  # fmt: skip


_MARKED: Final = {
    "G2": TREBLE, "F4": BASS, "C3": ALTO, "C4": TENOR, "G1": Clef("G", 1, 0, 67, 81), "C1": Clef("C", 1, 0, 60, 74),
    "C2": Clef("C", 2, 0, 57, 71), "C5": Clef("C", 5, 0, 47, 60), "F3": Clef("F", 3, 0, 47, 60),
    "F5": Clef("F", 5, 0, 40, 53),
}  # fmt: skip


def marked_clef(text: str, octaves: int) -> Clef | None:
    """The clef of a mark such as `C3`; `None` for other signs, such as percussion."""
    clef = _MARKED.get(text)
    if clef is None or not octaves:
        return clef
    shift = 12 * octaves
    return clef._replace(octaves=octaves, lowest=clef.lowest + shift, highest=clef.highest + shift)


def marked_clefs(marks: Sequence[Mark], edges: Sequence[int]) -> list[Clef]:
    """The marked clef of each bar of a staff; a change within a bar applies from the next bar.

    Args:
        marks: clef marks of the staff, by tick.
        edges: first tick of each bar, and the end of the last bar.

    Returns:
        One clef per bar, or an empty list if the first bar has no marked clef.
    """
    at: dict[int, Clef] = {}
    for mark in marks:
        found = marked_clef(mark.text, mark.value)
        if found is not None:
            at[bisect_left(edges, mark.tick)] = found
    if 0 not in at:
        return []
    clefs = [at[0]]
    for i in range(1, len(edges) - 1):
        clefs.append(at.get(i, clefs[-1]))
    return clefs


def clefs_of(program: int, name: str, pitches: Sequence[int]) -> list[Clef]:
    """The clefs that a part of one staff may be written in, the first one at its beginning.

    Args:
        pitches: as written, of all its notes.
    """
    mean = sum(pitches) / len(pitches) if pitches else 64.0
    if program in _VOICES or program in (85, 91):
        word = next((clef for text, clef in _WORDS if text in name.lower()), None)
        if word is not None:
            return [word]
        return [BASS if mean < 53 else TREBLE_8 if mean < 60 else TREBLE]
    if program in _BY_PROGRAM:
        usual = list(_BY_PROGRAM[program])
        # An instrument far outside its staff is played by a machine: the nearest clef reads best.
        if ledger_lines(pitches, usual[0]) > 3 * len(pitches):
            return [min((TREBLE, BASS), key=lambda c: ledger_lines(pitches, c))]
        return usual
    return [min((TREBLE, BASS), key=lambda c: ledger_lines(pitches, c))]


def ledger_lines(pitches: Sequence[int], clef: Clef) -> float:
    """How many ledger lines some written pitches need, about 3.5 semitones a line."""
    return sum(max(0.0, p - clef.highest - 1, clef.lowest - 1 - p) for p in pitches) / 3.5


def clef_path(bars: Sequence[Sequence[int]], choice: Sequence[Clef]) -> list[Clef]:
    """The clef of each bar: as few ledger lines as few changes allow.

    Args:
        bars: written pitches of each bar.
        choice: clefs to choose among; the first one costs least.
    """
    if len(choice) == 1:
        return [choice[0]] * len(bars)
    # To begin in another clef than the usual one costs as much as to change into it.
    totals = [_CHANGE + 0.25 * i if i else 0.0 for i in range(len(choice))]
    back: list[list[int]] = []
    for pitches in bars:
        best = min(range(len(choice)), key=lambda i: totals[i])
        came = [i if totals[i] <= totals[best] + _CHANGE else best for i in range(len(choice))]
        totals = [
            min(totals[i], totals[best] + _CHANGE) + ledger_lines(pitches, clef) + (0.1 if i else 0.0)
            for i, clef in enumerate(choice)
        ]
        back.append(came)
    if not bars:
        return []
    place = min(range(len(choice)), key=lambda i: totals[i])
    path = [place]
    for came in reversed(back[1:]):
        place = came[place]
        path.append(place)
    return [choice[i] for i in reversed(path)]


def octave_shift(pitches: Sequence[int], clef: Clef) -> int:
    """Octaves by which a bar sounds above what is better written: 1 for 8va, -1 for 8vb, else 0."""
    if not pitches:
        return 0
    if min(pitches) > clef.highest + 10 and max(pitches) > clef.highest + 17:
        return 1
    if max(pitches) < clef.lowest - 10 and min(pitches) < clef.lowest - 17:
        return -1
    return 0
