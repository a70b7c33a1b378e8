from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from troubadour.core.errors import InputError, ModelError, TroubadourError
from troubadour.generation.request import Brief
from troubadour.generation.style_statistics import style_statistics
from troubadour.models.transformer.composer import DOCUMENT, WEIGHTS, TransformerComposer
from troubadour.models.transformer.spec import TransformerSpec
from troubadour.music.quantise import METRONOME, quantise
from troubadour.music.score import MODES, Key, Score
from troubadour.tokens import vocabulary as vocab

Weights = dict[str, NDArray[np.float32]]
METRES = ((6, 8), (4, 4), (3, 4), (2, 2), (9, 8), (5, 8), (2, 4), (3, 2))


@pytest.fixture(scope="module")
def composer(spec: TransformerSpec, weights: Weights, pieces: list[tuple[Score, str]]) -> TransformerComposer:
    """A composer that has learnt nothing: whatever it keeps to, it keeps to by construction."""
    half = {k: v.astype(np.float16).astype(np.float32) for k, v in weights.items()}
    return TransformerComposer(spec, half, style_statistics(pieces), "tiny")


@pytest.fixture
def folder(composer: TransformerComposer, tmp_path: Path) -> Path:
    composer.save(tmp_path)
    return tmp_path


def compose(composer: TransformerComposer, seed: int = 0, **wishes: object) -> Score:
    (score,) = composer.compose(Brief(**wishes), np.random.default_rng(seed))  # type: ignore[arg-type]
    return score


# Briefs ---------------------------------------------------------------------------------------

briefs = st.builds(
    Brief,
    style=st.sampled_from((None, "jig", "march", "song")),
    metre=st.none() | st.sampled_from(METRES),
    key=st.none() | st.tuples(st.integers(-7, 7), st.sampled_from(MODES)),
    bars=st.none() | st.integers(2, 12),
    tempo_bpm=st.none() | st.floats(20, 336),
    density=st.none() | st.integers(0, 7),
    upbeat=st.none() | st.booleans(),
    temperature=st.floats(0.1, 2),
    top_p=st.floats(0.05, 1),
)


@given(brief=briefs, seed=st.integers(0, 2**32))
def test_every_brief_is_kept(composer: TransformerComposer, brief: Brief, seed: int) -> None:
    (score,) = composer.compose(brief, np.random.default_rng(seed))
    assert quantise(score) == score
    if brief.bars is not None:
        assert score.n_bars == brief.bars
    assert score.end_ticks == score.n_bars * score.metres[0].bar_ticks(
        24
    )  # the upbeat is taken from the last bar
    if brief.metre is not None:
        assert [m[1:] for m in score.metres] == [brief.metre]
    if brief.key is not None:
        assert [k[1:] for k in score.keys] == [brief.key]
    if brief.tempo_bpm is not None:
        nearest = min(METRONOME, key=lambda bpm: abs(bpm - brief.tempo_bpm))
        assert abs(score.tempos[0].bpm - brief.tempo_bpm) <= abs(nearest - brief.tempo_bpm) + 1e-9
    if brief.upbeat is not None:
        assert bool(score.upbeat_ticks) == brief.upbeat
    assert len(score.tracks) == (2 if brief.style == "song" else 1)
    tonic = Key(0, *score.keys[0][1:]).tonic
    lowest = score.where(score.track == len(score.tracks) - 1)
    assert int(lowest.pitch[-1]) % 12 == tonic
    assert int((lowest.onset + lowest.duration)[-1]) == score.end_ticks


def test_what_a_brief_leaves_open_is_as_the_style_usually_is(composer: TransformerComposer) -> None:
    for seed in range(6):
        score = compose(composer, seed, style="jig")
        assert (score.metres[0].name, score.keys[0].name, score.tempos[0].bpm) == ("6/8", "D major", 176)
        assert score.n_bars in (8, 16)
        assert score.tracks[0].program == 40
        assert int(score.pitch.min()) >= 62
        assert int(score.pitch.max()) <= 74


def test_without_a_style_voices_choose_one_that_has_them(composer: TransformerComposer) -> None:
    assert len(compose(composer, voices=2, bars=4).tracks) == 2
    assert len(compose(composer, voices=1, bars=4).tracks) == 1


def test_one_bar_can_be_asked_for(composer: TransformerComposer) -> None:
    assert compose(composer, style="jig", bars=1).n_bars == 1


def test_the_same_seed_gives_the_same_piece_and_another_seed_another(composer: TransformerComposer) -> None:
    first = compose(composer, 5, style="march", bars=8)
    assert compose(composer, 5, style="march", bars=8) == first
    assert compose(composer, 6, style="march", bars=8) != first


def test_as_many_candidates_as_asked_for_all_different(composer: TransformerComposer) -> None:
    found = composer.compose(Brief(style="jig", bars=4), np.random.default_rng(1), candidates=5)
    assert len(found) == len(set(found)) == 5
    assert {s.n_bars for s in found} == {4}


def test_a_brief_steers_the_network_through_its_prompt(composer: TransformerComposer) -> None:
    brief = Brief("jig", (6, 8), (2, "major"), bars=8, voices=1, density=4)
    assert [vocab.name(t) for t in composer.prompt(brief)] == [
        "start", "style 0", "bars 8", "voices 1", "numerator 6", "denominator 8", "key 2 major", "density 4", "body",
    ]  # fmt: skip


def test_an_unknown_style_is_told_which_there_are(composer: TransformerComposer) -> None:
    with pytest.raises(InputError, match="style is 'polka'; allowed: jig, march, song"):
        compose(composer, style="polka")


