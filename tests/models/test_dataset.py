from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.models.dataset import Batch, Example, augment, batches, build, example, load, save
from troubadour.music.score import Score, Track
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.position import FEATURE_SIZES
from troubadour.tokens.prefix import FIELDS, density_level, prefix_of
from troubadour.tokens.tokenizer import decode, encode, features

STYLES = ("jig", "march", "song")
ALL = np.ones(len(FIELDS), dtype=bool)
NONE = ~ALL


@pytest.fixture
def examples(pieces: list[tuple[Score, str]]) -> list[Example]:
    return [example(score, style, f"p{i}", STYLES) for i, (score, style) in enumerate(pieces)]


def same(a: Batch, b: Batch) -> bool:
    return all(
        np.array_equal(x, y)
        for x, y in ((a.tokens, b.tokens), (a.features, b.features), (a.weight, b.weight))
    )


def test_the_prefix_says_what_the_piece_is(pieces: list[tuple[Score, str]]) -> None:
    told = [vocab.name(t) for t in prefix_of(pieces[0][0], "jig", STYLES).tolist()]
    assert told == [
        "style 0",
        "bars 16",
        "voices 1",
        "numerator 6",
        "denominator 8",
        "key 2 major",
        "density 6",
    ]
    duet = prefix_of(pieces[-1][0], "song", STYLES)
    assert vocab.name(int(duet[2])) == "voices 2"


def test_a_style_that_the_model_does_not_know_is_not_told(pieces: list[tuple[Score, str]]) -> None:
    assert prefix_of(pieces[0][0], "", STYLES)[0] == -1
    assert prefix_of(pieces[0][0], "polka", STYLES)[0] == -1


def test_density_counts_notes_a_voice_and_quarter() -> None:
    def score(step: int) -> Score:
        return Score.from_notes([(t, step, 60, 80, 0) for t in range(0, 384, step)], ticks_per_quarter=24)

    assert density_level(score(96), 1) == 0  # a note a bar
    assert density_level(score(24), 1) == 2  # one a quarter
    assert density_level(score(12), 1) == 6
    assert density_level(score(12), 2) == 2
    assert density_level(score(6), 1) == 7


@pytest.mark.parametrize("shift", range(-6, 7))
def test_transposition_moves_pitches_keys_and_what_is_heard_together(
    pieces: list[tuple[Score, str]], shift: int
) -> None:
    """A sequence shifted after encoding is the one that encoding the shifted piece gives."""
    for score, style in (pieces[0], pieces[1], pieces[-1]):
        moved, places, _ = build(example(score, style, "x", STYLES), ALL, shift)
        assert decode(moved) == score.transpose(shift)
        direct = example(score.transpose(shift), style, "x", STYLES)
        told, expected, _ = build(direct, ALL)
        assert moved.tolist() == told.tolist()
        assert places.tolist() == expected.tolist()


def test_the_positions_are_those_that_composing_will_see(examples: list[Example]) -> None:
    for item in examples[:4]:
        for kept in (ALL, NONE):
            tokens, places, start = build(item, kept)
            assert tokens[start] == vocab.BODY
            assert (places[start:] == features(tokens)[start:]).all()


def test_without_its_length_a_piece_is_not_told_how_many_bars_are_left(examples: list[Example]) -> None:
    assert set(build(examples[0], NONE)[1][:, 3].tolist()) == {0}
    assert set(build(examples[0], ALL)[1][:, 3].tolist()) == set(range(17))


def test_a_metre_is_told_whole_or_not_at_all(examples: list[Example]) -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(200):
        tokens = augment(examples[0], rng, cond_keep_prob=0.5, transpose=False)[0].tolist()
        prefix = tokens[1 : tokens.index(vocab.BODY)]
        numerator = any(vocab.NUMERATOR <= t < vocab.DENOMINATOR for t in prefix)
        assert numerator == any(vocab.DENOMINATOR <= t < vocab.KEY for t in prefix)
        seen.add(len(prefix))
    assert {0, 7} <= seen
    assert len(seen) > 3


def test_transposed_drawings_stay_in_range_and_are_still_music(examples: list[Example]) -> None:
    rng = np.random.default_rng(3)
    keys = set()
    for _ in range(60):
        tokens, places, _ = augment(examples[0], rng, cond_keep_prob=0.5, transpose=True)
        score = decode(tokens)
        assert int(score.pitch.min()) >= 33
        assert int(score.pitch.max()) <= 96
        assert (places < np.array(FEATURE_SIZES)).all()
        keys.add(score.keys[0].fifths)
    assert len(keys) > 6


def test_drums_are_not_transposed() -> None:
    drums = Score.from_notes([(0, 24, 36, 80, 0)], ticks_per_quarter=24, tracks=(Track(0, True),))
    item = example(drums, "", "d", STYLES)
    rng = np.random.default_rng(0)
    assert {decode(augment(item, rng, 0.5, True)[0]).pitch.tolist()[0] for _ in range(40)} == {36}


def test_batches_count_targets_after_the_prefix_only(examples: list[Example]) -> None:
    for batch in islice(batches(examples, 5, 2000, context=1024), 6):
        for tokens, weight in zip(batch.tokens, batch.weight, strict=True):
            body, end = tokens.tolist().index(vocab.BODY), tokens.tolist().index(vocab.END)
            assert weight[:body].sum() == 0
            assert weight[body:end].all()
            assert weight[end:].sum() == 0


def test_batches_hold_about_as_many_tokens_as_asked_for_and_every_piece_each_epoch(
    examples: list[Example],
) -> None:
    total = 0
    for batch in batches(examples, 5, 2000, context=1024):
        assert batch.tokens.size <= 2000 * 1.1
        total += len(batch.tokens)
        if total >= len(examples):
            break
    assert total == len(examples)


@pytest.mark.parametrize("first", [1, 5, 13])
def test_batches_resumed_equal_uninterrupted_ones(examples: list[Example], first: int) -> None:
    whole = list(islice(batches(examples, 5, 1000, context=512), 20))
    rest = list(islice(batches(examples, 5, 1000, context=512, first=first), 20 - first))
    assert all(same(a, b) for a, b in zip(whole[first:], rest, strict=True))
    other = next(batches(examples, 6, 1000, context=512))
    assert not same(whole[0], other)


def test_long_pieces_are_cut_at_the_context(examples: list[Example]) -> None:
    batch = next(batches(examples, 1, 4000, context=64))
    assert batch.tokens.shape[1] == 65
    assert batch.features.shape[1] == 64


def test_nothing_to_train_on_is_told() -> None:
    with pytest.raises(InputError, match="no usable piece to train on; import music"):
        next(batches([], 1, 1000, context=64))


def test_examples_come_back_from_their_file(examples: list[Example], tmp_path: Path) -> None:
    path = tmp_path / "examples.npz"
    save(path, examples)
    again = load(path)
    assert [(e.piece, e.style) for e in again] == [(e.piece, e.style) for e in examples]
    for a, b in zip(again, examples, strict=True):
        assert np.array_equal(a.tokens, b.tokens)
        assert np.array_equal(a.features, b.features)
        assert np.array_equal(a.prefix, b.prefix)


def test_a_file_of_another_tokeniser_is_refused(
    examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocab, "VERSION", 99)
    save(tmp_path / "old.npz", examples)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"old\.npz is of tokeniser version 99"):
        load(tmp_path / "old.npz")


def test_encoding_is_that_of_the_tokens_module(
    examples: list[Example], pieces: list[tuple[Score, str]]
) -> None:
    for item, (score, _) in zip(examples, pieces, strict=True):
        assert item.tokens.tolist() == encode(score).tolist()
