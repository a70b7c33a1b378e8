"""Compose and embed with a VAE."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from troubadour.core.errors import InputError, ModelError
from troubadour.generation.constraints.pitches import scale
from troubadour.generation.loading import DOCUMENT, WEIGHTS, read_document
from troubadour.generation.network_spec import FULL, Precision
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief
from troubadour.generation.style_defaults import StyleDefaults
from troubadour.generation.style_statistics import StyleStatistics
from troubadour.models.vae.latent_map import ATTRIBUTES, TONIC, LatentMap, normalised
from troubadour.models.vae.passages import (
    HIGHEST,
    HOLD,
    LENGTHS,
    LOWEST,
    METRES,
    PAD,
    PITCH,
    REST,
    STEPS,
    Passage,
    passages,
    steps_of,
)
from troubadour.models.vae.runtime import VaeRuntime
from troubadour.models.vae.space import Sampling, Space
from troubadour.models.vae.spec import VaeSpec
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Score
from troubadour.tokens.vocabulary import N_DENSITIES

Floats = NDArray[np.float32]
_ALIKE: Final = 0.5
"""How far, in standard deviations of its style, each further stretch of 16 bars lies from the first."""
_EMBEDDED: Final = 4
"""Bars of the passages whose latent vectors describe a piece."""


class VaeComposer:
    """A VAE behind `Composer` and `Encoder`, one voice at a time.

    All bars are written at once from a latent vector of the style. What that cannot hold to is refused:
    upbeats, chords, given notes, hard densities, a limit on what is common with other music.

    Args:
        spec: shape of the networks.
        weights: arrays by name.
        profiles: what each style is usually like; the empty name stands for any melody.
        latent_map: where the styles lie.
        name: names the vector space of `embed`.
        threads: has no effect; NumPy's own threads are set for the whole process.
    """

    kind: ClassVar[str] = "vae"
    spec_type: ClassVar[type[VaeSpec]] = VaeSpec
    exact_nats: ClassVar[bool] = False
    """`bar_nats` is the negative ELBO."""

    def __init__(
        self,
        spec: VaeSpec,
        weights: Mapping[str, NDArray[Any]],
        profiles: Mapping[str, StyleStatistics],
        latent_map: LatentMap,
        name: str = "",
        threads: int = 1,
    ) -> None:
        self.spec, self.name = spec, name or self.kind
        self._weights = dict(weights)
        alone = {
            k: v for k, v in profiles.items() if all(p.endswith(":1") and " " not in p for p in v.programs)
        }
        styles = sorted({r.split("|")[0] for r in latent_map.regions} - {""})
        self._book = StyleDefaults({**alone, "": profiles[""]}, styles)
        self.space = Space(VaeRuntime(spec, weights), latent_map)

    @property
    def styles(self) -> tuple[str, ...]:
        """See `Composer.styles`."""
        return self._book.styles

    @property
    def weights(self) -> Mapping[str, NDArray[Any]]:
        """Arrays by name, as they were given."""
        return self._weights

    @property
    def profiles(self) -> Mapping[str, StyleStatistics]:
        """What each style is usually like; the empty name stands for any melody."""
        return self._book.profiles

    def complete(self, brief: Brief, rng: np.random.Generator) -> Brief:
        """See `StyleDefaults.complete`; a metre that the grid has not is drawn anew where it is open."""
        brief = replace(brief, upbeat=False) if brief.upbeat is None else brief
        done = self._book.complete(brief, rng)
        if brief.metre is None and done.metre not in METRES:
            return self._book.complete(replace(brief, metre=METRES[0]), rng)
        return done

    def compose(
        self, brief: Brief, rng: np.random.Generator, candidates: int = 1, corpus: Corpus | None = None
    ) -> list[Score]:
        """See `Composer.compose`. Costs about 40 ms a candidate of 16 bars.

        Raises:
            InputError: the brief asks for what a VAE cannot hold to, or for things that clash.
        """
        _refuse(brief)
        if not brief.is_complete:
            brief = self.complete(brief, rng)
        assert brief.metre is not None
        assert brief.key is not None
        assert brief.bars is not None
        steps_of(brief.metre)  # refuses a metre that is not there
        defaults = self._book.instrument_defaults(brief)
        shift = (Key(0, *brief.key).tonic - TONIC + 5) % 12 - 5
        allowed = _pitches(brief, defaults.ranges[0])
        # What sounds at pitch p is written at p - shift, in the key of the latent_map.
        written = np.zeros(128, dtype=bool)
        for pitch in np.flatnonzero(allowed).tolist():
            if LOWEST <= pitch - shift <= HIGHEST:
                written[pitch - shift] = True
        if not written.any():
            raise InputError("lowest, highest, ranges and key clash: no pitch is left")
        sampling = Sampling(brief.temperature, brief.top_p, written)
        program = defaults.programs[0][0] if brief.instruments is None else brief.instruments[0]
        return [self._piece(brief, sampling, shift, program, r) for r in rng.spawn(candidates)]

    def _piece(
        self, brief: Brief, sampling: Sampling, shift: int, program: int, rng: np.random.Generator
    ) -> Score:
        assert brief.metre is not None
        assert brief.key is not None
        assert brief.bars is not None
        mode, style = brief.key[1], brief.style or ""
        (z,) = self.space.sample(style, mode, 1, rng, brief.guidance, width=min(1.0, brief.temperature))
        if brief.density is not None:
            # Densities are told in eight levels; the middle one is where a style is.
            amount = (brief.density - (N_DENSITIES - 1) / 2) / 2
            z = z + np.float32(amount) * self.space.latent_map.directions[ATTRIBUTES.index("density")]
        bars: list[NDArray[np.uint8]] = []
        while sum(len(b) for b in bars) < brief.bars:
            if bars:
                noise = rng.standard_normal(len(z)).astype(np.float32)
                z = z + np.float32(_ALIKE) * self.space.latent_map.spread @ noise
            like = Passage(_rests(LENGTHS[-1], brief.metre), brief.metre, (2, mode))
            (made,) = self.space.decode(z[None], like, rng, sampling)
            left = brief.bars - sum(len(b) for b in bars)
            # The end of a passage closes, so that is what a short rest of bars is taken from.
            bars.append(made.grid[max(0, LENGTHS[-1] - left) :])
        grid = np.concatenate(bars)
        if brief.cadence is not False:
            _close(grid, brief, sampling)
        moved = Passage(grid, brief.metre).transpose(shift)
        assert moved is not None
        made = Passage(moved.grid, brief.metre, brief.key, brief.tempo_bpm or 120.0)
        return quantise(made.score(program))

    def embed(self, scores: list[Score]) -> Floats:
        """Mean latent vector of each quantised score's passages of four bars, in one key, unit length.

        A row is NaN where there is no such passage: fewer than four bars, or other metres than `METRES`.
        """
        out = np.full((len(scores), self.spec.latent), np.nan, dtype=np.float32)
        for row, score in enumerate(scores):
            found = [normalised(p) for p in passages(score, _EMBEDDED, stride=2)]
            if found:
                mean = self.space.encode(found).mean(axis=0)
                out[row] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        return out

    def bar_nats(self, melodies: Sequence[Passage], rng: np.random.Generator) -> NDArray[np.float64]:
        """See `Scorable.bar_nats`: the negative ELBO with one draw of the latent vector, its share included."""
        bars = np.array([m.bars for m in melodies], dtype=np.float64)
        return np.asarray(self.space.nats(melodies, rng) / bars)

    @staticmethod
    def train(*job: Any) -> Any:
        """See `models.families.TrainsItself`; loads torch."""
        from troubadour.models.vae.training import train_vae

        return train_vae(*job)

    def save(self, folder: Path) -> None:
        """Write weights (fp16 safetensors) and everything else (JSON) into a folder."""
        latent_map = self.space.latent_map
        half = {
            k: np.asarray(v).astype(np.float16) for k, v in {**self._weights, **latent_map.arrays()}.items()
        }
        (folder / WEIGHTS).write_bytes(save(half))
        document = {
            "kind": self.kind,
            "name": self.name,
            "spec": self.spec.to_dict(),
            "regions": list(latent_map.regions),
            "scales": dict(zip(ATTRIBUTES, latent_map.scales, strict=True)),
            "profiles": {k: v.to_dict() for k, v in self._book.profiles.items()},
        }
        (folder / DOCUMENT).write_text(json.dumps(document, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path, threads: int = 1, precision: Precision = FULL) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: a file is missing, damaged, of another version or of another family.
        """
        try:
            document = read_document(folder, cls.kind)
            arrays = load((folder / WEIGHTS).read_bytes())
            spec = VaeSpec.from_dict(document["spec"])
            latent_map = LatentMap.of(document["regions"], document["scales"], arrays)
            profiles = {k: StyleStatistics.from_dict(v) for k, v in document["profiles"].items()}
            weights = {k: v for k, v in arrays.items() if not k.startswith("atlas.")}
            return cls(spec, weights, profiles, latent_map, document["name"], threads)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"{folder}: no composer can be read there: {error}") from error


