"""Scales: the degrees of a mode and the pitch classes of a key."""

from __future__ import annotations

from collections.abc import Iterable

from troubadour.music.theory.keys import MODE_FIFTHS, Key


def degrees(mode: str, raised: Iterable[int] = ()) -> tuple[int, ...]:
    """Semitones above the tonic of the notes of a mode, rising from 0.

    Args:
        mode: one of `keys.MODES`.
        raised: scale degrees (1 to 7) that the scale has a semitone higher too, such as 7 for the
            leading note in minor. A degree that is raised to the next one adds nothing.

    >>> degrees("dorian")
    (0, 2, 3, 5, 7, 9, 10)
    >>> degrees("minor", raised=(6, 7))  # natural, harmonic and melodic minor in one
    (0, 2, 3, 5, 7, 8, 9, 10, 11)
    """
    # The seven notes of a signature without accidentals are the fifths from F (-1) to B (5).
    tonic = -MODE_FIFTHS[mode]
    natural = sorted((fifth - tonic) * 7 % 12 for fifth in range(-1, 6))
    return tuple(sorted({*natural, *((natural[degree - 1] + 1) % 12 for degree in raised)}))


def scale(fifths: int, mode: str, raised: Iterable[int] = ()) -> frozenset[int]:
    """Pitch classes of the scale of a key.

    Args:
        fifths: sharps of the signature (negative: flats).
        mode: one of `keys.MODES`.
        raised: as in `degrees`.

    >>> sorted(scale(1, "major"))
    [0, 2, 4, 6, 7, 9, 11]
    """
    tonic = Key(0, fifths, mode).tonic
    return frozenset((tonic + degree) % 12 for degree in degrees(mode, raised))
