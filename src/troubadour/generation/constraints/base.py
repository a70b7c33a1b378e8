"""Protocols of constraints, and the decoder that combines them with the grammar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, Self

import numpy as np

from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Mask, Phase


class Span(NamedTuple):
    """A note, chord or rest of one voice."""

    start: int
    """Ticks (24 a quarter) from the start of the piece, upbeat included."""
    stop: int
    """Ticks, exclusive."""
    pitches: tuple[int, ...]
    """MIDI pitches, rising; empty = a rest."""


class Constraint(Protocol):
    """One hard constraint on a sequence."""

    @property
    def needs_lookahead(self) -> bool:
        """Whether it may forbid every length of an allowed pitch, so that the decoder has to look ahead."""
        ...

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Narrow a mask in place, where an event or its length is expected.

        Args:
            automaton: state of the sequence.
            mask: allowed tokens, shape (N_TOKENS,), bool.
        """
        ...

    def on_event(self, voice: int, span: Span) -> None:
        """Update the state after an event.

        Args:
            voice: index of the voice, from 0.
            span: the completed event.
        """
        ...

    def copy(self) -> Self:
        """An independent constraint in the same state."""
        ...


class Forcing(Protocol):
    """Events that are forced rather than sampled."""

    def token(self, automaton: Automaton) -> int | None:
        """The forced token, or `None` where the next token is free."""
        ...

    def fully_forces(self, automaton: Automaton) -> bool:
        """Whether all remaining tokens are forced."""
        ...


class Stateless:
    """Base of constraints without state, which sequences can share."""

    needs_lookahead = False

    def on_event(self, voice: int, span: Span) -> None:
        """No effect."""

    def copy(self) -> Self:
        """The constraint itself."""
        return self


class ConstrainedDecoder:
    """The grammar and its constraints as a `sampling.SequenceDecoder`.

    Args:
        automaton: the grammar, with its plan.
        constraints: all of them hold for every free token.
        given: forced events; the other constraints do not apply to these.
    """

    __slots__ = ("_constraints", "_given", "_looks_ahead", "_mask", "automaton", "fallback_mask", "forced")

    def __init__(
        self, automaton: Automaton, constraints: Sequence[Constraint] = (), given: Forcing | None = None
    ) -> None:
        self.automaton = automaton
        self._constraints = tuple(constraints)
        self._given = given
        self._looks_ahead = any(c.needs_lookahead for c in constraints)
        self._mask: Mask | None = None
        self.forced = False
        """Whether the next token is forced; its likelihood still counts in the ranking of candidates."""
        self.fallback_mask: Mask | None = None
        """Fallback mask, used when every allowed token was rejected."""

    @property
    def done(self) -> bool:
        """Whether the piece is complete."""
        return self.automaton.phase == Phase.DONE

    @property
    def fully_forced(self) -> bool:
        """Whether all remaining tokens are forced, so that the network is not needed."""
        return self.done or (self._given is not None and self._given.fully_forces(self.automaton))

    def features(self) -> tuple[int, ...]:
        """Musical position of the next token; see `Automaton.features`."""
        return self.automaton.features()

    def copy(self) -> ConstrainedDecoder:
        """An independent decoder in the same state."""
        new = ConstrainedDecoder.__new__(ConstrainedDecoder)
        new.automaton = self.automaton.copy()
        new._constraints = tuple(c.copy() for c in self._constraints)
        new._given, new._looks_ahead, new._mask = self._given, self._looks_ahead, None
        new.forced, new.fallback_mask = False, None
        return new

    def advance(self, token: int) -> None:
        """Append one token without look-ahead."""
        automaton = self.automaton
        ends_event = vocab.DURATION <= token < vocab.PITCH and automaton.phase in (Phase.CHORD, Phase.LENGTH)
        if ends_event and self._constraints:
            stop = automaton.now + automaton.longs * vocab.MAX_DURATION + token - vocab.DURATION + 1
            span = Span(automaton.now, stop, tuple(automaton.pitches))
            for constraint in self._constraints:
                constraint.on_event(automaton.voice, span)
        automaton.advance(token)
        self._mask = None

    def take(self, token: int) -> bool:
        """Append one token; returns false and changes nothing if no token could follow it.

        Look-ahead costs a copy of the decoder for each pitch.
        """
        pitch = vocab.PITCH <= token < vocab.PITCH + 128
        if not self._looks_ahead or self.forced or not (pitch or token == vocab.LONG):
            self.advance(token)
            return True
        ahead = self.copy()
        ahead.advance(token)
        mask = ahead.allowed()
        if not mask.any():
            return False
        self.automaton, self._constraints, self._mask = ahead.automaton, ahead._constraints, mask
        self.forced, self.fallback_mask = ahead.forced, ahead.fallback_mask
        return True

    def unforced(self) -> Mask:
        """Tokens that the grammar alone allows, shape (N_TOKENS,)."""
        return self.automaton.allowed()

    def allowed(self) -> Mask:
        """Tokens that grammar and constraints allow, shape (N_TOKENS,); sets `forced` and `fallback_mask`."""
        if self._mask is not None:
            return self._mask
        automaton = self.automaton
        self.fallback_mask = None
        token = None if self._given is None else self._given.token(automaton)
        self.forced = token is not None
        if token is not None:
            mask = np.zeros(vocab.N_TOKENS, dtype=bool)
            mask[token] = True
            return mask
        mask = automaton.allowed()
        if automaton.phase < Phase.EVENT or mask[vocab.BAR] or mask[vocab.END]:
            return mask
        may_rest = bool(mask[vocab.REST])
        for constraint in self._constraints:
            constraint.allow(automaton, mask)
        if may_rest:
            # Successive rests, and rests that a constraint has removed, are a fallback only:
            # they replace a note where no note is allowed.
            if automaton.resting[automaton.voice]:
                mask[vocab.REST] = False
            if not mask[vocab.REST]:
                self.fallback_mask = np.zeros(vocab.N_TOKENS, dtype=bool)
                self.fallback_mask[vocab.REST] = True
                if not mask.any():
                    return self.fallback_mask
        return mask


def end_by(automaton: Automaton, mask: Mask, tick: int) -> None:
    """Remove the lengths with which the current event would end after `tick`; shape (N_TOKENS,), in place."""
    room = tick - automaton.now - automaton.longs * vocab.MAX_DURATION
    if room <= vocab.MAX_DURATION:
        mask[vocab.LONG] = False
        mask[vocab.DURATION + max(room, 0) : vocab.PITCH] = False


def keep_pitches(mask: Mask, pitches: Mask) -> None:
    """Remove all pitches from a mask except `pitches`, shape (128,)."""
    mask[vocab.PITCH : vocab.PITCH + 128] &= pitches


def of_classes(classes: Iterable[int]) -> Mask:
    """MIDI pitches of some pitch classes (0 to 11) as a mask, shape (128,)."""
    return np.isin(np.arange(128) % 12, list(classes))
