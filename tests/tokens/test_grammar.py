from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.core.errors import InputError
from troubadour.music.quantise import METRONOME, quantise
from troubadour.music.score import MODES, Score
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Automaton, Phase, Plan
from troubadour.tokens.position import FEATURE_SIZES
from troubadour.tokens.tokenizer import decode, encode

METRES = ((6, 8), (3, 4), (4, 4), (7, 8), (5, 16), (2, 2), (9, 8), (12, 8))
programs = st.lists(st.tuples(st.integers(0, 128), st.integers(1, 3)), min_size=1, max_size=3).map(tuple)
low_high = st.tuples(st.integers(40, 60), st.integers(72, 90))


def ended(plan: Plan) -> Plan:
    """A single voice for plans without a length: several random voices seldom end together."""
    return plan if plan.bars is not None else replace(plan, programs=((40, 1),))


plans = st.builds(
    Plan,
    bars=st.none() | st.integers(1, 8),
    programs=st.none() | programs,
    metre=st.none() | st.sampled_from(METRES),
    key=st.none() | st.tuples(st.integers(-7, 7), st.sampled_from(MODES)),
    tempo_index=st.none() | st.integers(0, len(METRONOME) - 1),
    upbeat=st.sampled_from((None, 0, 0, 12)),
    needs_upbeat=st.booleans(),
    changes=st.booleans(),
    dynamics=st.booleans(),
    chords=st.booleans(),
    ranges=st.lists(low_high, max_size=3).map(tuple),
    endings=st.lists(st.sampled_from((frozenset({2}), frozenset({2, 6, 9}))), max_size=3).map(tuple),
    last=st.sampled_from((6, 12, 24)),
).map(ended)


def walk(plan: Plan, seed: int, tokens_until_end: int = 60) -> tuple[list[int], Automaton]:
    """A random sequence under a plan: any allowed token; END once it is allowed and the sequence is long enough."""
    rng = np.random.default_rng(seed)
    automaton = Automaton(plan)
    tokens: list[int] = []
    while automaton.phase != Phase.DONE:
        mask = automaton.allowed()
        choice = np.flatnonzero(mask)
        assert len(choice), f"dead end at {automaton.phase.name} after {[vocab.name(t) for t in tokens[-8:]]}"
        token = int(rng.choice(choice))
        if mask[vocab.END] and len(tokens) > tokens_until_end:
            token = vocab.END
        elif automaton.phase == Phase.TRACKS:
            stop = choice[(choice >= vocab.NUMERATOR) & (choice < vocab.DENOMINATOR)]
            if len(stop) and rng.random() < 0.7:
                token = int(rng.choice(stop))
        tokens.append(token)
        automaton.advance(token)
        position = automaton.features()
        assert all(0 <= value < size for value, size in zip(position, FEATURE_SIZES, strict=True))
        assert len(tokens) < 20_000, "the walk does not end"
    return tokens, automaton


@given(plan=plans, seed=st.integers(0, 2**32))
def test_a_random_walk_ends_and_keeps_to_its_plan(plan: Plan, seed: int) -> None:
    tokens, automaton = walk(plan, seed)
    score = decode(tokens)
    assert len(score) > 0
    if plan.bars is not None:
        assert score.n_bars == plan.bars
        assert score.end_ticks == plan.bars * score.metres[0].bar_ticks(24)
    if plan.metre is not None:
        assert score.metres[0][1:] == plan.metre
    if plan.key is not None:
        assert score.keys[0][1:] == plan.key
    if plan.tempo_index is not None:
        assert score.tempos[0].bpm == METRONOME[plan.tempo_index]
    if plan.programs is not None:
        assert (
            tuple((p, automaton.voice_track.count(i)) for i, p in enumerate(automaton.programs))
            == plan.programs
        )
    if not plan.changes:
        assert (len(score.metres), len(score.keys), len(score.tempos)) == (1, 1, 1)
    if not plan.dynamics:
        assert set(score.velocity.tolist()) == {80}
    if plan.upbeat is not None:
        fits = plan.upbeat < score.metres[0].bar_ticks(24)
        assert score.upbeat_ticks == (plan.upbeat if fits else 0)
    elif plan.needs_upbeat:
        assert score.upbeat_ticks > 0


