from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.music.features import FEATURES, attributes, feature_vector
from troubadour.music.score import MODES, Key, Metre, Score, Tempo, Track


def tune(pitches: list[int], lengths: list[int], **maps: object) -> Score:
    """One voice, 24 ticks a quarter, notes one after the other."""
    onsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    rows = [[o, d, p, 80, 0] for o, d, p in zip(onsets, lengths, pitches, strict=True)]
    return Score.from_notes(rows, ticks_per_quarter=24, **maps)  # type: ignore[arg-type]


def value(score: Score, name: str) -> float:
    return float(feature_vector(score)[FEATURES.index(name)])


def test_a_scale_of_quavers_has_the_attributes_that_a_musician_would_name() -> None:
    scale = tune(
        [62, 64, 66, 67, 69, 71, 73, 74],
        [12] * 8,
        keys=(Key(0, 2, "major"),),
        metres=(Metre(0, 4, 4),),
        tempos=(Tempo(0, 90.0),),
    )
    got = attributes(scale)
    assert (got["metre"], got["tonic"], got["mode"], got["key"]) == ("4/4", "D", "major", "D major")
    assert got["tempo_bpm"] == pytest.approx(90.0)
    assert (got["lowest"], got["highest"], got["range_semitones"]) == (62, 74, 12)
    assert (got["bars"], got["notes"], got["notes_per_bar"], got["voices"]) == (1, 8, 8, 1)
    assert got["notes_per_second"] == pytest.approx(8 / (4 * 60 / 90))
    assert (got["steps"], got["leaps"], got["repeats"], got["rising"]) == (1, 0, 0, 1)
    assert got["in_scale"] == 1
    assert got["polyphony"] == pytest.approx(1)
    assert got["rhythm_entropy"] == 0
    assert got["pitch_entropy"] == pytest.approx(2.75)  # 6 classes once, the tonic twice
    assert got["syncopation"] == 0


def test_in_scale_follows_mode_and_key_changes() -> None:
    notes = ([62, 65, 69, 72], [24] * 4)  # D F A C
    assert attributes(tune(*notes, keys=(Key(0, 0, "dorian"),)))["in_scale"] == 1
    assert attributes(tune(*notes, keys=(Key(0, 2, "major"),)))["in_scale"] == 0.5
    both = (Key(0, 0, "dorian"), Key(48, 2, "major"))
    assert attributes(tune(*notes, keys=both))["in_scale"] == 0.75


def test_syncopation_is_the_share_of_notes_held_over_a_beat() -> None:
    charleston = tune([60, 60, 60], [12, 24, 60])  # the second starts off the beat and ties over
    assert attributes(charleston)["syncopation"] == pytest.approx(2 / 3)
    jig = tune([60, 62, 64, 60, 62, 64], [12] * 6, metres=(Metre(0, 6, 8),))
    assert attributes(jig)["syncopation"] == 0
    lilt = tune([60, 62], [12, 60], metres=(Metre(0, 6, 8),))
    assert attributes(lilt)["syncopation"] == 0.5


def test_polyphony_counts_only_while_something_sounds() -> None:
    chord_rest_note = Score.from_notes(
        [[0, 24, 60, 80, 0], [0, 24, 64, 80, 0], [0, 24, 67, 80, 0], [72, 24, 60, 80, 0]],
        ticks_per_quarter=24,
    )
    assert attributes(chord_rest_note)["polyphony"] == 2.0


def test_melody_is_the_highest_voice_of_each_track() -> None:
    two_hands = Score.from_notes(
        [[0, 24, 60, 80, 0], [0, 24, 72, 80, 0], [24, 24, 74, 80, 0],
         [0, 24, 36, 80, 1], [24, 24, 43, 80, 1]],
        ticks_per_quarter=24, tracks=(Track(), Track()),
    )  # fmt: skip
    got = attributes(two_hands)
    assert got["mean_interval"] == 4.5  # 72 -> 74 and 36 -> 43
    assert (got["steps"], got["leaps"], got["voices"]) == (0.5, 0.5, 2)


