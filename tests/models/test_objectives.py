from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.models.dataset import Example, batches, build, example, with_visible_context
from troubadour.models.objectives import OBJECTIVES, choose, part
from troubadour.models.options import TrainOptions
from troubadour.music.score import Score
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.tokenizer import decode, features
from troubadour.tokens.visible import parse_tokens

STYLES = ("jig", "march", "song")


@pytest.fixture(scope="module")
def examples(pieces: list[tuple[Score, str]]) -> list[Example]:
    return [example(score, style, f"p{i}", STYLES) for i, (score, style) in enumerate(pieces)]


def test_objectives_are_drawn_by_their_shares() -> None:
    rng = np.random.default_rng(0)
    seen = Counter(choose({"next": 3, "cells": 1}, rng) for _ in range(2000))
    assert set(seen) == {"next", "cells"}
    assert 1400 < seen["next"] < 1600


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"nxt": 1.0}, "objectives.nxt is 1.0; allowed: 0 or more for next, after"),
        ({"next": -1.0}, "objectives.next is -1.0"),
        ({"next": 0.0}, "objectives add up to 0"),
    ],
)
def test_shares_that_are_none_are_refused(shares: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainOptions(objectives=shares)


@pytest.mark.parametrize("objective", [o for o in OBJECTIVES if o != "next"])
def test_a_part_is_shown_before_the_piece_and_only_the_piece_counts(
    examples: list[Example], objective: str
) -> None:
    rng = np.random.default_rng(1)
    for item in examples:
        whole = build(item, item.prefix >= 0, 3)
        tokens, places, start = with_visible_context(whole, objective, rng, 2048)
        if vocab.FILL not in tokens:
            continue
        assert decode(tokens) == decode(whole[0])
        assert (features(tokens)[start:] == places[start:]).all()
        assert tokens[start] == vocab.FILL
        assert vocab.FILL not in tokens[start + 1 :]
        assert len(tokens) == len(places)


def shown(item: Example, objective: str, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which bars of which voices are shown."""
    reading = parse_tokens(item.tokens.tolist())
    found = np.zeros((len(reading.voices), len(reading.bars)), dtype=bool)
    for voice, events in enumerate(part(objective, reading, np.random.default_rng(seed))):
        found[voice, [reading.bar_of(e[0]) for e in events]] = True
    return found


def test_each_objective_shows_what_it_is_for(examples: list[Example]) -> None:
    duet = examples[-1]
    for seed in range(30):
        voices = shown(duet, "voices", seed)
        assert voices.all(axis=1).sum() == voices.any(axis=1).sum() == 1  # one of two voices, whole
        after = shown(duet, "after", seed)
        assert after[:, -1].all()
        assert not after.all()
        assert (np.diff(after.astype(int), axis=1) >= 0).all()  # what is shown is shown from there on
    shares = [shown(duet, "cells", seed).mean() for seed in range(60)]
    assert min(shares) < 0.2
    assert max(shares) > 0.8


def test_batches_of_a_mixture_resume_where_they_stopped(examples: list[Example]) -> None:
    shares = {"next": 0.5, "after": 0.5}
    whole = list(islice(batches(examples, 5, 1000, context=1024, objectives=shares), 20))
    rest = list(islice(batches(examples, 5, 1000, context=1024, objectives=shares, first=7), 13))
    assert all(np.array_equal(a.tokens, b.tokens) for a, b in zip(whole[7:], rest, strict=True))
    with_part = [bool((b.tokens == vocab.FILL).any()) for b in whole]
    assert 4 <= sum(with_part) <= 16


def test_every_batch_has_something_to_learn(examples: list[Example]) -> None:
    """What is shown of a long piece may fill all that the network holds; then nothing is shown."""
    context = 90
    stream = batches(examples, 1, 200, context=context, objectives={"after": 1.0})
    found = list(islice(stream, 40))
    assert any(vocab.FILL in batch.tokens for batch in found)
    assert all((batch.weight.sum(axis=1) > 0).all() for batch in found)
