"""More or less of an attribute: what comes out is measured, and says when it could not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from troubadour.cli import app
from troubadour.core.errors import InputError
from troubadour.formats.abc.read import read_abc
from troubadour.models.vae.attribute_transfer import Search, move
from troubadour.models.vae.composer import VaeComposer
from troubadour.models.vae.guidance import attribute_guidance
from troubadour.models.vae.latent_map import ATTRIBUTES, measure
from troubadour.models.vae.passages import HOLD, N_TOKENS, PAD, PITCH, Passage, passages
from troubadour.models.vae.space import Sampling
from troubadour.music.quantise import quantise
from troubadour.music.score import Key

from .test_shipped import JIG, shipped

TUNE = JIG.replace("|:", "|").replace(":|", "|") + JIG.partition("|:")[2].replace(":|", "|")
QUICK = Search((0.0, 2.0), (0.0, 12.0))


def value(passage: Passage, attribute: str) -> float:
    return float(measure(passage)[ATTRIBUTES.index(attribute)])


@pytest.fixture(scope="module")
def jig() -> Passage:
    """16 bars, in D major, without syncopation; each at least twice."""
    (reading,) = read_abc(TUNE, "jig")
    return next(iter(passages(quantise(reading.score), 16)))


@pytest.fixture(scope="module")
def model() -> VaeComposer:
    return shipped()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("attribute", "amount"),
    [
        ("density", -1.0),
        ("density", 1.0),
        ("range", -1.0),
        ("range", 1.0),
        ("syncopation", 1.0),
        ("mode", -1.0),
    ],
)
def test_the_model_that_ships_moves_a_jig_by_what_was_asked_for(
    model: VaeComposer, jig: Passage, attribute: str, amount: float
) -> None:
    moved = move(model.space, jig, attribute, amount)
    scale = model.space.latent_map.scales[ATTRIBUTES.index(attribute)]
    change = value(moved.passage, attribute) - value(jig, attribute)
    assert moved.reached, moved.note
    assert change * amount >= abs(amount) * scale - 1e-9
    assert moved.after == pytest.approx(value(moved.passage, attribute))
    there = jig.grid != PAD
    assert moved.alike == pytest.approx((moved.passage.grid == jig.grid)[there].mean())
    assert moved.alike > 0.7


def test_bars_that_were_equal_stay_equal(model: VaeComposer, jig: Passage) -> None:
    made = move(model.space, jig, "syncopation", 1.0, search=QUICK).passage.grid
    for a in range(16):
        for b in range(a):
            if np.array_equal(jig.grid[a], jig.grid[b]):
                assert np.array_equal(made[a], made[b])


def test_bars_given_back_leave_the_amount_and_more_of_the_tune(model: VaeComposer, jig: Passage) -> None:
    whole = move(model.space, jig, "syncopation", 1.0, search=replace(QUICK, give_back=False))
    given_back = move(model.space, jig, "syncopation", 1.0, search=QUICK)
    assert given_back.reached
    assert given_back.alike > whole.alike


def test_minor_comes_with_its_signature(model: VaeComposer, jig: Passage) -> None:
    moved = move(model.space, jig, "mode", -3.0, search=QUICK)
    assert moved.after < 0
    assert moved.passage.key == (-1, "minor")
    assert Key(0, *moved.passage.key).tonic == Key(0, *jig.key).tonic
    back = move(model.space, moved.passage, "mode", 3.0, search=QUICK)
    assert back.after > 0
    assert back.passage.key == (2, "major")


def test_what_has_no_room_comes_back_as_it_was_and_says_so(model: VaeComposer, jig: Passage) -> None:
    moved = move(model.space, jig, "syncopation", -1.0)
    assert not moved.reached
    assert "as low as can be already" in moved.note
    assert np.array_equal(moved.passage.grid, jig.grid)


def test_what_the_model_cannot_write_is_said(model: VaeComposer, jig: Passage) -> None:
    moved = move(model.space, jig, "syncopation", 20.0, search=Search((0.0, 2.0), (0.0,)))
    assert not moved.reached
    assert moved.after >= moved.before
    assert "syncopation" in moved.note
    if moved.after == moved.before:
        assert np.array_equal(moved.passage.grid, jig.grid)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("amount", [-1.0, 1.0])
def test_no_model_moves_the_wrong_way(vae: VaeComposer, jig: Passage, attribute: str, amount: float) -> None:
    moved = move(vae.space, jig, attribute, amount, search=QUICK)
    assert (value(moved.passage, attribute) - value(jig, attribute)) * amount >= 0
    assert moved.reached == (moved.note == "")


def test_nothing_asked_for_changes_nothing(vae: VaeComposer, jig: Passage) -> None:
    moved = move(vae.space, jig, "density", 0.0)
    assert moved.reached
    assert np.array_equal(moved.passage.grid, jig.grid)


def test_it_repeats_and_a_seed_finds_other_solutions(vae: VaeComposer, jig: Passage) -> None:
    def moved(seed: int | None) -> np.ndarray:
        rng = None if seed is None else np.random.default_rng(seed)
        return move(vae.space, jig, "density", -1.0, rng, Search((0.0,), (4.0,))).passage.grid

    assert np.array_equal(moved(None), moved(None))
    assert np.array_equal(moved(1), moved(1))
    assert len({moved(seed).tobytes() for seed in range(4)}) > 1


@pytest.mark.parametrize(
    ("attribute", "amount", "name"),
    [("loudness", 1.0, "loudness"), ("density", float("nan"), "amount is nan")],
)
def test_other_wishes_are_refused(
    vae: VaeComposer, jig: Passage, attribute: str, amount: float, name: str
) -> None:
    with pytest.raises(InputError, match=name):
        move(vae.space, jig, attribute, amount)
    with pytest.raises(InputError, match="has 4 bars"):
        move(vae.space, replace(jig, grid=jig.grid[:4]), "density", 1.0)


def written(jig: Passage, attribute: str, strength: float, wanted: float) -> Passage:
    """What a decoder writes that finds the tune's own tokens three nats likelier than any other."""
    choose = attribute_guidance(
        attribute,
        np.float32([strength]),
        wanted,
        jig,
        Sampling(temperature=0.0).chooser(np.random.default_rng(0)),
    )
    grid = np.full((1, *jig.grid.shape), PAD, dtype=np.int64)
    for step in range(12):
        logits = np.zeros((1, jig.bars, N_TOKENS), dtype=np.float32)
        np.put_along_axis(logits, jig.grid[None, :, step, None].astype(np.int64), 3.0, axis=-1)
        logits[..., PAD] = -np.inf
        grid[:, :, step] = choose(step, logits, grid[:, :, :step])
    return replace(jig, grid=grid[0].astype(np.uint8))


