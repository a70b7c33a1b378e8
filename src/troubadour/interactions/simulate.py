"""Simulated listeners over attributes of real pieces, for demonstrations and tests.

No public data set has both scores and listeners. Output of this module must be labelled as simulated wherever
it
is shown. An import contract keeps `recommenders`, `generation` and `models` from importing this module.

Each listener has a latent taste: affinities to styles, metres, modes and tonics, and preferred tempo,
density,
range and register. Listeners of one scene are similar, tastes drift over the year, pieces differ in exposure,
and
choices are noisy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.interactions.events import Interactions, Kind
from troubadour.interactions.id_map import IdMap

_WORDS: Final = {"style": 1.0, "metre": 0.5, "mode": 0.4, "tonic": 0.15}
"""Categorical attributes with their weights."""
_NUMBERS: Final = {
    "tempo_bpm": 0.4,
    "notes_per_bar": 0.35,
    "range_semitones": 0.25,
    "mean_pitch": 0.25,
}
_EPOCHS: Final = 6
_DAY: Final = 86_400
_FIRST: Final = (
    "Aoife", "Bram", "Chiara", "Dario", "Elena", "Finn", "Greta", "Hugo", "Ines", "Jonas", "Kaito", "Leila",
    "Mateo", "Nora", "Oisin", "Priya", "Quentin", "Rosa", "Siobhan", "Tomas", "Ulla", "Viktor", "Wanda",
    "Xenia", "Yusuf", "Zofia", "Amara", "Bashir", "Celine", "Dmitri", "Esme", "Farah", "Goran", "Hana",
    "Idris", "Juno", "Kofi", "Linnea", "Marek", "Niamh",
)  # fmt: skip
_LAST: Final = (
    "Abara", "Byrne", "Castell", "Dahl", "Eriksen", "Fontaine", "Gallagher", "Horvat", "Ito", "Jansen",
    "Keane", "Lindqvist", "Moreau", "Nowak", "Okafor", "Pereira", "Quill", "Rossi", "Sato", "Thorne",
    "Ueda", "Varga", "Whelan", "Yilmaz", "Zeller", "Ashby", "Brandt", "Cole", "Duarte", "Egan", "Fabre",
    "Grieg", "Haas", "Iversen", "Joyce", "Kovacs", "Lund", "Malone", "Novak", "Oduya",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SimulationSpec:
    """Options of the simulation."""

    listeners: int = 500
    """Number of listeners, 1 to 1,600 (the number of distinct names)."""
    events: float = 120.0
    """Mean number of events per listener, 5 or more; log-normal distribution."""
    days: int = 365
    """Length of the log in days, 7 or more."""
    start: int = 1_704_067_200
    """First day, Unix seconds."""
    scenes: int = 12
    """Number of groups of listeners with similar tastes, 1 or more."""
    strength: float = 1.6
    """Influence of taste on choices; 0 = none."""
    popularity: float = 0.7
    """Exponent of the power law of exposure; 0 = uniform."""
    drift: float = 0.35
    """Shift of tastes towards another scene within the log, 0 to 1."""
    noise: float = 0.7
    """Standard deviation of noise in each choice; taste has standard deviation 1."""

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[float, float]] = {
            "listeners": (1, len(_FIRST) * len(_LAST)),
            "events": (5, 1e5),
            "days": (7, 36_500),
            "start": (0, 2**33),
            "scenes": (1, 1000),
            "strength": (0, 10),
            "popularity": (0, 3),
            "drift": (0, 1),
            "noise": (0, 10),
        }
        for field in fields(self):
            low, high = allowed[field.name]
            value = getattr(self, field.name)
            if not low <= value <= high:
                raise InputError(f"{field.name} is {value}; allowed: {low:g} to {high:g}")


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """Simulated listeners and their log."""

    names: tuple[str, ...]
    """Names for people, one per listener, in the order of `interactions.listeners`."""
    interactions: Interactions
    """Plays with shares heard, likes, skips and ratings, over all given items."""
    simulated: bool = True
    """Always True; a label for display."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Latent variables of a simulation, for tests and evaluation only."""

    utility: NDArray[np.float32]
    """Mean utility over the log, float32, shape (n_listeners, n_items); mean 0, standard deviation 1 per
    listener."""
    favourite_style: tuple[str, ...]
    """Preferred style of each listener at the start; "" without styles."""


def simulate(
    item_ids: Sequence[str],
    attributes: Sequence[Mapping[str, float | str]],
    rng: np.random.Generator,
    spec: SimulationSpec | None = None,
) -> Simulation:
    """Simulates listeners and their events; equal seeds give equal logs.

    Cost: about a second for 500 listeners, 4,800 items and 120 events per listener.

    Args:
        item_ids: distinct ids of pieces, at least one.
        attributes: of each piece, from `features.attributes`, with `style` if known. Used: style, metre,
            mode,
            tonic, tempo_bpm, notes_per_bar, range_semitones, mean_pitch. Missing attributes have no
            influence.
        rng: source of randomness.
        spec: options; None = defaults.

    Raises:
        InputError: there is no item, or the numbers of ids and attributes differ.
    """
    return simulate_with_truth(item_ids, attributes, rng, spec)[0]


