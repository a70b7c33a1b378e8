"""Chord progressions: parsing, and the constraint that only chord tones sound on beats."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np

from troubadour.core.errors import InputError
from troubadour.generation.constraints.base import Stateless, end_by, of_classes
from troubadour.music.quantise import TICKS_PER_QUARTER
from troubadour.music.theory.metre import Metre
from troubadour.music.theory.names import pitch_class
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Mask, Phase

_KINDS: Final = {
    "": (0, 4, 7), "maj": (0, 4, 7), "m": (0, 3, 7), "min": (0, 3, 7), "-": (0, 3, 7), "5": (0, 7),
    "dim": (0, 3, 6), "o": (0, 3, 6), "aug": (0, 4, 8), "+": (0, 4, 8), "sus4": (0, 5, 7),
    "sus2": (0, 2, 7), "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10), "min7": (0, 3, 7, 10), "dim7": (0, 3, 6, 9), "m7b5": (0, 3, 6, 10),
    "7sus4": (0, 5, 7, 10), "9": (0, 2, 4, 7, 10), "add9": (0, 2, 4, 7),
}  # fmt: skip


class Chord(NamedTuple):
    """A chord symbol."""

    name: str
    """As in the text that was parsed."""
    classes: frozenset[int]
    """Pitch classes, bass included."""
    bass: int
    """Pitch class of the lowest note."""


def parse_chord(text: str) -> Chord:
    """Parse a chord symbol such as `G`, `D7`, `F#m` or `Bb/D`.

    Raises:
        InputError: no such chord; the message lists the allowed kinds.
    """
    found = re.fullmatch(r"([A-G])([#b]?)([^/]*)(?:/([A-G])([#b]?))?", text)
    if not found or found[3] not in _KINDS:
        kinds = ", ".join(k for k in _KINDS if k)
        raise InputError(f"chord is '{text}'; allowed: A to G with # or b, then nothing or one of {kinds}")
    root = pitch_class(found[1] + found[2])
    bass = pitch_class(found[4] + found[5]) if found[4] else root
    return Chord(text, frozenset((root + i) % 12 for i in _KINDS[found[3]]) | {bass}, bass)


def parse_chords(text: str, bars: int | None) -> tuple[tuple[Chord, ...], ...]:
    """Chords of each bar. `G C D7 G` has one chord a bar; `G | C D7 | G` marks the bars.

    A progression shorter than the piece is repeated. Without barlines, more chords than bars are
    distributed evenly.

    Args:
        text: chord symbols, with or without barlines.
        bars: number of bars of the piece; `None` = the number of bars of the progression.

    Raises:
        InputError: a chord is unknown, or the progression does not divide the bars evenly.

    >>> [[c.name for c in bar] for bar in parse_chords("G | C D7", 4)]
    [['G'], ['C', 'D7'], ['G'], ['C', 'D7']]
    """
    rows = [tuple(parse_chord(word) for word in part.split()) for part in text.strip(" |").split("|")]
    if not all(rows):
        raise InputError(f"chords are '{text}'; allowed: one or more in each bar, such as 'G | C D7 | G'")
    if "|" not in text.strip(" |"):
        names = rows[0]
        share = 1 if bars is None or len(names) <= bars else Fraction(len(names), bars)
        if share != int(share):
            raise InputError(f"chords and bars clash: {len(names)} chords do not go into {bars} bars evenly")
        rows = [names[i : i + int(share)] for i in range(0, len(names), int(share))]
    bars = bars or len(rows)
    if bars % len(rows):
        raise InputError(f"chords and bars clash: {len(rows)} bars of chords do not fill {bars} bars evenly")
    if bars > vocab.MAX_BARS:
        raise InputError(f"chords fill {bars} bars; allowed: 1 to {vocab.MAX_BARS}")
    return tuple(rows) * (bars // len(rows))


@dataclass(frozen=True, slots=True)
class Harmony(Stateless):
    """Constraint: only chord tones sound on beats and at the start of a chord.

    With several voices, the lowest voice sounds the chord's bass, or rests, where a chord starts.
    Between beats all pitches are allowed. An upbeat has no chord.
    """

    places: tuple[int, ...]
    """Ticks of all chord starts and beats, rising."""
    inner: Mask
    """Pitches allowed there in any voice but the lowest, shape (places, 128)."""
    lowest: Mask
    """Pitches allowed there in the lowest voice, shape (places, 128)."""
    bass: int
    """Index of the lowest voice; -1 for a single voice."""

    @classmethod
    def of(
        cls, bars: tuple[tuple[Chord, ...], ...], metre: tuple[int, int], upbeat: int, voices: int
    ) -> Harmony:
        """Build the tables of a progression.

        Args:
            bars: chords of each bar.
            metre: numerator and denominator.
            upbeat: length of the upbeat in ticks; the first whole bar starts there.
            voices: number of voices.

        Raises:
            InputError: the chords of a bar do not divide it evenly on the grid.
        """
        length = Metre(0, *metre).bar_ticks(TICKS_PER_QUARTER)
        beat = Metre(0, *metre).tactus_ticks(TICKS_PER_QUARTER)
        final = len(bars) * length
        places: list[int] = []
        inner: list[Mask] = []
        lowest: list[Mask] = []
        for number, chords in enumerate(bars):
            if length % len(chords) or (length // len(chords)) % 3:
                raise InputError(
                    f"chords and metre clash: {len(chords)} chords do not share a bar of {metre[0]}/{metre[1]}"
                )
            start = upbeat + number * length
            each = length // len(chords)
            for tick in sorted({*range(0, length, beat), *range(0, length, each)}):
                chord = chords[tick // each]
                if start + tick < final:
                    places.append(start + tick)
                    inner.append(of_classes(chord.classes))
                    lowest.append(of_classes({chord.bass}) if tick % each == 0 else inner[-1])
        return cls(tuple(places), np.array(inner), np.array(lowest), voices - 1 if voices > 1 else -1)

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """On beats only chord tones may sound; non-chord tones must end before the next beat."""
        table = self.lowest if automaton.voice == self.bass else self.inner
        if automaton.phase == Phase.EVENT:
            place = bisect_right(self.places, automaton.time) - 1
            if place >= 0 and self.places[place] == automaton.time:
                mask[vocab.PITCH : vocab.PITCH + 128] &= table[place]
        elif automaton.pitches:
            first = bisect_right(self.places, automaton.now)
            bad = np.flatnonzero(~table[first:, automaton.pitches[0]])
            if len(bad):
                end_by(automaton, mask, self.places[first + int(bad[0])])

    def last(self, voice: int, start: int) -> Mask:
        """Pitches that a voice may hold from tick `start` to the end, shape (128,)."""
        table = self.lowest if voice == self.bass else self.inner
        first = bisect_right(self.places, start - 1)
        return np.asarray(table[first:].all(axis=0))
