"""What a brief leaves open, decided as the brief's style usually has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from troubadour.core.errors import InputError
from troubadour.generation.constraints.build import InstrumentDefaults
from troubadour.generation.constraints.chords import parse_chords
from troubadour.generation.request import Brief
from troubadour.generation.style_statistics import StyleStatistics, draw


class StyleDefaults:
    """The styles that a composer has music behind.

    Args:
        profiles: what each style is usually like; the empty name stands for any melody.
        known: styles that the composer can be told, in its order.
    """

    def __init__(self, profiles: Mapping[str, StyleStatistics], known: Sequence[str]) -> None:
        self.profiles = dict(profiles)
        self.styles = tuple(s for s in known if s in self.profiles)

    def complete(self, brief: Brief, rng: np.random.Generator) -> Brief:
        """The brief with every open matter decided, but for density and upbeat.

        Raises:
            InputError: the style is unknown, or has not as many voices as asked for.
        """
        profile = self.profile(brief)
        metre = brief.metre
        if metre is None:
            top, bottom = draw(profile.metres, rng).split("/")
            metre = (int(top), int(bottom))
        key = brief.key
        if key is None:
            fifths, mode = draw(profile.keys, rng).split()
            key = (int(fifths), mode)
        bars = brief.bars
        if bars is None and brief.chords:
            bars = len(parse_chords(brief.chords, None))
        if bars is None:
            bars = int(draw(_usual_bars(profile.bars), rng))
        tempo = brief.tempo_bpm
        if tempo is None:
            name = f"{metre[0]}/{metre[1]} "
            fitting = {k: n for k, n in profile.tempos.items() if k.startswith(name)} or profile.tempos
            tempo = float(draw(fitting, rng).split()[1])
        voices = sum(n for _, n in programs_of(profile))
        return replace(brief, metre=metre, key=key, bars=bars, tempo_bpm=tempo, voices=voices)

    def instrument_defaults(self, brief: Brief) -> InstrumentDefaults:
        """Instruments and ranges that are usual for a brief's style.

        Raises:
            InputError: the style is unknown, or has not as many voices as asked for.
        """
        profile = self.profile(brief)
        return InstrumentDefaults(programs_of(profile), profile.ranges)

    def profile(self, brief: Brief) -> StyleStatistics:
        """The profile of a brief's style, or of one with as many voices.

        Raises:
            InputError: the style is unknown, or has not as many voices as asked for.
        """
        if brief.style is not None and brief.style not in self.styles:
            raise InputError(f"style is '{brief.style}'; allowed: {', '.join(self.styles)}")
        asked = brief.voices if brief.instruments is None else len(brief.instruments)
        if brief.voices is not None and asked != brief.voices:
            raise InputError(f"instruments and voices clash: {asked} instruments, {brief.voices} voices")
        name = brief.style or ""
        if brief.style is None and asked is not None:
            name = self._style_of_voices(asked)
        profile = self.profiles[name]
        voices = sum(n for _, n in programs_of(profile))
        if asked is not None and asked != voices:
            raise InputError(f"style '{brief.style}' is composed in {voices} voices; asked for {asked}")
        return profile

    def _style_of_voices(self, voices: int) -> str:
        by_voices: dict[int, str] = {}
        for name in ("", *self.styles):
            count = sum(n for _, n in programs_of(self.profiles[name]))
            by_voices.setdefault(count, name)
        if voices not in by_voices:
            allowed = ", ".join(str(n) for n in sorted(by_voices))
            raise InputError(f"voices is {voices}; this composer has learnt: {allowed}")
        return by_voices[voices]


def programs_of(profile: StyleStatistics) -> tuple[tuple[int, int], ...]:
    """(program, voices) of each track, as a style usually has them."""
    usual = max(profile.programs, key=lambda name: (profile.programs[name], name))
    pairs = (part.split(":") for part in usual.split())
    return tuple((int(program), int(voices)) for program, voices in pairs)


def _usual_bars(counts: Mapping[str, int]) -> dict[str, int]:
    """Lengths that make a tune of phrases: 8 to 32 bars, multiples of four where there are any."""
    phrases = {k: n for k, n in counts.items() if 8 <= int(k) <= 32 and int(k) % 4 == 0}
    return phrases or dict(counts)
