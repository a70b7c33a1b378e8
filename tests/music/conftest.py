"""Random scores, and real ones from the collections inside the music21 wheel (read, not imported)."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from hypothesis import strategies as st

from troubadour.music.abc import read_abc
from troubadour.music.musicxml import read_musicxml_file
from troubadour.music.piece import Piece
from troubadour.music.quantise import quantise
from troubadour.music.score import MODES, Key, Metre, Score, Tempo, Track

_METRES = st.tuples(st.integers(1, 13), st.sampled_from((2, 4, 8, 16, 32)))
_KEYS = st.tuples(st.integers(-7, 7), st.sampled_from(MODES))
_TEMPOS = st.floats(5, 900)


@st.composite
def _raw_scores(draw: st.DrawFn) -> Score:
    """Any score that a reader might hand over: nothing is on the grid."""
    quarter = draw(st.sampled_from((1, 7, 24, 96, 101, 480, 10080)))
    places = st.integers(0, 24 * quarter)
    if quarter % 12 == 0 and draw(st.booleans()):  # triplets and sixteenths, exact
        places = st.integers(0, 24 * 12).map(lambda n: n * quarter // 12)
    n_tracks = draw(st.integers(1, 3))
    notes = draw(
        st.lists(
            st.tuples(
                places,
                st.integers(1, quarter * draw(st.integers(1, 8))),
                st.integers(57, 64),  # few pitches, so that notes collide
                st.integers(1, 127),
                st.integers(0, n_tracks - 1),
            ),
            max_size=16,
        )
    )
    tracks = draw(
        st.lists(st.builds(Track, st.integers(0, 127), st.booleans()), min_size=n_tracks, max_size=n_tracks)
    )

    def changing(values: st.SearchStrategy[tuple[object, ...]]) -> list[tuple[object, ...]]:
        ticks = draw(st.lists(st.integers(1, 24 * quarter), max_size=2, unique=True).map(sorted))
        return [(tick, *draw(values)) for tick in (0, *ticks)]

    score = Score.from_notes(
        notes,
        ticks_per_quarter=quarter,
        tracks=tuple(tracks),
        tempos=tuple(Tempo(*t) for t in changing(_TEMPOS.map(lambda bpm: (bpm,)))),
        metres=tuple(Metre(*m) for m in changing(_METRES)),
        keys=tuple(Key(*k) for k in changing(_KEYS)),
    )
    longest = score.metres[0].bar_ticks(quarter) - 1
    return score.replace(upbeat_ticks=draw(st.integers(0, longest)) if longest > 0 else 0)


@pytest.fixture(scope="session")
def raw_scores() -> st.SearchStrategy[Score]:
    """Draws scores as a reader might hand them over."""
    return _raw_scores()


@pytest.fixture(scope="session")
def quantised_scores() -> st.SearchStrategy[Score]:
    """Draws scores on the grid."""
    return _raw_scores().map(quantise)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Folder of the collections that ship with music21."""
    spec = importlib.util.find_spec("music21")
    assert spec is not None, "music21 is a dependency of this package"
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / "corpus"


@pytest.fixture(scope="session")
def tunes(corpus: Path) -> list[Piece]:
    """Every fortieth tune of the ABC books."""
    pieces: list[Piece] = []
    for folder in ("oneills1850", "ryansMammoth", "airdsAirs"):
        text = "\n".join(
            path.read_bytes().decode("utf-8", "replace") for path in sorted((corpus / folder).glob("*.abc"))
        )
        tunes = [t for t in re.split(r"^(?=X:)", text, flags=re.M) if t.startswith("X:")]
        pieces += [p for p in read_abc("".join(tunes[::40]), folder) if isinstance(p, Piece)]
    assert len(pieces) > 90
    return pieces


@pytest.fixture(scope="session")
def chorales(corpus: Path) -> list[Piece]:
    """Every twentieth chorale of Bach."""
    paths = sorted((corpus / "bach").glob("*.mxl"))[::20]
    assert len(paths) >= 18
    return [read_musicxml_file(path) for path in paths]
