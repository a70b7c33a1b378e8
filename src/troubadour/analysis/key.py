"""Key finding: global key, local keys, and evidence.

The global key is one of 48 candidates (12 tonics, four modes). Features are the durations of the scale
degrees, the degrees of bass and melody at the start and the end, and rising semitone steps (leading
notes). They are weighted by a conditional logit (McFadden 1974) fitted to notated keys. The weights
generalise the key profiles of Krumhansl (1990) and of Albrecht & Shanahan (2013). Local keys are a Viterbi
path over bars (as in Temperley 2001, chapter 7). A chord loop has no cadence; it is treated as if it ended
on its first chord (`loops.py`).
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
"""Feature groups, each a distribution over the 12 degrees."""
_CHANGE: Final = 5.0
"""Cost of a change of the local key, in nats."""
_LOCAL: Final = 20.0
"""Weight of the degree durations in a bar and its neighbours, relative to the global key."""
_HOME: Final = 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KeyEvidence:
    """Evidence of one feature for a key against the second-best one."""

    what: str
    """Feature group and scale degree (1 to 7, with b or #), such as `last bass: 1`."""
    weight: float
    """Log odds in nats, positive = in favour."""


@dataclass(frozen=True, slots=True)
class KeyRegion:
    """Range of bars in one key."""

    key: str
    bars: tuple[int, int]
    """First and last bar, 1-based, inclusive (0 = upbeat)."""


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """Key of a score with probability, evidence and local keys."""

    key: str
    """Name such as `D dorian`; empty for a score without pitched notes."""
    fifths: int
    mode: str
    probability: float
    """0 to 1, calibrated on held-out works (see the benchmark)."""
    others: tuple[tuple[str, float], ...]
    """Next best keys with their probabilities."""
    reasons: tuple[KeyEvidence, ...]
    """Evidence, strongest first."""
    notated: str
    """Key signature of the score."""
    regions: tuple[KeyRegion, ...]
    """Local keys in order; more than one if the piece modulates."""

    @property
    def tonic(self) -> int:
        """Pitch class of the tonic, 0 to 11."""
        return Key(0, self.fifths, self.mode).tonic


@dataclass(frozen=True, slots=True, eq=False)
class KeyModel:
    """Weights of the key finder for four modes."""

    weights: Floats
    """Weights of the degrees, shape (n_modes, n_parts, 12)."""
    prior: Floats
    """Prior of each mode in nats, shape (n_modes,)."""
    profiles: Floats
    """Distribution of durations over degrees in each mode, shape (n_modes, 12), rows summing to 1."""

    def scores(self, parts: Floats) -> Floats:
        """Scores of all candidates in nats, shape (12 tonics, 4 modes), from features of shape (n_parts, 12)."""
        turned = np.stack([np.roll(parts, -tonic, axis=1) for tonic in range(12)])
        found: Floats = np.einsum("tpd,mpd->tm", turned, self.weights) + self.prior
        return found

    @classmethod
    def shipped(cls) -> KeyModel:
        """Installed model, fitted on the training split of the built-in collections.

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
        raise ModelError(
            f"the installed key model cannot be read: {error}; install Troubadour again"
        ) from error
    if weights.shape != (len(KEY_MODES), len(PARTS), 12) or profiles.shape != (len(KEY_MODES), 12):
        raise ModelError(f"the installed key model has shape {weights.shape}; install Troubadour again")
    return KeyModel(weights, prior, profiles)


def find_key(score: Score, model: KeyModel | None = None) -> KeyFinding:
    """Key and local keys of a quantised score; about 2 ms per tune.

    A score without pitched notes has no key: all fields are empty or 0.

    Args:
        score: quantised score.
        model: key model. Default: the installed one.
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
    """Key of a tonic in its simplest spelling (fewest accidentals; F sharp before G flat)."""
    fifths = min(range(-6, 7), key=lambda f: (Key(0, f, mode).tonic != tonic, abs(f), -f))
    return Key(0, fifths, mode)


def key_parts(score: Score, table: Beats | None = None) -> Floats:
    """Features of the key finder, shape (len(PARTS), 12): rows over pitch classes, summing to 1 or 0."""
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
    """Fit the key model to scores with known keys; a few seconds for thousands of scores.

    Args:
        parts: features of each score, shape (n, len(PARTS), 12).
        keys: n keys, with modes among `KEY_MODES`.
        strength: L2 penalty of the weights.
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
    """Evidence for the best key against the second-best one, by feature."""
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
    """Name of a scale degree given in semitones above the tonic: 0 is `1`, 3 is `b3`."""
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
    # A last bar that only changes the mode of the tonic chord is not a modulation.
    if len(found) > 1 and found[-1].bars[0] == found[-1].bars[1] and _tonic(found[-1]) == _tonic(found[-2]):
        found[-2:] = [KeyRegion(found[-2].key, (found[-2].bars[0], found[-1].bars[1]))]
    return tuple(found)


def _tonic(region: KeyRegion) -> str:
    return region.key.split(" ")[0]


def local_keys(model: KeyModel, table: Beats, home: tuple[int, int]) -> NDArray[np.int64]:
    """(tonic, mode) of each bar, shape (n_bars, 2): the path of lowest cost over the bars."""
    rows, row = np.unique(table.bar, return_inverse=True)
    sums = np.zeros((len(rows), 12))
    np.add.at(sums, row, table.plain)
    near = sums.copy()
    near[1:] += 0.5 * sums[:-1]
    near[:-1] += 0.5 * sums[1:]
    shares = near / np.maximum(near.sum(axis=1, keepdims=True), 1e-9)
    turned = np.stack([np.roll(shares, -tonic, axis=1) for tonic in range(12)], axis=1)
    nats = np.einsum("ntd,md->ntm", turned, np.log(model.profiles + 1e-3)) * _LOCAL
    # Modulations are limited to major and minor; modal neighbours of the home key count as the home key.
    nats[:, :, 2:] -= 2.0
    nats[:, home[0], home[1]] += _HOME + (2.0 if home[1] > 1 else 0.0)
    flat = nats.reshape(len(rows), -1)
    return np.stack(np.divmod(viterbi(flat, _CHANGE), len(KEY_MODES)), axis=1)


def viterbi(nats: Floats, change: float, bonus: Floats | None = None) -> NDArray[np.int64]:
    """Best state sequence (Viterbi), shape (n,), with a cost for each change of state.

    Args:
        nats: evidence for each state at each step, shape (n, k).
        change: cost of a change of state in nats.
        bonus: gain in nats of each transition, shape (k, k).
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
