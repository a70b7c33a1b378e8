"""Note values and beams, bar by bar."""

from __future__ import annotations

import pytest

from troubadour.formats.engraving.beams import beam_runs
from troubadour.formats.engraving.notation import values
from troubadour.formats.engraving.pulse import QUARTER, pulse_for
from troubadour.formats.engraving.tuplets import TupletRegion, tuplet_regions
from troubadour.music.score import Metre

UNIT = QUARTER // 24


def lengths(start: int, end: int, metre: tuple[int, int], sounds: bool = True) -> list[int]:
    """Lengths of the values of a stretch, all in 24ths of a quarter."""
    pulse = pulse_for(Metre(0, *metre), [])
    return [v.length // UNIT for v in values(start * UNIT, end * UNIT, pulse, [], sounds)]


@pytest.mark.parametrize(
    ("metre", "start", "end", "expected"),
    [
        ((4, 4), 0, 96, [96]),
        ((4, 4), 0, 72, [72]),
        ((4, 4), 24, 72, [48]),  # a syncopation by one level
        ((4, 4), 24, 60, [24, 12]),  # the middle of the bar shows
        ((4, 4), 36, 60, [12, 12]),
        ((2, 2), 36, 60, [24]),  # with half notes as beats, four to three times in print
        ((4, 4), 24, 96, [72]),
        ((4, 4), 6, 24, [18]),  # the Scotch snap
        ((4, 4), 18, 30, [6, 6]),
        ((4, 4), 60, 96, [12, 24]),
        ((2, 4), 12, 48, [36]),
        ((4, 4), 0, 42, [42]),  # double-dotted
        ((4, 4), 0, 60, [48, 12]),
        ((3, 4), 24, 72, [48]),
        ((3, 4), 12, 72, [12, 48]),
        ((6, 8), 0, 48, [36, 12]),  # no half note in two dotted beats
        ((6, 8), 24, 48, [12, 12]),
        ((6, 8), 0, 72, [72]),
        ((9, 8), 0, 108, [72, 36]),
        ((12, 8), 0, 144, [144]),
        ((7, 8), 0, 36, [24, 12]),
        ((7, 8), 0, 48, [48]),
        ((7, 8), 48, 84, [36]),
        ((5, 8), 0, 60, [36, 24]),
    ],
)
def test_notes(metre: tuple[int, int], start: int, end: int, expected: list[int]) -> None:
    assert lengths(start, end, metre) == expected


@pytest.mark.parametrize(
    ("metre", "start", "end", "expected"),
    [
        ((4, 4), 0, 48, [48]),
        ((4, 4), 24, 72, [24, 24]),
        ((4, 4), 0, 72, [48, 24]),
        ((3, 4), 0, 48, [24, 24]),
        ((3, 4), 24, 72, [24, 24]),
        ((6, 8), 0, 24, [24]),
        ((6, 8), 12, 36, [12, 12]),
        ((6, 8), 0, 36, [36]),
        ((6, 8), 24, 48, [12, 12]),
        ((4, 4), 6, 24, [6, 12]),
    ],
)
def test_rests_show_the_beats(metre: tuple[int, int], start: int, end: int, expected: list[int]) -> None:
    assert lengths(start, end, metre, sounds=False) == expected


def grouped(lengths_: list[int], metre: tuple[int, int]) -> str:
    """Beamed notes of a bar as `(xx)`, others as `x`; a negative length is a rest."""
    pulse = pulse_for(Metre(0, *metre), [])
    notes, place = [], 0
    for length in lengths_:
        size = abs(length)
        notes += [(v, length > 0) for v in values(place * UNIT, (place + size) * UNIT, pulse, [], length > 0)]
        place += size
    runs = beam_runs(notes, pulse)
    first, last = {r[0] for r in runs}, {r[-1] for r in runs}
    return "".join(
        ("(" if i in first else "") + ("x" if sounds else "-") + (")" if i in last else "")
        for i, (_, sounds) in enumerate(notes)
    )


@pytest.mark.parametrize(
    ("metre", "bar", "expected"),
    [
        ((4, 4), [12] * 8, "(xxxx)(xxxx)"),
        ((4, 4), [24, 12, 12, 12, 12, 12, 12], "x(xx)(xxxx)"),
        ((4, 4), [24, 12, 12, 12, 12, 24], "x(xx)(xx)x"),  # never over the middle
        ((4, 4), [36, 12, 12, 36], "xx(xx)x"),
        ((4, 4), [6] * 8 + [12] * 4, "(xxxx)(xxxx)(xxxx)"),
        ((4, 4), [12, 12, 6, 6, 12, 12, 12, 12, 12], "(xx)(xxx)(xxxx)"),
        ((4, 4), [-12, 12, 12, 12, 48], "-x(xx)x"),
        ((2, 2), [12] * 8, "(xxxx)(xxxx)"),
        ((2, 4), [12] * 4, "(xxxx)"),
        ((3, 4), [12] * 6, "(xxxxxx)"),
        ((3, 4), [24, 12, 12, 12, 12], "x(xxxx)"),
        ((3, 4), [36, 12, 12, 12], "xx(xx)"),  # not as if it were 6/8
        ((6, 8), [12] * 6, "(xxx)(xxx)"),
        ((6, 8), [24, 12, 12, 24], "xxxx"),
        ((9, 8), [12] * 9, "(xxx)(xxx)(xxx)"),
        ((5, 8), [12] * 5, "(xxx)(xx)"),
        ((7, 8), [12] * 7, "(xx)(xx)(xxx)"),
        ((8, 8), [12] * 8, "(xxx)(xxx)(xx)"),
        ((3, 8), [12] * 3, "(xxx)"),
        ((4, 4), [18, 6, 6, 18, 48], "(xx)(xx)x"),
    ],
)
def test_beams(metre: tuple[int, int], bar: list[int], expected: str) -> None:
    assert grouped(bar, metre) == expected


def test_groups_of_seven_follow_the_music() -> None:
    metre = Metre(0, 7, 8)
    eighth = QUARTER // 2
    assert pulse_for(metre, [0, 3 * eighth, 5 * eighth]).groups == (3 * eighth, 2 * eighth, 2 * eighth)
    assert pulse_for(metre, [0, 2 * eighth, 4 * eighth]).groups == (2 * eighth, 2 * eighth, 3 * eighth)


@pytest.mark.parametrize(
    ("places", "ratio", "size"),
    [
        ([0, 280, 560, 840], (3, 2), 840),
        ([0, 168, 336, 504, 672, 840], (5, 4), 840),
        ([0, 120, 240, 360, 480, 600, 720, 840], (7, 4), 840),
        ([0, 140, 280, 420, 560, 700, 840], (6, 4), 840),
        ([0, 560, 1120, 1680], (3, 2), 1680),
    ],
)
def test_tuplets(places: list[int], ratio: tuple[int, int], size: int) -> None:
    assert tuplet_regions(places, 4 * QUARTER) == [TupletRegion(0, size, *ratio)]


def test_plain_bars_have_no_tuplets() -> None:
    assert tuplet_regions(range(0, 4 * QUARTER, QUARTER // 8), 4 * QUARTER) == []
