from __future__ import annotations

import pytest
from tests.fixtures.vae import composer as random_vae
from tests.models.contract import AutoregressiveContract, ComposerContract, random_weights

from troubadour.core.registry import names
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.style_statistics import style_statistics
from troubadour.models.lstm.composer import LstmComposer
from troubadour.models.lstm.spec import LstmSpec
from troubadour.models.transformer.composer import TransformerComposer
from troubadour.models.transformer.spec import TransformerSpec
from troubadour.models.vae.composer import VaeComposer
from troubadour.music.score import Score

STYLES = ("jig", "march", "song")
Pieces = list[tuple[Score, str]]


def inputs(spec: TransformerSpec | LstmSpec) -> dict[str, tuple[int, ...]]:
    return {
        "token.weight": (spec.tokens, spec.width),
        "norm.weight": (spec.width,),
        **{f"feature.{i}.weight": (n, spec.width) for i, n in enumerate(spec.features)},
    }


class TestTransformer(AutoregressiveContract):
    @pytest.fixture(scope="class")
    @classmethod
    def composer(cls, pieces: Pieces) -> AutoregressiveComposer:
        spec = TransformerSpec(width=32, layers=2, head=16, hidden=64, styles=STYLES)
        width, hidden = spec.width, spec.hidden
        shapes = inputs(spec)
        for i in range(spec.layers):
            at = f"layer.{i}."
            shapes |= {f"{at}attention_norm.weight": (width,), f"{at}feed_norm.weight": (width,)}
            shapes |= {f"{at}qkv.weight": (3 * width, width), f"{at}out.weight": (width, width)}
            shapes |= {f"{at}up.weight": (hidden, width), f"{at}down.weight": (width, hidden)}
        return TransformerComposer(spec, random_weights(shapes), style_statistics(pieces))


def random_lstm(pieces: Pieces) -> LstmComposer:
    """A tiny LSTM with random weights and the styles of some pieces."""
    spec = LstmSpec(width=32, layers=2, styles=STYLES)
    gates = 4 * spec.width
    shapes = inputs(spec)
    for i in range(spec.layers):
        at = f"layer.{i}."
        shapes[f"{at}norm.weight"] = (spec.width,)
        for kind in ("ih", "hh"):
            shapes[f"{at}lstm.weight_{kind}_l0"] = (gates, spec.width)
            shapes[f"{at}lstm.bias_{kind}_l0"] = (gates,)
    return LstmComposer(spec, random_weights(shapes), style_statistics(pieces))


class TestLstm(AutoregressiveContract):
    @pytest.fixture(scope="class")
    @classmethod
    def composer(cls, pieces: Pieces) -> AutoregressiveComposer:
        return random_lstm(pieces)


class TestVae(ComposerContract):
    refuses = ("upbeat is set", "metre is")

    @pytest.fixture(scope="class")
    @classmethod
    def composer(cls, pieces: Pieces, tmp_path_factory: pytest.TempPathFactory) -> VaeComposer:
        known = {
            "": style_statistics(pieces)[""],
            **{k: v for k, v in style_statistics(pieces).items() if k in ("jig", "march")},
        }
        drawn = random_vae()
        folder = tmp_path_factory.mktemp("vae")
        VaeComposer(drawn.spec, drawn.weights, known, drawn.space.latent_map).save(folder)
        return VaeComposer.load(folder)  # with the weights as they are stored


def test_every_registered_composer_passes_through_the_suite() -> None:
    suites = [*ComposerContract.__subclasses__(), *AutoregressiveContract.__subclasses__()]
    tested = {cls.__name__.removeprefix("Test").lower() for cls in suites}
    assert {n for n in names("composers") if n in ("transformer", "lstm", "vae")} <= tested
