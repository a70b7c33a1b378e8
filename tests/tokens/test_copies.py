from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.fixtures.networks import tune

from troubadour.models.lstm.runtime import LstmRuntime
from troubadour.models.lstm.spec import LstmSpec
from troubadour.models.transformer.runtime import TransformerRuntime
from troubadour.models.transformer.spec import TransformerSpec
from troubadour.music.score import Score
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.copies import LEVELS, SIZES, CopyFeatures, columns
from troubadour.tokens.tokenizer import encode, features

Integers = NDArray[np.int64]
_NOTHING = 129


def line(*pitches: int) -> tuple[Integers, Integers]:
    """One voice that sounds these pitches, each for a quarter: tokens and features, (1, time) and (1, time, 8)."""
    tokens, places = [], []
    for pitch in pitches:
        tokens += [vocab.PITCH + pitch, vocab.DURATION + 23]
        places += [(0, 1, 0, 0, pitch, _NOTHING, _NOTHING, _NOTHING)] * 2
    return np.array([tokens]), np.array([places])


def test_a_passage_that_comes_again_foretells_what_followed_it() -> None:
    told = columns(*line(60, 62, 64, 65, 60, 62))[0]
    # Four tokens (60 and 62 with their lengths) have been before, and 64 came next. Read as steps, a length,
    # a step up by two and a length came twice; the latest time a step up by one was next.
    assert told[-1].tolist() == [vocab.PITCH + 64, 3, vocab.PITCH + 63, 2]


def test_a_passage_in_another_place_of_the_scale_foretells_the_same_step() -> None:
    told = columns(*line(60, 62, 65, 60, 67, 69))[0]
    # A step up by two was followed by one up by three.
    assert told[-1, 2:].tolist() == [vocab.PITCH + 72, 2]


def test_a_step_out_of_what_can_sound_foretells_nothing() -> None:
    told = columns(*line(20, 60, 20, 21, 100, 20, 100))[0]
    assert told[-1, 2] in (0, *range(vocab.PITCH, vocab.PITCH + 128))
    assert (told[:, 3] == 0).tolist() == (told[:, 2] == 0).tolist()


def test_nothing_has_been_before_the_first_token() -> None:
    assert columns(*line(60))[0, 0].tolist() == [0, 0, 0, 0]


@given(st.lists(st.integers(0, 3), min_size=2, max_size=60))
def test_it_is_the_longest_passage_and_of_equals_the_latest(letters: list[int]) -> None:
    tokens = np.array([[vocab.DURATION + letter for letter in letters]])
    told = columns(tokens, np.zeros((1, len(letters), 8), dtype=np.int64))[0]
    for now in range(len(letters)):
        longest, foretold = 0, 0
        for start in range(1, now + 1):
            length = 0
            while length < start and letters[start - 1 - length] == letters[now - length]:
                length += 1
            if length >= longest and length:
                longest, foretold = length, vocab.DURATION + letters[start]
        assert told[now, 0] == foretold
        edges = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
        assert told[now, 1] == sum(edge <= longest for edge in edges)


def test_sequences_look_back_in_themselves_alone(pieces: list[tuple[Score, str]]) -> None:
    rows = [encode(score)[:90] for score, _ in pieces[:4]]
    tokens = np.stack(rows).astype(np.int64)
    places = np.stack([features(row) for row in rows]).astype(np.int64)
    together = columns(tokens, places)
    assert (together < np.array(SIZES)).all()
    for row in range(4):
        np.testing.assert_array_equal(columns(tokens[row : row + 1], places[row : row + 1])[0], together[row])


def test_a_tune_is_found_again_in_another_key() -> None:
    score = tune(3, "jig", 8)
    low, high = (
        encode(score.replace(pitch=(score.pitch + shift).astype(np.int32))).astype(np.int64)
        for shift in (0, 5)
    )
    body = int(np.flatnonzero(low >= vocab.PITCH)[0])
    tokens = np.concatenate([low[:-1], high[body:-1]])[None]
    lanes = np.concatenate([features(low)[:-1], features(high)[body:-1]])[None].astype(np.int64)
    told = columns(tokens, lanes)[0]
    pitched = (tokens[0, 1:] >= vocab.PITCH) & (tokens[0, 1:] < vocab.PITCH + 128)
    again = np.flatnonzero(pitched)
    again = again[again > len(low) + 30]
    right = told[again][:, [0, 2]] == tokens[0, again + 1][:, None]
    assert right[:, 1].mean() > 0.95 > right[:, 0].mean()


@pytest.mark.torch
@pytest.mark.parametrize("family", ["transformer", "lstm"])
def test_engines_agree_with_their_networks(family: str, pieces: list[tuple[Score, str]]) -> None:
    torch = pytest.importorskip("torch")
    from troubadour.models.event_network import EventNetwork
    from troubadour.models.lstm.network import LstmNetwork
    from troubadour.models.transformer.network import TransformerNetwork

    network: EventNetwork
    if family == "lstm":
        network = LstmNetwork(LstmSpec(width=32, layers=1, copies=True))
    else:
        network = TransformerNetwork(
            TransformerSpec(width=32, layers=2, hidden=64, head=16, context=128, copies=True)
        )
    torch.manual_seed(5)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    rows = [encode(score)[:80] for score, _ in pieces[:3]]
    tokens = np.stack(rows).astype(np.int64)
    places = np.stack([features(row) for row in rows]).astype(np.int64)
    told = np.concatenate([places, columns(tokens, places)], axis=-1)
    with torch.no_grad():
        network.eval()
        expected = network(torch.from_numpy(tokens), torch.from_numpy(told)).numpy()
        network.lift.weight.zero_()
        plain = network(torch.from_numpy(tokens), torch.from_numpy(told)).numpy()
    assert np.abs(expected - plain).max() > 0.1  # else agreement would mean nothing
    with torch.no_grad():
        torch.manual_seed(5)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    weights = {k: v.numpy() for k, v in network.state_dict().items()}
    engine = LstmRuntime if family == "lstm" else TransformerRuntime
    stream = engine(network.spec, weights).start(3, 80)  # type: ignore[arg-type]
    logits = [stream.step(tokens[:, :40], places[:, :40])]
    logits += [stream.step(tokens[:, i : i + 1], places[:, i : i + 1]) for i in range(40, 80)]
    np.testing.assert_allclose(np.stack(logits, axis=1), expected[:, 39:], atol=2e-3)


@pytest.mark.torch
def test_a_network_that_is_given_copies_goes_on_as_it_was(
    spec: TransformerSpec, pieces: list[tuple[Score, str]]
) -> None:
    torch = pytest.importorskip("torch")
    from troubadour.models.transformer.network import TransformerNetwork

    before = TransformerNetwork(spec).eval()
    after = TransformerNetwork(replace(spec, copies=True)).eval()
    after.load_state_dict(before.state_dict(), strict=False)
    tokens = encode(pieces[0][0])[None, :60].astype(np.int64)
    places = features(tokens[0])[None].astype(np.int64)
    told = np.concatenate([places, columns(tokens, places)], axis=-1)
    with torch.no_grad():
        torch.testing.assert_close(
            after(torch.from_numpy(tokens), torch.from_numpy(told)),
            before(torch.from_numpy(tokens), torch.from_numpy(places)),
        )


def test_however_long_a_passage_is_its_level_stays_within_the_table() -> None:
    copies, place = CopyFeatures(1, 200), np.zeros((1, 8), dtype=np.int64)
    told = [copies.add(np.array([vocab.REST]), place)[0] for _ in range(200)]
    assert max(t[1] for t in told) == LEVELS - 1