def test_voices_that_a_style_has_not_are_refused(composer: TransformerComposer) -> None:
    with pytest.raises(InputError, match="voices is 2 and style 'jig' has 1; allowed: 1"):
        compose(composer, style="jig", voices=2)
    with pytest.raises(InputError, match="voices is 7; allowed for this composer: 1, 2"):
        compose(composer, voices=7)


def test_a_piece_that_does_not_fit_the_context_is_told_so(
    spec: TransformerSpec, weights: Weights, pieces: list[tuple[Score, str]]
) -> None:
    small = TransformerComposer(replace(spec, context=40), weights, style_statistics(pieces))
    with pytest.raises(TroubadourError, match="ask for fewer bars"):
        compose(small, style="jig", bars=64)


def test_styles_are_those_with_music_behind_them(
    spec: TransformerSpec, weights: Weights, pieces: list[tuple[Score, str]]
) -> None:
    known = {k: v for k, v in style_statistics(pieces).items() if k != "march"}
    assert TransformerComposer(spec, weights, known).styles == ("jig", "song")


# Embedding ------------------------------------------------------------------------------------


def test_vectors_have_unit_length_and_do_not_depend_on_company(
    composer: TransformerComposer, pieces: list[tuple[Score, str]]
) -> None:
    scores = [score for score, _ in pieces]
    together = composer.embed(scores)
    assert together.shape == (20, 32)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for i in (0, 7, 19):
        np.testing.assert_allclose(composer.embed([scores[i]])[0], together[i], atol=1e-4)


def test_the_key_does_not_count_but_the_tune_does(
    composer: TransformerComposer, pieces: list[tuple[Score, str]]
) -> None:
    tune, other = pieces[0][0], pieces[2][0]
    vectors = composer.embed([tune, tune.transpose(3), tune.transpose(-2), other])
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-4)
    np.testing.assert_allclose(vectors[2], vectors[0], atol=1e-4)
    assert float(vectors[0] @ vectors[3]) < 0.9999


def test_no_scores_no_vectors(composer: TransformerComposer) -> None:
    assert composer.embed([]).shape == (0, 32)


# Storing --------------------------------------------------------------------------------------


def test_a_composer_that_was_stored_composes_the_same(composer: TransformerComposer, folder: Path) -> None:
    again = TransformerComposer.load(folder)
    assert (again.name, again.styles, again.spec) == (composer.name, composer.styles, composer.spec)
    for seed in range(3):
        wishes = Brief(style="jig", bars=4)
        assert again.compose(wishes, np.random.default_rng(seed)) == composer.compose(
            wishes, np.random.default_rng(seed)
        )


def _truncate(folder: Path) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1000])


def _flip_header(folder: Path) -> None:
    path = folder / WEIGHTS
    data = bytearray(path.read_bytes())
    data[3] ^= 0x40
    path.write_bytes(data)


def _without_a_weight(folder: Path) -> None:
    arrays = load_file(folder / WEIGHTS)
    del arrays["layer.1.up.weight"]
    save_file(arrays, folder / WEIGHTS)


def _not_a_number(folder: Path) -> None:
    arrays = load_file(folder / WEIGHTS)
    arrays["norm.weight"] = np.full_like(arrays["norm.weight"], np.nan)
    save_file(arrays, folder / WEIGHTS)


def _change(folder: Path, change: Callable[[dict[str, dict[str, object]]], object]) -> None:
    document = json.loads((folder / DOCUMENT).read_text())
    change(document)
    (folder / DOCUMENT).write_text(json.dumps(document))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights cut short": (_truncate, "no composer can be read"),
    "weights' header changed": (_flip_header, "no composer can be read"),
    "weights of text": (lambda f: (f / WEIGHTS).write_text("hello"), "no composer can be read"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "no composer can be read"),
    "a weight missing": (_without_a_weight, "'layer.1.up.weight' is missing"),
    "a weight not a number": (_not_a_number, "'norm.weight' holds values that are not finite"),
    "no document": (lambda f: (f / DOCUMENT).unlink(), "no composer can be read"),
    "half a document": (lambda f: (f / DOCUMENT).write_text('{"spec": {'), "no composer can be read"),
    "a document that is a list": (lambda f: (f / DOCUMENT).write_text("[]"), "no composer can be read"),
    "another tokeniser": (
        lambda f: _change(f, lambda d: d["spec"].update(tokeniser=99)),
        "tokeniser version 99",
    ),
    "an unknown setting": (
        lambda f: _change(f, lambda d: d["spec"].update(colour=1)),
        "not a Transformer spec",
    ),
    "no profiles": (lambda f: _change(f, lambda d: d.pop("profiles")), "no composer can be read"),
    "other size": (lambda f: _change(f, lambda d: d["spec"].update(width=64)), "has shape"),
    "impossible size": (lambda f: _change(f, lambda d: d["spec"].update(head=24)), "multiple of head"),
    "a folder that is not there": (shutil.rmtree, "no composer can be read"),
}


@pytest.mark.parametrize(("damage", "cause"), DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_composer_is_refused_with_the_cause(
    folder: Path, damage: Callable[[Path], object], cause: str
) -> None:
    damage(folder)
    with pytest.raises(ModelError, match=cause):
        TransformerComposer.load(folder)


def test_a_file_that_pickle_could_run_is_never_loaded(folder: Path) -> None:
    import pickle

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return (folder.joinpath("sprung").touch, ())

    (folder / WEIGHTS).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError):
        TransformerComposer.load(folder)
    assert not (folder / "sprung").exists()