def _refuse(brief: Brief) -> None:
    """Refuse the controls that a VAE cannot meet."""
    asked = {
        "upbeat": bool(brief.upbeat),
        "chords": brief.chords is not None,
        "notes": bool(brief.notes),
        "max_common": brief.max_common is not None,
        "strict density": brief.strict and brief.density is not None,
    }
    for name, given in asked.items():
        if given:
            raise InputError(f"{name} is set; the vae composer cannot meet it: use another family")


def _pitches(brief: Brief, usual: tuple[int, int]) -> NDArray[np.bool_]:
    """MIDI pitches that may sound, shape (128,)."""
    place = np.arange(128)
    low, high = brief.ranges[0] if brief.ranges else usual
    low = max(low, brief.lowest if brief.lowest is not None else 0)
    high = min(high, brief.highest if brief.highest is not None else 127)
    allowed = (place >= low) & (place <= high)
    if brief.strict and brief.key is not None:
        allowed &= np.isin(place % 12, list(scale(*brief.key)))
    return np.asarray(allowed)


def _close(grid: NDArray[np.uint8], brief: Brief, sampling: Sampling) -> None:
    """Let the last note be the tonic that is nearest to it, and sound to the end."""
    assert brief.metre is not None
    steps = steps_of(brief.metre)
    flat = grid[:, :steps].reshape(-1)
    onsets = np.flatnonzero((flat >= PITCH) & (flat < PAD))
    allowed = np.arange(128) if sampling.pitches is None else np.flatnonzero(sampling.pitches)
    tonics = [p for p in allowed.tolist() if p % 12 == TONIC and LOWEST <= p <= HIGHEST]
    if not tonics:
        if brief.cadence:
            raise InputError("cadence and the range clash: no tonic lies in it")
        return
    last = int(onsets[-1]) if len(onsets) else 0
    last = max(min(last, len(flat) - 2), 0)
    pitch = int(flat[onsets[-1]]) - PITCH + LOWEST if len(onsets) else tonics[0]
    flat[last] = PITCH + min(tonics, key=lambda p: (abs(p - pitch), p)) - LOWEST
    flat[last + 1 :] = HOLD
    grid[:, :steps] = flat.reshape(len(grid), steps)


def _rests(bars: int, metre: tuple[int, int]) -> NDArray[np.uint8]:
    grid = np.full((bars, STEPS), PAD, dtype=np.uint8)
    grid[:, : steps_of(metre)] = REST
    return grid
