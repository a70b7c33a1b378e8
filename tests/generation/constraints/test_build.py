from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.generation.constraints.build import InstrumentDefaults, compile_constraints
from troubadour.generation.constraints.parallels import Parallels
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief, GivenNote
from troubadour.music.quantise import quantise
from troubadour.music.score import Score

BRIEF = Brief(metre=(4, 4), key=(0, "major"), bars=8, tempo_bpm=120)
MELODY = InstrumentDefaults(((40, 1),), ((60, 83),))
CHOIR = InstrumentDefaults(((52, 1),) * 4, ((62, 79), (57, 72), (51, 67), (38, 62)))
QUAVERS = tuple(GivenNote(1, 12 * i, 12, 61 + 12 * (i % 2)) for i in range(8))


def quarters(voice: int, *pitches: int) -> tuple[GivenNote, ...]:
    return tuple(GivenNote(voice, 24 * i, 24, p) for i, p in enumerate(pitches))


CLASHES = {
    "chords and bars": (MELODY, {"chords": "C F G", "bars": 8}, "chords and bars clash: 3"),
    "chords and metre": (MELODY, {"chords": "C F G C F | C", "metre": (4, 4)}, "chords and metre clash: 5"),
    "an unknown chord": (MELODY, {"chords": "C H"}, "chord is 'H'; allowed"),
    "cadence and chords": (
        MELODY,
        {"chords": "C F G D", "cadence": True},
        "chords C F G D and cadence on the tonic clash: no pitch is left for the last note of voice 1",
    ),
    "key and chords": (
        MELODY,
        {"chords": "F#5", "strict": True},
        "key C major as a scale and chords F#5 clash: no pitch is left for voice 1",
    ),
    "range and instrument": (
        MELODY,
        {"ranges": ((40, 50),), "instruments": (73,)},
        r"range 40 to 50 and instrument flute \(60 to 96\) clash: no pitch is left for voice 1",
    ),
    "lowest and highest": (MELODY, {"lowest": 70, "highest": 60}, "lowest 70 and highest 60 clash"),
    "cadence and range": (MELODY, {"ranges": ((61, 66),), "cadence": True}, "range 61 to 66 and cadence"),
    "notes and key": (MELODY, {"notes": quarters(1, 60, 61), "strict": True}, "notes and key C major as a scale clash: pitch 61 is given at bar 1, 24 ticks in"),
    "notes and range": (MELODY, {"notes": quarters(1, 60), "ranges": ((62, 80),)}, "notes and range 62 to 80 clash"),
    "notes and chords": (MELODY, {"notes": quarters(1, 60), "chords": "G"}, "notes and chords G clash: pitch 60"),
    "notes and bars": (MELODY, {"notes": (GivenNote(1, 800, 24, 60),)}, "notes and bars clash"),
    "notes and voices": (MELODY, {"notes": quarters(2, 60)}, "notes and voices clash: .* voice 2 of 1"),
    "notes and upbeat": (MELODY, {"notes": quarters(1, 60), "upbeat": True}, "notes and upbeat clash"),
    "notes and notes": (MELODY, {"notes": (GivenNote(1, 0, 24, 60), GivenNote(1, 12, 24, 62))}, "overlap at bar 1, 12 ticks in"),
    "notes off the grid": (MELODY, {"notes": (GivenNote(1, 5, 24, 60),)}, "off the grid"),
    "notes and cadence": (MELODY, {"notes": (GivenNote(1, 744, 24, 62),), "cadence": True}, "notes and cadence clash"),
    "notes and parallels": (
        CHOIR,
        {"notes": quarters(1, 67, 69) + quarters(2, 60, 62), "parallels": False},
        "notes and parallels clash",
    ),
    "notes and density": (MELODY, {"notes": QUAVERS, "bars": 2, "strict": True, "key": (-5, "major"), "density": 0}, "density and notes clash"),
    "density and bars": (MELODY, {"bars": 1, "metre": (1, 4), "strict": True, "density": 7}, "density and bars clash"),
    "chords in a voice and parallels": (
        CHOIR,
        {"notes": (GivenNote(1, 0, 24, 64), GivenNote(1, 0, 24, 67)), "parallels": False},
        "parallels: none and voices clash",
    ),
    "ranges and voices": (CHOIR, {"ranges": ((60, 70), (50, 60))}, "ranges and voices clash"),
}  # fmt: skip


@pytest.mark.parametrize(("defaults", "wishes", "message"), CLASHES.values(), ids=list(CLASHES))
def test_contradictory_controls_are_refused_by_name(
    defaults: InstrumentDefaults, wishes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        compile_constraints(replace(BRIEF, **wishes), defaults, 30)  # type: ignore[arg-type]


def test_given_notes_from_the_catalogue_clash_with_the_limit() -> None:
    rows = [(24 * i, 24, int(p), 80, 0) for i, p in enumerate(np.random.default_rng(1).integers(60, 80, 20))]
    corpus = Corpus.of([("theirs", quantise(Score.from_notes(rows, ticks_per_quarter=24)))])
    mine = quarters(1, *(r[2] - 1 for r in rows[4:14]))
    brief = replace(BRIEF, notes=mine, max_common=8)
    with pytest.raises(InputError, match="notes and max_common 8 clash"):
        compile_constraints(brief, MELODY, 30, passages=corpus.windows(7))
    compile_constraints(replace(brief, max_common=11), MELODY, 30, passages=corpus.windows(10))


def test_defaults_yield_to_controls() -> None:
    """The range of the style and the ending on the tonic are defaults."""
    constraint_plan = compile_constraints(replace(BRIEF, ranges=((61, 66),)), MELODY, 30)
    assert constraint_plan.plan.endings == (frozenset(range(1, 7)),)
    constraint_plan = compile_constraints(
        replace(BRIEF, instruments=(43,)), MELODY, 30
    )  # a double bass plays below the range
    assert constraint_plan.plan.endings == (frozenset({0}),)
    constraint_plan = compile_constraints(replace(BRIEF, chords="C F G D"), MELODY, 30)
    assert constraint_plan.plan.endings == (frozenset({2, 6, 9}),)


def test_without_controls_only_range_and_ending_hold() -> None:
    constraint_plan = compile_constraints(BRIEF, MELODY, 30)
    assert len(constraint_plan.constraints) == 1
    assert constraint_plan.given is None
    assert constraint_plan.plan.endings == (frozenset({0}),)


def test_parallels_are_forbidden_in_chorales_unless_requested_or_given() -> None:
    def forbidden(brief: Brief, defaults: InstrumentDefaults = CHOIR) -> bool:
        return any(isinstance(c, Parallels) for c in compile_constraints(brief, defaults, 30).constraints)

    chorale = replace(BRIEF, style="chorale")
    assert forbidden(chorale)
    assert not forbidden(replace(chorale, parallels=True))
    assert not forbidden(replace(BRIEF, style="glee"))
    assert forbidden(replace(BRIEF, style="glee", parallels=False))
    assert not forbidden(chorale, MELODY)
    # The given notes have parallel fifths.
    given = quarters(1, 67, 69) + quarters(2, 60, 62)
    assert not forbidden(replace(chorale, notes=given))
    assert forbidden(replace(chorale, notes=quarters(1, 67, 69)))
