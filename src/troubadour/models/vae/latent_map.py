"""Where in the latent space the styles lie, and which way an attribute grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import ModelError
from troubadour.models.vae.passages import HOLD, LOWEST, PAD, PITCH, REST, Passage, steps_of
from troubadour.music.score import Key
from troubadour.music.theory.keys import MINOR_MODES

Floats = NDArray[np.float32]

ATTRIBUTES: Final = ("density", "range", "syncopation", "mode")
TONIC: Final = 2
"""Pitch class to which all passages are brought before styles are measured: D, in the middle of the tunes."""
BRIGHT: Final = (4, 9)
"""Semitones above the tonic of the thirds and sixths of major."""
DARK: Final = (3, 8)
"""And of minor."""
_RIDGE: Final = 1.0
_FEWEST: Final = 24
"""Passages that a region has to rest on."""


@dataclass(frozen=True, slots=True)
class LatentMap:
    """Regions and directions of the latent space, of passages of 16 bars brought to `TONIC`."""

    regions: tuple[str, ...]
    """`style|major` or `style|minor`; the empty style stands for all."""
    means: Floats
    """(n_regions, latent)."""
    spread: Floats
    """Factor of the covariance within regions, (latent, latent): mean + spread @ standard normal."""
    directions: Floats
    """Of each attribute, (len(ATTRIBUTES), latent): adding it adds one standard deviation of the attribute."""
    scales: tuple[float, ...]
    """Standard deviation of each attribute in the training music, in the units of `measure`."""

    def centre(self, style: str, mode: str, guidance: float = 1.0) -> Floats:
        """Middle of a style in a mode; with guidance above 1 further from the middle of all music."""
        third = third_of(mode)
        everything = self.means[self.regions.index(f"|{third}")]
        found = everything
        for name in (f"{style}|{third}", f"{style}|{'minor' if third == 'major' else 'major'}"):
            if name in self.regions:
                found = self.means[self.regions.index(name)]
                break
        out: Floats = everything + np.float32(guidance) * (found - everything)
        return out

    def arrays(self) -> dict[str, Floats]:
        """For safetensors."""
        return {"atlas.means": self.means, "atlas.spread": self.spread, "atlas.directions": self.directions}

    @classmethod
    def of(
        cls, regions: Sequence[str], scales: Mapping[str, float], arrays: Mapping[str, NDArray[Any]]
    ) -> Self:
        """From what was stored; scales are by attribute.

        Raises:
            ModelError: a part is missing or does not fit.
        """
        try:
            means, spread, directions = (
                np.asarray(arrays[f"atlas.{name}"], dtype=np.float32)
                for name in ("means", "spread", "directions")
            )
        except KeyError as error:
            raise ModelError(f"the VAE's latent map lacks {error}") from error
        latent = means.shape[-1]
        fits = means.shape == (len(regions), latent) and spread.shape == (latent, latent)
        if not fits or directions.shape != (len(ATTRIBUTES), latent) or {"|major", "|minor"} - set(regions):
            raise ModelError("the VAE's latent map does not fit its regions")
        if set(scales) != set(ATTRIBUTES):
            raise ModelError(f"the VAE's scales are of {sorted(scales)}; expected {', '.join(ATTRIBUTES)}")
        return cls(tuple(regions), means, spread, directions, tuple(float(scales[a]) for a in ATTRIBUTES))


def latent_map_of(latents: Floats, passages: Sequence[Passage], styles: Sequence[str]) -> LatentMap:
    """Measure regions and directions on encoded passages.

    Args:
        latents: posterior means of the passages as `normalised`, shape (n, latent).
        styles: of each passage's piece.

    Directions are those of ridge regressions of each attribute on the latent vector, within regions, scaled
    to one standard deviation of the attribute along the data's own covariance.
    """
    z = latents.astype(np.float64)
    names = [f"{s}|{third_of(p.key[1])}" for s, p in zip(styles, passages, strict=True)]
    thirds = np.array([n.split("|")[1] for n in names])
    labels = np.array(names)
    regions: list[str] = []
    means: list[NDArray[np.float64]] = []
    for third in ("major", "minor"):
        rows = thirds == third
        regions.append(f"|{third}")
        means.append(z[rows].mean(axis=0) if rows.any() else z.mean(axis=0))
    for name in sorted(set(names)):
        rows = labels == name
        if rows.sum() >= _FEWEST and not name.startswith("|"):
            regions.append(name)
            means.append(z[rows].mean(axis=0))
    own = np.array(
        [regions.index(n) if n in regions else regions.index(f"|{n.split('|')[1]}") for n in names]
    )
    rest = z - np.stack(means)[own]
    covariance = rest.T @ rest / len(rest) + 1e-6 * np.eye(z.shape[1])
    measured = np.stack([measure(p) for p in passages])
    centred = z - z.mean(axis=0)
    total = centred.T @ centred / len(z)
    directions = []
    for column in measured.T:
        y = (column - column.mean()) / max(float(column.std()), 1e-9)
        weight = np.linalg.solve(total + _RIDGE / len(z) * np.eye(len(total)), centred.T @ y / len(z))
        step = total @ weight  # the likeliest change of z that goes with a change of y
        directions.append(step / max(float(weight @ step), 1e-9))
    return LatentMap(
        tuple(regions),
        np.stack(means).astype(np.float32),
        np.linalg.cholesky(covariance).astype(np.float32),
        np.stack(directions).astype(np.float32),
        tuple(measured.std(axis=0).tolist()),
    )


def measure(passage: Passage) -> NDArray[np.float64]:
    """The attributes of a passage, in the order of `ATTRIBUTES`.

    density: onsets a quarter; range: semitones from the lowest to the highest note; syncopation: share of
    the onsets off the eighths whose note sounds over the next one; mode: share of major thirds and sixths
    among the thirds and sixths above the tonic, less that of minor ones (-1 to 1).
    """
    steps = steps_of(passage.metre)
    flat = passage.grid[:, :steps].reshape(-1).astype(np.int64)
    onsets = np.flatnonzero((flat >= PITCH) & (flat < PAD))
    pitches = flat[onsets] - PITCH + LOWEST
    if not len(onsets):
        return np.zeros(len(ATTRIBUTES))
    held = np.append(flat[1:], REST)[onsets] == HOLD
    degrees = np.bincount((pitches - Key(0, *passage.key).tonic) % 12, minlength=12)
    bright, dark = degrees[list(BRIGHT)].sum(), degrees[list(DARK)].sum()
    return np.array([
        len(onsets) / (len(flat) / 4),
        float(pitches.max() - pitches.min()),
        float((held & (onsets % 2 == 1)).sum() / len(onsets)),
        (bright - dark) / max(bright + dark, 1),
    ])  # fmt: skip


def normalised(passage: Passage) -> Passage:
    """A passage brought to `TONIC` by the shortest way that the range allows."""
    shift = (TONIC - Key(0, *passage.key).tonic + 5) % 12 - 5
    for semitones in (shift, shift - 12, shift + 12):
        moved = passage.transpose(semitones)
        if moved is not None:
            return moved
    return passage


def third_of(mode: str) -> str:
    """`major` or `minor`, by the third of a mode."""
    return "minor" if mode in MINOR_MODES else "major"