def simulate_with_truth(
    item_ids: Sequence[str],
    attributes: Sequence[Mapping[str, float | str]],
    rng: np.random.Generator,
    spec: SimulationSpec | None = None,
) -> tuple[Simulation, Truth]:
    """Simulates as `simulate`, and returns the latent variables; models must never receive them."""
    spec = spec or SimulationSpec()
    if not item_ids or len(item_ids) != len(attributes):
        raise InputError(
            f"{len(item_ids)} item ids and {len(attributes)} attributes; need equal numbers of 1 and above"
        )
    traits, weights, styles = _traits(attributes)
    before, after = (_tastes(traits, weights, rng, spec) for _ in range(2))
    exposure = _exposure(len(item_ids), rng, spec)
    columns: list[NDArray[Any]] = []
    total = np.zeros((spec.listeners, len(item_ids)), dtype=np.float32)
    counts = _counts(rng, spec)
    for listener in range(spec.listeners):
        shares = np.linspace(0.0, spec.drift, _EPOCHS)[:, None]
        taste = (1 - shares) * before[listener] + shares * after[listener]
        utility = _standardised(taste @ traits.T)
        total[listener] = utility.mean(axis=0)
        events = _events(utility, exposure, int(counts[listener]), rng, spec)
        columns.append(np.concatenate([np.full((1, events.shape[1]), listener), events]))
    listener, item, kind, value, time = np.concatenate(columns, axis=1)
    ids = IdMap(f"sim-{number:04d}" for number in range(1, spec.listeners + 1))
    log = Interactions(
        listener.astype(np.int32),
        item.astype(np.int32),
        kind.astype(np.uint8),
        value.astype(np.float32),
        time.astype(np.int64),
        ids,
        IdMap(item_ids),
    )
    likes = before[:, : len(styles)].argmax(axis=1) if styles else None
    favourites = [""] * spec.listeners if likes is None else [styles[i] for i in likes]
    truth = Truth(_standardised(total).astype(np.float32), tuple(favourites))
    return Simulation(_names(spec.listeners, rng), log), truth


