from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError
from troubadour.music.quantise import quantise
from troubadour.music.score import Score, Track
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import FEATURE_SIZES, Automaton
from troubadour.tokens.tokenizer import decode, encode, features
from troubadour.tokens.visible import Event, parse_tokens, show

DUET = quantise(
    Score.from_notes(
        [(0, 48, 72, 80, 0), (48, 48, 74, 80, 0), (96, 96, 76, 80, 0), (0, 96, 60, 80, 1), (96, 48, 55, 80, 1),
         (144, 48, 57, 80, 1)],
        ticks_per_quarter=24,
        tracks=(Track(40), Track(42)),
    )
)  # fmt: skip


def names(tokens: list[int]) -> str:
    return ", ".join(vocab.name(t) for t in tokens)


def with_part(tokens: list[int], shown: list[int]) -> list[int]:
    opening = parse_tokens(tokens).opening
    return [*tokens[:opening], *shown, *tokens[opening:]]


def test_a_piece_is_taken_apart_into_voices_and_bars() -> None:
    reading = parse_tokens(encode(DUET).tolist())
    assert reading.voices == [
        [(0, 48, (72,)), (48, 96, (74,)), (96, 192, (76,))],
        [(0, 96, (60,)), (96, 144, (55,)), (144, 192, (57,))],
    ]
    assert reading.bars == [0, 96]
    assert [reading.bar_of(t) for t in (0, 95, 96, 191)] == [0, 0, 1, 1]


def test_one_voice_is_shown_and_the_other_is_masked() -> None:
    reading = parse_tokens(encode(DUET).tolist())
    shown = show([reading.voices[0], []], reading.bars)
    assert names(shown) == (
        "fill, pitch 72, duration 48, mask, long, duration 96, pitch 74, duration 48, bar, "
        "pitch 76, duration 96, fill"
    )


def test_what_lies_before_the_part_is_masked_and_what_lies_after_it_left_out() -> None:
    reading = parse_tokens(encode(DUET).tolist())
    shown = show([[], reading.voices[1][1:2]], reading.bars)
    assert (
        names(shown) == "fill, mask, long, duration 48, mask, duration 96, bar, pitch 55, duration 48, fill"
    )


def test_a_shown_token_is_told_its_own_place() -> None:
    tokens = encode(DUET, [vocab.BARS + 1]).tolist()
    reading = parse_tokens(tokens)
    shown = show([[], reading.voices[1][1:]], reading.bars)
    told = features(with_part(tokens, shown))[reading.opening : reading.opening + len(shown)]
    at = shown.index(vocab.PITCH + 55)
    place, voice, bar, left = told[at][:4]
    assert (place, voice, bar, left) == (0, 2, 2, 1)
    assert told[at + 1][:4].tolist() == [0, 2, 2, 1]  # its duration stands at the same place
    # After it the piece begins as if nothing had been shown.
    assert told[-1].tolist() == features(tokens)[reading.opening - 1].tolist()


@st.composite
def parts(draw: st.DrawFn, scores: st.SearchStrategy[Score]) -> tuple[Score, list[list[Event]], list[int]]:
    score = draw(scores)
    tokens = encode(score).tolist()
    chance, seed = draw(st.sampled_from((0.1, 0.5, 0.9))), draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    kept = [[e for e in voice if rng.random() < chance] for voice in parse_tokens(tokens).voices]
    return score, kept, tokens


@given(data=st.data())
def test_any_part_can_be_shown_and_changes_nothing_of_the_piece(
    data: st.DataObject, quantised_scores: st.SearchStrategy[Score]
) -> None:
    score, kept, tokens = data.draw(parts(quantised_scores.filter(len)))
    reading = parse_tokens(tokens)
    shown = show(kept, reading.bars, reading.changes)
    whole = with_part(tokens, shown)
    assert decode(whole) == score
    told = features(whole)
    assert (told < np.array(FEATURE_SIZES)).all()
    assert (told[reading.opening + len(shown) - 1 :] == features(tokens)[reading.opening - 1 :]).all()
    # What is shown reads back: each note of it stands at its place.
    automaton = Automaton()
    for token in whole:
        automaton.advance(token)
    assert automaton.visible is not None
    heard = sorted((start, pitch) for start, _, pitch, _, _ in automaton.visible.events)
    assert heard == sorted((start, p) for voice in kept for start, _, pitches in voice for p in pitches)


@pytest.mark.parametrize(
    "bad",
    [
        [vocab.MASK],
        [vocab.FILL, vocab.FILL, vocab.FILL],
        [vocab.PITCH + 60, vocab.DURATION + 23, vocab.FILL],
        [vocab.FILL, vocab.END],
        [vocab.FILL, vocab.MASK, vocab.FILL],
    ],
    ids=["a mask in the piece", "shown twice", "shown too late", "an end in it", "a mask without length"],
)
def test_what_is_shown_stands_between_two_fills_at_the_beginning(bad: list[int]) -> None:
    opening = encode(DUET).tolist()[: parse_tokens(encode(DUET).tolist()).opening]
    automaton = Automaton()
    for token in opening:
        automaton.advance(token)
    for token in bad[:-1]:
        automaton.advance(token)
    with pytest.raises(InputError, match="cannot stand where"):
        automaton.advance(bad[-1])


def test_a_copy_in_the_middle_of_a_part_is_independent() -> None:
    tokens = encode(DUET).tolist()
    opening = parse_tokens(tokens).opening
    automaton = Automaton()
    for token in [*tokens[:opening], vocab.FILL, vocab.PITCH + 60]:
        automaton.advance(token)
    copy = automaton.copy()
    copy.advance(vocab.DURATION + 95)
    automaton.advance(vocab.DURATION + 47)
    assert automaton.visible is not None
    assert copy.visible is not None
    assert (automaton.visible.ends[0], copy.visible.ends[0]) == (48, 96)
