"""What every composer can do, and the one request that it takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from troubadour.core.errors import InputError
from troubadour.music.quantise import METRONOME, TICKS_PER_QUARTER
from troubadour.music.score import Score
from troubadour.music.theory.keys import MODES, TONICS, signature_fifths
from troubadour.music.theory.metre import Metre
from troubadour.tokens import vocabulary as vocab

FEWEST_COMMON = 6
"""Hardly any melody is in no tune with fewer notes than these."""


class GivenNote(NamedTuple):
    """A note that a piece has to have."""

    voice: int
    """From 1, the highest."""
    onset: int
    """Ticks from the first bar, 24 a quarter."""
    duration: int
    """Ticks."""
    pitch: int
    """MIDI pitch."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What is asked of a composer; `None` leaves a matter to it.

    Raises:
        InputError: a value is out of range (the message says which and what is allowed).
    """

    style: str | None = None
    """A style that the composer knows, such as `jig` or `chorale`."""
    metre: tuple[int, int] | None = None
    key: tuple[int, str] | None = None
    """Signature in fifths (-7 to 7) and mode."""
    bars: int | None = None
    """1 to 64, an upbeat not counted."""
    voices: int | None = None
    """1 to 8."""
    tempo_bpm: float | None = None
    """Quarter notes a minute, 20 to 336."""
    density: int | None = None
    """0 (few notes) to 7 (many)."""
    upbeat: bool | None = None
    """Whether the piece starts with an upbeat."""
    strict: bool = False
    """Whether key (as a scale) and density hold for every note; they guide otherwise. All that
    follows here always holds."""
    chords: str | None = None
    """`G C D7 G`, one a bar, or `G | C D7 | G`; see `constraints.chords`."""
    instruments: tuple[int, ...] | None = None
    """General MIDI program of each voice."""
    ranges: tuple[tuple[int, int], ...] | None = None
    """Lowest and highest pitch of each voice; one range counts for all voices."""
    lowest: int | None = None
    """Lowest pitch of the piece."""
    highest: int | None = None
    """Highest pitch of the piece."""
    cadence: bool | None = None
    """Whether the piece ends on its tonic (several voices: in its chord, the bass on the tonic).
    Without a word it does where nothing else that was asked for speaks against it."""
    notes: tuple[GivenNote, ...] = ()
    """Notes that the piece has to have."""
    parallels: bool | None = None
    """Whether two voices may run in parallel fifths, octaves or unisons. Without a word they may not in a
    chorale, where nothing that is given speaks against it, and may elsewhere."""
    max_common: int | None = None
    """Most successive notes in common with a piece of the catalogue, whatever its key and speed."""
    guidance: float = 1.0
    """How much the style counts: 1 as learnt, up to 4 more so; costs about twice the time."""
    temperature: float = 0.9
    """0.1 (safest) to 2."""
    top_p: float = 0.97
    """Share of the probability that is sampled from, above 0 to 1."""

    def __post_init__(self) -> None:
        if self.bars is not None and not 1 <= self.bars <= vocab.MAX_BARS:
            raise InputError(f"bars is {self.bars}; allowed: 1 to {vocab.MAX_BARS}")
        if self.bars == 1 and self.upbeat:
            raise InputError("upbeat is asked for and bars is 1; allowed: 2 bars or more")
        if self.voices is not None and not 1 <= self.voices <= 8:
            raise InputError(f"voices is {self.voices}; allowed: 1 to 8")
        if self.metre is not None:
            numerator, denominator = self.metre
            fits = denominator in vocab.DENOMINATORS and 1 <= numerator <= 64
            if not fits or not 12 <= Metre(0, numerator, denominator).bar_ticks(TICKS_PER_QUARTER) <= 384:
                allowed = "1/8 to 16/4, with denominators 1, 2, 4, 8, 16 or 32"
                raise InputError(f"metre is {numerator}/{denominator}; allowed: {allowed}")
        if self.key is not None and not (-7 <= self.key[0] <= 7 and self.key[1] in MODES):
            raise InputError(f"key is {self.key}; allowed: -7 to 7 fifths and one of {', '.join(MODES)}")
        if self.tempo_bpm is not None and not METRONOME[0] <= self.tempo_bpm <= METRONOME[-1]:
            raise InputError(
                f"tempo is {self.tempo_bpm}; allowed: {METRONOME[0]} to {METRONOME[-1]} quarters a minute"
            )
        if self.density is not None and not 0 <= self.density < vocab.N_DENSITIES:
            raise InputError(f"density is {self.density}; allowed: 0 to {vocab.N_DENSITIES - 1}")
        for low, high in self.ranges or ():
            if not 0 <= low <= high <= 127:
                raise InputError(f"range is {low} to {high}; allowed: two MIDI pitches from 0 to 127, rising")
        for what in ("lowest", "highest"):
            pitch = getattr(self, what)
            if pitch is not None and not 0 <= pitch <= 127:
                raise InputError(f"{what} is {pitch}; allowed: MIDI pitches 0 to 127")
        for program in self.instruments or ():
            if not 0 <= program <= 127:
                raise InputError(f"instrument is {program}; allowed: General MIDI programs 0 to 127")
        if self.instruments is not None and not 1 <= len(self.instruments) <= 8:
            raise InputError(f"instruments are {len(self.instruments)}; allowed: 1 to 8")
        if self.max_common is not None and not FEWEST_COMMON <= self.max_common <= 64:
            raise InputError(f"max_common is {self.max_common}; allowed: {FEWEST_COMMON} to 64 notes")
        if not 1.0 <= self.guidance <= 4.0:
            raise InputError(f"guidance is {self.guidance}; allowed: 1 to 4")
        if not 0.1 <= self.temperature <= 2.0:
            raise InputError(f"temperature is {self.temperature}; allowed: 0.1 to 2")
        if not 0.0 < self.top_p <= 1.0:
            raise InputError(f"top_p is {self.top_p}; allowed: above 0 to 1")


class Composer(Protocol):
    """Anything that composes."""

    @property
    def styles(self) -> tuple[str, ...]:
        """Styles that a brief may ask for."""
        ...

    def compose(self, brief: Brief, rng: np.random.Generator, candidates: int = 1) -> list[Score]:
        """`candidates` new pieces for one brief, each a quantised score.

        Raises:
            InputError: the brief cannot be met; the message says why and what is allowed.
        """
        ...


class Encoder(Protocol):
    """Anything that turns scores into vectors."""

    @property
    def name(self) -> str:
        """Name of the vector space; vectors of different spaces cannot be compared."""
        ...

    def embed(self, scores: list[Score]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """Vectors of unit length, shape (n, d)."""
        ...


def parse_key(text: str) -> tuple[int, str]:
    """`D`, `D dorian`, `Bb minor`, `f# minor`, `Am` as (fifths, mode).

    Raises:
        InputError: no such key; the message says what is allowed.
    """
    words = text.replace("_", " ").split()
    tonic, mode = (words[0], words[1].lower()) if len(words) == 2 else (words[0] if words else "", "major")
    if len(words) == 1 and tonic.endswith("m") and len(tonic) > 1:
        tonic, mode = tonic[:-1], "minor"
    mode = {"maj": "major", "min": "minor", "aeolian": "minor", "ionian": "major"}.get(mode, mode)
    allowed = f"a tonic A to G with # or b, and one of {', '.join(MODES)} (such as 'D dorian')"
    if len(words) not in (1, 2) or tonic.capitalize() not in TONICS or mode not in MODES:
        raise InputError(f"key is '{text}'; allowed: {allowed}")
    fifths = signature_fifths(tonic.capitalize(), mode)
    if not -7 <= fifths <= 7:
        raise InputError(f"key '{text}' would need {abs(fifths)} accidentals; allowed: up to 7")
    return fifths, mode


def parse_metre(text: str) -> tuple[int, int]:
    """`6/8` as (6, 8).

    Raises:
        InputError: not a metre.
    """
    found = re.fullmatch(r"\s*(\d{1,3})\s*/\s*(\d{1,3})\s*", text)
    if not found:
        raise InputError(f"metre is '{text}'; allowed: two numbers such as 4/4, 6/8 or 3/2")
    metre = int(found[1]), int(found[2])
    Brief(metre=metre)
    return metre
