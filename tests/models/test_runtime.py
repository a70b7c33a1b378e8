from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from troubadour.core.errors import ModelError
from troubadour.models.transformer.runtime import TransformerRuntime
from troubadour.models.transformer.spec import TransformerSpec
from troubadour.music.score import Score
from troubadour.tokens.tokenizer import encode, features

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

Weights = dict[str, NDArray[np.float32]]
Inputs = tuple[NDArray[np.int64], NDArray[np.int64]]


@pytest.fixture
def inputs(pieces: list[tuple[Score, str]]) -> Inputs:
    """Three real sequences of 60 tokens with their musical positions."""
    rows = [encode(score) for score, _ in pieces[:3]]
    tokens = np.stack([r[:60] for r in rows]).astype(np.int64)
    return tokens, np.stack([features(r[:60]) for r in rows]).astype(np.int64)


@pytest.fixture
def expected(spec: TransformerSpec, weights: Weights, inputs: Inputs) -> NDArray[np.float32]:
    """The network in torch, whole sequences at once: (batch, time, tokens)."""
    from troubadour.models.transformer.network import TransformerNetwork

    network = TransformerNetwork(spec).eval()
    found = network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=False)
    assert not found.unexpected_keys
    assert not [k for k in found.missing_keys if "cos" not in k and "sin" not in k]
    with torch.no_grad():
        logits: NDArray[np.float32] = network(*(torch.from_numpy(a) for a in inputs)).numpy()
    assert float(logits.std()) > 0.1  # else agreement would mean nothing
    return logits


def test_the_engine_agrees_with_the_network_it_was_trained_as(
    spec: TransformerSpec, weights: Weights, inputs: Inputs, expected: NDArray[np.float32]
) -> None:
    tokens, places = inputs
    logits = TransformerRuntime(spec, weights).start(3, 80).step(tokens, places)
    np.testing.assert_allclose(logits, expected[:, -1], atol=1e-3)


@pytest.mark.parametrize("prompt", [1, 7, 59])
def test_token_by_token_gives_what_the_whole_sequence_gives(
    spec: TransformerSpec, weights: Weights, inputs: Inputs, expected: NDArray[np.float32], prompt: int
) -> None:
    tokens, places = inputs
    stream = TransformerRuntime(spec, weights).start(3, 60)
    logits = [stream.step(tokens[:, :prompt], places[:, :prompt])]
    for i in range(prompt, 60):
        logits.append(stream.step(tokens[:, i : i + 1], places[:, i : i + 1]))
    np.testing.assert_allclose(np.stack(logits, axis=1), expected[:, prompt - 1 :], atol=1e-3)


def test_sequences_do_not_touch_one_another(spec: TransformerSpec, weights: Weights, inputs: Inputs) -> None:
    tokens, places = inputs
    engine = TransformerRuntime(spec, weights)
    together = engine.start(3, 60).step(tokens, places)
    for row in range(3):
        alone = engine.start(1, 60).step(tokens[row : row + 1], places[row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], atol=1e-4)


def test_a_new_stream_remembers_nothing(spec: TransformerSpec, weights: Weights, inputs: Inputs) -> None:
    tokens, places = inputs
    engine = TransformerRuntime(spec, weights)
    first = engine.start(3, 60).step(tokens, places)
    again = engine.start(3, 60).step(tokens, places)
    np.testing.assert_array_equal(first, again)


def test_every_musical_position_counts(spec: TransformerSpec, weights: Weights, inputs: Inputs) -> None:
    tokens, places = inputs
    engine = TransformerRuntime(spec, weights)
    usual = engine.start(3, 60).step(tokens, places)
    for feature in range(places.shape[2]):
        other = places.copy()
        other[:, -1, feature] = (other[:, -1, feature] + 1) % spec.features[feature]
        assert np.abs(engine.start(3, 60).step(tokens, other) - usual).max() > 1e-3


def test_hidden_states_are_those_before_the_output_matrix(
    spec: TransformerSpec, weights: Weights, inputs: Inputs, expected: NDArray[np.float32]
) -> None:
    hidden = TransformerRuntime(spec, weights).embed(*inputs)
    assert hidden.shape == (3, 60, spec.width)
    np.testing.assert_allclose(hidden @ weights["token.weight"].T, expected, atol=1e-3)


def test_half_precision_weights_are_taken(spec: TransformerSpec, weights: Weights, inputs: Inputs) -> None:
    half = {k: v.astype(np.float16) for k, v in weights.items()}
    full = TransformerRuntime(spec, weights).start(3, 60).step(*inputs)
    np.testing.assert_allclose(TransformerRuntime(spec, half).start(3, 60).step(*inputs), full, atol=0.05)


@pytest.mark.parametrize("name", ["token.weight", "feature.3.weight", "layer.1.qkv.weight", "norm.weight"])
def test_a_weight_that_is_missing_misshapen_or_not_a_number_is_named(
    spec: TransformerSpec, weights: Weights, name: str
) -> None:
    without = {k: v for k, v in weights.items() if k != name}
    with pytest.raises(ModelError, match=f"weight '{name}' is missing"):
        TransformerRuntime(spec, without)
    with pytest.raises(ModelError, match=rf"weight '{name}' has shape .*; expected"):
        TransformerRuntime(spec, {**weights, name: weights[name][:-1]})
    for bad in (np.nan, np.inf):
        broken = weights[name].copy()
        broken.flat[0] = bad
        with pytest.raises(ModelError, match=f"weight '{name}' holds values that are not finite"):
            TransformerRuntime(spec, {**weights, name: broken})


def test_more_tokens_than_there_is_room_for_are_refused(
    spec: TransformerSpec, weights: Weights, inputs: Inputs
) -> None:
    engine = TransformerRuntime(spec, weights)
    with pytest.raises(ModelError, match=f"this model holds {spec.context}"):
        engine.start(1, spec.context + 1)
    stream = engine.start(3, 64)
    stream.step(*inputs)
    with pytest.raises(ModelError, match=r"sequence is full: 60 \+ 60 tokens, room for 64"):
        stream.step(*inputs)
