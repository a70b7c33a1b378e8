"""Forecasts of short weekly series, each measured against a naive one before it is believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
Origins = Sequence[int]
"""Where forecasts start: the number of values that each knows, 1 and above."""
Method = Callable[[Series, Origins, int], Series]
"""Forecasts of a series from some origins over a horizon, shape (len(origins), horizon); each knows
nothing from its origin on."""

_LEVELS: Final = (0.1, 0.3, 0.5, 0.8)
_SLOPES: Final = (0.05, 0.2, 0.5)
_DAMPINGS: Final = (0.8, 0.9, 0.98)
LEAST: Final = 12
"""Weeks without which nothing is forecast."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected, and how far such expectations were off."""

    method: str
    """`damped trend`, `mean of four weeks`, or `naive` (the last value goes on)."""
    values: Series
    """Of the weeks to come."""
    mase: float
    """Mean absolute scaled error of the chosen method on weeks that it was not chosen on; NaN where
    there are too few."""
    naive_mase: float
    """The same of the naive method on the same origins."""


def forecast(series: Series, horizon: int = 4) -> Forecast | None:
    """Forecast a series; nothing if it has fewer than 12 values.

    The method with the least error over the earlier half of the rolling origins is taken, and its
    error over those told that forecast only weeks which the choice has not seen.

    Source: damped trend, Gardner & McKenzie 1985; MASE, Hyndman & Koehler 2006.

    Args:
        series: shape (n,), one value a week, the oldest first.
        horizon: 1 or more weeks.
    """
    if len(series) < LEAST or horizon < 1:
        return None
    origins = list(range(max(LEAST - horizon, len(series) // 2), len(series) - horizon + 1))
    middle = (len(origins) + 1) // 2
    errors = {name: mase_at(series, origins, method, horizon) for name, method in METHODS.items()}
    early = {name: np.nan_to_num(_mean(found[:middle]), nan=np.inf) for name, found in errors.items()}
    chosen = min(METHODS, key=lambda name: (early[name], name != "naive"))
    values = np.maximum(METHODS[chosen](series, [len(series)], horizon)[0], 0.0)
    unseen = slice(middle + horizon - 1, None)
    return Forecast(chosen, values, _mean(errors[chosen][unseen]), _mean(errors["naive"][unseen]))


def mase_at(series: Series, origins: Origins, method: Method, horizon: int) -> Series:
    """Mean absolute scaled error of each rolling origin, shape (len(origins),).

    Scaled by the mean absolute change from week to week before the origin; NaN where nothing changed.
    """
    out = np.full(len(origins), np.nan)
    if not len(origins):
        return out
    for i, (origin, expected) in enumerate(zip(origins, method(series, origins, horizon), strict=True)):
        future = series[origin : origin + horizon]
        scale = float(np.abs(np.diff(series[:origin])).mean())
        if scale > 0:
            out[i] = np.abs(expected[: len(future)] - future).mean() / scale
    return out


def naive(series: Series, origins: Origins, horizon: int) -> Series:
    """The last value goes on."""
    return np.repeat([[series[origin - 1]] for origin in origins], horizon, axis=1)


def recent_mean(series: Series, origins: Origins, horizon: int) -> Series:
    """The mean of the last four values goes on."""
    return np.repeat([[series[max(origin - 4, 0) : origin].mean()] for origin in origins], horizon, axis=1)


def damped_trend(series: Series, origins: Origins, horizon: int) -> Series:
    """Holt's linear trend, damped; smoothing and damping by least squares one step ahead, on a grid.

    All of the grid at once, and once through the series: what holds at an origin depends on nothing after.
    """
    alpha, beta, phi = np.array(list(product(_LEVELS, _SLOPES, _DAMPINGS))).T
    level, slope, loss = np.full(len(phi), series[0]), np.zeros(len(phi)), np.zeros(len(phi))
    states = [(level, slope, loss)]
    for value in series[1:].tolist():
        expected = level + phi * slope
        loss = loss + (value - expected) ** 2
        new = alpha * value + (1 - alpha) * expected
        slope = beta * (new - level) + (1 - beta) * phi * slope
        level = new
        states.append((level, slope, loss))
    out = np.zeros((len(origins), horizon))
    for i, origin in enumerate(origins):
        level, slope, loss = states[origin - 1]
        best = int(np.argmin(loss))
        out[i] = level[best] + slope[best] * np.cumsum(phi[best] ** np.arange(1, horizon + 1))
    return out


METHODS: Final[dict[str, Method]] = {
    "naive": naive,
    "mean of four weeks": recent_mean,
    "damped trend": damped_trend,
}


def _mean(values: Series) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