def test_the_longest_metre_and_key_are_named() -> None:
    mixed = tune(
        [60] * 10,
        [24] * 10,
        metres=(Metre(0, 2, 4), Metre(48, 3, 4)),
        keys=(Key(0, 0, "major"), Key(48, 1, "major"), Key(192, 0, "major")),
    )
    got = attributes(mixed)
    assert (got["metre"], got["key"]) == ("3/4", "G major")


def test_an_upbeat_does_not_shift_the_beat() -> None:
    upbeat = tune([60, 62, 64, 65], [12, 24, 24, 24], upbeat_ticks=12)
    assert attributes(upbeat)["syncopation"] == 0
    assert attributes(upbeat)["bars"] == 1


@pytest.mark.parametrize("semitones", [-5, 2, 7])
def test_the_vector_does_not_hear_a_transposition(semitones: int) -> None:
    source = tune([62, 66, 69, 74, 73, 71], [24, 12, 12, 24, 36, 12], keys=(Key(0, 2, "major"),))
    moved = np.flatnonzero(feature_vector(source) != feature_vector(source.transpose(semitones)))
    assert [FEATURES[i] for i in moved] == ["mean_pitch"]


def test_the_vector_tells_metre_mode_and_rhythm() -> None:
    jig = tune([62, 64, 65] * 4, [12] * 12, metres=(Metre(0, 6, 8),), keys=(Key(0, 0, "dorian"),))
    assert value(jig, "metre_6/8") == 1
    assert value(jig, "metre_4/4") == 0
    assert value(jig, "mode_dorian") == 1
    assert [value(jig, f"beat_{i}") for i in (0, 4, 8)] == pytest.approx([1 / 3] * 3)
    assert value(jig, "degree_0") == pytest.approx(1 / 3)
    assert value(jig, "interval_-3") == pytest.approx(3 / 11)
    named = feature_vector(jig, "jig")
    assert named[FEATURES.index("style_jig")] == 1
    assert (feature_vector(jig, "no such style") == feature_vector(jig)).all()
    assert named.sum() == pytest.approx(feature_vector(jig).sum() + 1)
    odd = tune([60], [24], metres=(Metre(0, 7, 8),))
    assert value(odd, "metre_other") == 1


scores = st.builds(
    lambda rows, metre, fifths, mode, drum: Score.from_notes(
        [[o, d, p, 80, t] for o, d, p, t in rows],
        ticks_per_quarter=24,
        tracks=(Track(), Track(is_drum=drum)),
        metres=(Metre(0, *metre),),
        keys=(Key(0, fifths, mode),),
    ),
    st.lists(
        st.tuples(st.integers(0, 2000), st.integers(1, 400), st.integers(0, 127), st.integers(0, 1)),
        max_size=30,
    ),
    st.sampled_from([(4, 4), (6, 8), (3, 2), (7, 8), (1, 16)]),
    st.integers(-7, 7),
    st.sampled_from(MODES),
    st.booleans(),
)


@given(scores)
def test_every_score_has_finite_attributes_and_a_bounded_vector(score: Score) -> None:
    got = attributes(score)
    numbers = {name: v for name, v in got.items() if not isinstance(v, str)}
    assert all(np.isfinite(v) and v >= 0 for v in numbers.values()), numbers
    vector = feature_vector(score)
    assert vector.shape == (len(FEATURES),)
    assert vector.dtype == np.float32
    assert np.abs(vector).max() <= 3
    for group in ("degree_", "interval_", "length_", "beat_"):
        total = sum(value(score, name) for name in FEATURES if name.startswith(group))
        assert total == pytest.approx(0, abs=1e-6) or total == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("drums", [True, False])
@pytest.mark.parametrize("rows", [[], [[0, 24, 60, 80, 0]]])
def test_empty_one_note_and_drums_only(rows: list[list[int]], drums: bool) -> None:
    score = Score.from_notes(rows, ticks_per_quarter=24, tracks=(Track(is_drum=drums),))
    got = attributes(score)
    assert got["notes"] == len(rows)
    assert got["drums"] == (1.0 if drums and rows else 0.0)
    assert got["voices"] == (1.0 if rows and not drums else 0.0)
    assert not np.isnan(feature_vector(score)).any()
