from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.app.surfaces.tribes import N, info

from troubadour.app.surfaces.lists import of_piece
from troubadour.app.surfaces.radio import RadioSpec, Session, from_style, next_piece
from troubadour.core.errors import InputError
from troubadour.interactions.events import History
from troubadour.recommenders.slate.ranker import Ranker


def play(ranker: Ranker, session: Session, n: int, seed: int = 0, spec: RadioSpec | None = None) -> Session:
    """Session after up to n more pieces."""
    for _ in range(n):
        found = next_piece(ranker, session, seed, spec)
        if found is None:
            break
        session = session.after(found.id)
    return session


def style(piece: str) -> str:
    return str(info(int(piece[1:])).attributes["style"])


def test_it_plays_the_whole_catalogue_once_and_then_ends(ranker: Ranker) -> None:
    session = play(ranker, Session(of_piece(ranker, "p0")), N + 10)
    assert sorted(session.played) == sorted(f"p{i}" for i in range(1, N)), "all but the seed itself"
    assert next_piece(ranker, session) is None


@given(
    seed=st.integers(0, 2**31),
    skips=st.sets(st.integers(0, 14)),
    drift=st.floats(0, 1),
    gap=st.integers(0, 30),
    barred=st.sets(st.sampled_from([f"p{i}" for i in range(N)]), max_size=60),
)
def test_whatever_is_skipped_or_asked_for_nothing_comes_twice(
    ranker: Ranker, seed: int, skips: set[int], drift: float, gap: int, barred: set[str]
) -> None:
    session = Session(of_piece(ranker, "p3"), exclude=frozenset(barred))
    for turn in range(15):
        found = next_piece(ranker, session, seed, RadioSpec(drift, gap))
        assert found is not None
        assert found.id not in {*session.played, *barred, "p3"}
        assert 0 < found.propensity <= 1
        session = session.after(found.id, skipped=turn in skips)


def test_variants_of_one_work_do_not_follow_each_other(ranker: Ranker) -> None:
    infos = [replace(one, work=f"work {i // 2}") for i, one in enumerate(ranker.infos)]
    pairs = Ranker(ranker.blend, ranker.items, infos)
    played = play(pairs, Session(of_piece(ranker, "p0")), N).played
    works = [int(p[1:]) // 2 for p in played]
    assert len(works) == len(set(works)) == N // 2


def test_the_same_seed_plays_the_same_at_once_or_one_by_one(ranker: Ranker) -> None:
    start = Session(of_piece(ranker, "p0"))
    at_once = play(ranker, start, 6, seed=4).played
    one = start
    for _ in range(6):
        one = play(ranker, one, 1, seed=4)
    assert one.played == at_once
    assert len({play(ranker, start, 6, seed=s).played for s in range(5)}) > 1, "another seed, another radio"


def test_artists_keep_their_distance(ranker: Ranker) -> None:
    played = play(ranker, Session(of_piece(ranker, "p0")), 40, spec=RadioSpec(artist_gap=4)).played
    artists = [info(int(p[1:])).artist for p in played]
    for i, artist in enumerate(artists):
        assert artist not in artists[max(0, i - 4) : i]


def test_another_piece_of_the_same_title_comes_when_nothing_else_is_left(ranker: Ranker) -> None:
    infos = [replace(one, title=f"Tune {i // 2}") for i, one in enumerate(ranker.infos)]
    pairs = Ranker(ranker.blend, ranker.items, infos)
    played = play(pairs, Session(of_piece(ranker, "p0")), N).played
    titles = [int(p[1:]) // 2 for p in played]
    assert len(set(titles[: N // 2])) == N // 2
    assert len(titles) == N - 1


def test_a_radio_of_a_style_keeps_to_it_as_far_as_it_may_not_drift(ranker: Ranker) -> None:
    start = Session(from_style(ranker, "air"), "air")
    strict = play(ranker, start, 30, spec=RadioSpec(drift=0.0)).played
    assert {style(p) for p in strict} == {"air"}
    assert len(strict) == 30
    on = play(ranker, replace(start, played=strict), 1, spec=RadioSpec(drift=0.0)).played[-1]
    assert style(on) != "air", "when the style is used up, it goes on with others"
    first = next_piece(ranker, start, spec=RadioSpec(drift=0.0))
    assert first is not None
    assert first.reasons[0] == "of the style air"


def test_a_skip_turns_it_away(ranker: Ranker) -> None:
    """With a seed of two styles, skips of one style increase the share of the other."""
    both = History(np.array([0, 4, 1, 5]), np.ones(4))
    ways = [
        Session(both, played=("p8", "p12"), skipped=frozenset(skipped)) for skipped in ((), ("p8", "p12"))
    ]
    jigs = [
        sum(style(p) == "jig" for seed in range(10) for p in play(ranker, way, 5, seed).played[2:])
        for way in ways
    ]
    assert jigs[1] < jigs[0] / 2


def test_drift_follows_what_was_played(ranker: Ranker) -> None:
    away = Session(of_piece(ranker, "p0"), played=("p1", "p5", "p9"))  # a jig as seed, then three reels
    reels = [
        sum(
            style(play(ranker, away, 1, seed, RadioSpec(drift, 0)).played[-1]) == "reel" for seed in range(20)
        )
        for drift in (0.0, 1.0)
    ]
    assert reels[0] < reels[1]


def test_the_propensity_is_how_often_a_piece_is_drawn(ranker: Ranker) -> None:
    start = Session(from_style(ranker, "air"), "air")
    drawn = [next_piece(ranker, start, seed) for seed in range(400)]
    told = {one.id: one.propensity for one in drawn if one}
    for piece, chance in told.items():
        seen = sum(one is not None and one.id == piece for one in drawn) / len(drawn)
        assert seen == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / len(drawn)) + 1e-9)


def test_bad_wishes_are_refused(ranker: Ranker) -> None:
    with pytest.raises(InputError, match="drift is 2; allowed: 0 to 1"):
        RadioSpec(drift=2)
    with pytest.raises(InputError, match="artist_gap is -1"):
        RadioSpec(artist_gap=-1)
    with pytest.raises(InputError, match="known styles: air, chorale, jig, reel"):
        from_style(ranker, "tango")
    with pytest.raises(InputError, match="'none' was played, but is not in the catalogue"):
        next_piece(ranker, Session(of_piece(ranker, "p0"), played=("none",)))
