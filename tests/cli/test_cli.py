from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mido
import pytest
import soundfile
from typer.testing import CliRunner

from troubadour.app.studio import Studio
from troubadour.cli import app, main
from troubadour.formats.midi import read_midi_file
from troubadour.formats.musicxml import read_musicxml_file
from troubadour.music.quantise import quantise

runner = CliRunner()


def call(*words: str) -> Any:
    done = runner.invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setattr("sys.argv", ["troubadour", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code not in (0, None)
    return capsys.readouterr().err


def test_status_counts_what_there_is(small_home: Path) -> None:
    found = call("status", "--home", str(small_home), "--json")
    assert found["pieces"] > 150
    assert found["listeners"] == 40
    assert found["interactions"] > 1000
    assert found["release"].startswith("r")
    assert "generated" in found


def test_composing_keeps_what_was_asked_and_writes_files_that_agree(small_home: Path, tmp_path: Path) -> None:
    made = call(
        "compose", "--home", str(small_home), "--style", "jig", "--key", "E minor", "--metre", "6/8", "--bars", "8",
        "--seed", "3", "--out", str(tmp_path), "--json",
    )  # fmt: skip
    assert {"id", "files", "seed", "release", "controls", "longest_match", "seconds"} <= set(made)
    assert made["controls"]["key"] == "E minor"
    assert {"notes", "piece"} <= set(made["longest_match"])
    midi = quantise(read_midi_file(Path(made["files"]["midi"])).score)
    written = quantise(read_musicxml_file(Path(made["files"]["musicxml"])).score)
    assert midi == written
    assert midi.n_bars == 8
    assert midi.metres[0].name == "6/8"
    assert midi.keys[0].name == "E minor"
    assert midi.pitch[-1] % 12 == 4
    assert mido.MidiFile(made["files"]["midi"]).length == pytest.approx(midi.seconds, abs=0.1)
    sound = soundfile.info(made["files"]["wav"])
    assert sound.duration == pytest.approx(midi.seconds, abs=2.0)


def test_the_same_seed_composes_the_same(small_home: Path, tmp_path: Path) -> None:
    words = (
        "compose",
        "--home",
        str(small_home),
        "--style",
        "reel",
        "--bars",
        "4",
        "--out",
        str(tmp_path),
        "--json",
    )
    one, same, other = (call(*words, "--seed", s) for s in ("7", "7", "8"))
    assert one["id"] == same["id"] != other["id"]


def test_a_chorale_has_four_voices_that_end_in_the_tonic_chord(small_home: Path, tmp_path: Path) -> None:
    made = call(
        "compose", "--home", str(small_home), "--style", "chorale", "--key", "G", "--metre", "4/4", "--bars", "4",
        "--seed", "1", "--out", str(tmp_path), "--json",
    )  # fmt: skip
    score = quantise(read_midi_file(Path(made["files"]["midi"])).score)
    assert len(score.tracks) == 4
    last = [score.pitch[score.track == t][-1] % 12 for t in range(4)]
    assert set(last) <= {7, 11, 2}
    assert last[3] == 7


def test_recommendations_have_reasons_and_new_pieces_can_be_among_them(
    small_home: Path, tmp_path: Path
) -> None:
    found = call("recommend", "sim-0001", "--home", str(small_home), "--json")
    assert found["listener"] == "sim-0001"
    assert len(found["items"]) == 10
    assert all(item["reasons"] and item["title"] for item in found["items"])
    with Studio(small_home) as studio:
        heard = {e[0] for e in studio.store.history("sim-0001")}
    assert not heard & {item["id"] for item in found["items"]}
    call("compose", "--home", str(small_home), "--listener", "sim-0001", "--bars", "8", "--seed", "2",
         "--out", str(tmp_path), "--json")  # fmt: skip
    longer = call("recommend", "sim-0001", "--n", "200", "--home", str(small_home), "--json")
    assert any(item["generated"] for item in longer["items"])


def test_similar_pieces_share_something(small_home: Path) -> None:
    with Studio(small_home) as studio:
        piece = studio.store.piece_ids()[0]
    found = call("similar", piece, "--n", "5", "--home", str(small_home), "--json")
    assert [i["score"] for i in found["items"]] == sorted((i["score"] for i in found["items"]), reverse=True)
    assert piece not in {i["id"] for i in found["items"]}


def test_importing_a_folder_reports_what_was_not_taken(tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    (music / "good.abc").write_text(
        "X:1\nT:Good\nM:4/4\nL:1/8\nK:G\nGABc dedB|dedB dedB|c2ec B2dB|c2A2 A2BA|\n"
    )
    (music / "bad.mid").write_bytes(b"MThd nonsense")
    report = call("import", str(music), "--home", str(tmp_path / "home"), "--json")[0]
    assert report["added"] == 1
    assert "bad.mid" in report["unreadable"][0][0]
    assert call("status", "--home", str(tmp_path / "home"), "--json")["pieces"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compose", "--bars", "0"), "1 to 64"),
        (("compose", "--key", "H minor"), "tonic A to G"),
        (("compose", "--metre", "7/0"), "metre"),
        (("compose", "--style", "tango"), "allowed: "),
        (("compose", "--temperature", "9"), "0.1 to 2"),
        (("compose", "--listener", "nobody"), "no listener 'nobody'"),
        (("recommend", "nobody"), "sim-0001"),
        (("similar", "nothing"), "no piece 'nothing'"),
    ],
)
def test_a_bad_request_says_what_is_allowed(
    small_home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    message: str,
) -> None:
    stderr = refused(capsys, monkeypatch, *words, "--home", str(small_home))
    assert message in stderr
    assert "Traceback" not in stderr


def test_an_empty_home_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "troubadour demo" in refused(capsys, monkeypatch, "compose", "--home", str(tmp_path))


@pytest.mark.torch
@pytest.mark.slow
def test_training_from_the_command_line_goes_on_where_it_stopped(small_home: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        '[data]\ncollections = ["folk"]\n[model]\nwidth = 64\nlayers = 1\nhidden = 64\n'
        "[train]\nsteps = 4\nwarmup = 2\nevaluate_every = 2\ncheckpoint_every = 2\n"
    )
    run = tmp_path / "run"
    words = ("train", "composer", str(recipe), "--home", str(small_home), "--folder", str(run), "--json")
    first = call(*words)
    assert first["step"] == 4
    assert (run / "composer.safetensors").is_file()
    assert call(*words, "--steps", "6")["step"] == 6
    tuned = call(
        "train", "composer", str(recipe), "--home", str(small_home), "--folder", str(tmp_path / "tuned"),
        "--from", str(run), "--json",
    )  # fmt: skip
    assert tuned["valid_loss"] < first["valid_loss"]


def test_a_recipe_with_an_unknown_setting_is_refused(
    small_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "bad.toml"
    recipe.write_text("[train]\nstpes = 4\n")
    stderr = refused(capsys, monkeypatch, "train", "composer", str(recipe), "--home", str(small_home))
    assert "stpes" in stderr
    assert "steps" in stderr
