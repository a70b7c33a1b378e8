"""Every family passes through every face: each gives a result, or a refusal that names the capability it lacks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from tests.fixtures.networks import tune
from tests.models.test_contract import random_lstm
from typer.testing import CliRunner

from troubadour.app import evaluate_composer, jobs
from troubadour.app.embedding_search import EmbeddingSearch
from troubadour.app.studio import Studio
from troubadour.cli import app
from troubadour.core import registry
from troubadour.core.errors import InputError
from troubadour.generation.loading import load_composer
from troubadour.generation.protocols import (
    Composer,
    Encoder,
    Scorable,
    Streaming,
    TaskComposer,
    able,
    family_name,
)
from troubadour.generation.request import Brief
from troubadour.generation.tasks import Accompany, Continue, Harmonise, Infill, Reharmonise, Task, Vary
from troubadour.models.families import family as family_named
from troubadour.models.families import family_of
from troubadour.models.recipe import TrainingRecipe
from troubadour.music.score import Score
from troubadour.server.app import create_app

Pieces = list[tuple[Score, str]]
FAMILIES = ("transformer", "vae", "lstm", "plain")
CAPABILITIES: dict[str, set[type]] = {
    "transformer": {Streaming, TaskComposer, Encoder, Scorable},
    "lstm": {Streaming, TaskComposer, Encoder, Scorable},
    "vae": {Encoder, Scorable},
    "plain": set(),
}
TASKS: dict[str, Callable[[Score, Score], Task]] = {
    "continue": lambda melody, duet: Continue(melody, 2),
    "infill": lambda melody, duet: Infill(melody, (3, 4)),
    "harmonise": lambda melody, duet: Harmonise(melody),
    "accompany": lambda melody, duet: Accompany(melody),
    "reharmonise": lambda melody, duet: Reharmonise(duet),
    "vary": lambda melody, duet: Vary(melody),
}


@pytest.fixture(scope="module", autouse=True)
def plugin() -> Iterator[None]:
    """Registers the plugin as an installed package would."""
    entry = EntryPoint("plain", "tests.app.plain_composer:PlainComposer", "troubadour.composers")
    installed = registry._installed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            registry,
            "_installed",
            lambda group: (*installed(group), *([entry] if group == entry.group else [])),
        )
        yield


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, pieces: Pieces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored composer of the family: shipped weights, random ones of an LSTM, none of the plugin."""
    shipped = Path(str(files("troubadour"))) / "data" / "models"
    if family in ("transformer", "vae"):
        return shipped / {"transformer": "composer", "vae": "vae"}[family]
    made = tmp_path_factory.mktemp(family)
    if family == "plain":
        (made / "composer.json").write_text(json.dumps({"kind": "plain"}))
    else:
        random_lstm(pieces).save(made)
    return made


