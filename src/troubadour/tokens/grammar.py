"""Grammar of token sequences: an automaton with the set of allowed tokens at every step.

Voices are filled in time order. When a voice is free, its next event (note, chord or rest) is written.
When all voices sound, time advances to the first voice that ends, and a `BAR` is written at each barline
on the way. Onsets therefore need no tokens, voices stay synchronous, and every complete sequence is a
playable score:

    START [style bars voices numerator denominator key density] BODY
    (PROGRAM VOICE+)+ NUMERATOR DENOMINATOR KEY TEMPO (BAR | UPBEAT LONG* DURATION)
    [FILL events and (MASK LONG* DURATION), with barlines FILL]
    events, with BAR [NUMERATOR DENOMINATOR] [KEY] [TEMPO] at each barline
    END

where an event is `[VELOCITY] PITCH ([VELOCITY] PITCH)* LONG* DURATION` (pitches rising) or
`REST LONG* DURATION`. The visible context, between the two FILL, holds a part of the piece in the same
language before the piece itself; MASK stands for events outside the part. All autoregressive composers
use this automaton for masks and position features.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.music.quantise import GRID, TICKS_PER_QUARTER, VELOCITY_LEVELS
from troubadour.music.score import MODES
from troubadour.music.theory.metre import Metre
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.position import (
    AT_BARLINE,
    COLUMN,
    FEATURE_SIZES,
    HEADER,
    RESTING,
    SILENT,
    VOICES,
    Position,
)

Mask = NDArray[np.bool_]

_MAX_VOICES: Final = 64
_MAX_LONGS: Final = 512
_position: Final = tuple.__new__
"""Builds a `Position` three times as fast as its constructor; one is built for each token."""
_LAST_PLACE: Final = AT_BARLINE - 1
_LAST_VOICE: Final = FEATURE_SIZES[COLUMN.voice] - 1
_LAST_BAR: Final = FEATURE_SIZES[COLUMN.bar] - 1
_IS_GRID = np.zeros(TICKS_PER_QUARTER, dtype=bool)
_IS_GRID[list(GRID)] = True


class Phase(IntEnum):
    """Kind of token that the automaton expects next."""

    START = 0
    PREFIX = 1
    TRACKS = 2
    NUMERATOR = 3
    DENOMINATOR = 4
    KEY = 5
    TEMPO = 6
    FIRST_BAR = 7
    UPBEAT_LENGTH = 8
    EVENT = 9
    CHORD = 10
    LENGTH = 11
    DONE = 12


@dataclass(frozen=True, slots=True)
class Plan:
    """Requirements for a sequence under generation; `None` leaves a value free."""

    bars: int | None = None
    """Number of bars without the upbeat; the upbeat shortens the last bar."""
    ticks: int | None = None
    """Length of the piece in ticks, if it is not `bars` whole bars."""
    programs: tuple[tuple[int, int], ...] | None = None
    """(program or 128 for drums, number of voices) of each track."""
    metre: tuple[int, int] | None = None
    """Numerator and denominator."""
    key: tuple[int, str] | None = None
    """Key signature in fifths (-7 to 7), and mode."""
    tempo_index: int | None = None
    """Index in `METRONOME`."""
    upbeat: int | None = None
    """Length of the upbeat in ticks; 0 = no upbeat."""
    needs_upbeat: bool = False
    """Whether an upbeat is required where `upbeat` is `None`."""
    changes: bool = False
    """Whether metre, key and tempo may change within the piece."""
    dynamics: bool = False
    """Whether velocities may change."""
    ranges: tuple[tuple[int, int], ...] = ()
    """(lowest, highest) MIDI pitch of each voice; further voices are free."""
    chords: bool = False
    """Whether a voice may sound several pitches at once."""
    endings: tuple[frozenset[int] | None, ...] = ()
    """Pitch classes on which each voice may end; `None` and further voices are free."""
    last: int = 12
    """Shortest last note in ticks, for voices with `endings`."""
    closing: bool = True
    """Whether the first voice has to sound at the end, so that the last bar is not empty."""
    rests: bool = False
    """Whether a rest may follow a rest; the fallback mask of constraints needs it."""


FREE: Final = Plan(changes=True, dynamics=True, chords=True)
"""Plan without requirements, for reading scores."""


class Automaton:
    """State of one token sequence: allowed tokens, musical position and the notes so far.

    A token costs about 3 microseconds, a mask about 4.

    Args:
        plan: requirements; `FREE` for existing scores.
    """

    __slots__ = (
        "_pending", "_plan", "_stage", "bar_end", "bar_length", "bar_number", "deadlines", "denominator", "ends",
        "events", "final", "keys", "longs", "metres", "now", "numerator", "phase", "pitches", "place",
        "prefix_bars", "programs", "resting", "sounding", "tempos", "time", "top", "upbeat", "velocities",
        "visible", "voice", "voice_track",
    )  # fmt: skip

    def __init__(self, plan: Plan = FREE) -> None:
        self._plan = plan
        self.phase = Phase.START
        self.programs: list[int] = []
        self.voice_track: list[int] = []
        self.metres: list[tuple[int, int, int]] = []
        self.keys: list[tuple[int, int, str]] = []
        self.tempos: list[tuple[int, int]] = []
        self.events: list[tuple[int, int, int, int, int]] = []
        """Notes so far: (onset, duration, pitch, velocity, track), times in ticks."""
        self.upbeat = 0
        self.prefix_bars: int | None = None
        self.final: int | None = None
        self.numerator = self.denominator = 0
        self.bar_length = self.bar_end = self.bar_number = 0
        self.deadlines: list[int] = []
        """Latest onset of the last note of each voice in ticks; -1 = no such requirement."""
        self.ends: list[int] = []
        """Tick at which each voice is free again."""
        self.resting: list[bool] = []
        self.sounding: list[tuple[int, ...]] = []
        self.top: list[int] = []
        self.velocities: list[int] = []
        self.time = 0
        """Tick of the next event."""
        self.voice = -1
        """Voice of the next event, from 0; -1 where only a barline may follow."""
        self.now = 0
        """Onset of the current event; between events, tick of the last token with a place."""
        self.longs = 0
        """Number of LONG tokens of the current duration."""
        self.pitches: list[int] = []
        """Pitches of the current event, rising; empty = a rest."""
        self.visible: Automaton | None = None
        """Automaton of the visible context; stays available after it."""
        self.place: Position | None = None
        """Position features of the last token of the visible context; `None` outside it."""
        self._stage = 0
        self._pending: list[tuple[int, int]] = []

    def copy(self) -> Automaton:
        """An independent automaton in the same state. Costs about 5 microseconds."""
        new = Automaton.__new__(Automaton)
        self._copy_to(new)
        if self.place is not None and self.visible is not None:
            new.visible = self.visible.copy()
        return new

    def _copy_to(self, new: Automaton) -> None:
        for name in _PLAIN:
            setattr(new, name, getattr(self, name))
        for name in _LISTS:
            setattr(new, name, getattr(self, name).copy())

    # Reading ----------------------------------------------------------------------------------

    def advance(self, token: int) -> None:
        """Read one token.

        Raises:
            InputError: the token is not allowed here; the automaton is invalid afterwards.
        """
        phase = self.phase
        if self.place is not None:
            self._read_visible(token)
        elif phase == Phase.EVENT:
            self._event(token)
        elif phase == Phase.LENGTH:
            self._length(token)
        elif phase == Phase.CHORD:
            if vocab.PITCH <= token < vocab.PITCH + 128 and token - vocab.PITCH > self.pitches[-1]:
                self._add_pitch(token)
            elif vocab.VELOCITY <= token < vocab.DURATION:
                self.velocities[self.voice] = token - vocab.VELOCITY
            else:
                self._length(token)
        else:
            self._header(token)

    def _header(self, token: int) -> None:
        phase = self.phase
        if phase == Phase.START and token == vocab.START:
            self.phase = Phase.PREFIX
        elif phase == Phase.PREFIX and token == vocab.BODY:
            self.phase = Phase.TRACKS
        elif phase == Phase.PREFIX and vocab.STYLE <= token < vocab.TEMPO:
            if vocab.BARS <= token < vocab.VOICES:
                self.prefix_bars = token - vocab.BARS + 1
        elif phase == Phase.TRACKS and vocab.PROGRAM <= token < vocab.NUMERATOR:
            if self.programs and (not self.voice_track or self.voice_track[-1] < len(self.programs) - 1):
                raise self._refusal(token)
            self.programs.append(token - vocab.PROGRAM)
        elif phase == Phase.TRACKS and token == vocab.VOICE and self.programs:
            if len(self.voice_track) >= _MAX_VOICES:
                raise InputError(f"more than {_MAX_VOICES} voices")
            self.voice_track.append(len(self.programs) - 1)
        elif (
            phase in (Phase.TRACKS, Phase.NUMERATOR)
            and vocab.NUMERATOR <= token < vocab.DENOMINATOR
            and (not self.programs or self.voice_track[-1:] == [len(self.programs) - 1])
        ):
            self.numerator = token - vocab.NUMERATOR + 1
            self.phase = Phase.DENOMINATOR
        elif phase == Phase.DENOMINATOR and vocab.DENOMINATOR <= token < vocab.KEY:
            self._set_metre(vocab.DENOMINATORS[token - vocab.DENOMINATOR])
        elif phase == Phase.KEY and vocab.KEY <= token < vocab.TEMPO:
            self._set_key(token)
            self.phase = Phase.TEMPO
        elif phase == Phase.TEMPO and vocab.TEMPO <= token < vocab.VELOCITY:
            self.tempos.append((0, token - vocab.TEMPO))
            self.phase = Phase.FIRST_BAR
        elif phase == Phase.FIRST_BAR and token == vocab.BAR:
            self._begin(0)
        elif phase == Phase.FIRST_BAR and token == vocab.UPBEAT:
            self.longs = 0
            self.phase = Phase.UPBEAT_LENGTH
        elif phase == Phase.UPBEAT_LENGTH and token == vocab.LONG:
            self.longs += 1
        elif phase == Phase.UPBEAT_LENGTH and vocab.DURATION <= token < vocab.PITCH:
            length = self.longs * vocab.MAX_DURATION + token - vocab.DURATION + 1
            if length >= self.bar_length:
                raise self._refusal(token)
            self._begin(length)
        else:
            raise self._refusal(token)

    def _set_metre(self, denominator: int) -> None:
        length = Metre(0, self.numerator, denominator).bar_ticks(TICKS_PER_QUARTER)
        if length > 64 * TICKS_PER_QUARTER:
            raise InputError(f"metre {self.numerator}/{denominator} is too long")
        self.denominator, self.bar_length = denominator, length
        self.metres.append((self.now, self.numerator, denominator))
        if not self.keys:
            self.phase = Phase.KEY
        else:
            self.bar_end = self.now + length
            self._stage = 1
            self._find_next()

    def _set_key(self, token: int) -> None:
        fifths, mode = divmod(token - vocab.KEY, len(MODES))
        self.keys.append((self.now, fifths - 7, MODES[mode]))

    def _begin(self, upbeat: int) -> None:
        voices = len(self.voice_track)
        self.upbeat = upbeat
        self.bar_number = 0 if upbeat else 1
        self.bar_end = upbeat or self.bar_length
        self.ends = [0] * voices
        self.resting = [False] * voices
        self.sounding = [()] * voices
        self.top = [SILENT] * max(voices, VOICES)
        self.velocities = [VELOCITY_LEVELS.index(80)] * voices
        if self._plan.bars is not None:
            self.final = self._plan.ticks or self._plan.bars * self.bar_length
        endings = self._plan.endings if self.final is not None else ()
        self.deadlines = [
            self.deadline(self._plan.last) if i < len(endings) and endings[i] is not None else -1
            for i in range(voices)
        ]
        # Metre, key and tempo precede the first barline, so none may follow it.
        self._stage = 3
        self._find_next()

    def _find_next(self) -> None:
        """Find the next place: the first free voice, or a barline."""
        self.phase = Phase.EVENT
        self.longs = 0
        first = min(self.ends, default=self.bar_end)
        if first <= self.now and self.ends:
            self.voice, self.time = self.ends.index(first), self.now
        elif self.bar_end <= first:
            self.voice, self.time = -1, self.bar_end
        else:
            self.voice, self.time = self.ends.index(first), first

    def _event(self, token: int) -> None:
        at_start = self.now == self.bar_end - self.bar_length
        if token == vocab.BAR and self._bar_may_follow():
            self.now = self.bar_end
            self.bar_number += 1
            self.bar_end += self.bar_length
            self._stage = 0
            self._find_next()
        elif token == vocab.END and self._end_may_follow():
            self.phase = Phase.DONE
        elif token == vocab.FILL and self.visible is None and self.ends and not any(self.ends):
            self.visible = _VisibleContext(self)
            self.place = self.features()
        elif vocab.NUMERATOR <= token < vocab.DENOMINATOR and self._stage < 1 and at_start:
            self.numerator = token - vocab.NUMERATOR + 1
            self.phase = Phase.DENOMINATOR
        elif vocab.KEY <= token < vocab.TEMPO and self._stage < 2 and at_start:
            self._set_key(token)
            self._stage = 2
        elif vocab.TEMPO <= token < vocab.VELOCITY and self._stage < 3 and at_start:
            self.tempos.append((self.now, token - vocab.TEMPO))
            self._stage = 3
        elif self.voice < 0 or self._bar_due():
            raise self._refusal(token)
        elif token == vocab.REST and (self._plan.rests or not self.resting[self.voice]):
            self._open()
            self.pitches = []
            self.top[self.voice] = RESTING
            self.phase = Phase.LENGTH
        elif vocab.PITCH <= token < vocab.PITCH + 128:
            self._open()
            self.pitches = []
            self._add_pitch(token)
        elif vocab.VELOCITY <= token < vocab.DURATION:
            self._open()
            self.pitches = []
            self.velocities[self.voice] = token - vocab.VELOCITY
        else:
            raise self._refusal(token)

    def _read_visible(self, token: int) -> None:
        assert self.visible is not None
        if token == vocab.FILL and self.visible.phase == Phase.EVENT:
            self.place = None
            return
        # Tokens of the visible context get their own position, all others that of the next token.
        self.place = self.visible.features()
        self.visible.advance(token)

    def _open(self) -> None:
        self.now = self.time
        self._stage = 3
        self.longs = 0

    def on_grid(self, tick: int) -> bool:
        """Whether a note may start or end at a tick, if the metre does not change before it."""
        place = (tick - self.bar_end) % self.bar_length
        return bool(_IS_GRID[place % TICKS_PER_QUARTER])

    def deadline(self, last: int) -> int:
        """Latest onset of a note of at least `last` ticks that reaches the end; 0 without an end."""
        tick = max((self.final or 0) - last, 0)
        while tick and not self.on_grid(tick):
            tick -= 1
        return tick

    def _bar_due(self) -> bool:
        """Whether all voices are free at a barline that is not written yet."""
        return self.time == self.bar_end

    def _bar_may_follow(self) -> bool:
        return self.voice < 0 or self._bar_due()

    def _end_may_follow(self) -> bool:
        if not self.ends:
            return True
        time = self.time
        sounded = self.final is not None or not all(self.resting)
        if self._stage and self.now == time:
            return False  # a change of metre, key or tempo needs music after it
        return time > 0 and sounded and all(end == time for end in self.ends)

    def _add_pitch(self, token: int) -> None:
        pitch = token - vocab.PITCH
        self.pitches.append(pitch)
        self._pending.append((pitch, self.velocities[self.voice]))
        self.top[self.voice] = pitch
        self.phase = Phase.CHORD

    def _length(self, token: int) -> None:
        if token == vocab.LONG and self.longs < _MAX_LONGS:
            self.longs += 1
            self.phase = Phase.LENGTH
            return
        if not vocab.DURATION <= token < vocab.PITCH or (self.phase == Phase.CHORD and not self._pending):
            raise self._refusal(token)
        duration = self.longs * vocab.MAX_DURATION + token - vocab.DURATION + 1
        voice, track = self.voice, self.voice_track[self.voice]
        for pitch, level in self._pending:
            self.events.append((self.now, duration, pitch, VELOCITY_LEVELS[level], track))
        self._pending = []
        self.ends[voice] = self.now + duration
        self.resting[voice] = not self.pitches
        self.sounding[voice] = tuple(self.pitches)
        self._find_next()

    def _refusal(self, token: int) -> InputError:
        return InputError(f"token '{vocab.name(token)}' cannot stand where {self.phase.name} is expected")

    # Musical position -------------------------------------------------------------------------

    def features(self) -> Position:
        """Musical position of the next token. Inside a visible context: of the token that was read last, so
        that the network can find each token of the context by its place.
        """
        if self.place is not None:
            return self.place
        if self.phase < Phase.EVENT or self.phase == Phase.DONE:
            return HEADER
        # Comparisons instead of `min` and `max`: this runs once for each token of each sequence.
        bar, bars = self.bar_number, self.prefix_bars
        if self.voice < 0 or self.time == self.bar_end:
            place, voice = AT_BARLINE, 0
        else:
            place, voice = self.time - self.bar_end + self.bar_length, self.voice + 1
            if place > _LAST_PLACE:
                place = _LAST_PLACE
            if voice > _LAST_VOICE:
                voice = _LAST_VOICE
        left = 0
        if bars is not None:
            left = 1 if bars <= bar else bars - bar + 1
            if left > _LAST_BAR:
                left = _LAST_BAR
        if bar > _LAST_BAR:
            bar = _LAST_BAR
        return _position(Position, (place, voice, bar, left, *self.top[:VOICES]))

    # What may follow --------------------------------------------------------------------------

    def allowed(self) -> Mask:
        """Tokens that grammar and plan allow, shape (N_TOKENS,), bool; at least one before END."""
        plan, phase = self._plan, self.phase
        mask = np.zeros(vocab.N_TOKENS, dtype=bool)
        if phase == Phase.EVENT:
            self._allow_event(mask)
        elif phase == Phase.LENGTH:
            self._allow_length(mask)
        elif phase == Phase.CHORD:
            if self._pending:
                self._allow_length(mask)
            if plan.chords or not self._pending:
                self._allow_pitches(mask, above=self.pitches[-1] if self.pitches else -1)
        elif phase == Phase.START:
            mask[vocab.START] = True
        elif phase == Phase.PREFIX:
            mask[vocab.BODY] = True
        elif phase == Phase.TRACKS:
            self._allow_tracks(mask)
        elif phase == Phase.NUMERATOR:
            mask[vocab.NUMERATOR : vocab.DENOMINATOR] = True
        elif phase == Phase.DENOMINATOR:
            self._allow_denominator(mask)
        elif phase == Phase.KEY:
            _allow_range(mask, vocab.KEY, vocab.TEMPO, plan.key and vocab.key_token(*plan.key))
        elif phase == Phase.TEMPO:
            tempo = None if plan.tempo_index is None else vocab.TEMPO + plan.tempo_index
            _allow_range(mask, vocab.TEMPO, vocab.VELOCITY, tempo)
        elif phase == Phase.FIRST_BAR:
            fits = (3 if plan.upbeat is None else plan.upbeat) < self.bar_length
            mask[vocab.UPBEAT] = plan.upbeat != 0 and fits
            mask[vocab.BAR] = not mask[vocab.UPBEAT] or not (plan.upbeat or plan.needs_upbeat)
        elif phase == Phase.UPBEAT_LENGTH:
            self._allow_upbeat(mask)
        return mask

    def _allow_tracks(self, mask: Mask) -> None:
        wanted = self._plan.programs
        voiced = bool(self.voice_track) and self.voice_track[-1] == len(self.programs) - 1
        if wanted is None:
            room = len(self.voice_track) < vocab.MAX_VOICES
            mask[vocab.PROGRAM : vocab.NUMERATOR] = room and (voiced or not self.programs)
            mask[vocab.VOICE] = room and bool(self.programs)
        else:
            index = len(self.programs) - 1
            voices = self.voice_track.count(index)
            if index >= 0 and voices < wanted[index][1]:
                mask[vocab.VOICE] = True
                return
            if index + 1 < len(wanted):
                mask[vocab.PROGRAM + wanted[index + 1][0]] = True
                return
        if voiced:
            numerator = self._plan.metre and vocab.NUMERATOR + self._plan.metre[0] - 1
            _allow_range(mask, vocab.NUMERATOR, vocab.DENOMINATOR, numerator)

    def _allow_denominator(self, mask: Mask) -> None:
        metre = None if self.metres else self._plan.metre
        for i, denominator in enumerate(vocab.DENOMINATORS):
            allowed = self._metre_may_be(self.numerator, denominator)
            mask[vocab.DENOMINATOR + i] = allowed if metre is None else denominator == metre[1]

    def _metre_may_be(self, numerator: int, denominator: int) -> bool:
        """Whether a bar has an allowed length and, within a piece, the metre differs from the current one."""
        length = Metre(0, numerator, denominator).bar_ticks(TICKS_PER_QUARTER)
        if not TICKS_PER_QUARTER // 2 <= length <= 64 * TICKS_PER_QUARTER:
            return False
        if not self.metres:
            return True
        # A first bar that is shorter than the next one is an upbeat and has to be written as an upbeat.
        short = self.bar_number == 2 and not self.upbeat and length > self.bar_length
        return not short and self.metres[-1][1:] != (numerator, denominator)

    def _allow_change_of_metre(self, mask: Mask) -> None:
        after_upbeat = self.upbeat and self.bar_number == 1
        held = any(end > self.now for end in self.ends)
        if self._stage or after_upbeat or held or self._plan.bars is not None:
            return
        for numerator in range(1, 65):
            allowed = any(self._metre_may_be(numerator, d) for d in vocab.DENOMINATORS)
            mask[vocab.NUMERATOR + numerator - 1] = allowed

    def _allow_upbeat(self, mask: Mask) -> None:
        written = self.longs * vocab.MAX_DURATION
        wanted = self._plan.upbeat
        if wanted is not None:
            if wanted - written > vocab.MAX_DURATION:
                mask[vocab.LONG] = True
            else:
                mask[vocab.DURATION + wanted - written - 1] = True
            return
        longest = min(self.bar_length - written - 1, vocab.MAX_DURATION)
        mask[vocab.DURATION + 2 : vocab.DURATION + longest : 3] = True
        mask[vocab.LONG] = self.bar_length - written - vocab.MAX_DURATION > 3

    def _allow_event(self, mask: Mask) -> None:
        plan, final = self._plan, self.final
        if final is not None and self.time >= final:
            mask[vocab.END] = True
            return
        if plan.changes and self.now == self.bar_end - self.bar_length:
            self._allow_change_of_metre(mask)
            mask[vocab.KEY : vocab.TEMPO] = self._stage < 2
            mask[vocab.key_token(*self.keys[-1][1:])] = False
            mask[vocab.TEMPO : vocab.VELOCITY] = self._stage < 3
            mask[vocab.TEMPO + self.tempos[-1][1]] = False
        if self._bar_may_follow():
            mask[vocab.BAR] = True
            mask[vocab.END] = final is None and self._end_may_follow()
            return
        mask[vocab.END] = final is None and self._end_may_follow()
        self._allow_pitches(mask, above=-1)
        if (plan.rests or not self.resting[self.voice]) and self._rest_fits():
            mask[vocab.REST] = True

    def _rest_fits(self) -> bool:
        """Whether a rest leaves room for the last note of the voice."""
        if self.final is None:
            return True
        if self._ending() is not None:
            return bool(self._length_mask(self.final - self.time - self._plan.last).any())
        return not self._must_close() or bool(self._length_mask(self.final - self.time - 1).any())

    def _allow_pitches(self, mask: Mask, above: int) -> None:
        plan = self._plan
        low, high = plan.ranges[self.voice] if self.voice < len(plan.ranges) else (0, 127)
        low = max(low, above + 1)
        mask[vocab.PITCH + low : vocab.PITCH + high + 1] = True
        track = self.voice_track[self.voice]
        for other, end in enumerate(self.ends):
            if end > self.time and other != self.voice and self.voice_track[other] == track:
                for pitch in self.sounding[other]:
                    mask[vocab.PITCH + pitch] = False
        ending = self._ending()
        if ending is not None and self.final is not None:
            before_last = self.final - self.time - plan.last
            if not self._length_mask(before_last).any():
                self._keep_classes(mask, ending)
        if plan.dynamics and mask[vocab.PITCH : vocab.PITCH + 128].any():
            mask[vocab.VELOCITY : vocab.DURATION] = True

    def _must_close(self) -> bool:
        return self.voice == 0 and self._plan.closing

    def _ending(self) -> frozenset[int] | None:
        endings = self._plan.endings
        return endings[self.voice] if self.voice < len(endings) else None

    @staticmethod
    def _keep_classes(mask: Mask, classes: frozenset[int]) -> None:
        """Remove pitches of other classes, unless no pitch would remain."""
        kept = mask.copy()
        for pitch in range(128):
            kept[vocab.PITCH + pitch] &= pitch % 12 in classes
        if kept[vocab.PITCH : vocab.PITCH + 128].any():
            mask[:] = kept

    def _allow_length(self, mask: Mask) -> None:
        written = self.longs * vocab.MAX_DURATION
        left = 10**9 if self.final is None else self.final - self.now - written
        ending = self._ending()
        if self.final is None or (ending is None and (self.pitches or not self._must_close())):
            mask[vocab.DURATION : vocab.PITCH] = self._length_mask(left)
        elif ending is None:
            mask[vocab.DURATION : vocab.PITCH] = self._length_mask(left - 1)
        else:
            # Either the last note, on an allowed final pitch, or a note that leaves room for it.
            lengths = self._length_mask(left - self._plan.last)
            if self.pitches and self.pitches[0] % 12 in ending and 1 <= left <= vocab.MAX_DURATION:
                lengths = lengths.copy()
                lengths[left - 1] = True
            mask[vocab.DURATION : vocab.PITCH] = lengths if lengths.any() else self._length_mask(left)
        # After one more LONG there must be room for a DURATION and for the last note.
        room = vocab.MAX_DURATION + TICKS_PER_QUARTER + self._plan.last
        mask[vocab.LONG] = self.longs < 15 and left > room

    def _length_mask(self, left: int) -> Mask:
        start = self.time + self.longs * vocab.MAX_DURATION
        place = start - (self.bar_end - self.bar_length)
        mask = _lengths(place % self.bar_length, self.bar_length)
        if left >= vocab.MAX_DURATION:
            return mask
        return mask & (np.arange(1, vocab.MAX_DURATION + 1) <= left)


class _VisibleContext(Automaton):
    """Automaton of the visible context."""

    __slots__ = ()

    def __init__(self, beginning: Automaton) -> None:
        beginning._copy_to(self)
        self._plan = _VISIBLE_PLAN

    def copy(self) -> _VisibleContext:
        """An independent automaton in the same state."""
        return _VisibleContext(self)

    def _event(self, token: int) -> None:
        if token != vocab.MASK:
            if token == vocab.END:
                raise self._refusal(token)
            super()._event(token)
            return
        if self.voice < 0 or self._bar_due():
            raise self._refusal(token)
        self._open()
        self.pitches = []
        self.top[self.voice] = SILENT
        self.phase = Phase.LENGTH


_VISIBLE_PLAN: Final = Plan(changes=True, dynamics=True, chords=True, rests=True)
_LISTS: Final = tuple(
    sorted(name for name in Automaton.__slots__ if isinstance(getattr(Automaton(), name), list))
)
_PLAIN: Final = tuple(sorted(set(Automaton.__slots__) - set(_LISTS)))


@lru_cache(maxsize=4096)
def _lengths(place: int, bar: int) -> Mask:
    """Durations of 1 to 96 ticks from `place` that end on the grid, shape (96,), bool."""
    ends = (place + np.arange(1, vocab.MAX_DURATION + 1)) % bar
    return _IS_GRID[ends % TICKS_PER_QUARTER]


def _allow_range(mask: Mask, first: int, stop: int, token: int | None) -> None:
    """Allow one token, or the range of tokens if it is `None`."""
    if token is None:
        mask[first:stop] = True
    else:
        mask[token] = True
