"""What a constraint is, and the decoder that joins the grammar with constraints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, Self

import numpy as np

from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Mask, Phase


class Span(NamedTuple):
    """A note, chord or rest of one voice."""

    start: int
    """Ticks (24 a quarter) from the start of the piece, an upbeat counted."""
    stop: int
    pitches: tuple[int, ...]
    """MIDI, rising; none = a rest."""


class Constraint(Protocol):
    """One hard constraint on what is composed."""

    @property
    def needs_lookahead(self) -> bool:
        """Whether it may leave a pitch without a length, so that pitches have to be tried."""
        ...

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Narrow the mask, shape (N_TOKENS,), where an event or its length is expected."""
        ...

    def on_event(self, voice: int, span: Span) -> None:
        """Take in an event that was completed in voice `voice`."""
        ...

    def copy(self) -> Self:
        """An independent constraint in the same state."""
        ...


class Forcing(Protocol):
    """What is given and not chosen."""

    def token(self, automaton: Automaton) -> int | None:
        """The only token that may follow, or `None` where it is free."""
        ...

    def fully_forces(self, automaton: Automaton) -> bool:
        """Whether all that is left is given."""
        ...


class Stateless:
    """A constraint without state: the same for every sequence."""

    needs_lookahead = False

    def on_event(self, voice: int, span: Span) -> None:
        """Nothing to remember."""

    def copy(self) -> Self:
        """Itself."""
        return self


class ConstrainedDecoder:
    """An automaton under constraints, as the sampler sees it.

    Args:
        automaton: the grammar, with its plan.
        constraints: all have to hold.
        given: what is forced; other constraints are not asked there.
    """

    __slots__ = ("_constraints", "_given", "_mask", "_tries", "automaton", "fallback_mask", "forced")

    def __init__(
        self, automaton: Automaton, constraints: Sequence[Constraint] = (), given: Forcing | None = None
    ) -> None:
        self.automaton = automaton
        self._constraints = tuple(constraints)
        self._given = given
        self._tries = any(c.needs_lookahead for c in constraints)
        self._mask: Mask | None = None
        self.forced = False
        """Whether the next token is given; its likelihood then says how well the rest fits it."""
        self.fallback_mask: Mask | None = None
        """What may follow where nothing of `allowed` can."""

    @property
    def done(self) -> bool:
        """Whether the piece is complete."""
        return self.automaton.phase == Phase.DONE

    @property
    def fully_forced(self) -> bool:
        """Whether all that is left is given: no network is needed for that."""
        return self.done or (self._given is not None and self._given.fully_forces(self.automaton))

    def features(self) -> tuple[int, ...]:
        """Musical position of the next token."""
        return self.automaton.features()

    def copy(self) -> ConstrainedDecoder:
        """An independent decoder in the same state."""
        new = ConstrainedDecoder.__new__(ConstrainedDecoder)
        new.automaton = self.automaton.copy()
        new._constraints = tuple(c.copy() for c in self._constraints)
        new._given, new._tries, new._mask = self._given, self._tries, None
        new.forced, new.fallback_mask = False, None
        return new

    def advance(self, token: int) -> None:
        """Take one token without trying what comes after it."""
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
        """Take one token; false, and nothing changed, if nothing could follow it."""
        pitch = vocab.PITCH <= token < vocab.PITCH + 128
        if not self._tries or self.forced or not (pitch or token == vocab.LONG):
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
        """What the grammar alone allows."""
        return self.automaton.allowed()

    def allowed(self) -> Mask:
        """Tokens that may follow, shape (N_TOKENS,)."""
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
            # A rest after a rest says nothing new, and a rest that a constraint has struck out
            # stands in for a note only where there is none.
            if automaton.resting[automaton.voice]:
                mask[vocab.REST] = False
            if not mask[vocab.REST]:
                self.fallback_mask = np.zeros(vocab.N_TOKENS, dtype=bool)
                self.fallback_mask[vocab.REST] = True
                if not mask.any():
                    return self.fallback_mask
        return mask


def until(automaton: Automaton, mask: Mask, tick: int) -> None:
    """Let the event that is being written last until `tick` at most."""
    room = tick - automaton.now - automaton.longs * vocab.MAX_DURATION
    if room <= vocab.MAX_DURATION:
        mask[vocab.LONG] = False
        mask[vocab.DURATION + max(room, 0) : vocab.PITCH] = False


def keep_pitches(mask: Mask, pitches: Mask) -> None:
    """Strike out all pitches but some, shape (128,)."""
    mask[vocab.PITCH : vocab.PITCH + 128] &= pitches


def of_classes(classes: Iterable[int]) -> Mask:
    """Pitches of some pitch classes, shape (128,)."""
    return np.isin(np.arange(128) % 12, list(classes))
