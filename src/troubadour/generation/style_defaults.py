"""Style defaults: values for the open controls of a brief, drawn from the statistics of its style."""

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
    """Completes briefs from the statistics of the styles that a composer was trained on.

    Args:
        profiles: statistics by style; the empty name has those of all melodies.
        known: styles with a prefix token, in the order of their tokens.
    """

    def __init__(self, profiles: Mapping[str, StyleStatistics], known: Sequence[str]) -> None:
        self.profiles = dict(profiles)
        self.styles = tuple(s for s in known if s in self.profiles)

    def complete(self, brief: Brief, rng: np.random.Generator) -> Brief:
        """The brief with all open controls decided, except density and upbeat.

        Args:
            brief: a brief with any controls.
            rng: source of metre, key, bars and tempo; values are drawn by their frequency in the style.

        Raises:
            InputError: the style is unknown or has another number of voices.
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
            bars = int(draw(_phrase_lengths(profile.bars), rng))
        tempo = brief.tempo_bpm
        if tempo is None:
            name = f"{metre[0]}/{metre[1]} "
            fitting = {k: n for k, n in profile.tempos.items() if k.startswith(name)} or profile.tempos
            tempo = float(draw(fitting, rng).split()[1])
        voices = sum(n for _, n in programs_of(profile))
        return replace(brief, metre=metre, key=key, bars=bars, tempo_bpm=tempo, voices=voices)

    def instrument_defaults(self, brief: Brief) -> InstrumentDefaults:
        """Instruments and ranges of a brief's style.

        Raises:
            InputError: the style is unknown or has another number of voices.
        """
        profile = self.profile(brief)
        return InstrumentDefaults(programs_of(profile), profile.ranges)

    def profile(self, brief: Brief) -> StyleStatistics:
        """Statistics of a brief's style; without one, of the first style with the brief's number of voices.

        Raises:
            InputError: the style is unknown or has another number of voices.
        """
        if brief.style is not None and brief.style not in self.styles:
            raise InputError(f"style is '{brief.style}'; allowed: {', '.join(self.styles)}")
        wanted = brief.voices if brief.instruments is None else len(brief.instruments)
        if brief.voices is not None and wanted != brief.voices:
            raise InputError(
                f"instruments and voices clash: {wanted} instruments, {brief.voices} voices; allowed: one for each voice"
            )
        name = brief.style or ""
        if brief.style is None and wanted is not None:
            name = self._style_of_voices(wanted)
        profile = self.profiles[name]
        voices = sum(n for _, n in programs_of(profile))
        if wanted is not None and wanted != voices:
            raise InputError(
                f"voices is {wanted} and style '{brief.style}' has {voices}; allowed: {voices}, or another style"
            )
        return profile

    def _style_of_voices(self, voices: int) -> str:
        by_voices: dict[int, str] = {}
        for name in ("", *self.styles):
            count = sum(n for _, n in programs_of(self.profiles[name]))
            by_voices.setdefault(count, name)
        if voices not in by_voices:
            allowed = ", ".join(str(n) for n in sorted(by_voices))
            raise InputError(f"voices is {voices}; allowed for this composer: {allowed}")
        return by_voices[voices]


def programs_of(profile: StyleStatistics) -> tuple[tuple[int, int], ...]:
    """(program, number of voices) of each track: the most frequent instrumentation of a style."""
    most_common = max(profile.programs, key=lambda name: (profile.programs[name], name))
    pairs = (part.split(":") for part in most_common.split())
    return tuple((int(program), int(voices)) for program, voices in pairs)


def _phrase_lengths(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts of lengths of 8 to 32 bars in multiples of four; of all lengths if there are none."""
    phrases = {k: n for k, n in counts.items() if 8 <= int(k) <= 32 and int(k) % 4 == 0}
    return phrases or dict(counts)
