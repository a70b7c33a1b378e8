"""What holds of every composer, whichever family: suites that each implementation passes through.

A subclass gives the fixture `composer`: weights of its own (random ones will do: whatever they keep
to, they keep to by construction) and the profiles of the fixture `pieces`. `ComposerContract` is what all
keep to, `EventContract` what those keep to besides that compose event by event.
"""

from __future__ import annotations

import itertools
import json
import pickle
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from troubadour.core.errors import InputError, ModelError
from troubadour.core.registry import find, names
from troubadour.formats.midi import read_midi, write_midi
from troubadour.generation.autoregressive import DOCUMENT, WEIGHTS, AutoregressiveComposer, load_composer
from troubadour.generation.request import Brief
from troubadour.music.quantise import quantise
from troubadour.music.score import MODES, Key, Score
from troubadour.tokens.tokenizer import decode, encode

BRIEFS = st.builds(
    Brief,
    style=st.sampled_from((None, "jig", "march", "song")),
    metre=st.none() | st.sampled_from(((6, 8), (4, 4), (3, 4), (9, 8), (5, 8), (3, 2))),
    key=st.none() | st.tuples(st.integers(-7, 7), st.sampled_from(MODES)),
    bars=st.none() | st.integers(2, 8),
    density=st.none() | st.integers(0, 7),
    upbeat=st.none() | st.booleans(),
    temperature=st.floats(0.1, 2),
    top_p=st.floats(0.05, 1),
)


