"""The VAE that ships."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from troubadour.cli import app
from troubadour.formats.abc.read import read_abc
from troubadour.models.vae.composer import VaeComposer
from troubadour.models.vae.passages import passages
from troubadour.models.vae.space import Sampling, token_accuracy
from troubadour.music.quantise import quantise

JIG = """X:1
T:The Rakes of Mallow Lane
M:6/8
L:1/8
Q:3/8=110
K:D
|:A|d2A F2A|d2f e2c|d2A F2A|G2E E2A|
d2A F2A|d2f e2c|d2f e2c|d3 d2:|
"""


def shipped() -> VaeComposer:
    return VaeComposer.load(Path(str(files("troubadour") / "data" / "models" / "vae")))


def test_it_gives_back_a_melody_of_four_bars() -> None:
    (reading,) = read_abc(JIG, "jig")
    found = list(passages(quantise(reading.score), 4))
    assert found
    again = shipped().space.reconstruct(found, np.random.default_rng(0), Sampling(temperature=0.0))
    assert token_accuracy(found, again) > 0.9


def test_interpolation_needs_no_model_of_ones_own(tmp_path: Path) -> None:
    tune = tmp_path / "jig.abc"
    tune.write_text(JIG)
    words = [
        "interpolate",
        str(tune),
        str(tune),
        "--bars",
        "4",
        "--steps",
        "2",
        "--out",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(
        app, [*words, "--home", str(tmp_path / "home"), "--json"], catch_exceptions=False
    )
    items = json.loads(done.stdout)["items"]
    assert len(items) == 2
    assert len(list((tmp_path / "out").glob("*.mid"))) == 2
