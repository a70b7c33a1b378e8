"""What a composer pays for music, where the answer is known beforehand."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.vae import composer as tiny_vae

from troubadour.app.evaluate_composer import _frames
from troubadour.core.errors import InputError
from troubadour.generation.autoregressive import load_composer
from troubadour.generation.evaluation.voice_leading import check
from troubadour.generation.request import Brief
from troubadour.models.scoring import bar_nats
from troubadour.models.vae.composer import VaeComposer
from troubadour.models.vae.passages import PAD, Passage, passages, steps_of
from troubadour.music.quantise import quantise
from troubadour.music.score import Score, Track
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.tokenizer import encode

Pieces = list[tuple[Score, str]]


@pytest.fixture
def vae() -> VaeComposer:
    """A tiny VAE with random weights."""
    return tiny_vae()


@pytest.fixture
def melodies(pieces: Pieces) -> list[Passage]:
    """Passages of 16 bars."""
    return [p for score, _ in pieces for p in passages(score, 16)]


def test_a_composer_that_knows_nothing_pays_the_logarithm_of_the_vocabulary(
    melodies: list[Passage],
) -> None:
    shipped = load_composer(Path(str(files("troubadour") / "data" / "models" / "composer")))
    blank = {k: np.zeros_like(v) for k, v in shipped.weights.items()}
    composer = type(shipped)(shipped.spec, blank, shipped.profiles)
    found = bar_nats(composer, melodies, np.random.default_rng(0))
    for nats, melody in zip(found, melodies, strict=True):
        tokens = encode(quantise(melody.score())).tolist()
        counted = len(tokens) - 1 - tokens.index(vocab.BAR)
        assert nats == pytest.approx(counted * np.log(vocab.N_TOKENS) / 16, rel=1e-5)


def test_a_vae_that_knows_nothing_pays_as_much_for_each_sixteenth(
    vae: VaeComposer, melodies: list[Passage]
) -> None:
    weights = {k: np.zeros_like(v) for k, v in vae.weights.items()}
    blank = VaeComposer(vae.spec, weights, vae.profiles, vae.space.latent_map)
    found = bar_nats(blank, melodies, np.random.default_rng(0))
    wanted = [steps_of(m.metre) * np.log(PAD) for m in melodies]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_vae_pays_for_its_description(vae: VaeComposer, melodies: list[Passage]) -> None:
    weights = {k: v if k == "to_latent.weight" else np.zeros_like(v) for k, v in vae.weights.items()}
    # Only the place and the metre speak, so that every passage has the same description, and it is of no use.
    rng = np.random.default_rng(5)
    for name in ("place_in.weight", "metre_in.weight"):
        weights[name] = rng.standard_normal(vae.weights[name].shape)
    weights["encoder_norm.weight"] = vae.weights["encoder_norm.weight"]
    told = VaeComposer(vae.spec, weights, vae.profiles, vae.space.latent_map)
    grid = np.stack([m.grid for m in melodies[:1]])
    mean, log_variance = told.space.engine.encode(grid, np.array([4]))
    assert melodies[0].metre == (6, 8)
    kl = 0.5 * float((mean**2 + np.exp(log_variance) - 1 - log_variance).sum())
    assert kl > 1
    (found,) = bar_nats(told, melodies[:1], np.random.default_rng(0))
    assert found == pytest.approx(steps_of((6, 8)) * np.log(PAD) + kl / 16, rel=1e-4)


def test_what_cannot_be_scored_is_refused(vae: VaeComposer, melodies: list[Passage]) -> None:
    with pytest.raises(InputError, match="melodies are 0"):
        bar_nats(vae, [], np.random.default_rng(0))
    with pytest.raises(InputError, match="cannot score music"):
        bar_nats(Brief(), melodies, np.random.default_rng(0))  # type: ignore[arg-type]


def test_parallels_of_a_score_are_found_on_the_grid() -> None:
    # Bass and tenor in fifths twice, soprano in octaves with the bass and then with the alto.
    chords = [(72, 67, 55, 48), (74, 67, 57, 50), (76, 64, 55, 48), (74, 62, 57, 53)]
    rows = [
        (24 * i, 24, pitch, 80, voice) for i, chord in enumerate(chords) for voice, pitch in enumerate(chord)
    ]
    score = Score.from_notes(rows, ticks_per_quarter=24, tracks=tuple(Track(52) for _ in range(4)))
    led = check([_frames(quantise(score))])
    assert (led.changes, led.fifths, led.octaves) == (3, 2, 2)
