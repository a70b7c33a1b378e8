from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from troubadour.app.embedding_search import EmbeddingSearch
from troubadour.app.studio import Studio
from troubadour.cli import app
from troubadour.core.errors import InputError, ModelError
from troubadour.music.score import Score


def call(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


class Counting:
    """Embeds a score as its first pitches, and counts the embedded scores."""

    seen = 0

    def embed(self, scores: list[Score]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        self.seen += len(scores)
        return np.array([np.resize(s.pitch, 8) for s in scores], dtype=np.float32)


def test_a_piece_is_embedded_once_and_a_new_composer_starts_anew(small_home: Path, tmp_path: Path) -> None:
    with Studio(small_home) as studio:
        first = EmbeddingSearch(studio.store, tmp_path)
        composer = Counting()
        piece = studio.store.pieces(medium="score")[0].id
        found = first.nearest(piece, composer, "composer-1", 5)
        count = composer.seen
        assert count == len(studio.store.pieces(medium="score"))
        assert len(found) == 5
        assert piece not in {f.piece.id for f in found}
        again = EmbeddingSearch(studio.store, tmp_path)
        assert [f.piece.id for f in again.nearest(piece, composer, "composer-1", 5)] == [
            f.piece.id for f in found
        ]
        assert composer.seen == count
        again.nearest(piece, composer, "composer-2", 5)
        assert composer.seen == 2 * count
        (tmp_path / "composer-1.npz").write_bytes(b"damaged")
        with pytest.raises(ModelError, match="delete the file"):
            EmbeddingSearch(studio.store, tmp_path).nearest(piece, composer, "composer-1")


@pytest.mark.slow
def test_pieces_are_near_by_embedding_and_by_melody_under_a_filter(small_home: Path) -> None:
    with Studio(small_home) as studio:
        piece = next(p.id for p in studio.store.pieces(medium="score") if p.attributes["notes"] > 60)
        keys = {p.id: p.attributes["key"] for p in studio.store.pieces(medium="score")}
    for by in ("embedding", "melody"):
        found = call("similar", piece, "--by", by, "--key", "G major", "--n", "4", "--home", str(small_home))
        assert found["items"]
        assert {"id", "title", "score", "bars", "source", "licence", "generated"} <= set(found["items"][0])
        assert all(keys[i["id"]] == "G major" for i in found["items"])
        assert piece not in {i["id"] for i in found["items"]}
    with pytest.raises(InputError, match="content, embedding, melody"):
        CliRunner().invoke(
            app, ["similar", piece, "--by", "taste", "--home", str(small_home)], catch_exceptions=False
        )
