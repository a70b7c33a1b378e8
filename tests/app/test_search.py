from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from troubadour.app.studio import Studio
from troubadour.cli import app
from troubadour.core.errors import TroubadourError
from troubadour.formats.midi import write_midi
from troubadour.music.score import Score, Track
from troubadour.similarity.melody_search.lines import query_skyline

RIGHTS = {"source", "licence", "generated"}


def call(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def piece(small_home: Path) -> str:
    with Studio(small_home) as studio:
        return next(p.id for p in studio.store.pieces() if p.attributes["notes"] > 60)


@pytest.fixture
def fragment(small_home: Path, piece: str, tmp_path: Path) -> Path:
    """First bars of a piece, transposed up by a third, as a MIDI file."""
    with Studio(small_home) as studio:
        score = studio.store.score(piece)
    path = tmp_path / "fragment.mid"
    path.write_bytes(write_midi(score.where(score.onset < score.bar_starts()[8]).transpose(4)))
    return path


def test_a_transposed_fragment_finds_its_piece_with_bars_and_rights(
    small_home: Path, piece: str, fragment: Path
) -> None:
    found = call("search", str(fragment), "--home", str(small_home))
    best = found["items"][0]
    assert best["id"] == piece
    assert best["semitones"] == -4
    assert best["bars"][1] - best["bars"][0] >= 6
    assert {"title", "score", "their_bars"} | RIGHTS <= set(best)


def test_typed_notes_are_found(small_home: Path, piece: str) -> None:
    with Studio(small_home) as studio:
        line = query_skyline(studio.store.score(piece))
    letters = dict(enumerate(["C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B"]))
    typed = " ".join(
        letters[p % 12] + ("'" * (p // 12 - 5) if p >= 60 else "," * (5 - p // 12))
        for p in line.pitch[:14].tolist()
    )
    found = call("search", "--notes", typed, "--home", str(small_home), "--n", "5")
    best = found["items"][0]["score"]
    assert piece in {i["id"] for i in found["items"] if i["score"] == best}


def test_an_analysis_says_what_it_rests_on(small_home: Path, fragment: Path) -> None:
    found = call("analyse", str(fragment), "--home", str(small_home))
    assert {"key", "metre", "chords", "style", "valence", "arousal"} <= set(found)
    assert found["key"]["evidence"]
    assert found["key"]["regions"][0]["bars"]
    assert found["style"]["why_not"]  # the small folk collections have too few labels


def test_a_piece_of_the_catalogue_can_be_named_by_id(small_home: Path, piece: str) -> None:
    with Studio(small_home) as studio:
        title = studio.store.piece(piece).title
    assert call("analyse", piece, "--home", str(small_home))["title"] == title


def test_a_copy_is_found_out_and_a_piece_is_not_compared_with_itself(
    small_home: Path, piece: str, fragment: Path
) -> None:
    copied = call("originality", str(fragment), "--home", str(small_home))
    assert copied["items"][0]["id"] == piece
    assert copied["items"][0]["notes"] > copied["human"]["notes_of_95_in_100"]
    assert "check the passages" in copied["verdict"]
    assert copied["items"][0]["bars"][0] <= 1
    assert set(copied["items"][0]) >= RIGHTS
    own = call("originality", piece, "--home", str(small_home))
    assert piece not in {i["id"] for i in own["items"]}
    with Studio(small_home) as studio:
        release = studio.releases.live()
        assert release is not None
        longest = studio.originality(studio.store.score(piece), without=piece).matches[0][1]
        assert longest.notes == own["items"][0]["notes"]


def test_the_longest_passage_is_the_one_that_the_corpus_finds(small_home: Path) -> None:
    with Studio(small_home) as studio:
        corpus, compared = studio.models().corpus, 0
        for row in studio.store.pieces(generated=False)[:30]:
            score = studio.store.score(row.id)
            mine = [m for _, m in studio.originality(score, 3).matches if m.piece != row.id]
            work = {p.id for p in studio.store.pieces() if p.work == row.work}
            expected = corpus.longest_match(score, row.id)
            if expected.piece not in work and expected.notes > 5:
                assert mine[0].notes == expected.notes
                compared += 1
        assert compared > 5


def test_similar_pieces_can_be_filtered_and_show_their_rights(small_home: Path, piece: str) -> None:
    found = call("similar", piece, "--key", "G major", "--human", "--home", str(small_home))
    assert found["items"]
    with Studio(small_home) as studio:
        for item in found["items"]:
            row = studio.store.piece(item["id"])
            assert row.attributes["key"] == "G major"
            assert not item["generated"]
            assert item["licence"] == row.licence


def test_a_new_piece_is_found_at_once(tmp_path: Path) -> None:
    music = tmp_path / "a.abc"
    music.write_text("X:1\nT:First\nM:4/4\nL:1/8\nK:G\nGABc dedB|dedB dedB|c2ec B2dB|c2A2 A2BA|\n")
    home = tmp_path / "home"
    call("import", str(music), "--home", str(home))
    with Studio(home) as studio:
        from troubadour.app import importing

        assert len(studio.melodies.index()) == 1
        (tmp_path / "b.abc").write_text(
            "X:1\nT:Second\nM:4/4\nL:1/8\nK:D\nFdAF GEcA|d2fa g2ec|d2B2 A4|F2E2 D4|\n"
        )
        importing.import_folder(studio.store, tmp_path / "b.abc")
        found = studio.search(query_skyline(studio.store.score(studio.store.piece_ids()[1])))
    assert found[0].piece.title == "Second"


@pytest.mark.parametrize("command", ["search", "analyse", "originality"])
@pytest.mark.parametrize("what", ["missing", "empty", "picture", "drums", "one note"])
def test_bad_input_is_told_in_words(small_home: Path, tmp_path: Path, command: str, what: str) -> None:
    path = tmp_path / f"{what}.mid"
    notes = {"drums": [[i * 12, 12, 38, 80, 0] for i in range(20)], "one note": [[0, 24, 60, 80, 0]]}
    if what in notes:
        score = Score.from_notes(notes[what], ticks_per_quarter=24, tracks=(Track(0, what == "drums"),))
        path.write_bytes(write_midi(score))
    elif what != "missing":
        path.write_bytes(b"" if what == "empty" else b"\xff\xd8\xff\xe0 JFIF")
    words = [command, str(path), "--home", str(small_home), "--json"]
    if command == "analyse" and what in notes:
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        assert "NaN" not in done.stdout
        assert json.loads(done.stdout)["difficulty"] is not None
        return
    with pytest.raises(TroubadourError) as refused:
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert len(str(refused.value)) > 10
