"""Which key a score is in, which keys it passes through, and what speaks for them.

The key of the whole is a choice among 48 candidates (12 tonics, four modes): how long each scale
degree sounds, which degree is in the bass and in the melody at the start and at the end, and which
degrees follow one another by step upwards (leading notes). Degrees are weighed by a conditional
logit (McFadden 1974) learnt from notated keys: profiles in the manner of Krumhansl (1990) and of
Albrecht & Shanahan (2013), but fitted together with what the close says. Local keys are a Viterbi
path over bars (as in Temperley 2001, chapter 7). A chord loop, which does not close, counts as if it
closed on its first chord (`loops.py`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.analysis.beats import Beats, beats, pitched
from troubadour.analysis.loops import closing_loop
from troubadour.core.errors import ModelError
from troubadour.music.score import Key, Score

KEY_MODES: Final = ("major", "minor", "dorian", "mixolydian")
PARTS: Final = ("sounding", "last bass", "last melody", "first bass", "rising semitone", "last bars")
"""What is weighed, each a share of the 12 degrees."""
_CHANGE: Final = 5.0
"""Cost of a change of local key, in nats."""
_LOCAL: Final = 20.0
"""How much the sounding degrees of a bar and its neighbours speak, beside the whole piece's key."""
_HOME: Final = 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KeyEvidence:
    """One thing that speaks for a key against the next best."""

    what: str
    """Such as `last bass: 1`: the part, and the scale degree (1 to 7, with b or #)."""
    weight: float
    """Nats in favour (negative: against)."""


@dataclass(frozen=True, slots=True)
class KeyRegion:
    """A stretch of bars in one key."""

    key: str
    bars: tuple[int, int]
    """First and last, from 1 (0 = upbeat)."""


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """The key of a score."""

    key: str
    """`D dorian`; empty where nothing has a pitch."""
    fifths: int
    mode: str
    probability: float
    """0 to 1, calibrated on held-out works (see the benchmark)."""
    others: tuple[tuple[str, float], ...]
    """The next best keys with their probabilities."""
    reasons: tuple[KeyEvidence, ...]
    """The strongest first."""
    notated: str
    """What the score itself says."""
    regions: tuple[KeyRegion, ...]
    """Keys in order; more than one where it modulates."""

    @property
    def tonic(self) -> int:
        """Pitch class of the tonic."""
        return Key(0, self.fifths, self.mode).tonic


@dataclass(frozen=True, slots=True, eq=False)
class KeyModel:
    """What was learnt of four modes."""

    weights: Floats
    """Of degrees, shape (modes, parts, 12)."""
    prior: Floats
    """One number a mode."""
    profiles: Floats
    """How long each degree sounds in each mode, shape (modes, 12), rows summing to 1."""

    def scores(self, parts: Floats) -> Floats:
        """Nats of each candidate, shape (12 tonics, 4 modes), from parts of shape (parts, 12)."""
        turned = np.stack([np.roll(parts, -tonic, axis=1) for tonic in range(12)])
        found: Floats = np.einsum("tpd,mpd->tm", turned, self.weights) + self.prior
        return found

    @classmethod
    def shipped(cls) -> KeyModel:
        """Learnt from the training split of the built-in collections.

        Raises:
            ModelError: the file is damaged.
        """
        return _shipped()


@lru_cache(maxsize=1)
def _shipped() -> KeyModel:
    try:
        document: dict[str, Any] = json.loads((files("troubadour.analysis") / "key.json").read_text())
        weights, prior, profiles = (np.array(document[n]) for n in ("weights", "prior", "profiles"))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the shipped weights of keys cannot be read: {error}") from error
    if weights.shape != (len(KEY_MODES), len(PARTS), 12) or profiles.shape != (len(KEY_MODES), 12):
        raise ModelError(f"the shipped weights of keys have shape {weights.shape}; install again")
    return KeyModel(weights, prior, profiles)


