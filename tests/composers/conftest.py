"""A tiny network with random weights, and folk-like tunes to train it on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from troubadour.composers.spec import TransformerSpec
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Metre, Score, Tempo, Track

SPEC = TransformerSpec(
    width=32, layers=2, head=16, hidden=64, context=2048, dropout=0.1, styles=("jig", "march", "song")
)


def tune(seed: int, style: str, bars: int = 8) -> Score:
    """A walk up and down the scale of D (jig), or of A minor: enough order to be learnt."""
    rng = np.random.default_rng(seed)
    jig = style == "jig"
    scale = (62, 64, 66, 67, 69, 71, 73, 74) if jig else (57, 59, 60, 62, 64, 65, 67, 69)
    bar = 72 if jig else 96
    place, rows = 0, []
    for onset in range(0, bars * bar, 12):
        place = int(np.clip(place + rng.integers(-1, 2), 0, 7))
        rows.append((onset, 12, scale[place], 80, 0))
    rows[-1] = (*rows[-1][:2], scale[0], 80, 0)
    return quantise(
        Score.from_notes(
            rows,
            ticks_per_quarter=24,
            tracks=(Track(40 if jig else 73),),
            metres=(Metre(0, 6, 8) if jig else Metre(0, 4, 4),),
            keys=(Key(0, 2, "major") if jig else Key(0, 0, "minor"),),
            tempos=(Tempo(0, 176.0 if jig else 116.0),),
        )
    )


@pytest.fixture(scope="session")
def spec() -> TransformerSpec:
    """Two layers of width 32."""
    return SPEC


@pytest.fixture(scope="session")
def pieces() -> list[tuple[Score, str]]:
    """Sixteen jigs and marches, and four duets that count as songs."""
    melodies = [(tune(i, style, 8 if i % 2 else 16), style) for i in range(8) for style in ("jig", "march")]
    duets: list[tuple[Score, str]] = []
    for i in range(4):
        upper, lower = tune(100 + i, "march", 8), tune(200 + i, "march", 8)
        rows = np.concatenate([upper.notes(), lower.notes() - [0, 0, 12, 0, -1]])
        duets.append((upper.replace(**columns(rows), tracks=(Track(52), Track(52))), "song"))
    return melodies + duets


def columns(rows: NDArray[np.int64]) -> dict[str, NDArray[np.int32]]:
    names = ("onset", "duration", "pitch", "velocity", "track")
    return {name: rows[:, i].astype(np.int32) for i, name in enumerate(names)}


@pytest.fixture(scope="session")
def weights(spec: TransformerSpec) -> dict[str, NDArray[np.float32]]:
    """Random weights, large enough for the logits to differ."""
    rng = np.random.default_rng(11)

    def random(*shape: int) -> NDArray[np.float32]:
        return rng.normal(0, 0.15, shape).astype(np.float32)

    found = {"token.weight": random(spec.tokens, spec.width), "norm.weight": 1 + random(spec.width)}
    found |= {f"feature.{i}.weight": random(n, spec.width) for i, n in enumerate(spec.features)}
    for i in range(spec.layers):
        found |= {
            f"layer.{i}.attention_norm.weight": 1 + random(spec.width),
            f"layer.{i}.qkv.weight": random(3 * spec.width, spec.width),
            f"layer.{i}.out.weight": random(spec.width, spec.width),
            f"layer.{i}.feed_norm.weight": 1 + random(spec.width),
            f"layer.{i}.up.weight": random(spec.hidden, spec.width),
            f"layer.{i}.down.weight": random(spec.width, spec.hidden),
        }
    return found
