"""Audio encoder trained on the catalogue's own audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.audio.conftest import chord_song

from troubadour.app.audio_library.audio_search import AudioSearch
from troubadour.app.audio_library.importing import import_recordings
from troubadour.app.audio_library.pool import Workers
from troubadour.app.audio_library.score_features import measure_scores
from troubadour.app.audio_library.train_encoder import train_sound
from troubadour.audio.describe import VERSION
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError


@pytest.mark.torch
@pytest.mark.slow
def test_a_catalogue_learns_its_own_sound_and_recordings_get_it(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    music = tmp_path / "music"
    music.mkdir()
    for i in range(21):
        soundfile.write(music / f"song{i}.flac", chord_song(4.0, root=45 + 2 * i, seed=i), 22_050)
    with Store.open(tmp_path / "home") as store:
        with pytest.raises(InputError, match="0 pieces can be heard; at least 20"):
            train_sound(store, Workers(1), steps=2)
        import_recordings(store, music, "music", Workers(2))
        report = train_sound(store, Workers(2), steps=5)
        assert (report["pieces"], report["failed"]) == (21, 0)
        rows = store.sounds.all(VERSION)
        assert {r.encoder for r in rows} == {""}
        done = measure_scores(store, Workers(2))
        assert (done.added, done.left) == (21, 0)
        assert measure_scores(store, Workers(1)).added == 0
        rows = store.sounds.all(VERSION)
        assert {r.encoder for r in rows} == {report["encoder"]}
        assert all(r.embedding is not None and np.isfinite(r.embedding).all() for r in rows)
        assert {r.origin for r in rows} == {"recording"}
        near = AudioSearch(store).similar(rows[0].piece, 3, by="sound")
        assert len(near) == 3
        again = train_sound(store, Workers(1), steps=5)
        assert again["encoder"] == report["encoder"]