def test_a_guided_decoder_writes_more_of_the_attribute(jig: Passage) -> None:
    assert np.array_equal(written(jig, "mode", 0.0, 0.0).grid, jig.grid)
    assert value(written(jig, "density", 4.0, 4.0), "density") == 4.0
    # Less of it: pitches give way to holds, all but the first.
    assert value(written(jig, "density", -4.0, 0.0), "density") < value(jig, "density") / 8
    assert value(written(jig, "mode", 12.0, 1.0), "mode") == 1.0
    assert value(written(jig, "mode", -12.0, -1.0), "mode") == -1.0
    width = value(jig, "range")
    assert value(written(jig, "range", -4.0, width - 5), "range") <= width - 5
    notes = jig.grid[(jig.grid >= PITCH) & (jig.grid < PAD)]
    wider = written(jig, "range", 4.0, width + 5).grid
    assert notes.max() + 5 <= wider[wider < PAD].max() <= notes.max() + 7
    syncopated = written(jig, "syncopation", 4.0, 1.0)
    assert value(syncopated, "syncopation") > 0.3
    assert value(written(syncopated, "syncopation", -4.0, 0.0), "syncopation") == 0.0
    assert (written(syncopated, "syncopation", -4.0, 0.0).grid[0] != HOLD).sum() > 2


def test_the_command_says_how_far_it_came(tmp_path: Path) -> None:
    tune = tmp_path / "jig.abc"
    tune.write_text(TUNE)
    words = ["move", str(tune), "--attribute", "syncopation", "--amount=-1"]
    words += ["--out", str(tmp_path / "out"), "--home", str(tmp_path / "home")]
    less, more = json.loads(
        CliRunner().invoke(app, [*words, "--amount", "1", "--json"], catch_exceptions=False).stdout
    )["items"]
    assert less["reached"] is False
    assert less["generated"] is False  # it is the tune as it was
    assert more["generated"] is True
    assert "already" in less["note"]
    assert more["reached"] is True
    assert more["after"] >= more["wanted"] > more["before"] == 0.0
    told = CliRunner().invoke(app, words, catch_exceptions=False).stdout
    assert "from 0.0 to" in told
    assert "as low as can be already" in told