def find_key(score: Score, model: KeyModel | None = None) -> KeyFinding:
    """The key of a quantised score, and the keys that it passes through; about 2 ms a tune.

    A score without a pitched note has no key: all fields are empty or 0.
    """
    model = model or KeyModel.shipped()
    notated = score.keys[0].name
    table = beats(score)
    parts = key_parts(score, table)
    if not parts[0].any():
        return KeyFinding("", 0, "major", 0.0, (), (), notated, ())
    nats = model.scores(parts)
    chance = np.exp(nats - nats.max())
    chance /= chance.sum()
    order = np.argsort(-chance, axis=None)
    tonic, mode = divmod(int(order[0]), len(KEY_MODES))
    rival = divmod(int(order[1]), len(KEY_MODES))
    key = key_of(tonic, KEY_MODES[mode])
    others = [divmod(int(i), len(KEY_MODES)) for i in order[1:4]]
    return KeyFinding(
        key.name,
        key.fifths,
        key.mode,
        float(chance[tonic, mode]),
        tuple((key_of(t, KEY_MODES[m]).name, float(chance[t, m])) for t, m in others),
        _reasons(model, parts, (tonic, mode), rival),
        notated,
        _regions(model, table, (tonic, mode)),
    )


def key_of(tonic: int, mode: str) -> Key:
    """The key of a tonic in its commonest spelling (fewest accidentals; F sharp over G flat)."""
    fifths = min(range(-6, 7), key=lambda f: (Key(0, f, mode).tonic != tonic, abs(f), -f))
    return Key(0, fifths, mode)


def key_parts(score: Score, table: Beats | None = None) -> Floats:
    """What is weighed, shape (len(PARTS), 12): shares over pitch classes, each row summing to 1 or 0."""
    score = pitched(score)
    parts = np.zeros((len(PARTS), 12))
    if not len(score):
        return parts
    table = beats(score) if table is None else table
    parts[0] = _share(table.plain.sum(axis=0))
    end = score.onset + score.duration
    closing = end == end.max()
    parts[1, int(score.pitch[closing].min()) % 12] = 1
    parts[2, int(score.pitch[closing].max()) % 12] = 1
    parts[3, int(score.pitch[score.onset == score.onset.min()].min()) % 12] = 1
    for track in np.unique(score.track).tolist():
        line = score.pitch[score.track == track].astype(np.int64)
        rising = line[1:][np.diff(line) == 1] % 12
        np.add.at(parts[4], rising, 1.0)
    parts[4] /= max(len(score), 1) / 10
    parts[5] = _share(table.plain[table.bar >= table.bar.max() - 1].sum(axis=0))
    if loop := closing_loop(score, table):
        # A loop has no close: it is heard as if it went round once more and stopped on its first chord.
        bass, sounding = loop
        parts[1:3] = 0
        parts[1, bass] = 1
        parts[5] = _share(sounding)
    return parts


