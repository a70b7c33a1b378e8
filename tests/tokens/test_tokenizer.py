from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError
from troubadour.music.piece import Piece
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Metre, Score, Tempo, Track
from troubadour.music.voices import split_voices
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import FREE, Automaton, Phase
from troubadour.tokens.position import FEATURE_SIZES
from troubadour.tokens.tokenizer import decode, encode, features


def names(score: Score) -> list[str]:
    return [vocab.name(t) for t in encode(score).tolist()]


@pytest.fixture
def jig() -> Score:
    """Two bars of 6/8 in D: d f# a, a f# d | e, rest, a chord that rings on."""
    notes = [
        (0, 12, 62, 80, 0), (12, 12, 66, 80, 0), (24, 12, 69, 80, 0), (36, 36, 69, 80, 0),
        (72, 36, 64, 80, 0), (120, 24, 62, 96, 0), (120, 24, 69, 96, 0),
    ]  # fmt: skip
    return Score.from_notes(
        notes,
        ticks_per_quarter=24,
        tracks=(Track(40),),
        metres=(Metre(0, 6, 8),),
        keys=(Key(0, 2, "major"),),
        tempos=(Tempo(0, 176.0),),
    )


def test_a_jig_reads_as_a_musician_would_spell_it(jig: Score) -> None:
    assert names(jig) == [
        "start", "body", "program 40", "voice", "numerator 6", "denominator 8", "key 2 major", "tempo 176",
        "bar", "pitch 62", "duration 12", "pitch 66", "duration 12", "pitch 69", "duration 12",
        "pitch 69", "duration 36",
        "bar", "pitch 64", "duration 36", "rest", "duration 12",
        "velocity 96", "pitch 62", "pitch 69", "duration 24", "end",
    ]  # fmt: skip


def test_the_jig_comes_back(jig: Score) -> None:
    assert decode(encode(jig)) == jig


def test_position_features_of_a_jig(jig: Score) -> None:
    """After `bar 1`: place 0, voice 1, bar 1; after the first note: place 12, and 62 sounds."""
    tokens = encode(jig, prefix=[vocab.BARS + 1])
    found = features(tokens)
    at = {
        (vocab.name(t), i): tuple(row)
        for i, (t, row) in enumerate(zip(tokens.tolist(), found.tolist(), strict=True))
    }
    first_bar = next(i for n, i in at if n == "bar")
    assert at["bar", first_bar] == (0, 1, 1, 2, 129, 129, 129, 129)
    assert at["duration 12", first_bar + 2] == (12, 1, 1, 2, 62, 129, 129, 129)
    second_bar = [i for n, i in at if n == "bar"][1]
    assert at["duration 36", second_bar - 1][0] == 192  # a barline is due
    assert at["bar", second_bar] == (0, 1, 2, 1, 69, 129, 129, 129)
    assert at["rest", second_bar + 3] == (36, 1, 2, 1, 128, 129, 129, 129)
    assert tuple(found[0]) == (193, 0, 0, 0, 129, 129, 129, 129)  # the header


def test_bars_left_are_known_only_with_the_number_of_bars_in_the_prefix(jig: Score) -> None:
    assert set(features(encode(jig))[:, 3].tolist()) == {0}
    assert set(features(encode(jig, prefix=[vocab.BARS + 1]))[:, 3].tolist()) == {0, 1, 2}


def test_the_prefix_does_not_change_the_music(jig: Score) -> None:
    prefix = [vocab.STYLE + 7, vocab.BARS + 1, vocab.DENSITY + 3]
    assert encode(jig, prefix).tolist()[1:4] == prefix
    assert decode(encode(jig, prefix)) == jig


@given(data=st.data())
def test_decoding_inverts_encoding(quantised_scores: st.SearchStrategy[Score], data: st.DataObject) -> None:
    score = data.draw(quantised_scores)
    assert decode(encode(score)) == score


@given(data=st.data())
def test_encoded_scores_are_allowed_under_generation(
    quantised_scores: st.SearchStrategy[Score], data: st.DataObject
) -> None:
    """The mask under which pieces are sampled admits every score that stays in one metre."""
    score = data.draw(quantised_scores.filter(len))
    score = quantise(score.replace(metres=score.metres[:1]))
    accept(encode(score).tolist())