@pytest.fixture(scope="module")
def home(small_home: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the composer is live."""
    home = tmp_path_factory.mktemp("live")
    shutil.copytree(small_home, home, dirs_exist_ok=True)
    with Studio(home) as studio:
        jobs.use_composer(studio.releases, folder)
    return home


@pytest.fixture(scope="module")
def studio(home: Path) -> Iterator[Studio]:
    with Studio(home) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[TestClient]:
    with TestClient(create_app(studio)) as opened:
        yield opened


def refusal(family: str, capability: type, verb: str) -> str:
    able_families = ", ".join(n for n in sorted(FAMILIES) if capability in CAPABILITIES[n])
    return f"the {family} composer cannot {verb}; families that can: {able_families}"


def test_families_have_the_capabilities_that_their_classes_show(family: str, folder: Path) -> None:
    composer = load_composer(folder)
    assert isinstance(composer, Composer)
    assert family_name(composer) == family
    for capability in (Streaming, TaskComposer, Encoder, Scorable):
        has = capability in CAPABILITIES[family]
        assert isinstance(composer, capability) == has
        if capability is not Encoder:  # its name is set when weights are loaded
            assert (family in able(capability)) == has


def test_python_composes_and_the_piece_can_be_recommended(studio: Studio) -> None:
    made = studio.compose(Brief(style="jig", bars=4), seed=1, candidates=2)
    assert made.score.n_bars == 4
    assert studio.store.score(made.id) == made.score
    assert studio.store.piece(made.id).provenance == json.loads(json.dumps(made.provenance.to_json()))
    assert made.id in studio.models().ranker.items
    again = studio.compose(Brief(style="jig", bars=4), seed=1, candidates=2)
    assert again.score == made.score


def test_a_listener_gets_a_piece_with_influences(studio: Studio) -> None:
    liked = studio.store.pieces(generated=False, medium="score")[0].id
    studio.store.add_listeners([("who", "Who", False)])
    studio.record([jobs.Event("1", "who", liked, "like", 1)])
    made = studio.compose(Brief(metre=(4, 4), bars=4), seed=2, listener="who", candidates=1)
    assert made.provenance.listener == "who"
    assert [i for i, _ in made.provenance.influences] == [liked]


def test_the_command_line_composes(home: Path, tmp_path: Path) -> None:
    words = ["compose", "--bars", "4", "--style", "jig", "--seed", "3", "--json"]
    done = CliRunner().invoke(
        app, [*words, "--home", str(home), "--out", str(tmp_path)], catch_exceptions=False
    )
    made = json.loads(done.stdout)
    assert made["controls"]["bars"] == 4
    for path in made["files"].values():
        assert Path(path).read_bytes()


def test_rest_composes(client: TestClient) -> None:
    answer = client.post("/api/compose", json={"bars": 4, "style": "jig", "seed": 4})
    assert answer.status_code == 201
    made = answer.json()
    assert made["controls"]["bars"] == 4
    assert client.get(made["files"]["midi"]).content[:4] == b"MThd"


def test_a_stream_comes_or_is_refused(client: TestClient, home: Path, family: str) -> None:
    answer = client.post("/api/compose/stream", json={"bars": 4, "style": "jig", "upbeat": False, "seed": 5})
    if Streaming in CAPABILITIES[family]:
        assert answer.text.count("event: bar\n") == 4
        assert answer.text.count("event: piece\n") == 1
        return
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    words = refusal(family, Streaming, "stream bar by bar")
    assert answer.json()["detail"] == words
    done = CliRunner().invoke(app, ["compose", "--stream", "--home", str(home)])
    assert isinstance(done.exception, InputError)
    assert str(done.exception) == words


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_done_or_refused(studio: Studio, family: str, task: str, pieces: Pieces) -> None:
    melody, duet = tune(3, "jig", 8), next(score for score, style in pieces if style == "song")
    asked = TASKS[task](melody, duet)
    if TaskComposer not in CAPABILITIES[family]:
        with pytest.raises(InputError) as caught:
            studio.compose_to(asked, Brief(), given="tune.mid", seed=1)
        assert str(caught.value) == refusal(family, TaskComposer, "compose to a given piece")
        return
    try:
        made = studio.compose_to(asked, Brief(), given="tune.mid", seed=1, candidates=2)
    except InputError as error:
        if family != "lstm" or "style is 'chorale'" not in str(error):
            raise
        # The random LSTM has learnt no style in four voices.
        assert task in ("harmonise", "accompany", "reharmonise")
        return
    assert made.provenance.given == "tune.mid"
    assert made.score not in (melody, duet)


def test_evaluation_gives_a_report(studio: Studio, folder: Path, family: str, tmp_path: Path) -> None:
    composer = load_composer(folder)
    found = evaluate_composer.evaluate_composer(studio.store, composer, pieces=2, most=4)
    assert found["family"] == family
    assert found["validity"]["equal after MIDI"] == 2
    assert (found["melodies"]["test"] is not None) == (Scorable in CAPABILITIES[family])
    text = evaluate_composer.write_evaluation(tmp_path, found).read_text()
    assert ("upper bound" in text) == (family == "vae")


def test_similarity_by_embedding_needs_an_encoder(
    studio: Studio, family: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    piece = studio.store.pieces(medium="score")[0].id
    if Encoder not in CAPABILITIES[family]:
        with pytest.raises(InputError, match=f"the {family} composer cannot embed pieces"):
            studio.similar_by("embedding", piece)
        return

    def unit(scores: list[Score]) -> NDArray[np.float32]:
        rows = np.array([np.bincount(s.pitch % 12, minlength=12) for s in scores], dtype=np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    # The real embedding of a whole catalogue takes minutes. The cache is separate: real vectors have another width.
    monkeypatch.setattr(studio.models().composer, "embed", unit)
    monkeypatch.setattr(studio, "embeddings", EmbeddingSearch(studio.store, tmp_path))
    assert len(studio.similar_by("embedding", piece, 3)) == 3


def test_a_recipe_names_a_registered_family_that_can_be_trained(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    for name in ("oracle", "plain"):
        path.write_text(f'family = "{name}"')
        with pytest.raises(InputError, match=f"family is '{name}'; allowed: lstm, transformer, vae"):
            TrainingRecipe.load(path)
    for name in ("lstm", "transformer", "vae"):
        path.write_text(f'family = "{name}"\n[model]\nwidth = 64\n')
        assert TrainingRecipe.load(path).family == name
        shape = family_named(name).spec_type()
        assert family_of(shape) is registry.find("composers", name)
    with pytest.raises(InputError, match="no family trains Brief"):
        family_of(Brief())
