"""A tiny VAE with random weights."""

from __future__ import annotations

import numpy as np
import pytest

from troubadour.composers.profiles import Profile
from troubadour.composers.vae.atlas import ATTRIBUTES, Atlas
from troubadour.composers.vae.composer import VaeComposer
from troubadour.composers.vae.engine import shapes
from troubadour.composers.vae.spec import VaeSpec

SPEC = VaeSpec(latent=12, width=32, token=8, hidden=48, head=16)


def composer(seed: int = 0) -> VaeComposer:
    """Random weights, two styles."""
    rng = np.random.default_rng(seed)
    weights = {
        name: np.ones(shape) if len(shape) == 1 else rng.standard_normal(shape) * shape[1] ** -0.5
        for name, shape in shapes(SPEC).items()
    }
    regions = ("|major", "|minor", "jig|major", "march|minor")
    atlas = Atlas(
        regions,
        rng.standard_normal((len(regions), SPEC.latent)).astype(np.float32),
        np.eye(SPEC.latent, dtype=np.float32),
        rng.standard_normal((len(ATTRIBUTES), SPEC.latent)).astype(np.float32),
        (0.7, 3.7, 0.03, 0.6),
    )
    return VaeComposer(
        SPEC, weights, {"jig": profile("6/8"), "march": profile("4/4"), "": profile("4/4")}, atlas
    )


def profile(metre: str) -> Profile:
    return Profile(
        pieces=9, bars={"16": 9}, metres={metre: 9}, keys={"2 major": 9}, tempos={f"{metre} 120": 9},
        programs={"40:1": 9}, ranges=((57, 81),),
    )  # fmt: skip


@pytest.fixture(scope="session")
def vae() -> VaeComposer:
    """A tiny VAE."""
    return composer()
