"""Tasks with an untrained composer: constraints alone keep the given music."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.formats.midi import read_midi, write_midi
from troubadour.formats.musicxml import read_musicxml, write_musicxml
from troubadour.generation.constraints.parallels import parallel
from troubadour.generation.request import Brief, GivenNote
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
from troubadour.generation.tasks.infilling import CONTEXT_GUIDANCE, after_gap
from troubadour.generation.tasks.source import bar_span, voice_spans
from troubadour.models.transformer.composer import TransformerComposer
from troubadour.models.transformer.spec import TransformerSpec
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Metre, Score, Tempo, Track
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.tokenizer import decode, encode

Pieces = list[tuple[Score, str]]
VOICES = 4


@pytest.fixture(scope="module")
def composer(
    spec: TransformerSpec, weights: dict[str, NDArray[np.float32]], pieces: Pieces
) -> TransformerComposer:
    """Composer for one voice, two voices (`song`) and four (`chorale`)."""
    chorale = TransformerSpec(**{**spec.to_dict(), "styles": (*spec.styles, "chorale")})
    return TransformerComposer(
        chorale, weights, style_statistics([*pieces, *[(choir(i), "chorale") for i in range(3)]])
    )


def choir(seed: int, bars: int = 4) -> Score:
    rng = np.random.default_rng(seed)
    rows = [
        (24 * i, 24, centre + int(rng.choice((-3, 0, 2, 4))), 80, voice)
        for voice, centre in enumerate((72, 65, 59, 48))
        for i in range(4 * bars)
    ]
    return quantise(
        Score.from_notes(rows, ticks_per_quarter=24, tracks=tuple(Track(52, False, n) for n in "SATB"))
    )


def jig(upbeat: int = 0, bars: int = 8) -> Score:
    rng = np.random.default_rng(4)
    places = range(0, 72 * bars - upbeat + upbeat, 12)
    rows = [(t, 12, int(rng.choice((62, 64, 66, 67, 69, 71, 73, 74))), 96, 0) for t in places]
    return quantise(
        Score.from_notes(
            rows,
            ticks_per_quarter=24,
            tracks=(Track(73, False, "Flute"),),
            metres=(Metre(0, 6, 8),),
            keys=(Key(0, 2, "major"),),
            tempos=(Tempo(0, 176.0),),
            upbeat_ticks=upbeat,
        )
    )


def done(composer: TransformerComposer, task: Task, seed: int = 0, n: int = 1, **wishes: Any) -> list[Score]:
    made = run_task(composer, task, Brief(**wishes), np.random.default_rng(seed), n)
    for score in made:
        assert quantise(score) == score
        assert decode(encode(score)) == score
        assert quantise(read_midi(write_midi(score), "x").score) == score
        assert quantise(read_musicxml(write_musicxml(score, title="x").encode(), "x").score) == score
    return made


def rows(score: Score, start: int = 0, stop: int = 10**6) -> list[tuple[int, ...]]:
    return [tuple(r) for r in score.notes().tolist() if start <= r[0] < stop]


@pytest.mark.parametrize("upbeat", [0, 12])
def test_a_continuation_begins_with_the_piece(composer: TransformerComposer, upbeat: int) -> None:
    score = jig(upbeat)
    for new in done(composer, Continue(score, 3), n=2, style="jig"):
        assert rows(new)[: len(score)] == rows(score)
        assert new.n_bars == score.n_bars + 3
        assert new.tracks == score.tracks


@pytest.mark.parametrize("upbeat", [0, 12])
@pytest.mark.parametrize("bars", [(1, 2), (3, 5), (8, 8)])
def test_infilling_changes_the_requested_bars_only(
    composer: TransformerComposer, upbeat: int, bars: tuple[int, int]
) -> None:
    score = jig(upbeat)
    start, stop = bar_span(score, bars)
    for new in done(composer, Infill(score, bars), n=2, style="jig"):
        assert rows(new, 0, start) == rows(score, 0, start)
        assert rows(new, stop) == rows(score, stop)
        assert rows(new, start, stop) != rows(score, start, stop)
        assert new.n_bars == score.n_bars
        assert {r[3] for r in rows(new)} == {96}  # new notes are as loud as the piece


def test_infilling_voices_leaves_the_others(composer: TransformerComposer) -> None:
    score = choir(9)
    (new,) = done(composer, Infill(score, (2, 3), (2, 3)), style="chorale")
    for voice in range(VOICES):
        same = new.where(new.track == voice) == score.where(score.track == voice)
        assert same == (voice in (0, 3))
    outside = (new.onset < 96) | (new.onset >= 288)
    assert rows(new.where(outside)) == rows(score.where((score.onset < 96) | (score.onset >= 288)))


def test_infilling_works_within_a_piece_that_changes_its_metre_elsewhere(
    composer: TransformerComposer,
) -> None:
    rng = np.random.default_rng(2)
    onsets = [*range(0, 384, 24), *range(384, 384 + 8 * 72, 24)]
    score = quantise(
        Score.from_notes(
            [(t, 24, int(rng.integers(60, 72)), 80, 0) for t in onsets],
            ticks_per_quarter=24,
            metres=(Metre(0, 4, 4), Metre(384, 3, 4)),
        )
    )
    (new,) = done(composer, Infill(score, (7, 8)))
    start, stop = bar_span(score, (7, 8))
    assert rows(new, 0, start) + rows(new, stop) == rows(score, 0, start) + rows(score, stop)
    assert new.metres == score.metres
    with pytest.raises(InputError, match="the metre changes within the bars to infill"):
        done(composer, Infill(score, (4, 6)))


def test_the_notes_after_the_gap_are_the_visible_context(composer: TransformerComposer) -> None:
    score = jig()
    prepared = Infill(score, (3, 4)).prepare(composer, Brief(style="jig"))
    closing = len(prepared.opening) - 1 - prepared.opening[::-1].index(vocab.FILL)
    visible = prepared.opening[prepared.opening.index(vocab.FILL) : closing]
    assert visible.count(vocab.BAR) == 7
    pitches = [t - vocab.PITCH for t in visible if vocab.PITCH <= t < vocab.SPARE]
    assert pitches == score.pitch[score.onset >= 4 * 72].tolist()
    # The bars before the gap are forced after it.
    written = [t - vocab.PITCH for t in prepared.opening[closing:] if vocab.PITCH <= t < vocab.SPARE]
    assert written == score.pitch[score.onset < 2 * 72].tolist()


def test_only_given_events_after_the_first_gap_are_visible() -> None:
    voices = voice_spans(choir(1))
    given = [voices[0], [s for s in voices[1] if s.start != 96], voices[2], voices[3]]
    assert [voice[0].start for voice in after_gap(given)] == [96, 120, 96, 96]


def test_context_guidance_changes_the_notes_before_the_visible_ones(
    composer: TransformerComposer,
) -> None:
    score = jig()
    made = [
        done(composer, Infill(score, (3, 4), context_guidance=context_guidance), seed=3, style="jig")[0]
        for context_guidance in (1.0, 2.0, 4.0)
    ]
    assert len({tuple(rows(new)) for new in made}) > 1
    # All tokens after the gap are forced.
    prepared = Infill(score, (3, 4)).prepare(composer, Brief(style="jig"))
    decoder = prepared.constraint_plan.decoder()
    for token in (vocab.START, vocab.BODY, *prepared.opening):
        decoder.advance(token)
    rng = np.random.default_rng(0)
    while not decoder.fully_forced:
        assert decoder.automaton.now < 4 * 72
        assert decoder.take(int(rng.choice(np.flatnonzero(decoder.allowed()))))
    assert decoder.automaton.time == 4 * 72
    while not decoder.done:
        (token,) = np.flatnonzero(decoder.allowed()).tolist()
        assert decoder.take(token)
        assert decoder.fully_forced


def test_context_guidance_is_above_1_by_default_in_one_voice_only(
    composer: TransformerComposer,
) -> None:
    def context_guidance(task: Infill) -> float:
        return task.prepare(composer, Brief()).context_guidance

    assert context_guidance(Infill(jig(), (3, 4))) == CONTEXT_GUIDANCE > 1
    assert context_guidance(Infill(choir(1), (2, 3))) == 1.0
    assert context_guidance(Infill(choir(1), (2, 3), context_guidance=2.0)) == 2.0
    assert context_guidance(Infill(jig(), (3, 4), context_guidance=1.0)) == 1.0


def test_a_melody_is_harmonised_in_four_parts(composer: TransformerComposer) -> None:
    melody = choir(3).where(choir(3).track == 0)
    melody = quantise(melody)
    (new,) = done(composer, Harmonise(melody))
    assert len(new.tracks) == VOICES
    assert [r[:3] for r in rows(new.where(new.track == 0))] == [r[:3] for r in rows(melody)]
    (bass_kept,) = done(composer, Harmonise(choir(3), keep=(4,)))
    assert rows(bass_kept.where(bass_kept.track == 3)) == rows(choir(3).where(choir(3).track == 3))


def test_controls_hold_for_the_voices_added_to_a_melody(composer: TransformerComposer) -> None:
    melody = quantise(choir(5).where(choir(5).track == 0))
    (new,) = done(composer, Harmonise(melody), parallels=False, lowest=45, temperature=1.5)
    assert new.pitch.min() >= 45
    starts: dict[int, dict[int, tuple[int, int]]] = {}
    for voice in range(VOICES):
        mine = rows(new.where(new.track == voice))
        for a, b in pairwise(mine):
            if a[0] + a[1] == b[0]:
                starts.setdefault(b[0], {})[voice] = (a[2], b[2])
    for moves in starts.values():
        voices = sorted(moves)
        for i, upper in enumerate(voices):
            for lower in voices[i + 1 :]:
                before = moves[upper][0], moves[lower][0]
                after = moves[upper][1], moves[lower][1]
                assert not parallel(before, after)


@pytest.mark.parametrize("upbeat", [0, 12])
def test_chords_and_accompaniment_keep_the_tune_and_a_steady_pace(
    composer: TransformerComposer, upbeat: int
) -> None:
    score = jig(upbeat)
    (chords,) = done(composer, Harmonise(score, chords=True))
    assert [r[:3] for r in rows(chords.where(chords.track == 0))] == [r[:3] for r in rows(score)]
    assert [t.name for t in chords.tracks] == ["Flute", "Chords"]
    onsets = set(chords.onset[chords.track == 1].tolist())
    assert onsets <= set(range(upbeat, 10_000, 36))
    (played,) = done(composer, Accompany(score, instruments=(24, 32)))
    assert [t.program for t in played.tracks] == [73, 24, 32]
    assert [r[:3] for r in rows(played.where(played.track == 0))] == [r[:3] for r in rows(score)]
    bass, chord = (set(played.onset[played.track == t].tolist()) for t in (2, 1))
    assert bass & chord <= {max(bass)}  # chords come after the bass, except a short last one


def test_a_new_harmony_differs_from_the_given_one(composer: TransformerComposer) -> None:
    score = choir(7)
    for new in done(composer, Reharmonise(score), n=3):
        assert rows(new.where(new.track == 0)) == rows(score.where(score.track == 0))
        assert new != score


@pytest.mark.parametrize("upbeat", [0, 12])
def test_variations_keep_rhythm_or_pitches(composer: TransformerComposer, upbeat: int) -> None:
    score = jig(upbeat)
    (pitches,) = done(composer, Vary(score, "rhythm"), style="jig", strict=True)
    assert [r[:2] for r in rows(pitches)] == [r[:2] for r in rows(score)]
    assert {p % 12 for p in pitches.pitch.tolist()} <= {2, 4, 6, 7, 9, 11, 1}
    (rhythm,) = done(composer, Vary(score, "pitch", (2, 3)), style="jig")
    assert rhythm.pitch.tolist() == score.pitch.tolist()
    start, stop = bar_span(score, (2, 3))
    assert [r[:3] for r in rows(rhythm, 0, start)] == [r[:3] for r in rows(score, 0, start)]
    assert [r[:3] for r in rows(rhythm, stop)] == [r[:3] for r in rows(score, stop)]


TWO_METRES = jig().replace(metres=(Metre(0, 6, 8), Metre(144, 3, 8)))
NOTE = (GivenNote(1, 0, 24, 60),)
REFUSED: dict[str, tuple[Task, dict[str, Any], str]] = {
    "too many bars": (Continue(jig(), 33), {}, "bars is 33; allowed: 1 to 32"),
    "no notes": (Infill(jig().where(np.zeros(48, dtype=bool)), (1, 1)), {}, "the given piece has no notes"),
    "bars that are not there": (Infill(jig(), (7, 9)), {}, "bars are 7 to 9; allowed: 1 to 8"),
    "voices that are not there": (Infill(jig(), (1, 2), (2,)), {}, r"voices are \[2\]; allowed: 1 to 1"),
    "too much guidance": (Infill(jig(), (1, 2), context_guidance=5.0), {}, "context_guidance is 5.0; allowed: 1 to 4"),
    "nothing left": (Infill(jig()), {}, "leave nothing of the given piece; use compose"),
    "infilling and instruments": (Infill(jig(), (1, 2)), {"instruments": (40,)}, "instruments and the given piece clash"),
    "continuing and notes": (Continue(jig(), 2), {"notes": NOTE}, "notes and the given piece clash"),
    "given notes and the key": (
        Infill(jig(), (2, 3)), {"key": (-5, "major"), "strict": True}, "notes and key Db major as a scale clash",
    ),
    "given notes and a range": (Infill(jig(), (2, 3)), {"highest": 63}, "notes and highest 63 clash"),
    "given notes and chords": (Infill(jig(), (2, 3)), {"chords": "Ab " * 7 + "D"}, "notes and chords .* clash"),
    "chords and bars": (Infill(jig(), (2, 3)), {"chords": "D G A"}, "chords and bars clash"),
    "a voice too many": (Harmonise(choir(1), (5,)), {}, r"keep is \[5\]; allowed: voices 1 to 4"),
    "all voices kept": (Harmonise(choir(1), (1, 2, 3, 4)), {}, "none is left to compose"),
    "harmony in one voice": (Harmonise(jig()), {"style": "jig"}, "style 'jig' has one voice"),
    "harmony through two metres": (Harmonise(TWO_METRES), {}, "changes its metre 1 times"),
    "chords and parallels": (Harmonise(jig(), chords=True), {"parallels": False}, "parallels: none and chords clash"),
    "a new harmony to none": (Reharmonise(jig()), {}, "one voice and no harmony yet"),
    "no such instrument": (Accompany(jig(), instruments=(24, 200)), {}, "instrument is 200"),
    "rhythm and chords": (Vary(jig(), "rhythm"), {"chords": "D"}, "chords and a varied piece clash"),
    "rhythm and range": (Vary(jig(), "rhythm"), {"highest": 40, "lowest": 45}, "lowest 45 and highest 40 clash"),
    "neither rhythm nor pitch": (Vary(jig(), "metre"), {}, "keep is 'metre'; allowed"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize(("task", "wishes", "message"), REFUSED.values(), ids=list(REFUSED))
def test_impossible_tasks_are_refused_with_a_reason(
    composer: TransformerComposer, task: Task, wishes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        task.prepare(composer, Brief(**wishes))


def test_a_piece_too_long_for_the_model_is_refused(composer: TransformerComposer) -> None:
    rng = np.random.default_rng(0)
    long = quantise(
        Score.from_notes(
            [
                (6 * i, 6, int(p), 80, v)
                for v in range(2)
                for i, p in enumerate(rng.integers(60, 72, 16 * 60))
            ],
            ticks_per_quarter=24,
            tracks=(Track(40), Track(40)),
        )
    )
    with pytest.raises(InputError, match=r"takes \d+ tokens of the model's 2048"):
        Vary(long, "rhythm", (50, 60)).prepare(composer, Brief())
