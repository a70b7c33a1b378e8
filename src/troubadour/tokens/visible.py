"""Show a part of a piece before the piece is written: any notes of any voices, MASK for all else.

One mechanism for infilling, harmonising and accompanying (cf. Thickstun et al. 2024, who write what is
given ahead of time, and Huang et al. 2017, who mask any part of a four-part piece). What is shown costs
as many tokens as it has in the piece, and one or two for each gap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Phase
from troubadour.tokens.tokenizer import duration_tokens

Event = tuple[int, int, tuple[int, ...]]
"""Start and stop in ticks, and pitches, rising; none = a rest."""


class ParsedTokens(NamedTuple):
    """A token sequence taken apart."""

    opening: int
    """How many tokens stand before the first event: prefix, tracks, maps and the first barline."""
    voices: list[list[Event]]
    bars: list[int]
    """Where each bar starts, the upbeat being one."""
    changes: dict[int, list[int]]
    """Tokens of metre, key and tempo at each barline where one changes."""

    def bar_of(self, tick: int) -> int:
        """Which bar a tick is in, from 0."""
        return bisect_right(self.bars, tick) - 1


def parse_tokens(tokens: Sequence[int]) -> ParsedTokens:
    """Voices, barlines and changes of a token sequence without anything shown.

    Costs about 2 ms for a tune.

    Raises:
        InputError: the sequence breaks the grammar.
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
    """`FILL ... FILL`: the tokens that show some events of each voice.

    Args:
        voices: all voices of the piece, each with what is shown of it, in time order, on the grid.
        bars: where each bar starts; where the first of them is an upbeat, it counts.
        changes: as in `Reading`.
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
