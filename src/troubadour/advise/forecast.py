"""Forecasts of short weekly series, each measured against a naive one before it is believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
Method = Callable[[Series, int], Series]

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
    values = np.maximum(METHODS[chosen](series, horizon), 0.0)
    unseen = slice(middle + horizon - 1, None)
    return Forecast(chosen, values, _mean(errors[chosen][unseen]), _mean(errors["naive"][unseen]))


def mase_at(series: Series, origins: list[int], method: Method, horizon: int) -> Series:
    """Mean absolute scaled error of each rolling origin, shape (len(origins),).

    Scaled by the mean absolute change from week to week before the origin; NaN where nothing changed.
    """
    out = np.full(len(origins), np.nan)
    for i, origin in enumerate(origins):
        seen, future = series[:origin], series[origin : origin + horizon]
        scale = float(np.abs(np.diff(seen)).mean())
        if scale > 0:
            out[i] = np.abs(method(seen, horizon)[: len(future)] - future).mean() / scale
    return out


def naive(series: Series, horizon: int) -> Series:
    """The last value goes on."""
    return np.full(horizon, series[-1])


def recent_mean(series: Series, horizon: int) -> Series:
    """The mean of the last four values goes on."""
    return np.full(horizon, series[-4:].mean())


def damped_trend(series: Series, horizon: int) -> Series:
    """Holt's linear trend, damped; smoothing and damping by least squares one step ahead, on a grid."""
    best, found = np.inf, naive(series, horizon)
    for alpha, beta, phi in product(_LEVELS, _SLOPES, _DAMPINGS):
        level, slope, loss = float(series[0]), 0.0, 0.0
        for value in series[1:].tolist():
            expected = level + phi * slope
            loss += (value - expected) ** 2
            new = alpha * value + (1 - alpha) * expected
            slope = beta * (new - level) + (1 - beta) * phi * slope
            level = new
        if loss < best:
            best = loss
            found = level + slope * np.cumsum(phi ** np.arange(1, horizon + 1))
    return found


METHODS: Final[dict[str, Method]] = {
    "naive": naive,
    "mean of four weeks": recent_mean,
    "damped trend": damped_trend,
}


def _mean(values: Series) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
