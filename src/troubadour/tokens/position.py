"""Musical position of a token: the features that the networks read beside the token itself."""

from __future__ import annotations

from typing import Final, NamedTuple

AT_BARLINE: Final = 192
"""`Position.place` of a token that stands at a barline."""
IN_HEADER: Final = 193
"""`Position.place` of a token before the first barline."""
RESTING: Final = 128
"""`Position.pitch_N` of a voice that rests."""
SILENT: Final = 129
"""`Position.pitch_N` of a voice without a note so far."""


class Position(NamedTuple):
    """Where a token stands. All fields are integers from 0 up; `FEATURE_SIZES` has the number of values of each."""

    place: int
    """Ticks since the barline, 0 to 191, or `AT_BARLINE` or `IN_HEADER`."""
    voice: int
    """Voice that is written next, from 1; 0 = none, 16 = the sixteenth and later."""
    bar: int
    """Bar number; an upbeat is bar 0, 63 = the 63rd and later."""
    bars_left: int
    """Bars from this one to the last, which has 1; 0 = the prefix does not say how many there are."""
    pitch_1: int
    """MIDI pitch that the first voice sounds or sounded last, or `RESTING` or `SILENT`. Of a chord: the highest."""
    pitch_2: int
    pitch_3: int
    pitch_4: int


N_FEATURES: Final = len(Position._fields)
FEATURE_SIZES: Final[tuple[int, ...]] = tuple(
    Position(place=194, voice=17, bar=64, bars_left=64, pitch_1=130, pitch_2=130, pitch_3=130, pitch_4=130)
)
"""Number of values of each feature."""
COLUMN: Final = Position(*range(N_FEATURES))
"""Column of each feature in an array (..., N_FEATURES)."""
VOICES: Final = N_FEATURES - COLUMN.pitch_1
"""Number of voices whose last pitch is a feature."""
HEADER: Final = Position(IN_HEADER, 0, 0, 0, SILENT, SILENT, SILENT, SILENT)
"""Position of every token before the first barline and after the end."""
