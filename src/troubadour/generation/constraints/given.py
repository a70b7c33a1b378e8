"""Notes and rests that are given: forced where they stand, free everywhere else."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Self

from troubadour.generation.constraints.base import Span, Stateless, until
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Mask, Phase


class Given(Stateless):
    """Each voice's given events; whatever is composed before one of them ends in time.

    Args:
        spans: of each voice, in time order, not overlapping, starting and ending on the grid.
    """

    def __init__(self, spans: Sequence[Sequence[Span]]) -> None:
        self.spans = tuple(tuple(s) for s in spans)
        self._starts = [[span.start for span in voice] for voice in self.spans]
        closings = [_closing(voice) for voice in self.spans]
        self._closed_from = max((start for start, _ in closings), default=0)
        self._closed_until = min((stop for _, stop in closings), default=0)

    def copy(self) -> Self:
        """Itself: it has no state."""
        return self

    def next(self, voice: int, tick: int) -> Span | None:
        """The first given event of a voice that starts at `tick` or later."""
        if voice >= len(self.spans):
            return None
        place = bisect_left(self._starts[voice], tick)
        return self.spans[voice][place] if place < len(self.spans[voice]) else None

    def ending(self, voice: int, tick: int) -> Span | None:
        """The given event of a voice that ends at `tick`."""
        if voice >= len(self.spans):
            return None
        place = bisect_left(self._starts[voice], tick) - 1
        if place < 0 or self.spans[voice][place].stop != tick:
            return None
        return self.spans[voice][place]

    def token(self, automaton: Automaton) -> int | None:
        """The token that is forced, or nothing."""
        phase, voice = automaton.phase, automaton.voice
        if phase < Phase.EVENT or phase == Phase.DONE or voice < 0:
            return None
        if phase == Phase.EVENT:
            if automaton.time == automaton.bar_end:
                return None  # first the barline
            span = self.next(voice, automaton.time)
            if span is None or span.start != automaton.time:
                return None
            return vocab.PITCH + span.pitches[0] if span.pitches else vocab.REST
        span = self.next(voice, automaton.now)
        if span is None or span.start != automaton.now:
            return None
        said = len(automaton.pitches)
        if said < len(span.pitches):
            return vocab.PITCH + span.pitches[said]
        left = span.stop - span.start - automaton.longs * vocab.MAX_DURATION
        return vocab.LONG if left > vocab.MAX_DURATION else vocab.DURATION + left - 1

    def fully_forces(self, automaton: Automaton) -> bool:
        """Whether every voice is given from here to the end of the piece."""
        final = automaton.final
        return final is not None and automaton.time >= self._closed_from and final <= self._closed_until

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """End in time for the next given event."""
        if automaton.phase == Phase.EVENT:
            return
        span = self.next(automaton.voice, automaton.now)
        if span is not None:
            until(automaton, mask, span.start)


def _closing(spans: Sequence[Span]) -> tuple[int, int]:
    """Start and stop of the last events of a voice that follow one another without a gap."""
    start = stop = spans[-1].stop if spans else 0
    for span in reversed(spans):
        if span.stop < start:
            break
        start = span.start
    return start, stop