def _traits(
    attributes: Sequence[Mapping[str, float | str]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Returns item traits (n, d), trait weights (d,), and the styles, which are the first traits."""
    blocks: list[NDArray[np.float64]] = []
    weights: list[float] = []
    styles: list[str] = []
    for name, weight in _WORDS.items():
        words = [str(a.get(name, "")) for a in attributes]
        values = sorted({word for word in words if word})
        if name == "style":
            styles = values
        block = np.array([[word == v for v in values] for word in words], dtype=np.float64)
        # Traits of less than 1% of all items have no strong affinities.
        weights += (weight * np.sqrt(np.minimum(1.0, 100 * block.mean(axis=0)))).tolist()
        blocks.append(block.reshape(len(words), len(values)))
    for name, weight in _NUMBERS.items():
        numbers = np.array([float(a.get(name, np.nan)) for a in attributes])
        known = numbers[np.isfinite(numbers)]
        middle, width = (known.mean(), known.std()) if len(known) else (0.0, 0.0)
        z = np.nan_to_num((numbers - middle) / (width or 1.0))
        # A linear and a quadratic trait give a preferred value: a - b z^2 + c z has its maximum at c / 2b.
        z = np.clip(z, -3, 3)
        blocks.append(np.stack([z, 0.5 - 0.5 * z**2], axis=1))
        weights += [weight, weight * 0.6]
    return np.concatenate(blocks, axis=1), np.array(weights), styles


def _tastes(
    traits: NDArray[np.float64],
    weights: NDArray[np.float64],
    rng: np.random.Generator,
    spec: SimulationSpec,
) -> NDArray[np.float64]:
    """Draws latent tastes, shape (n_listeners, n_traits): taste of the scene plus individual deviation."""
    if not len(weights):
        return np.zeros((spec.listeners, 0))
    scenes = rng.standard_normal((spec.scenes, len(weights)))
    # Each scene prefers a few traits, drawn by their frequency in the catalogue.
    common = np.sqrt(np.clip(traits.mean(axis=0), 1e-3, 1.0))
    for scene in scenes:
        loved = rng.choice(len(weights), size=2, p=common / common.sum())
        scene[loved] = 3.0
    main = rng.integers(0, spec.scenes, spec.listeners)
    other = rng.integers(0, spec.scenes, spec.listeners)
    share = rng.beta(1.2, 4.0, spec.listeners)[:, None]
    personal = rng.standard_normal((spec.listeners, len(weights)))
    taste = (1 - share) * scenes[main] + share * scenes[other] + 0.45 * personal
    return np.asarray(taste * weights)


def _exposure(n: int, rng: np.random.Generator, spec: SimulationSpec) -> NDArray[np.float64]:
    """Draws the logarithm of each item's exposure, shape (n,)."""
    return np.asarray(-spec.popularity * np.log(rng.permutation(n) + 1.0))


def _counts(rng: np.random.Generator, spec: SimulationSpec) -> NDArray[np.int64]:
    """Draws the number of choices of each listener; likes and ratings add about 10% of events."""
    spread = 0.6
    scale = spec.events / 1.1 / np.exp(spread**2 / 2)
    counts = np.rint(scale * rng.lognormal(0, spread, spec.listeners))
    return np.asarray(np.maximum(3, counts), dtype=np.int64)


def _events(
    utility: NDArray[np.float64],
    exposure: NDArray[np.float64],
    n: int,
    rng: np.random.Generator,
    spec: SimulationSpec,
) -> NDArray[np.float64]:
    """Simulates one listener; rows (item, kind, value, time), shape (4, n_events)."""
    time = _times(n, rng, spec)
    epoch = np.minimum((time - spec.start) * _EPOCHS // (spec.days * _DAY), _EPOCHS - 1)
    by_chance = rng.random(n) < 0.1  # chosen by exposure alone, as from radio or friends
    item = np.empty(n, dtype=np.int64)
    for chance in (False, True):
        for e in range(_EPOCHS):
            rows = np.flatnonzero((epoch == e) & (by_chance == chance))
            logits = exposure + (0.0 if chance else spec.strength) * utility[e]
            share = np.cumsum(np.exp(logits - logits.max()))
            drawn = np.searchsorted(share, rng.random(len(rows)) * share[-1], side="right")
            item[rows] = np.minimum(drawn, len(share) - 1)
    again = np.flatnonzero(rng.random(n) < 0.2)
    for row in again[again > 0].tolist():
        earlier = item[rng.integers(0, row, 3)]
        item[row] = earlier[utility[epoch[row], earlier].argmax()]  # a repeat of a favourite

    mood = utility[epoch, item] + rng.normal(0, spec.noise, n)
    skipped = rng.random(n) < _logistic(-1.5 * mood - 0.8)
    complete = rng.random(n) < 0.75
    share_heard = np.where(complete, 1.0, rng.uniform(0.4, 1.0, n))
    value = np.where(skipped, rng.uniform(0.02, 0.3, n), share_heard)
    kind = np.where(skipped, Kind.SKIP, Kind.PLAY)
    liked = ~skipped & (rng.random(n) < 0.3 * _logistic(3.0 * (mood - 1.8)))
    first = np.zeros(n, dtype=bool)
    first[np.unique(np.where(liked, item, -1), return_index=True)[1]] = True
    liked &= first
    rated = ~skipped & (rng.random(n) < 0.05)
    stars = np.clip(np.rint(2.8 + 0.8 * mood), 1, 5)
    parts = [
        np.stack([item, kind, value, time]),
        np.stack([item, np.full(n, Kind.LIKE), np.full(n, np.nan), time + 60])[:, liked],
        np.stack([item, np.full(n, Kind.RATING), stars, time + 90])[:, rated],
    ]
    return np.concatenate(parts, axis=1).astype(np.float64)


def _times(n: int, rng: np.random.Generator, spec: SimulationSpec) -> NDArray[np.int64]:
    """Draws ascending times, Unix seconds: sessions of about eight pieces, mostly in the evening."""
    joined = 0.0 if rng.random() < 0.6 else rng.uniform(0, 0.6) * spec.days
    sessions = max(1, n // 8)
    day = np.floor(rng.uniform(joined, spec.days, sessions))
    hour = np.clip(rng.normal(19.0, 3.5, sessions), 0, 22)
    start = np.sort(day * _DAY + hour * 3600)
    session = np.sort(rng.integers(0, sessions, n))
    place = np.arange(n) - np.searchsorted(session, session)
    time = spec.start + start[session] + place * 210 + rng.uniform(0, 120, n)
    return np.minimum(np.sort(time), spec.start + spec.days * _DAY - 100).astype(np.int64)


def _names(n: int, rng: np.random.Generator) -> tuple[str, ...]:
    picks = rng.permutation(len(_FIRST) * len(_LAST))[:n]
    return tuple(f"{_FIRST[p // len(_LAST)]} {_LAST[p % len(_LAST)]}" for p in picks.tolist())


def _standardised(rows: NDArray[Any]) -> NDArray[np.float64]:
    deviation = np.maximum(rows.std(axis=1, keepdims=True), 1e-9)
    return np.asarray((rows - rows.mean(axis=1, keepdims=True)) / deviation)


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))
