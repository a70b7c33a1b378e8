from __future__ import annotations

import numpy as np
import pytest

from troubadour.core.errors import InputError, ModelError
from troubadour.corpora.builtin import read_collection
from troubadour.music.piece import Piece
from troubadour.music.quantise import quantise
from troubadour.music.score import Score, Track
from troubadour.similarity.melody_search.index import MelodyIndex
from troubadour.similarity.melody_search.lines import Skyline, query_skyline, skylines


@pytest.fixture(scope="module")
def tunes() -> list[tuple[str, Score]]:
    found = [p for p in read_collection("folk") if isinstance(p, Piece)]
    return [(f"{i:03} {p.title}", quantise(p.score)) for i, p in enumerate(found)][:150]


@pytest.fixture(scope="module")
def index(tunes: list[tuple[str, Score]]) -> MelodyIndex:
    return MelodyIndex.of(tunes)


def bars(score: Score, first: int, last: int) -> Skyline:
    line = query_skyline(score)
    return line[slice(*np.searchsorted(line.bar, [first, last + 1]).tolist())]


def changed(line: Skyline, semitones: int = 0, tempo: float = 1.0) -> Skyline:
    return Skyline((line.pitch + semitones).astype(np.int16), line.onset * tempo, line.bar)


@pytest.mark.parametrize(("semitones", "tempo"), [(0, 1.0), (5, 1.0), (-12, 0.5), (-7, 1.37), (14, 2.0)])
def test_a_passage_is_found_in_any_key_octave_and_tempo(
    index: MelodyIndex, tunes: list[tuple[str, Score]], semitones: int, tempo: float
) -> None:
    name, score = tunes[20]
    found = index.search(changed(bars(score, 3, 8), semitones, tempo), 3)[0]
    assert found.piece == name
    assert found.score > 0.97
    assert found.semitones == -semitones
    assert found.bars == (3, 8)
    assert found.their_bars == (3, 8)


