"""Visible context: a part of a piece before the piece itself, with MASK for all other events.

Infilling, harmonisation and accompaniment share this mechanism. Thickstun et al. 2024 put given events
ahead of their time; Huang et al. 2017 mask any part of a four-part piece. The context costs as many
tokens as its events have in the piece, and one or two for each gap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Phase
from troubadour.tokens.tokenizer import duration_tokens

Event = tuple[int, int, tuple[int, ...]]
"""Start and stop in ticks, and MIDI pitches, rising; empty = a rest."""


class ParsedTokens(NamedTuple):
    """Voices, barlines and changes of a token sequence."""

    opening: int
    """Number of tokens before the first event: prefix, tracks, metre, key, tempo and the first barline."""
    voices: list[list[Event]]
    """Events of each voice in time order, rests included."""
    bars: list[int]
    """Tick at which each bar starts; an upbeat counts as a bar."""
    changes: dict[int, list[int]]
    """Tokens of metre, key and tempo by the tick of the barline where they change."""

    def bar_of(self, tick: int) -> int:
        """Bar of a tick, 0-based."""
        return bisect_right(self.bars, tick) - 1


def parse_tokens(tokens: Sequence[int]) -> ParsedTokens:
    """Parse a token sequence without visible context.

    Costs about 2 ms for a tune.

    Raises:
        InputError: the sequence violates the grammar.
    """
    automaton = Automaton()
    opening, bars = 0, [0]
    voices: list[list[Event]] = []
    changes: dict[int, list[int]] = {}
    for i, token in enumerate(tokens):
        before = automaton.phase
        voice = automaton.voice
        automaton.advance(token)
        if before < Phase.EVENT and not opening:
            if automaton.phase == Phase.EVENT:
                opening = i + 1
                voices = [[] for _ in automaton.voice_track]
                if automaton.upbeat:
                    bars.append(automaton.upbeat)
        elif token == vocab.BAR:
            if automaton.now != bars[-1]:
                bars.append(automaton.now)
        elif vocab.NUMERATOR <= token < vocab.VELOCITY:
            changes.setdefault(automaton.now, []).append(token)
        elif before in (Phase.CHORD, Phase.LENGTH) and vocab.DURATION <= token < vocab.PITCH:
            voices[voice].append((automaton.now, automaton.ends[voice], tuple(automaton.pitches)))
    return ParsedTokens(opening, voices, bars, changes)


def show(
    voices: Sequence[Sequence[Event]],
    bars: Sequence[int],
    changes: Mapping[int, Sequence[int]] | None = None,
) -> list[int]:
    """Tokens `FILL ... FILL` of a visible context.

    Args:
        voices: visible events of each voice of the piece, in time order, on the grid; may be empty.
        bars: tick at which each bar starts; an upbeat counts as a bar.
        changes: as in `ParsedTokens`.
    """
    end = max((voice[-1][1] for voice in voices if voice), default=0)
    events: list[tuple[int, int, int, tuple[int, ...] | None]] = []
    for number, voice in enumerate(voices):
        time = 0
        for event in voice:
            if event[0] > time:
                events.append((time, number, event[0], None))
            events.append((event[0], number, *event[1:]))
            time = event[1]
        if time < end:
            events.append((time, number, end, None))
    events.sort(key=lambda e: e[:2])
    out = [vocab.FILL]
    bar = 1
    for start, _, stop, sounding in events:
        while bar < len(bars) and bars[bar] <= start:
            out += [vocab.BAR, *(changes or {}).get(bars[bar], ())]
            bar += 1
        if sounding is None:
            out.append(vocab.MASK)
        else:
            out += [vocab.PITCH + p for p in sounding] or [vocab.REST]
        out += duration_tokens(stop - start)
    return [*out, vocab.FILL]
