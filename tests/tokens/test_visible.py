from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError
from troubadour.music.quantise import quantise
from troubadour.music.score import Score, Track
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton
from troubadour.tokens.position import FEATURE_SIZES
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


def with_context(tokens: list[int], context: list[int]) -> list[int]:
    opening = parse_tokens(tokens).opening
    return [*tokens[:opening], *context, *tokens[opening:]]


def test_tokens_are_parsed_into_voices_and_bars() -> None:
    parsed = parse_tokens(encode(DUET).tolist())
    assert parsed.voices == [
        [(0, 48, (72,)), (48, 96, (74,)), (96, 192, (76,))],
        [(0, 96, (60,)), (96, 144, (55,)), (144, 192, (57,))],
    ]
    assert parsed.bars == [0, 96]
    assert [parsed.bar_of(t) for t in (0, 95, 96, 191)] == [0, 0, 1, 1]


def test_one_voice_is_visible_and_the_other_is_masked() -> None:
    parsed = parse_tokens(encode(DUET).tolist())
    context = show([parsed.voices[0], []], parsed.bars)
    assert names(context) == (
        "fill, pitch 72, duration 48, mask, long, duration 96, pitch 74, duration 48, bar, "
        "pitch 76, duration 96, fill"
    )


def test_events_before_the_visible_ones_are_masked_and_later_ones_left_out() -> None:
    parsed = parse_tokens(encode(DUET).tolist())
    context = show([[], parsed.voices[1][1:2]], parsed.bars)
    assert (
        names(context) == "fill, mask, long, duration 48, mask, duration 96, bar, pitch 55, duration 48, fill"
    )


def test_a_visible_token_has_its_own_position() -> None:
    tokens = encode(DUET, [vocab.BARS + 1]).tolist()
    parsed = parse_tokens(tokens)
    context = show([[], parsed.voices[1][1:]], parsed.bars)
    found = features(with_context(tokens, context))[parsed.opening : parsed.opening + len(context)]
    at = context.index(vocab.PITCH + 55)
    place, voice, bar, left = found[at][:4]
    assert (place, voice, bar, left) == (0, 2, 2, 1)
    assert found[at + 1][:4].tolist() == [0, 2, 2, 1]  # its duration has the same position
    # After the context the piece begins as without it.
    assert found[-1].tolist() == features(tokens)[parsed.opening - 1].tolist()


@st.composite
def parts(draw: st.DrawFn, scores: st.SearchStrategy[Score]) -> tuple[Score, list[list[Event]], list[int]]:
    score = draw(scores)
    tokens = encode(score).tolist()
    chance, seed = draw(st.sampled_from((0.1, 0.5, 0.9))), draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    kept = [[e for e in voice if rng.random() < chance] for voice in parse_tokens(tokens).voices]
    return score, kept, tokens


@given(data=st.data())
def test_a_context_of_any_events_does_not_change_the_piece(
    data: st.DataObject, quantised_scores: st.SearchStrategy[Score]
) -> None:
    score, kept, tokens = data.draw(parts(quantised_scores.filter(len)))
    parsed = parse_tokens(tokens)
    context = show(kept, parsed.bars, parsed.changes)
    whole = with_context(tokens, context)
    assert decode(whole) == score
    found = features(whole)
    assert (found < np.array(FEATURE_SIZES)).all()
    assert (found[parsed.opening + len(context) - 1 :] == features(tokens)[parsed.opening - 1 :]).all()
    # The context can be read back: each of its notes has its onset.
    automaton = Automaton()
    for token in whole:
        automaton.advance(token)
    assert automaton.visible is not None
    read = sorted((start, pitch) for start, _, pitch, _, _ in automaton.visible.events)
    assert read == sorted((start, p) for voice in kept for start, _, pitches in voice for p in pitches)


@pytest.mark.parametrize(
    "bad",
    [
        [vocab.MASK],
        [vocab.FILL, vocab.FILL, vocab.FILL],
        [vocab.PITCH + 60, vocab.DURATION + 23, vocab.FILL],
        [vocab.FILL, vocab.END],
        [vocab.FILL, vocab.MASK, vocab.FILL],
    ],
    ids=[
        "a mask in the piece",
        "two contexts",
        "a context too late",
        "an end in it",
        "a mask without length",
    ],
)
def test_the_context_stands_between_two_fills_at_the_beginning(bad: list[int]) -> None:
    opening = encode(DUET).tolist()[: parse_tokens(encode(DUET).tolist()).opening]
    automaton = Automaton()
    for token in opening:
        automaton.advance(token)
    for token in bad[:-1]:
        automaton.advance(token)
    with pytest.raises(InputError, match="cannot stand where"):
        automaton.advance(bad[-1])


def test_a_copy_within_a_context_is_independent() -> None:
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
