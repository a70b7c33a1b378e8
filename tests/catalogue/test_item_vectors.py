"""Recommendation of recordings by their sound, with and without scores in the catalogue."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.audio.conftest import chord_song

from troubadour.app import importing, jobs
from troubadour.app.studio import Studio
from troubadour.audio.describe import STATISTICS
from troubadour.catalogue.item_vectors import item_vectors
from troubadour.catalogue.store import Event
from troubadour.music.features import FEATURES

pytestmark = pytest.mark.slow

RATE = 22_050


def bright(seed: int) -> np.ndarray:
    """Noise with ten attacks per second, unlike the songs of chords."""
    time = np.arange(3 * RATE) / RATE
    noise = np.random.default_rng(seed).normal(size=len(time))
    return (0.2 * np.diff(noise, prepend=0.0) * np.exp(-20 * (time % 0.1))).astype(np.float32)


def music(folder: Path, first: int, last: int) -> Path:
    folder.mkdir(exist_ok=True)
    for i in range(first, last):
        soundfile.write(folder / f"chords{i}.flac", chord_song(3.0, root=52 + i, seed=i)[:, 0], RATE)
        soundfile.write(folder / f"bright{i}.flac", bright(i), RATE)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home with recordings only, two listeners of different taste, and a release."""
    home = tmp_path_factory.mktemp("audio")
    with Studio(home) as studio:
        importing.import_path(studio.store, music(home / "music", 0, 3))
        studio.store.add_listeners([("ann", "Ann", False), ("ben", "Ben", False), ("eve", "Eve", False)])
        ids = {p.title: p.id for p in studio.store.pieces()}
        studio.record(
            [Event("1", "ann", ids["chords0"], "like", 1), Event("2", "ben", ids["bright0"], "like", 2)]
        )
        jobs.fit(studio.store, studio.releases)
    return home


def test_recordings_without_scores_are_recommended_by_sound(home: Path) -> None:
    with Studio(home) as studio:
        for listener, kind in (("ann", "chords"), ("ben", "bright")):
            found, _ = studio.recommend(listener, 2)
            assert [f.title[:-1] for f in found] == [kind, kind]
            assert any(f"{kind}0" in reason.text for reason in found[0].reasons)


def test_a_recording_that_came_after_fitting_is_recommended_at_once(home: Path) -> None:
    with Studio(home) as studio:
        importing.import_path(studio.store, music(home / "music", 3, 4))
        titles = [f.title for f in studio.recommend("ann", 3)[0]]
        assert sorted(titles) == ["chords1", "chords2", "chords3"]
        assert studio.similar(next(p.id for p in studio.store.pieces() if p.title == "bright3"), 1)[
            0
        ].title.startswith("bright")


def test_pieces_with_notes_and_recordings_stand_in_one_space(folk_home: Path, tmp_path: Path) -> None:
    shutil.copytree(folk_home, tmp_path, dirs_exist_ok=True)
    with Studio(tmp_path) as studio:
        alone = item_vectors(studio.store)
        assert alone.shape == (len(studio.store.pieces()), len(FEATURES) + len(STATISTICS))
        assert np.isnan(alone[:, len(FEATURES) :]).all()
        importing.import_path(studio.store, music(tmp_path / "music", 0, 2))
        both = item_vectors(studio.store)
        rows = {p.title: p.row for p in studio.store.pieces()}
        assert np.array_equal(both[: len(alone)], alone, equal_nan=True)
        heard = both[rows["chords0"]]
        assert np.isfinite(heard[len(FEATURES) :]).all()
        assert np.isnan(heard[FEATURES.index("degree_0")])
        assert heard[FEATURES.index("mode_major")] == 1.0
        assert 0.2 < np.abs(heard[len(FEATURES) :] / 0.13).mean() < 10, "of the size of the other entries"
