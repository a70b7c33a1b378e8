"""Given notes and rests: forced tokens at their ticks, free elsewhere."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Self

from troubadour.generation.constraints.base import Span, Stateless, end_by
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Mask, Phase


class Given(Stateless):
    """Forces the given events of each voice; a free event has to end before the next given event.

    Args:
        spans: events of each voice in time order, on the grid, without overlap.
    """

    def __init__(self, spans: Sequence[Sequence[Span]]) -> None:
        self.spans = tuple(tuple(s) for s in spans)
        self._starts = [[span.start for span in voice] for voice in self.spans]
        closings = [_closing(voice) for voice in self.spans]
        self._closed_from = max((start for start, _ in closings), default=0)
        self._closed_until = min((stop for _, stop in closings), default=0)

    def copy(self) -> Self:
        """The constraint itself, since it has no state."""
        return self

    def next(self, voice: int, tick: int) -> Span | None:
        """First given event of a voice that starts at `tick` or later."""
        if voice >= len(self.spans):
            return None
        place = bisect_left(self._starts[voice], tick)
        return self.spans[voice][place] if place < len(self.spans[voice]) else None

    def ending(self, voice: int, tick: int) -> Span | None:
        """Given event of a voice that ends at `tick`."""
        if voice >= len(self.spans):
            return None
        place = bisect_left(self._starts[voice], tick) - 1
        if place < 0 or self.spans[voice][place].stop != tick:
            return None
        return self.spans[voice][place]

    def token(self, automaton: Automaton) -> int | None:
        """Forced token, or `None` where the next token is free."""
        phase, voice = automaton.phase, automaton.voice
        if phase < Phase.EVENT or phase == Phase.DONE or voice < 0:
            return None
        if phase == Phase.EVENT:
            if automaton.time == automaton.bar_end:
                return None  # the barline comes first
            span = self.next(voice, automaton.time)
            if span is None or span.start != automaton.time:
                return None
            return vocab.PITCH + span.pitches[0] if span.pitches else vocab.REST
        span = self.next(voice, automaton.now)
        if span is None or span.start != automaton.now:
            return None
        written = len(automaton.pitches)
        if written < len(span.pitches):
            return vocab.PITCH + span.pitches[written]
        left = span.stop - span.start - automaton.longs * vocab.MAX_DURATION
        return vocab.LONG if left > vocab.MAX_DURATION else vocab.DURATION + left - 1

    def fully_forces(self, automaton: Automaton) -> bool:
        """Whether every voice is given from the current tick to the end of the piece."""
        final = automaton.final
        return final is not None and automaton.time >= self._closed_from and final <= self._closed_until

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Limit lengths to the start of the voice's next given event."""
        if automaton.phase == Phase.EVENT:
            return
        span = self.next(automaton.voice, automaton.now)
        if span is not None:
            end_by(automaton, mask, span.start)


def _closing(spans: Sequence[Span]) -> tuple[int, int]:
    """Start and stop of the last run of events of a voice without a gap, in ticks."""
    start = stop = spans[-1].stop if spans else 0
    for span in reversed(spans):
        if span.stop < start:
            break
        start = span.start
    return start, stop
