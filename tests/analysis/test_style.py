from __future__ import annotations

import json

import numpy as np
import pytest

from troubadour.analysis.style import StyleModel
from troubadour.core.errors import InputError, ModelError
from troubadour.music.score import Metre, Score, Track


def tune(kind: str, rng: np.random.Generator) -> Score:
    """Even quavers in 4/4, or a dotted rhythm in 6/8; random pitches."""
    lengths = [12] * 8 if kind == "reel" else [18, 6, 12] * 2
    rows, time = [], 0
    for _ in range(8):
        for length in lengths:
            rows.append([time, length, int(rng.integers(60, 75)), 80, 0])
            time += length
    metre = Metre(0, 4, 4) if kind == "reel" else Metre(0, 6, 8)
    return Score.from_notes(rows, ticks_per_quarter=24, metres=(metre,))


@pytest.fixture(scope="module")
def model() -> StyleModel:
    rng = np.random.default_rng(1)
    labels = ["reel", "jig"] * 30 + [""] * 5 + ["polka"] * 3
    scores = [tune(label or "reel", rng) for label in labels]
    return StyleModel.fit(scores, labels, [f"w{i}" for i in range(len(labels))], rng, least=20)


def test_rhythm_tells_styles_apart_on_tunes_that_were_not_seen(model: StyleModel) -> None:
    assert model.styles == ("jig", "reel")  # three polkas are too few to learn from
    rng = np.random.default_rng(2)
    for kind in ("reel", "jig"):
        found = model.find(tune(kind, rng))
        assert found.style == kind
        assert found.probability > 0.9
        assert found.reasons
    table = model.probabilities([tune("jig", rng) for _ in range(5)])
    assert table.sum(axis=1) == pytest.approx(np.ones(5))


def test_music_of_another_kind_gets_no_style(model: StyleModel) -> None:
    melody = tune("reel", np.random.default_rng(3))
    rows = np.concatenate([melody.notes() + np.array([0, 0, shift, 0, 0]) for shift in (-24, 0, 24)])
    song = Score.from_notes(rows, ticks_per_quarter=24, metres=(Metre(0, 4, 4),))
    found = model.find(song)
    assert found.style == ""
    assert "unlike all training pieces: more notes at once" in found.why_not


def test_a_stored_model_answers_the_same(model: StyleModel) -> None:
    spec, arrays = model.state()
    loaded = StyleModel.from_state(json.loads(json.dumps(spec)), arrays)
    score = tune("jig", np.random.default_rng(5))
    assert loaded.find(score) == model.find(score)
    with pytest.raises(ModelError, match="width"):
        StyleModel.from_state(spec, arrays | {"mean": np.zeros(3)})
    with pytest.raises(ModelError):
        StyleModel.from_state({}, arrays)


def test_too_few_labels_are_refused_and_drums_have_no_style(model: StyleModel) -> None:
    rng = np.random.default_rng(3)
    with pytest.raises(InputError, match="at least two"):
        StyleModel.fit([tune("jig", rng)], ["jig"], ["w"], rng)
    drums = Score.from_notes(
        [[i * 12, 12, 38, 90, 0] for i in range(9)], ticks_per_quarter=24, tracks=(Track(0, True),)
    )
    found = model.find(drums)
    assert found.style == ""
    assert found.why_not
