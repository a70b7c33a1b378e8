"""Given music stays unchanged in the results of tasks, event by event, as an independent reader finds it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.formats.pop import events_of, five_tracks
from tests.generation.test_tasks import choir

from troubadour.core.errors import InputError
from troubadour.formats.midi import read_midi, write_midi
from troubadour.generation.request import Brief
from troubadour.generation.style_statistics import style_statistics
from troubadour.generation.tasks import (
    Accompany,
    Continue,
    Harmonise,
    Infill,
    Reharmonise,
    Task,
    Vary,
    run_task,
)
from troubadour.generation.tasks.source import instrument_defaults_of, voice_tracks
from troubadour.generation.tasks.splice import splice
from troubadour.generation.tasks.tracks import simplified
from troubadour.models.transformer.composer import TransformerComposer
from troubadour.models.transformer.spec import TransformerSpec
from troubadour.music.exact import at_exact_tempo, kept_exact, on_grid
from troubadour.music.marks import Mark, MarkKind
from troubadour.music.quantise import quantise
from troubadour.music.score import Score, Tempo, Track

BAR = 1920
DRUMS, KEYS, BASS, LEAD = range(4)


@pytest.fixture(scope="module")
def composer(
    spec: TransformerSpec, weights: dict[str, NDArray[np.float32]], pieces: list[tuple[Score, str]]
) -> TransformerComposer:
    chorale = TransformerSpec(**{**spec.to_dict(), "styles": (*spec.styles, "chorale")})
    return TransformerComposer(
        chorale, weights, style_statistics([*pieces, *[(choir(i), "chorale") for i in range(3)]])
    )


def made(composer: TransformerComposer, task: Task, **wishes: object) -> Score:
    return run_task(composer, task, Brief(**wishes), np.random.default_rng(0))[0]  # type: ignore[arg-type]


def events(score: Score) -> Counter[tuple[int, int, str]]:
    """Tick, track and text of each event."""
    return Counter(events_of(write_midi(score)))


def changed(
    before: Score, after: Score
) -> tuple[Counter[tuple[int, int, str]], Counter[tuple[int, int, str]]]:
    """Events that were removed, and events that were added."""
    return events(before) - events(after), events(after) - events(before)


@pytest.fixture(scope="module")
def pop() -> Score:
    return read_midi(five_tracks(), "pop.mid").score


@pytest.mark.parametrize("track", [BASS, LEAD])
def test_infilling_changes_the_notes_of_some_bars_of_one_track(
    composer: TransformerComposer, pop: Score, track: int
) -> None:
    score = made(composer, Infill(pop, (3, 4), tracks=(track + 1,)))
    removed, added = changed(pop, score)
    assert removed
    assert added
    chunk = track + 1  # chunk 0 holds the maps
    for tick, index, text in (*removed, *added):
        assert index == chunk
        assert "note" in text or "la" in text  # lyrics are removed with their notes
        assert 2 * BAR - 240 <= tick <= 4 * BAR + 240
    starts = [tick for tick, _, text in added if text.startswith("note_on")]
    assert all(2 * BAR <= tick < 4 * BAR for tick in starts)
    velocities = pop.velocity[pop.track == track]
    fresh = score.velocity[(score.track == track) & (score.onset >= 2 * BAR) & (score.onset < 4 * BAR)]
    assert velocities.min() <= fresh.min()
    assert fresh.max() <= velocities.max()
    assert score.tempos == pop.tempos
    assert score.tempos[0].bpm == pytest.approx(118, abs=0.001)


def test_infilling_two_tracks_leaves_the_others(composer: TransformerComposer, pop: Score) -> None:
    removed, added = changed(pop, made(composer, Infill(pop, (2, 2), tracks=(3, 4))))
    assert {index for _, index, _ in (*removed, *added)} == {3, 4}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Infill, r"track 1 'Drums' is a drum part, track 2 'Keys' plays chords.*3 \(Bass\), 4 \(Lead\)"),
        (Continue, "track 1 'Drums' is a drum part, track 2 'Keys' plays chords"),
        (Vary, "track 1 'Drums' is a drum part: that cannot be composed"),
    ],
)
def test_tracks_of_a_kind_that_cannot_be_composed_are_refused_by_name(
    composer: TransformerComposer, pop: Score, task: type[Infill] | type[Continue] | type[Vary], message: str
) -> None:
    given = {Infill: {"bars": (3, 4)}, Continue: {"bars": 2}, Vary: {}}[task]
    with pytest.raises(InputError, match=message):
        made(composer, task(pop, **given))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="track 1 'Drums'"):
        made(composer, task(pop, **given, tracks=(1, 4)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"tracks are \[7\]; allowed: 1 \(Drums\), 2 \(Keys\)"):
        made(composer, task(pop, **given, tracks=(7,)))  # type: ignore[arg-type]


def test_continuing_adds_bars_and_changes_none(composer: TransformerComposer, pop: Score) -> None:
    score = made(composer, Continue(pop, 2, tracks=(4,)))
    removed, added = changed(pop, score)
    assert {text for _, _, text in removed} <= {"MetaMessage('end_of_track', time=0)"}
    notes = [(tick, index) for tick, index, text in added if text.startswith("note_on")]
    assert notes
    assert all(8 * BAR <= tick < 10 * BAR and index == LEAD + 1 for tick, index in notes)


@pytest.mark.parametrize("keep", ["rhythm", "pitch"])
def test_varying_leaves_other_tracks_and_bars(composer: TransformerComposer, pop: Score, keep: str) -> None:
    score = made(composer, Vary(pop, keep, (3, 4), tracks=(4,)))  # type: ignore[arg-type]
    removed, added = changed(pop, score)
    assert {index for _, index, _ in (*removed, *added)} == {LEAD + 1}
    assert all(2 * BAR - 240 <= tick <= 4 * BAR + 240 for tick, _, _ in (*removed, *added))
    if keep == "rhythm":  # exact timing and velocity of the notes they replace
        lead, new = (s.notes()[s.track == LEAD] for s in (pop, score))
        assert new[:, [0, 1, 3]].tolist() == lead[:, [0, 1, 3]].tolist()


@pytest.mark.parametrize("task", [Harmonise, Accompany], ids=["harmonise", "accompany"])
def test_voices_are_added_in_tracks_of_their_own(
    composer: TransformerComposer, pop: Score, task: type[Harmonise] | type[Accompany]
) -> None:
    voice = voice_tracks(simplified(on_grid(pop))).index(LEAD) + 1
    task_of_voice = Harmonise(pop, keep=(voice,)) if task is Harmonise else Accompany(pop, voice=voice)
    score = made(composer, task_of_voice)
    removed, added = changed(pop, score)
    assert not removed
    assert {index for _, index, _ in added} == set(range(5, 8 if task is Harmonise else 7))
    assert len(score.tracks) == 4 + (3 if task is Harmonise else 2)
    assert score.marks == pop.marks


def test_a_new_harmony_leaves_melody_and_drums(composer: TransformerComposer, pop: Score) -> None:
    voice = voice_tracks(simplified(on_grid(pop))).index(LEAD) + 1
    score = made(composer, Reharmonise(pop, keep=(voice,)))
    for track in (DRUMS, LEAD):
        assert score.notes()[score.track == track].tolist() == pop.notes()[pop.track == track].tolist()
    assert not (score.track == KEYS).any()


def marked_tune() -> Score:
    """Eight bars at 480 ticks a quarter with marks of notation, a fermata's tempo, and odd velocities."""
    rng = np.random.default_rng(3)
    rows = [(i * 240, 230, int(rng.choice((62, 64, 66, 67, 69))), 60 + i % 7, 0) for i in range(48)]
    marks = [Mark(r[0], 0, MarkKind.ARTICULATION, "staccato", pitch=r[2]) for r in rows]
    marks += [Mark(r[0], 0, MarkKind.LYRIC, f"s{i}", 1) for i, r in enumerate(rows)]
    marks += [
        Mark(0, -1, MarkKind.SUBTITLE, "A study"),
        Mark(0, 0, MarkKind.SLUR, end=480),
        Mark(0, -1, MarkKind.CHORD, "D"),
        Mark(720 * 8, -1, MarkKind.REPEAT_END),
    ]
    return Score.from_notes(
        rows,
        ticks_per_quarter=480,
        tracks=(Track(73, name="Flauto"),),
        tempos=(Tempo(0, 97.3), Tempo(500, 30.0), Tempo(700, 97.3)),
        marks=tuple(marks),
    )