def accept(tokens: list[int]) -> None:
    """Read a sequence and check at every event that the mask allows the token."""
    automaton = Automaton(FREE)
    for token in tokens:
        # Headers are not checked: no composer writes a bar shorter than an eighth.
        if automaton.phase >= Phase.EVENT:
            assert automaton.allowed()[token], vocab.name(token)
        automaton.advance(token)
    assert automaton.phase == Phase.DONE


@given(data=st.data())
def test_musical_positions_stay_within_their_tables(
    quantised_scores: st.SearchStrategy[Score], data: st.DataObject
) -> None:
    found = features(encode(data.draw(quantised_scores), prefix=[vocab.BARS + data.draw(st.integers(0, 63))]))
    assert (found >= 0).all()
    assert (found < np.array(FEATURE_SIZES)).all()


def test_real_music_comes_back(tunes: list[Piece], chorales: list[Piece]) -> None:
    for piece in [*tunes, *chorales]:
        score = quantise(piece.score)
        tokens = encode(score)
        assert decode(tokens) == score, piece.title
        if len(score.metres) == 1:
            accept(tokens.tolist())


def test_a_tune_takes_two_tokens_a_note(tunes: list[Piece]) -> None:
    tokens = sum(len(encode(quantise(p.score))) for p in tunes)
    notes = sum(len(p.score) for p in tunes)
    assert 2.0 < tokens / notes < 2.5


def test_voices_of_a_track_never_overlap_and_hold_every_note(chorales: list[Piece]) -> None:
    score = quantise(chorales[0].score)
    for track in range(len(score.tracks)):
        voices = split_voices(score, track)
        assert sum(len(pitches) for v in voices for _, _, pitches in v) == int((score.track == track).sum())
        for voice in voices:
            assert all(a[1] <= b[0] for a, b in pairwise(voice))


def test_two_melodies_in_one_track_stay_apart() -> None:
    """A held bass under a moving top line: two voices, each whole."""
    top = [(i * 24, 24, 72 + i % 3, 80, 0) for i in range(8)]
    bass = [(i * 96, 96, 48, 80, 0) for i in range(2)]
    score = Score.from_notes(top + bass, ticks_per_quarter=24)
    voices = split_voices(score, 0)
    assert [len(v) for v in voices] == [8, 2]
    assert decode(encode(score)) == score


def test_a_score_off_the_grid_is_refused() -> None:
    with pytest.raises(InputError, match="480 ticks a quarter; quantise"):
        encode(Score.from_notes([(0, 480, 60, 80, 0)], ticks_per_quarter=480))


@pytest.mark.parametrize(
    "broken",
    [
        lambda t: [*t[:12], t[13], t[12], *t[14:]],  # a duration before its pitch
        lambda t: [x for x in t if x != vocab.BAR],
        lambda t: [*t[:-1], vocab.BAR, vocab.BAR, vocab.BAR, vocab.PAD],
        lambda t: [*t, vocab.END],
        lambda t: t[1:],
        lambda t: [vocab.N_TOKENS + 5, *t],
    ],
)
def test_a_sequence_that_breaks_the_grammar_is_refused(jig: Score, broken: object) -> None:
    tokens = encode(jig).tolist()
    with pytest.raises(InputError, match="cannot stand"):
        decode(broken(tokens))  # type: ignore[operator]


def test_every_token_has_a_name_of_its_own() -> None:
    named = [vocab.name(t) for t in range(vocab.SPARE)]
    assert len(set(named)) == len(named)


def test_the_vocabulary_of_version_1_stands() -> None:
    """Stored models depend on these numbers: a change is a new version."""
    assert vocab.VERSION == 1
    assert (vocab.PROGRAM, vocab.NUMERATOR, vocab.KEY, vocab.TEMPO, vocab.DURATION, vocab.PITCH, vocab.N_TOKENS) == (
        152, 281, 351, 456, 524, 620, 832,
    )  # fmt: skip
