"""`strict` with a key means the same scale for every family; in minor with both sixths and both sevenths."""

from __future__ import annotations

import numpy as np
import pytest
from tests.models.test_contract import random_lstm

from troubadour.generation.constraints.pitches import scale
from troubadour.generation.protocols import Composer
from troubadour.generation.request import Brief
from troubadour.models.vae.composer import VaeComposer
from troubadour.music.score import MODES, Score

A_MINOR = {9, 11, 0, 2, 4, 5, 6, 7, 8}
RAISED = {6, 8}


@pytest.fixture(scope="module", params=["lstm", "vae"])
def composer(request: pytest.FixtureRequest, vae: VaeComposer, pieces: list[tuple[Score, str]]) -> Composer:
    """Random weights, which take every pitch that they may."""
    return vae if request.param == "vae" else random_lstm(pieces)


def classes(composer: Composer, key: tuple[int, str]) -> set[int]:
    brief = Brief(key=key, strict=True, metre=(4, 4), bars=16, style="march", temperature=2.0, top_p=1.0)
    found = [composer.compose(brief, np.random.default_rng(seed))[0] for seed in range(4)]
    return {int(pitch) % 12 for score in found for pitch in score.pitch}


def test_minor_has_its_natural_and_raised_sixth_and_seventh(composer: Composer) -> None:
    assert classes(composer, (0, "minor")) == A_MINOR


def test_no_other_mode_has_a_raised_note(composer: Composer) -> None:
    for mode in MODES:
        found = classes(composer, (0, mode))
        assert found <= scale(0, mode)
        assert bool(found & RAISED) == (mode == "minor")