def test_marks_outside_the_bars_are_kept_and_those_of_removed_notes_removed(
    composer: TransformerComposer,
) -> None:
    given = marked_tune()
    score = made(composer, Infill(given, (2, 2)))
    outside = [m for m in given.marks if not BAR <= m.tick < 2 * BAR]
    assert [m for m in score.marks if not BAR <= m.tick < 2 * BAR] == outside
    here = {(n[0], n[2]) for n in score.notes().tolist()}
    assert all((m.tick, m.pitch) in here for m in score.marks if m.kind is MarkKind.ARTICULATION)
    assert score.tempos == given.tempos
    kept = given.notes()[(given.onset < BAR) | (given.onset >= 2 * BAR)].tolist()
    assert score.notes()[(score.onset < BAR) | (score.onset >= 2 * BAR)].tolist() == kept


@pytest.mark.parametrize("bpm", [121.0, 97.3])
def test_a_requested_tempo_is_exact(composer: TransformerComposer, pop: Score, bpm: float) -> None:
    score = made(composer, Infill(pop, (3, 4), tracks=(4,)), tempo_bpm=bpm)
    assert score.tempos == (Tempo(0, bpm),)
    assert read_midi(write_midi(score), "x").score.tempos[0].bpm == pytest.approx(bpm, abs=1e-4)


