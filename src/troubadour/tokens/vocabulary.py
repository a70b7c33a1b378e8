"""Token vocabulary, version 1.

A token sequence is `START prefix BODY tracks maps [FILL context FILL] bars... END`. Module `grammar` defines the
allowed sequences, module `tokenizer` converts scores to tokens and back.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from troubadour.music.quantise import METRONOME, VELOCITY_LEVELS
from troubadour.music.score import MODES

VERSION: Final = 1

PAD: Final = 0
START: Final = 1
END: Final = 2
BODY: Final = 3
BAR: Final = 4
UPBEAT: Final = 5
VOICE: Final = 6
REST: Final = 7
LONG: Final = 8
"""Adds a whole note (96 ticks) to the duration that follows."""
MASK: Final = 9
"""Followed by a duration: a gap of the visible context."""
FILL: Final = 10
"""Start and end of the visible context."""

N_STYLES: Final = 48
MAX_BARS: Final = 64
MAX_VOICES: Final = 16
DENOMINATORS: Final = (1, 2, 4, 8, 16, 32)
N_DENSITIES: Final = 8
MAX_DURATION: Final = 96

# First number of each block of tokens. Spare numbers at the end let a later version add controls
# without a change of the other numbers.
STYLE: Final = 16
BARS: Final = STYLE + N_STYLES  # + bars - 1
VOICES: Final = BARS + MAX_BARS  # + voices - 1
DENSITY: Final = VOICES + MAX_VOICES  # + level
PROGRAM: Final = DENSITY + N_DENSITIES  # + program, 128 = drums
NUMERATOR: Final = PROGRAM + 129  # + numerator - 1
DENOMINATOR: Final = NUMERATOR + 64  # + index in DENOMINATORS
KEY: Final = DENOMINATOR + len(DENOMINATORS)  # + (fifths + 7) * 7 + index in MODES
TEMPO: Final = KEY + 15 * len(MODES)  # + index in METRONOME
VELOCITY: Final = TEMPO + len(METRONOME)  # + index in VELOCITY_LEVELS
DURATION: Final = VELOCITY + len(VELOCITY_LEVELS)  # + ticks - 1
PITCH: Final = DURATION + MAX_DURATION  # + MIDI pitch
SPARE: Final = PITCH + 128
N_TOKENS: Final = -(-(SPARE + 32) // 64) * 64

DRUMS: Final = 128
_BLOCKS = (
    (STYLE, "style"), (BARS, "bars"), (VOICES, "voices"), (DENSITY, "density"), (PROGRAM, "program"),
    (NUMERATOR, "numerator"), (DENOMINATOR, "denominator"), (KEY, "key"), (TEMPO, "tempo"),
    (VELOCITY, "velocity"), (DURATION, "duration"), (PITCH, "pitch"), (SPARE, "spare"), (N_TOKENS, ""),
)  # fmt: skip
_SINGLE = {
    PAD: "pad", START: "start", END: "end", BODY: "body", BAR: "bar", UPBEAT: "upbeat", VOICE: "voice",
    REST: "rest", LONG: "long", MASK: "mask", FILL: "fill",
}  # fmt: skip


def name(token: int) -> str:
    """Readable name of a token: `bar`, `pitch 62`, `duration 12`."""
    if token < STYLE:
        return _SINGLE.get(token, f"reserved {token}")
    for (first, label), (stop, _) in pairwise(_BLOCKS):
        if first <= token < stop:
            offset = token - first
            if label == "denominator":
                return f"denominator {DENOMINATORS[offset]}"
            if label == "key":
                return f"key {offset // len(MODES) - 7} {MODES[offset % len(MODES)]}"
            if label == "tempo":
                return f"tempo {METRONOME[offset]}"
            if label == "velocity":
                return f"velocity {VELOCITY_LEVELS[offset]}"
            counted_from_one = label in ("bars", "voices", "numerator", "duration")
            return f"{label} {offset + counted_from_one}"
    return f"unknown {token}"


def key_token(fifths: int, mode: str) -> int:
    """Token of a key.

    Args:
        fifths: key signature, -7 to 7.
        mode: one of `MODES`.
    """
    return KEY + (fifths + 7) * len(MODES) + MODES.index(mode)
