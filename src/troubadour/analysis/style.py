"""Style classification of scores, fitted on the catalogue's labels.

Multinomial logistic regression on two groups of features. Dense features come from `music.features`
(degrees, intervals, durations, metre), without tempo and style, because readers set the tempo by the
style. Sparse features ("words") are rhythms of bars, of every fourth bar and of beats, contours of beats,
the upbeat and the number of bars. Rare styles are weighted up. Probabilities are calibrated by temperature
scaling on held-out works (Guo et al. 2017).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.analysis.beats import beat_ticks, pitched
from troubadour.core.errors import InputError, ModelError
from troubadour.music.features import FEATURES, feature_vector
from troubadour.music.melody import skyline
from troubadour.music.quantise import bars_of
from troubadour.music.score import Score

LEAST_PIECES: Final = 40
"""Smallest number of works per style."""
_LEAST_HOLDERS: Final = 12
"""Smallest number of pieces that contain a word."""
_BALANCE: Final = 0.5
"""Class weighting: 0 = equal weight per piece, 1 = equal weight per style."""
_REFERENCE_WIDTH: Final = 40
"""Each feature group is scaled as if it had this many columns, which balances the L2 penalty."""
_SPREAD: Final = 0.05
_SET_BY_STYLE: Final = ("tempo_bpm", "notes_per_second")
_KEPT: Final = tuple(
    i for i, name in enumerate(FEATURES) if not name.startswith("style_") and name not in _SET_BY_STYLE
)

_OUTLIERS: Final = {
    "polyphony": "more notes at once",
    "range_semitones": "a far wider range",
    "voices": "more voices",
}
_FAR: Final = 3.3
"""Outlier limit in standard deviations: no chorale among dance tunes exceeds 3.2, most songs and quartets do."""
_LEAST_FAR: Final = 0.5
"""Smallest outlier distance in units of `music.features`: three quarters of a note at once, half an octave, a voice."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StyleFinding:
    """Style of a piece with evidence."""

    style: str
    """Name of the style; empty if none is assigned."""
    probability: float
    others: tuple[tuple[str, float], ...]
    """Next best styles with their probabilities."""
    reasons: tuple[tuple[str, float], ...]
    """Strongest evidence against the second-best style: (feature or word, nats)."""
    why_not: str = ""
    """Reason for an empty style, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class StyleModel:
    """Fitted style classifier over d features."""

    styles: tuple[str, ...]
    words: tuple[str, ...]
    mean: Floats
    """Mean of each dense feature, then of each word, shape (d,)."""
    scale: Floats
    weights: Floats
    """Shape (n_styles, d + 1); the last column is the intercept."""
    temperature: float

    @classmethod
    def fit(
        cls,
        scores: Sequence[Score],
        labels: Sequence[str],
        works: Sequence[str],
        rng: np.random.Generator,
        *,
        least: int = LEAST_PIECES,
        strength: float = 2e-3,
    ) -> Self:
        """Fit on labelled pieces; about 3 s for 3,500.

        A tenth of the works is held out to calibrate the temperature. All pieces of one work (variants of one
        tune) are on the same side of the split.

        Args:
            scores: quantised scores.
            labels: style of each score; pieces with an empty label are ignored.
            works: work id of each score; variants share one.
            rng: determines the held-out works.
            least: smallest number of works per style.
            strength: L2 penalty of the weights.

        Raises:
            InputError: fewer than two styles have enough works.
        """
        held = {
            style: len({w for w, s in zip(works, labels, strict=True) if s == style}) for style in set(labels)
        }
        styles = tuple(sorted(s for s, n in held.items() if s and n >= least))
        if len(styles) < 2:
            raise InputError(f"{len(styles)} styles have {least} works or more; at least two are needed")
        rows = [i for i, label in enumerate(labels) if label in styles]
        facts = np.stack([_facts(scores[i]) for i in rows])
        counts = [style_words(scores[i]) for i in rows]
        gold = np.array([styles.index(labels[i]) for i in rows])
        names = sorted({works[i] for i in rows})
        back = set(rng.permutation(names)[: len(names) // 10].tolist())
        check = np.array([works[i] in back for i in rows])
        seen = Counter(word for c, out in zip(counts, check, strict=True) if not out for word in c)
        words = tuple(sorted(w for w, n in seen.items() if n >= min(_LEAST_HOLDERS, len(rows) // 10)))
        table = np.concatenate([facts, _table(counts, words)], axis=1)
        mean, scale = table[~check].mean(axis=0), table[~check].std(axis=0) + _SPREAD
        scaled = _cut((table - mean) / scale, len(words))
        first = cls(
            styles, words, mean, scale, _regress(scaled[~check], gold[~check], len(styles), strength), 1.0
        )
        temperature = _temperature(first._nats(scaled[check]), gold[check]) if check.any() else 1.0
        # The temperature is calibrated: the final fit uses all works.
        return cls(styles, words, mean, scale, _regress(scaled, gold, len(styles), strength), temperature)

    def probabilities(self, scores: Sequence[Score]) -> Floats:
        """Probability of each style for each score, shape (n, n_styles), rows summing to 1."""
        nats = self._nats(self._scaled(scores)) / self.temperature
        return _softmax(nats)

    def find(self, score: Score) -> StyleFinding:
        """Style of a quantised score; about 1 ms."""
        if len(pitched(score)) < 2:
            return StyleFinding("", 0.0, (), (), "fewer than two pitched notes")
        unlike = self._unlike(score)
        if unlike:
            return StyleFinding("", 0.0, (), (), f"unlike all training pieces: {unlike}")
        scaled = self._scaled([score])
        chance = _softmax(self._nats(scaled) / self.temperature)[0]
        order = np.argsort(-chance)
        best, rival = int(order[0]), int(order[1])
        gains = scaled[0] * (self.weights[best, :-1] - self.weights[rival, :-1])
        names = [*(FEATURES[i] for i in _KEPT), *self.words]
        top = np.argsort(-gains)[:5]
        return StyleFinding(
            self.styles[best],
            float(chance[best]),
            tuple((self.styles[i], float(chance[i])) for i in order[1:4].tolist()),
            tuple((names[i], round(float(gains[i]), 3)) for i in top.tolist() if gains[i] > 0),
        )

    def _unlike(self, score: Score) -> str:
        """Reason why a piece is an outlier of the training data; empty if it is none. Outliers get no style."""
        facts = _facts(score)
        for name, words in _OUTLIERS.items():
            at = _KEPT.index(FEATURES.index(name))
            # With uniform training data the standard deviation is small; a lower limit avoids false outliers.
            most = self.mean[at] + max(_FAR * self.scale[at], _LEAST_FAR)
            if facts[at] > most:
                return words
        return ""

    def _scaled(self, scores: Sequence[Score]) -> Floats:
        facts = np.stack([_facts(s) for s in scores])
        table = np.concatenate([facts, _table([style_words(s) for s in scores], self.words)], axis=1)
        return _cut((table - self.mean) / self.scale, len(self.words))

    def _nats(self, scaled: Floats) -> Floats:
        return np.asarray(scaled @ self.weights[:, :-1].T + self.weights[:, -1])

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """JSON-able spec and arrays to store."""
        spec = {"styles": self.styles, "words": self.words, "temperature": self.temperature}
        return spec, {"mean": self.mean, "scale": self.scale, "weights": self.weights}

    @classmethod
    def from_state(cls, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Build a model from the result of `state`.

        Raises:
            ModelError: an entry is missing or does not fit.
        """
        try:
            found = cls(
                tuple(spec["styles"]), tuple(spec["words"]), arrays["mean"], arrays["scale"],
                arrays["weights"], float(spec["temperature"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"not a stored style model: {error}") from error
        width = len(_KEPT) + len(found.words)
        if found.mean.shape != (width,) or found.weights.shape != (len(found.styles), width + 1):
            raise ModelError(
                f"the stored style model has width {found.mean.shape}; need {width}; fit it again"
            )
        return found


def style_words(score: Score) -> dict[str, float]:
    """Rhythm and contour words of the first track's melody, with their frequency per bar.

    `bar 0 24 36` is the rhythm of a bar (onset ticks, 24 per quarter), `close ...` that of every fourth bar,
    `beat ...` that of a beat, `turn +2 -2` the intervals within a beat.
    """
    score = pitched(score)
    if not len(score):
        return {}
    bars = bars_of(score)
    first = 1 if score.upbeat_ticks else 0
    line = skyline(score, int(score.track.min()))
    onset, pitch = score.onset[line], score.pitch[line].astype(int)
    beat = beat_ticks(score.metres[0])
    edges = np.searchsorted(onset, [*bars.start.tolist(), 2**30])
    found: Counter[str] = Counter()
    for i in range(first, len(bars.start)):
        a, b = int(edges[i]), int(edges[i + 1])
        places = (onset[a:b] - bars.start[i]).tolist()
        if not places:
            continue
        rhythm = " ".join(map(str, places))
        found[f"bar {rhythm}"] += 1
        if (i - first) % 4 == 3:
            found[f"close {rhythm}"] += 1
        for start in range(0, int(bars.length[i]), beat):
            inside = [a + k for k, place in enumerate(places) if start <= place < start + beat]
            found["beat " + " ".join(str(int(onset[k] - bars.start[i]) - start) for k in inside)] += 1
            if 2 <= len(inside) <= 6:
                steps = np.clip(np.diff(pitch[inside]), -9, 9).tolist()
                found["turn " + " ".join(f"{s:+d}" for s in steps)] += 1
    n = max(len(bars.start) - first, 1)
    shares = {word: count / n for word, count in found.items()}
    return shares | {
        f"upbeat {score.upbeat_ticks}": 0.5,
        f"bars {min(n, 40)}": 0.5,
        f"metre {score.metres[0].name}": 1.0,
    }


def _cut(scaled: Floats, words: int) -> Floats:
    """Standardised columns, clipped, with both feature groups scaled to the reference width."""
    # Clipping limits the confidence for pieces unlike the training data.
    cut = np.clip(scaled, -6.0, 6.0)
    facts = cut.shape[1] - words
    cut[:, :facts] /= np.sqrt(max(facts, 1) / _REFERENCE_WIDTH)
    cut[:, facts:] /= np.sqrt(max(words, 1) / _REFERENCE_WIDTH)
    return cut


def _facts(score: Score) -> Floats:
    return feature_vector(score, "")[list(_KEPT)].astype(np.float64)


def _table(counts: Sequence[dict[str, float]], words: Sequence[str]) -> Floats:
    column = {word: i for i, word in enumerate(words)}
    out = np.zeros((len(counts), len(words)))
    for row, own in enumerate(counts):
        for word, share in own.items():
            if word in column:
                out[row, column[word]] = np.sqrt(share)
    return out


def _softmax(nats: Floats) -> Floats:
    chance = np.exp(nats - nats.max(axis=1, keepdims=True))
    out: Floats = chance / chance.sum(axis=1, keepdims=True)
    return out


def _regress(table: Floats, gold: NDArray[np.int64], k: int, strength: float) -> Floats:
    from scipy.optimize import minimize

    n, d = table.shape
    target = np.eye(k)[gold]
    counts = np.maximum(np.bincount(gold, minlength=k), 1)
    weight = counts[gold] ** -_BALANCE
    weight /= weight.sum()

    def loss(vector: Floats) -> tuple[float, Floats]:
        weights = vector.reshape(k, d + 1)
        chance = _softmax(table @ weights[:, :-1].T + weights[:, -1])
        value = -(weight * np.log(chance[np.arange(n), gold] + 1e-300)).sum()
        value += strength * (weights[:, :-1] ** 2).sum()
        error = (chance - target) * weight[:, None]
        slope = np.concatenate(
            [error.T @ table + 2 * strength * weights[:, :-1], error.sum(axis=0)[:, None]], axis=1
        )
        return float(value), slope.ravel()

    best = minimize(loss, np.zeros(k * (d + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(best.x).reshape(k, d + 1)


def _temperature(nats: Floats, gold: NDArray[np.int64]) -> float:
    choices = np.geomspace(0.5, 4.0, 43)
    losses = [-np.log(_softmax(nats / t)[np.arange(len(gold)), gold] + 1e-300).mean() for t in choices]
    return float(choices[int(np.argmin(losses))])
