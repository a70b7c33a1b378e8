"""Tokenizer: a lossless, versioned encoding of quantised scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.music.quantise import METRONOME, TICKS_PER_QUARTER, VELOCITY_LEVELS, bars_of
from troubadour.music.score import Key, Metre, Score, Tempo, Track
from troubadour.music.voices import VoiceEvent, split_voices
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton
from troubadour.tokens.position import N_FEATURES

Tokens = NDArray[np.int32]

_DEFAULT_LEVEL = VELOCITY_LEVELS.index(80)


def encode(score: Score, prefix: Sequence[int] = ()) -> Tokens:
    """Tokens of a quantised score: `START prefix BODY ... END`.

    `decode(encode(s)) == s` for every `s = quantise(s)`. A tune takes two tokens a note and one
    a bar. Costs about 1 ms a tune.

    Args:
        score: a quantised score.
        prefix: tokens that describe the piece (style, bars, ...); `decode` ignores them.

    Returns:
        Shape (n,), int32.

    Raises:
        InputError: the score is not quantised.
    """
    if score.ticks_per_quarter != TICKS_PER_QUARTER:
        raise InputError(f"score has {score.ticks_per_quarter} ticks a quarter; quantise it first")
    out = [vocab.START, *prefix, vocab.BODY]
    events: list[tuple[int, int, VoiceEvent]] = []  # start, voice, event
    n_voices = 0
    for i, track in enumerate(score.tracks):
        voices = split_voices(score, i)
        out.append(vocab.PROGRAM + (vocab.DRUMS if track.is_drum else track.program))
        out.extend([vocab.VOICE] * len(voices))
        for voice, notes in enumerate(voices):
            filled = _with_rests(notes, score.end_ticks)
            events.extend((e[0], n_voices + voice, e) for e in filled)
        n_voices += len(voices)
    events.sort(key=lambda e: (e[0], e[1]))
    changes = _changes(score)
    out.extend(changes.pop(0))
    if score.upbeat_ticks:
        out.extend([vocab.UPBEAT, *duration_tokens(score.upbeat_ticks)])
    else:
        out.append(vocab.BAR)
    starts = bars_of(score).start.tolist()
    bar = 1
    levels = [_DEFAULT_LEVEL] * n_voices
    for start, voice, (_, end, pitches) in events:
        while bar < len(starts) and starts[bar] <= start:
            out.extend([vocab.BAR, *changes.pop(starts[bar], [])])
            bar += 1
        for pitch, level in pitches:
            if level != levels[voice]:
                out.append(vocab.VELOCITY + level)
                levels[voice] = level
            out.append(vocab.PITCH + pitch)
        if not pitches:
            out.append(vocab.REST)
        out.extend(duration_tokens(end - start))
    for start in starts[bar:]:
        out.extend([vocab.BAR, *changes.pop(start, [])])
    out.append(vocab.END)
    return np.array(out, dtype=np.int32)


def decode(tokens: Sequence[int] | Tokens) -> Score:
    """Score of a token sequence.

    Args:
        tokens: shape (n,).

    Raises:
        InputError: a token is not allowed where it stands.
    """
    automaton = Automaton()
    for token in np.asarray(tokens).tolist():
        automaton.advance(token)
    return score_of(automaton)


def features(tokens: Sequence[int] | Tokens) -> NDArray[np.int16]:
    """Position features of the token after each token, shape (n, N_FEATURES), int16.

    Args:
        tokens: shape (n,).

    Raises:
        InputError: a token is not allowed where it stands.
    """
    tokens = np.asarray(tokens)
    out = np.empty((len(tokens), N_FEATURES), dtype=np.int16)
    automaton = Automaton()
    for i, token in enumerate(tokens.tolist()):
        automaton.advance(token)
        out[i] = automaton.features()
    return out


def score_of(automaton: Automaton) -> Score:
    """Score of the events that an automaton has read so far."""
    tracks = tuple(Track(0 if p == vocab.DRUMS else p, p == vocab.DRUMS) for p in automaton.programs)
    return Score.from_notes(
        automaton.events,
        ticks_per_quarter=TICKS_PER_QUARTER,
        tracks=tracks,
        tempos=tuple(Tempo(tick, float(METRONOME[i])) for tick, i in automaton.tempos),
        metres=tuple(Metre(*m) for m in automaton.metres),
        keys=tuple(Key(*k) for k in automaton.keys),
        upbeat_ticks=automaton.upbeat,
    )


def _with_rests(notes: list[VoiceEvent], until: int) -> list[VoiceEvent]:
    """Events of a voice with rests in its gaps, up to tick `until`."""
    filled: list[VoiceEvent] = []
    time = 0
    for event in notes:
        if event[0] > time:
            filled.append((time, event[0], ()))
        filled.append(event)
        time = event[1]
    if time < until:
        filled.append((time, until, ()))
    return filled


def duration_tokens(ticks: int) -> list[int]:
    """Tokens `LONG* DURATION` of a number of ticks, 1 or more."""
    longs = (ticks - 1) // vocab.MAX_DURATION
    return [vocab.LONG] * longs + [vocab.DURATION + ticks - longs * vocab.MAX_DURATION - 1]


def _changes(score: Score) -> dict[int, list[int]]:
    """Tokens of metre, key and tempo, in this order, by the tick of the barline where they change."""
    found: dict[int, list[int]] = {}
    for metre in score.metres:
        pair = [
            vocab.NUMERATOR + metre.numerator - 1,
            vocab.DENOMINATOR + vocab.DENOMINATORS.index(metre.denominator),
        ]
        found.setdefault(metre.tick, []).extend(pair)
    for key in score.keys:
        found.setdefault(key.tick, []).append(vocab.key_token(key.fifths, key.mode))
    for tempo in score.tempos:
        found.setdefault(tempo.tick, []).append(vocab.TEMPO + METRONOME.index(int(tempo.bpm)))
    return found
