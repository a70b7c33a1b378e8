"""What a control is, and the guide that joins the grammar with controls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, Self

import numpy as np

from troubadour.tokens import vocabulary as lx
from troubadour.tokens.grammar import Automaton, Mask, Phase


class Span(NamedTuple):
    """A note, chord or rest of one voice."""

    start: int
    """Ticks (24 a quarter) from the start of the piece, an upbeat counted."""
    stop: int
    pitches: tuple[int, ...]
    """MIDI, rising; none = a rest."""


class Control(Protocol):
    """One hard constraint on what is composed."""

    @property
    def remembers(self) -> bool:
        """Whether it may leave a pitch without a length, so that pitches have to be tried."""
        ...

    def allow(self, automaton: Automaton, mask: Mask) -> None:
        """Narrow the mask, shape (N_TOKENS,), where an event or its length is expected."""
        ...

    def heard(self, lane: int, span: Span) -> None:
        """Take in an event that was completed in voice `lane`."""
        ...

    def copy(self) -> Self:
        """An independent control in the same state."""
        ...


class Forcing(Protocol):
    """What is given and not chosen."""

    def token(self, automaton: Automaton) -> int | None:
        """The only token that may follow, or `None` where it is free."""
        ...

    def settles(self, automaton: Automaton) -> bool:
        """Whether all that is left is given."""
        ...


class Static:
    """A control without state: the same for every sequence."""

    remembers = False

    def heard(self, lane: int, span: Span) -> None:
        """Nothing to remember."""

    def copy(self) -> Self:
        """Itself."""
        return self


class Guide:
    """An automaton under controls, as the sampler sees it.

    Args:
        automaton: the grammar, with its plan.
        controls: all have to hold.
        given: what is forced; other controls are not asked there.
    """

    __slots__ = ("_controls", "_given", "_mask", "_tries", "automaton", "forced", "resort")

    def __init__(
        self, automaton: Automaton, controls: Sequence[Control] = (), given: Forcing | None = None
    ) -> None:
        self.automaton = automaton
        self._controls = tuple(controls)
        self._given = given
        self._tries = any(c.remembers for c in controls)
        self._mask: Mask | None = None
        self.forced = False
        """Whether the next token is given; its likelihood then says how well the rest fits it."""
        self.resort: Mask | None = None
        """What may follow where nothing of `allowed` can."""

    @property
    def done(self) -> bool:
        """Whether the piece is complete."""
        return self.automaton.phase == Phase.DONE

    @property
    def settled(self) -> bool:
        """Whether all that is left is given: no network is needed for that."""
        return self.done or (self._given is not None and self._given.settles(self.automaton))

    def features(self) -> tuple[int, ...]:
        """Musical position of the next token."""
        return self.automaton.features()

    def copy(self) -> Guide:
        """An independent guide in the same state."""
        new = Guide.__new__(Guide)
        new.automaton = self.automaton.copy()
        new._controls = tuple(c.copy() for c in self._controls)
        new._given, new._tries, new._mask = self._given, self._tries, None
        new.forced, new.resort = False, None
        return new

    def advance(self, token: int) -> None:
        """Take one token without trying what comes after it."""
        automaton = self.automaton
        ends_event = lx.DURATION <= token < lx.PITCH and automaton.phase in (Phase.CHORD, Phase.LENGTH)
        if ends_event and self._controls:
            stop = automaton.now + automaton.longs * lx.MAX_DURATION + token - lx.DURATION + 1
            span = Span(automaton.now, stop, tuple(automaton.pitches))
            for control in self._controls:
                control.heard(automaton.lane, span)
        automaton.advance(token)
        self._mask = None

    def take(self, token: int) -> bool:
        """Take one token; false, and nothing changed, if nothing could follow it."""
        pitch = lx.PITCH <= token < lx.PITCH + 128
        if not self._tries or self.forced or not (pitch or token == lx.LONG):
            self.advance(token)
            return True
        ahead = self.copy()
        ahead.advance(token)
        mask = ahead.allowed()
        if not mask.any():
            return False
        self.automaton, self._controls, self._mask = ahead.automaton, ahead._controls, mask
        self.forced, self.resort = ahead.forced, ahead.resort
        return True

    def unforced(self) -> Mask:
        """What the grammar alone allows."""
        return self.automaton.allowed()

    def allowed(self) -> Mask:
        """Tokens that may follow, shape (N_TOKENS,)."""
        if self._mask is not None:
            return self._mask
        automaton = self.automaton
        self.resort = None
        token = None if self._given is None else self._given.token(automaton)
        self.forced = token is not None
        if token is not None:
            mask = np.zeros(lx.N_TOKENS, dtype=bool)
            mask[token] = True
            return mask
        mask = automaton.allowed()
        if automaton.phase < Phase.EVENT or mask[lx.BAR] or mask[lx.END]:
            return mask
        may_rest = bool(mask[lx.REST])
        for control in self._controls:
            control.allow(automaton, mask)
        if may_rest:
            # A rest after a rest says nothing new, and a rest that a control has struck out
            # stands in for a note only where there is none.
            if automaton.resting[automaton.lane]:
                mask[lx.REST] = False
            if not mask[lx.REST]:
                self.resort = np.zeros(lx.N_TOKENS, dtype=bool)
                self.resort[lx.REST] = True
                if not mask.any():
                    return self.resort
        return mask


def until(automaton: Automaton, mask: Mask, tick: int) -> None:
    """Let the event that is being written last until `tick` at most."""
    room = tick - automaton.now - automaton.longs * lx.MAX_DURATION
    if room <= lx.MAX_DURATION:
        mask[lx.LONG] = False
        mask[lx.DURATION + max(room, 0) : lx.PITCH] = False


def keep_pitches(mask: Mask, pitches: Mask) -> None:
    """Strike out all pitches but some, shape (128,)."""
    mask[lx.PITCH : lx.PITCH + 128] &= pitches


def of_classes(classes: Iterable[int]) -> Mask:
    """Pitches of some pitch classes, shape (128,)."""
    return np.isin(np.arange(128) % 12, list(classes))