def fit_keys(parts: Floats, keys: Sequence[Key], strength: float = 1e-3) -> KeyModel:
    """Learn the weights from scores whose key is known; a few seconds for thousands.

    Args:
        parts: of each score, shape (n, len(PARTS), 12).
        keys: their keys, modes among `KEY_MODES`.
        strength: of the pull of the weights to 0.
    """
    from scipy.optimize import minimize

    turned = np.stack([np.roll(parts, -tonic, axis=2) for tonic in range(12)], axis=1)
    flat = turned.reshape(len(parts), 12, -1)
    gold = np.array([k.tonic * len(KEY_MODES) + KEY_MODES.index(k.mode) for k in keys])
    size = (len(KEY_MODES), flat.shape[2] + 1)

    def loss(vector: Floats) -> tuple[float, Floats]:
        table = vector.reshape(size)
        nats = (flat @ table[:, :-1].T + table[:, -1]).reshape(len(parts), -1)
        nats -= nats.max(axis=1, keepdims=True)
        chance = np.exp(nats)
        chance /= chance.sum(axis=1, keepdims=True)
        value = -np.log(chance[np.arange(len(gold)), gold] + 1e-300).mean()
        chance[np.arange(len(gold)), gold] -= 1
        error = chance.reshape(len(parts), 12, -1) / len(parts)
        slope = np.concatenate(
            [np.einsum("ntm,ntd->md", error, flat, optimize=True), error.sum(axis=(0, 1))[:, None]], axis=1
        )
        slope[:, :-1] += 2 * strength * table[:, :-1]
        return float(value + strength * (table[:, :-1] ** 2).sum()), slope.ravel()

    best = minimize(loss, np.zeros(size).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    table = np.asarray(best.x).reshape(size)
    sounding = np.array([np.roll(p[0], -k.tonic) for p, k in zip(parts, keys, strict=True)])
    mode = gold % len(KEY_MODES)
    profiles = np.stack([sounding[mode == m].sum(axis=0) + 1e-3 for m in range(len(KEY_MODES))])
    return KeyModel(
        table[:, :-1].reshape(len(KEY_MODES), len(PARTS), 12),
        table[:, -1],
        profiles / profiles.sum(axis=1, keepdims=True),
    )


def _reasons(
    model: KeyModel, parts: Floats, best: tuple[int, int], rival: tuple[int, int]
) -> tuple[KeyEvidence, ...]:
    """Part by part, what the best key has over the next best."""
    found: list[KeyEvidence] = []
    for i, part in enumerate(PARTS):
        gains = [np.roll(parts[i], -tonic) * model.weights[mode, i] for tonic, mode in (best, rival)]
        weight = float(gains[0].sum() - gains[1].sum())
        degree = int(np.argmax(np.abs(gains[0])))
        name = degree_name(degree)
        found.append(
            KeyEvidence(f"{part}: {name}" if parts[i].any() else f"{part}: nothing", round(weight, 3))
        )
    return tuple(sorted(found, key=lambda r: -abs(r.weight)))


def degree_name(degree: int) -> str:
    """A scale degree by its semitones above the tonic: 0 is `1`, 3 is `b3`."""
    return ("1", "b2", "2", "b3", "3", "4", "#4", "5", "b6", "6", "b7", "7")[degree % 12]


def _regions(model: KeyModel, table: Beats, home: tuple[int, int]) -> tuple[KeyRegion, ...]:
    path = local_keys(model, table, home)
    names = [key_of(int(t), KEY_MODES[int(m)]).name for t, m in path]
    found: list[KeyRegion] = []
    for name, bar in zip(names, np.unique(table.bar).tolist(), strict=True):
        if found and found[-1].key == name:
            found[-1] = KeyRegion(name, (found[-1].bars[0], bar))
        else:
            found.append(KeyRegion(name, (bar, bar)))
    # A last bar that only turns the tonic's chord to major (or minor) is no modulation.
    if len(found) > 1 and found[-1].bars[0] == found[-1].bars[1] and _tonic(found[-1]) == _tonic(found[-2]):
        found[-2:] = [KeyRegion(found[-2].key, (found[-2].bars[0], found[-1].bars[1]))]
    return tuple(found)


def _tonic(region: KeyRegion) -> str:
    return region.key.split(" ")[0]


def local_keys(model: KeyModel, table: Beats, home: tuple[int, int]) -> NDArray[np.int64]:
    """(tonic, mode) of each bar, shape (n_bars, 2): the cheapest path over the bars."""
    rows, row = np.unique(table.bar, return_inverse=True)
    sums = np.zeros((len(rows), 12))
    np.add.at(sums, row, table.plain)
    near = sums.copy()
    near[1:] += 0.5 * sums[:-1]
    near[:-1] += 0.5 * sums[1:]
    shares = near / np.maximum(near.sum(axis=1, keepdims=True), 1e-9)
    turned = np.stack([np.roll(shares, -tonic, axis=1) for tonic in range(12)], axis=1)
    nats = np.einsum("ntd,md->ntm", turned, np.log(model.profiles + 1e-3)) * _LOCAL
    # Modal neighbours of the home key are heard as the home key: only major and minor are places to go.
    nats[:, :, 2:] -= 2.0
    nats[:, home[0], home[1]] += _HOME + (2.0 if home[1] > 1 else 0.0)
    flat = nats.reshape(len(rows), -1)
    return np.stack(np.divmod(viterbi(flat, _CHANGE), len(KEY_MODES)), axis=1)


def viterbi(nats: Floats, change: float, bonus: Floats | None = None) -> NDArray[np.int64]:
    """The best path through states, shape (n,), where leaving a state costs `change` nats.

    Args:
        nats: what speaks for each state at each step, shape (n, k).
        bonus: nats that a step from a state to another gains, shape (k, k).
    """
    n, k = nats.shape
    back = np.zeros((n, k), dtype=np.int64)
    total = nats[0].copy() if n else np.zeros(k)
    for i in range(1, n):
        if bonus is None:
            best = int(np.argmax(total))
            moved = np.maximum(total, total[best] - change)
            back[i] = np.where(total >= total[best] - change, np.arange(k), best)
        else:
            step = total[:, None] + bonus - change * (1 - np.eye(k))
            back[i] = np.argmax(step, axis=0)
            moved = step[back[i], np.arange(k)]
        total = moved + nats[i]
    path = np.zeros(n, dtype=np.int64)
    if n:
        path[-1] = int(np.argmax(total))
        for i in range(n - 1, 0, -1):
            path[i - 1] = back[i, path[i]]
    return path


def _share(values: Floats) -> Floats:
    total = float(values.sum())
    return values / total if total > 0 else values