def test_altered_passages_find_the_tunes_they_came_from(
    index: MelodyIndex, tunes: list[tuple[str, Score]]
) -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for name, score in tunes[:60]:
        line = bars(score, 1, 8)
        keep = np.ones(len(line), dtype=bool)
        pitch = line.pitch.copy()
        for i in rng.choice(len(line), max(1, len(line) // 10), replace=False).tolist():
            if rng.random() < 0.4:
                keep[i] = False
            else:
                pitch[i] += int(rng.choice([-3, -2, 2, 3]))
        altered = Skyline(pitch[keep] + np.int16(rng.integers(-9, 9)), line.onset[keep], line.bar[keep])
        # Two books may print the same tune: the title, without the number in front, decides.
        hits += index.search(altered, 1)[0].piece[4:] == name[4:]
    assert hits >= 57


def test_a_match_counts_the_notes_that_agree_and_says_where(index: MelodyIndex) -> None:
    planted = Skyline(
        np.array([60, 67, 61, 70, 62, 73, 63, 76, 60, 60], dtype=np.int16),
        np.arange(10) * 0.5,
        np.arange(10, dtype=np.int32) // 2 + 1,
    )
    rows = np.array([[i * 12, 12, p, 80, 0] for i, p in enumerate([50, 52, *planted.pitch.tolist(), 55])])
    score = Score.from_notes(rows, ticks_per_quarter=24)
    found = index.with_pieces([("planted", score)]).search(changed(planted, 3), 2)
    assert found[0].piece == "planted"
    assert found[0].notes == 10
    assert found[0].bars == (1, 5)
    assert found[0].their_bars == (1, 2)
    assert found[0].score == pytest.approx(1.0)


def test_every_voice_of_a_piece_is_searched(index: MelodyIndex) -> None:
    bass = [40, 47, 41, 50, 42, 53, 43, 56, 40]
    rows = [[i * 24, 24, 72, 80, 0] for i in range(9)] + [[i * 24, 24, p, 80, 1] for i, p in enumerate(bass)]
    score = Score.from_notes(rows, ticks_per_quarter=24, tracks=(Track(), Track(43)))
    query = Skyline(np.array(bass, dtype=np.int16) + 24, np.arange(9.0), np.ones(9, dtype=np.int32))
    found = index.with_pieces([("two voices", score)]).search(query, 1)[0]
    assert (found.piece, found.track, found.semitones) == ("two voices", 1, -24)


def test_short_queries_are_found_too(index: MelodyIndex) -> None:
    query = Skyline(
        np.array([60, 66, 59, 71], dtype=np.int16), np.arange(4.0), np.ones(4, np.int32), 0, False
    )
    rows = [[i * 24, 24, p, 80, 0] for i, p in enumerate([60, 62, 68, 61, 73, 60])]
    found = index.with_pieces([("leaps", Score.from_notes(rows, ticks_per_quarter=24))]).search(query, 1)
    assert found[0].piece == "leaps"
    assert found[0].score == pytest.approx(1.0)


def test_pieces_can_be_replaced_and_removed(index: MelodyIndex, tunes: list[tuple[str, Score]]) -> None:
    name, score = tunes[7]
    query = bars(score, 1, 8)
    assert index.search(query, 1)[0].piece == name
    less = index.without([name, "unknown"])
    assert len(less) == len(index) - 1
    assert name not in {m.piece for m in less.search(query, 50)}
    again = less.with_pieces([(name, score)])
    assert again.search(query, 1)[0].piece == name
    assert len(again) == len(index)
    replaced = index.with_pieces([(name, tunes[8][1])])
    assert len(replaced) == len(index)
    # The id now belongs to another tune, which shares far less with the query.
    best = {m.piece: m.score for m in replaced.search(query, 150)}
    assert best.get(name, 0.0) < 0.9


def test_the_piece_that_was_asked_from_can_be_left_out(
    index: MelodyIndex, tunes: list[tuple[str, Score]]
) -> None:
    name, score = tunes[3]
    assert name not in {m.piece for m in index.search(query_skyline(score), 20, without=name)}


def test_a_stored_index_finds_the_same(index: MelodyIndex, tunes: list[tuple[str, Score]]) -> None:
    query = bars(tunes[11][1], 1, 8)
    gone = index.without([tunes[0][0]])
    loaded = MelodyIndex.from_state(gone.state())
    # Equal scores at lower ranks may change order, since removed pieces take up no candidates.
    assert loaded.search(query, 4) == gone.search(query, 4)
    assert len(loaded) == len(gone)
    damaged = gone.state() | {"gap": np.zeros(3, dtype=np.int8)}
    with pytest.raises(ModelError, match="do not fit"):
        MelodyIndex.from_state(damaged)
    with pytest.raises(ModelError, match="melody index"):
        MelodyIndex.from_state({"pitch": np.zeros(3)})


def test_what_holds_no_melody_is_refused_and_an_empty_index_finds_nothing() -> None:
    empty = Score.from_notes([], ticks_per_quarter=24)
    one = Score.from_notes([[0, 24, 60, 80, 0]], ticks_per_quarter=24)
    drums = Score.from_notes(
        [[i * 24, 12, 38, 80, 0] for i in range(20)], ticks_per_quarter=24, tracks=(Track(0, True),)
    )
    for score in (empty, one, drums):
        assert skylines(score) == []
        with pytest.raises(InputError, match="at least 4 pitched notes"):
            query_skyline(score)
    nothing = MelodyIndex.of([("empty", empty), ("drums", drums)])
    query = Skyline(np.array([60, 62, 64, 65], dtype=np.int16), np.arange(4.0), np.ones(4, np.int32))
    assert nothing.search(query) == []
    assert MelodyIndex.from_state(nothing.state()).search(query) == []


def test_a_long_query_is_cut_rather_than_refused(index: MelodyIndex, tunes: list[tuple[str, Score]]) -> None:
    whole = query_skyline(tunes[30][1])
    times = 1 + 2000 // len(whole)
    long = Skyline(
        np.tile(whole.pitch, times), np.arange(len(whole) * times) * 0.5, np.tile(whole.bar, times)
    )
    assert index.search(long, 1)[0].piece == tunes[30][0]


def test_a_track_can_be_chosen() -> None:
    rows = [[i * 24, 24, 60 + i, 80, t] for i in range(6) for t in (0, 1)]
    score = Score.from_notes(rows, ticks_per_quarter=24, tracks=(Track(), Track()))
    assert query_skyline(score, 1).track == 1
    with pytest.raises(InputError, match="0 to 1"):
        query_skyline(score, 2)