def test_an_exact_score_is_kept_apart_from_one_on_the_grid(pop: Score) -> None:
    assert kept_exact(pop) is pop
    grid = quantise(pop)
    assert kept_exact(grid) is grid
    assert on_grid(grid) is grid
    played = grid.replace(velocity=grid.velocity - 1)
    stored = kept_exact(played)
    assert stored.ticks_per_quarter == 480
    assert on_grid(stored) == grid
    fast = grid.replace(tempos=(Tempo(0, 121.0),))
    assert kept_exact(fast) is fast
    assert on_grid(fast).tempos == (Tempo(0, 120.0),)
    assert at_exact_tempo(on_grid(fast), fast) == fast


def at_480(*rows: tuple[int, int, int]) -> Score:
    """One track at 480 ticks a quarter, from rows (onset, duration, pitch)."""
    return Score.from_notes([(*row, 80, 0) for row in rows], ticks_per_quarter=480)


def test_a_composed_note_that_is_shorter_than_the_given_one_replaces_it() -> None:
    given = at_480((0, 480, 60), (480, 480, 62))
    grid = quantise(given)
    made = grid.replace(
        duration=[12, 12, 24], onset=[0, 12, 24], pitch=[60, 64, 62], velocity=[80] * 3, track=[0] * 3
    )
    assert splice(given, grid, made).notes()[:, :3].tolist() == [[0, 240, 60], [240, 240, 64], [480, 480, 62]]


def test_a_voice_of_one_pitch_is_continued_within_an_octave_of_it() -> None:
    score = quantise(at_480(*((480 * i, 480, 33) for i in range(8))))
    ((low, high),) = instrument_defaults_of(score).ranges
    assert high - low >= 12
    assert 33 - 12 <= low <= 33 <= high <= 33 + 12