def random_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Weights of these shapes, large enough for logits to differ and exact in fp16."""
    rng = np.random.default_rng(11)
    found = {}
    for name, shape in shapes.items():
        gain = name.endswith("norm.weight")
        found[name] = (gain + rng.normal(0, 0.15, shape)).astype(np.float16).astype(np.float32)
    return found


def _document(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        document = json.loads((folder / DOCUMENT).read_text())
        change(document)
        (folder / DOCUMENT).write_text(json.dumps(document))

    return damage


def _not_a_number(folder: Path) -> None:
    arrays = load_file(folder / WEIGHTS)
    name = next(n for n in sorted(arrays) if n.endswith("weight"))
    arrays[name] = np.full_like(arrays[name], np.nan)
    save_file(arrays, folder / WEIGHTS)


def _of_another_version(folder: Path) -> None:
    document = json.loads((folder / DOCUMENT).read_text())
    field = "tokeniser" if "tokeniser" in document["spec"] else "version"
    document["spec"][field] = 99
    (folder / DOCUMENT).write_text(json.dumps(document))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut short": (
        lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-1000]),
        "no composer can be read",
    ),
    "not safetensors": (lambda f: (f / WEIGHTS).write_text("hello"), "no composer can be read"),
    "a pickle": (lambda f: (f / WEIGHTS).write_bytes(pickle.dumps([1])), "no composer can be read"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "no composer can be read"),
    "not a number": (_not_a_number, "holds values that are not finite"),
    "another version": (_of_another_version, "version 99"),
    "an unknown family": (
        _document(lambda d: d.update(kind="oracle")),
        "'oracle' is not one of the composers",
    ),
    "no profiles": (_document(lambda d: d.pop("profiles")), "no composer can be read"),
    "gone": (shutil.rmtree, "no composer can be read"),
}


class ComposerContract:
    """What all composers keep to."""

    refuses: tuple[str, ...] = ()
    """What may be refused of a brief that is acceptable elsewhere, as patterns of the message."""

    def one(self, composer: AutoregressiveComposer, seed: int = 0, **wishes: Any) -> Score:
        (score,) = composer.compose(Brief(**wishes), np.random.default_rng(seed))
        return score

    @settings(suppress_health_check=[HealthCheck.differing_executors])
    @given(brief=BRIEFS, seed=st.integers(0, 2**32))
    def test_every_brief_is_kept_in_valid_music(
        self, composer: AutoregressiveComposer, brief: Brief, seed: int
    ) -> None:
        if brief.style not in composer.styles:
            brief = replace(brief, style=None)
        try:
            (score,) = composer.compose(brief, np.random.default_rng(seed))
        except InputError as error:
            if not any(re.search(pattern, str(error)) for pattern in self.refuses):
                raise
            return
        assert quantise(score) == score == decode(encode(score))
        assert quantise(read_midi(write_midi(score), "check").score) == score
        assert brief.bars is None or score.n_bars == brief.bars
        assert brief.metre is None or [m[1:] for m in score.metres] == [brief.metre]
        assert brief.key is None or [k[1:] for k in score.keys] == [brief.key]
        assert brief.upbeat is None or bool(score.upbeat_ticks) == brief.upbeat
        lowest = score.where(score.track == len(score.tracks) - 1)
        assert int(lowest.pitch[-1]) % 12 == Key(0, *score.keys[0][1:]).tonic

    def test_a_seed_repeats_and_another_differs(self, composer: AutoregressiveComposer) -> None:
        first = self.one(composer, 5, style="march", bars=8)
        assert self.one(composer, 5, style="march", bars=8) == first
        assert self.one(composer, 6, style="march", bars=8) != first

    def test_an_unknown_style_is_told_which_there_are(self, composer: AutoregressiveComposer) -> None:
        with pytest.raises(InputError, match="style is 'zouk'; allowed: jig, march"):
            self.one(composer, style="zouk")

    def test_vectors_are_units_and_the_same_every_time(
        self, composer: AutoregressiveComposer, pieces: list[tuple[Score, str]]
    ) -> None:
        scores = [score for score, _ in pieces]
        vectors = composer.embed(scores)
        assert vectors.shape[0] == len(scores)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        np.testing.assert_array_equal(composer.embed(scores), vectors)
        np.testing.assert_allclose(composer.embed(scores[3:4])[0], vectors[3], atol=1e-4)
        np.testing.assert_allclose(composer.embed([scores[0].transpose(3)])[0], vectors[0], atol=1e-4)

    def test_stored_and_loaded_it_composes_and_embeds_the_same(
        self, composer: AutoregressiveComposer, tmp_path: Path, pieces: list[tuple[Score, str]]
    ) -> None:
        composer.save(tmp_path)
        again = load_composer(tmp_path)
        assert type(again) is type(composer)
        assert (again.name, again.styles, again.spec) == (composer.name, composer.styles, composer.spec)
        for seed in range(2):
            assert self.one(again, seed, style="jig", bars=4) == self.one(composer, seed, style="jig", bars=4)
        scores = [score for score, _ in pieces[:3]]
        np.testing.assert_array_equal(again.embed(scores), composer.embed(scores))

    @pytest.mark.parametrize(("damage", "cause"), DAMAGES.values(), ids=list(DAMAGES))
    def test_a_damaged_composer_is_refused_with_the_cause(
        self, composer: AutoregressiveComposer, tmp_path: Path, damage: Callable[[Path], object], cause: str
    ) -> None:
        folder = tmp_path / "composer"
        folder.mkdir()
        composer.save(folder)
        damage(folder)
        with pytest.raises(ModelError, match=cause):
            load_composer(folder)

    def test_another_family_does_not_take_its_weights(
        self, composer: AutoregressiveComposer, tmp_path: Path
    ) -> None:
        composer.save(tmp_path)
        for name in names("composers"):
            if name != composer.kind:
                with pytest.raises(ModelError, match=rf"family '{composer.kind}', not '{name}'"):
                    find("composers", name).load(tmp_path)


class AutoregressiveContract(ComposerContract):
    """What composers keep to besides that compose event by event."""

    def test_a_candidate_does_not_depend_on_its_company(self, composer: AutoregressiveComposer) -> None:
        brief = Brief(style="jig", metre=(6, 8), key=(2, "major"), bars=4, tempo_bpm=176)
        alone = composer.compose(brief, np.random.default_rng(3), 1)
        several = composer.compose(brief, np.random.default_rng(3), 4)
        assert len(set(several)) == 4
        assert alone[0] in several

    def test_streaming_gives_the_same_piece_bar_by_bar(self, composer: AutoregressiveComposer) -> None:
        brief = Brief(style="jig", metre=(6, 8), key=(2, "major"), bars=4, tempo_bpm=176, upbeat=False)
        parts = list(composer.stream(brief, np.random.default_rng(2)))
        assert parts[-1] == composer.compose(brief, np.random.default_rng(2))[0]
        assert all(len(a) <= len(b) for a, b in itertools.pairwise(parts))
        assert len(parts) >= 4

    def test_a_stream_that_is_closed_composes_no_further_token(
        self, composer: AutoregressiveComposer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fed: list[int] = []
        start = composer.engine.start

        def counted(batch: int, length: int) -> Any:
            network = start(batch, length)
            feed = network.step
            monkeypatch.setattr(
                network,
                "step",
                lambda tokens, places: (fed.append(1), feed(tokens, places))[1],
                raising=False,
            )
            return network

        monkeypatch.setattr(composer.engine, "start", counted, raising=False)
        brief = Brief(style="jig", metre=(6, 8), key=(2, "major"), bars=8, tempo_bpm=176, upbeat=False)
        whole = composer.stream(brief, np.random.default_rng(2))
        list(whole)
        total = len(fed)
        fed.clear()
        cut = composer.stream(brief, np.random.default_rng(2))
        next(cut)
        at_first_bar = len(fed)
        cut.close()
        assert list(cut) == []
        assert len(fed) == at_first_bar < total / 2

    def test_in_8_bits_it_composes_what_was_asked_for_and_alike(
        self, composer: AutoregressiveComposer, tmp_path: Path, pieces: list[tuple[Score, str]]
    ) -> None:
        composer.save(tmp_path)
        small = load_composer(tmp_path, precision="int8")
        assert self.one(small, 1, style="jig", bars=4).n_bars == 4
        scores = [score for score, _ in pieces[:4]]
        likeness = (small.embed(scores) * composer.embed(scores)).sum(axis=1)
        assert likeness.min() > 0.98
