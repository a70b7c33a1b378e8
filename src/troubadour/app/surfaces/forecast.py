"""Forecasts of short weekly series, each evaluated against the naive forecast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
Origins = Sequence[int]
"""Forecast origins: number of values known at each, 1 or more."""
Method = Callable[[Series, Origins, int], Series]
"""Forecasts of a series from some origins over a horizon, shape (len(origins), horizon). A forecast uses
only values before its origin.
"""

_LEVELS: Final = (0.1, 0.3, 0.5, 0.8)
_SLOPES: Final = (0.05, 0.2, 0.5)
_DAMPINGS: Final = (0.8, 0.9, 0.98)
LEAST: Final = 12
"""Shortest series that is forecast, in weeks."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Forecast with the measured error of its method."""

    method: str
    """`damped trend`, `mean of four weeks`, or `naive` (last value repeated)."""
    values: Series
    """Expected values, shape (horizon,)."""
    mase: float
    """Mean absolute scaled error of the method on weeks not used to choose it; NaN if there are too few."""
    naive_mase: float
    """Mean absolute scaled error of the naive method on the same origins."""


def forecast(series: Series, horizon: int = 4) -> Forecast | None:
    """Forecast a weekly series; None if it has fewer than 12 values.

    The method with the smallest error over the earlier half of the rolling origins is chosen. The
    reported error is measured on the later half, on weeks not used for the choice.

    Source: damped trend, Gardner & McKenzie 1985; MASE, Hyndman & Koehler 2006.

    Args:
        series: shape (n,), one value per week, oldest first.
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
    """Mean absolute scaled error at each rolling origin, shape (len(origins),).

    Scaled by the mean absolute week-to-week change before the origin; NaN if that is zero.
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
    """Naive forecast: the last value repeated."""
    return np.repeat([[series[origin - 1]] for origin in origins], horizon, axis=1)


def recent_mean(series: Series, origins: Origins, horizon: int) -> Series:
    """Mean of the last four values, repeated."""
    return np.repeat([[series[max(origin - 4, 0) : origin].mean()] for origin in origins], horizon, axis=1)


def damped_trend(series: Series, origins: Origins, horizon: int) -> Series:
    """Holt's linear trend with damping; parameters by least squares one step ahead, on a grid.

    The whole grid is computed in one pass over the series; parameters at an origin use only earlier values.
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
