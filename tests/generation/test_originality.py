from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from troubadour.generation.originality import Corpus, SharedPassage
from troubadour.music.quantise import quantise
from troubadour.music.score import Metre, Score, Track


def melody(pitches: list[int], lengths: list[int] | None = None, **fields: object) -> Score:
    """Notes one after the other, eighths unless said; 8 eighths a bar."""
    lengths = lengths or [12] * len(pitches)
    onsets = np.cumsum([0, *lengths[:-1]]).tolist()
    rows = [(o, d, p, 80, 0) for o, d, p in zip(onsets, lengths, pitches, strict=True)]
    return quantise(Score.from_notes(rows, ticks_per_quarter=24, **fields))  # type: ignore[arg-type]


def wander(seed: int, n: int) -> list[int]:
    """Random pitches, so that nothing matches by chance for long."""
    return np.random.default_rng(seed).integers(50, 90, n).tolist()


THEIRS = wander(1, 64)


@pytest.fixture
def corpus() -> Corpus:
    return Corpus.of(
        [("first", melody(wander(2, 64))), ("second", melody(THEIRS)), ("third", melody(wander(3, 64)))]
    )


def test_a_planted_passage_is_found_with_its_bars(corpus: Corpus) -> None:
    """Notes 17 to 32 of `second` (bars 3 and 4), a fourth higher and twice as slow, from bar 2 on."""
    planted = [p + 5 for p in THEIRS[16:32]]
    mine = melody(
        [*wander(4, 8), *planted, *wander(5, 8)],
        [12] * 8 + [24] * 16 + [12] * 8,
    )
    found = corpus.longest_match(mine)
    assert found == SharedPassage(16, "second", bars=(2, 5), their_bars=(3, 4))


def test_a_passage_at_the_very_start_is_placed_in_bar_1_of_both(corpus: Corpus) -> None:
    found = corpus.longest_match(melody(THEIRS[:12]))
    assert found == SharedPassage(12, "second", bars=(1, 2), their_bars=(1, 2))


def test_a_passage_from_the_upbeat_is_placed_in_bar_0() -> None:
    notes = wander(8, 17)
    corpus = Corpus.of([("theirs", melody(notes, upbeat_ticks=12))])
    found = corpus.longest_match(melody(notes, upbeat_ticks=12))
    assert found == SharedPassage(17, "theirs", bars=(0, 2), their_bars=(0, 2))


def test_a_copy_matches_whole(corpus: Corpus) -> None:
    assert corpus.longest_match(melody(THEIRS)).notes == 64
    assert corpus.longest_match(melody(THEIRS).transpose(-3)).notes == 64


def test_another_rhythm_is_another_passage(corpus: Corpus) -> None:
    swung = melody(THEIRS, [16, 8] * 32)
    assert corpus.longest_match(swung).notes < 5


def test_the_piece_itself_can_be_left_out(corpus: Corpus) -> None:
    mine = melody([*THEIRS[:20], *wander(9, 20)])
    assert corpus.longest_match(mine).piece == "second"
    without = corpus.longest_match(mine, without="second")
    assert without.piece != "second"
    assert without.notes < 5


def test_nothing_is_shared_with_an_empty_corpus() -> None:
    assert Corpus.of([]).longest_match(melody(THEIRS)) == SharedPassage(0, "")


def test_pieces_without_a_melody_share_nothing(corpus: Corpus) -> None:
    empty = Score.from_notes([], ticks_per_quarter=24)
    one = melody([60])
    drums = melody(THEIRS, tracks=(Track(0, True),))
    for score in (empty, one, drums):
        assert corpus.longest_match(score) == SharedPassage(0, "")
        assert Corpus.of([("x", score)]).longest_match(melody(THEIRS)) == SharedPassage(0, "")


def test_a_passage_does_not_go_on_from_one_piece_into_the_next() -> None:
    corpus = Corpus.of([("a", melody(THEIRS[:16])), ("b", melody(THEIRS[16:32]))])
    assert corpus.longest_match(melody(THEIRS[:32])).notes == 16


def test_the_melody_over_chords_counts() -> None:
    notes = [(i * 12, 12, p, 80, 0) for i, p in enumerate(THEIRS)]
    bass = [(i * 96, 96, 36, 80, 0) for i in range(8)]
    chordal = quantise(Score.from_notes(notes + bass, ticks_per_quarter=24))
    assert Corpus.of([("x", chordal)]).longest_match(melody(THEIRS)).notes == 64


def naive(mine: Score, theirs: list[Score]) -> int:
    """The same by comparing everything with everything."""

    def steps(score: Score) -> list[tuple[int, float]]:
        rows = score.notes().tolist()
        return [(b[2] - a[2], b[1] / a[1]) for a, b in pairwise(rows)]

    best = 0
    own = steps(mine)
    for other in map(steps, theirs):
        for i in range(len(own)):
            for j in range(len(other)):
                n = 0
                while i + n < len(own) and j + n < len(other) and own[i + n] == other[j + n]:
                    n += 1
                best = max(best, n)
    return best + 1 if best else 0


few = st.lists(st.tuples(st.sampled_from((60, 62, 64)), st.sampled_from((12, 24))), min_size=2, max_size=14)


@given(mine=few, theirs=st.lists(few, min_size=1, max_size=3))
def test_it_finds_what_comparing_everything_finds(
    mine: list[tuple[int, int]], theirs: list[list[tuple[int, int]]]
) -> None:
    own = melody(*map(list, zip(*mine, strict=True)))
    others = [melody(*map(list, zip(*t, strict=True))) for t in theirs]
    corpus = Corpus.of([(str(i), s) for i, s in enumerate(others)])
    assert corpus.longest_match(own).notes == naive(own, others)


def test_it_comes_back_from_its_arrays(corpus: Corpus) -> None:
    again = Corpus.from_state(corpus.state())
    assert again.longest_match(melody(THEIRS)) == corpus.longest_match(melody(THEIRS))


def test_a_large_corpus_is_searched_quickly() -> None:
    corpus = Corpus.of([(str(i), melody(wander(i, 500), metres=(Metre(0, 2, 4),))) for i in range(100)])
    started = time.process_time()
    corpus.longest_match(melody(wander(1000, 200)))
    assert time.process_time() - started < 2
