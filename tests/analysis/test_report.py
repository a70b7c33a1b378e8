from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.analysis.report import analyse
from troubadour.core.errors import InputError
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Score, Track

CHORD = {"C": (48, 64, 67, 72), "F": (53, 65, 69, 72), "G": (43, 62, 67, 71), "Am": (45, 64, 69, 72)}


def chorale(names: str, fifths: int = 0) -> Score:
    """One chord per quarter, four voices, 4/4."""
    rows = [
        [i * 24, 24, pitch, 80, voice]
        for i, name in enumerate(names.split())
        for voice, pitch in enumerate(reversed(CHORD[name]))
    ]
    tracks = tuple(Track(52) for _ in range(4))
    return Score.from_notes(rows, ticks_per_quarter=24, tracks=tracks, keys=(Key(0, fifths, "major"),))


def test_plain_harmony_is_named_as_a_teacher_would() -> None:
    found = analyse(chorale("C F G C Am F G C"))
    assert found.key.key == "C major"
    assert [c.numeral for c in found.chords] == ["I", "IV", "V", "I", "vi", "IV", "V", "I"]
    assert [c.symbol for c in found.chords][:3] == ["C", "F", "G"]
    assert found.form.phrases[-1].cadence == "authentic"
    assert not found.chords_implied


def test_the_key_does_not_rest_on_what_is_notated() -> None:
    found = analyse(chorale("C F G C Am F G C", fifths=3)).key
    assert (found.key, found.notated) == ("C major", "A major")
    assert found.probability > 0.8


@pytest.mark.parametrize("semitones", [-5, -2, 3, 6])
def test_transposing_moves_the_key_and_nothing_else(semitones: int) -> None:
    score = chorale("C F G C Am F G C")
    one, other = analyse(score), analyse(score.transpose(semitones))
    assert (other.key.tonic - one.key.tonic) % 12 == semitones % 12
    assert [c.numeral for c in other.chords] == [c.numeral for c in one.chords]
    assert other.form.letters == one.form.letters
    assert other.key.probability == pytest.approx(one.key.probability)


def test_a_tune_of_two_equal_and_two_other_phrases_is_a_a_b_c() -> None:
    a = [60, 62, 64, 65, 67, 65, 64, 62, 60, 64, 67, 72, 71, 67, 60]
    b = [79, 77, 76, 74, 72, 74, 76, 77, 79, 76, 72, 76, 74, 71, 72]
    c = [67, 60, 67, 62, 69, 62, 71, 64, 72, 65, 74, 67, 64, 62, 60]
    lengths = [24] * 14 + [48]
    rows, time = [], 0
    for pitch, length in zip(a + a + b + c, lengths * 4, strict=True):
        rows.append([time, length, pitch, 80, 0])
        time += length
    found = analyse(Score.from_notes(rows, ticks_per_quarter=24))
    assert found.form.letters == "A A B C"
    assert [p.bars for p in found.form.phrases] == [(1, 4), (5, 8), (9, 12), (13, 16)]
    likeness = found.form.likeness
    assert likeness.shape == (16, 16)
    assert likeness[0, 4] == 1.0
    assert likeness[0, 8] < 0.5
    assert found.chords_implied


def test_a_modulation_is_found_where_it_is() -> None:
    # Sixteen bars in C and sixteen in E flat: two distant keys.
    first = chorale("C F G C " * 8)
    second = first.transpose(3)
    rows = np.concatenate([first.notes(), second.notes() + np.array([first.end_ticks, 0, 0, 0, 0])])
    found = analyse(Score.from_notes(rows, ticks_per_quarter=24, tracks=first.tracks)).key
    assert [r.key for r in found.regions] == ["C major", "Eb major"]
    assert all(abs(b.bars[0] - a.bars[1]) == 1 for a, b in pairwise(found.regions))
    assert abs(found.regions[0].bars[1] - 8) <= 1


def test_happy_and_sad_differ_as_listeners_say() -> None:
    score = chorale("C F G C Am F G C")
    quick = score.replace(tempos=(score.tempos[0]._replace(bpm=180.0),))
    slow = score.replace(tempos=(score.tempos[0]._replace(bpm=50.0),))
    one, other = analyse(quick).mood, analyse(slow).mood
    assert one is not None
    assert other is not None
    assert one.arousal > 0 > other.arousal
    assert one.valence > other.valence
    assert one.valence == pytest.approx(sum(c.valence for c in one.cues), abs=1e-3)


def test_fast_wide_and_dense_is_harder() -> None:
    easy = analyse(
        Score.from_notes([[i * 24, 24, 60 + i % 5, 80, 0] for i in range(32)], ticks_per_quarter=24)
    )
    rows = [[i * 6, 6, 40 + (i * 17) % 48 + 5 * v, 80, 0] for i in range(128) for v in (0, 1)]
    hard = analyse(Score.from_notes(rows, ticks_per_quarter=24))
    assert easy.difficulty is not None
    assert hard.difficulty is not None
    assert hard.difficulty.level > easy.difficulty.level + 0.3
    assert (easy.difficulty.word, hard.difficulty.word) == ("easy", "hard")


def test_an_empty_score_is_refused() -> None:
    with pytest.raises(InputError, match="no note"):
        analyse(Score.from_notes([], ticks_per_quarter=24))


def test_drums_have_no_key_chords_or_mood_but_an_answer() -> None:
    drums = Score.from_notes(
        [[i * 12, 12, 38, 90, 0] for i in range(32)], ticks_per_quarter=24, tracks=(Track(0, True),)
    )
    found = analyse(drums).to_dict()
    assert found["key"] is None
    assert found["valence"] is None
    assert found["chords"] == []
    json.dumps(found, allow_nan=False)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    note = st.tuples(
        st.integers(0, 500), st.integers(1, 200), st.integers(0, 127), st.integers(1, 127), st.integers(0, 2)
    )
    rows = draw(st.lists(note, min_size=1, max_size=25))
    return quantise(
        Score.from_notes(
            np.array(rows), ticks_per_quarter=24, tracks=(Track(), Track(40), Track(0, draw(st.booleans())))
        )
    )


@given(scores())
def test_whatever_the_notes_the_answer_is_numbers(score: Score) -> None:
    found = analyse(score)
    json.dumps(found.to_dict(), allow_nan=False)
    if found.mood:
        assert -1 <= found.mood.valence <= 1
        assert -1 <= found.mood.arousal <= 1
    assert found.difficulty is not None
    assert 0 <= found.difficulty.level <= 1
    assert 0 <= found.key.probability <= 1
    assert all(0 <= c.certainty <= 1 for c in found.chords)
    if found.form.phrases:
        assert found.form.phrases[-1].bars[1] >= found.form.phrases[0].bars[0]