@given(plan=plans, seed=st.integers(0, 2**32))
def test_random_walks_are_on_the_grid_and_encode(plan: Plan, seed: int) -> None:
    tokens, _ = walk(plan, seed)
    score = decode(tokens)
    if {int(t) for t in score.track} == set(range(len(score.tracks))):
        assert quantise(score) == score
    assert decode(encode(quantise(score))) == quantise(score)


@given(
    bars=st.integers(1, 8),
    metre=st.sampled_from(METRES),
    n=st.integers(1, 4),
    last=st.sampled_from((6, 12, 24)),
    chords=st.booleans(),
    upbeat=st.sampled_from((0, 12)),
    seed=st.integers(0, 2**32),
)
def test_each_voice_ends_where_and_how_the_plan_says(
    bars: int, metre: tuple[int, int], n: int, last: int, chords: bool, upbeat: int, seed: int
) -> None:
    endings = (frozenset({0, 4, 7}),) * (n - 1) + (frozenset({0}),)
    plan = Plan(
        bars=bars,
        metre=metre,
        programs=((52, 1),) * n,
        endings=endings,
        last=last,
        chords=chords,
        upbeat=upbeat,
    )
    _, automaton = walk(plan, seed)
    final = bars * metre[0] * 96 // metre[1]
    for track, classes in enumerate(endings):
        closing = [e for e in automaton.events if e[4] == track and e[0] + e[1] == final]
        assert closing, f"voice {track} falls silent before the end"
        onset, duration, pitch = min(closing, key=lambda e: e[2])[:3]
        assert pitch % 12 in classes
        assert duration >= min(last, final)
        assert onset + duration == final


@given(low=st.integers(48, 60), size=st.integers(12, 24), seed=st.integers(0, 2**32))
def test_no_voice_leaves_its_range(low: int, size: int, seed: int) -> None:
    plan = Plan(
        bars=6, metre=(4, 4), programs=((40, 1),), ranges=((low, low + size),), endings=(frozenset({2}),)
    )
    tokens, _ = walk(plan, seed)
    pitches = decode(tokens).pitch
    assert low <= int(pitches.min())
    assert int(pitches.max()) <= low + size


@given(seed=st.integers(0, 2**32))
def test_without_chords_a_voice_sounds_one_note_at_a_time(seed: int) -> None:
    tokens, _ = walk(Plan(bars=6, metre=(3, 4), programs=((73, 1),)), seed)
    score = decode(tokens)
    ends = (score.onset + score.duration)[:-1]
    assert bool((score.onset[1:] >= ends).all())


def test_composed_metres_have_the_bars_that_were_asked_for_at_every_length() -> None:
    for bars in (1, 2, 33, 64):
        tokens, _ = walk(Plan(bars=bars, metre=(2, 4), programs=((40, 1),)), bars)
        assert decode(tokens).n_bars == bars


@pytest.mark.parametrize("token", [vocab.BAR, vocab.PITCH + 60, vocab.END, vocab.PAD, vocab.N_TOKENS])
def test_a_token_out_of_place_is_named_and_refused(token: int) -> None:
    with pytest.raises(InputError, match="cannot stand where START is expected"):
        Automaton().advance(token)


def test_a_note_cannot_stand_where_a_barline_is_due() -> None:
    score = Score.from_notes([(0, 96, 60, 80, 0), (96, 96, 62, 80, 0)], ticks_per_quarter=24)
    tokens = encode(score).tolist()
    automaton = Automaton()
    for token in tokens[: tokens.index(vocab.BAR) + 3]:  # the header and the first bar, which is full
        automaton.advance(token)
    assert not automaton.allowed()[vocab.PITCH : vocab.SPARE].any()
    assert automaton.allowed()[vocab.BAR]
    with pytest.raises(InputError, match="pitch 62"):
        automaton.advance(vocab.PITCH + 62)


def test_endless_headers_are_refused() -> None:
    automaton = Automaton()
    for token in (vocab.START, vocab.BODY, vocab.PROGRAM):
        automaton.advance(token)
    for _ in range(64):
        automaton.advance(vocab.VOICE)
    with pytest.raises(InputError, match="more than 64 voices"):
        automaton.advance(vocab.VOICE)
