"""Give a passage more or less of an attribute, measured on what comes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from troubadour.core.errors import InputError
from troubadour.models.vae.guidance import attribute_guidance
from troubadour.models.vae.latent_map import ATTRIBUTES, measure, third_of
from troubadour.models.vae.passages import HIGHEST, LENGTHS, LOWEST, METRES, Grid, Passage
from troubadour.models.vae.space import Sampling, Space, token_accuracy
from troubadour.music.score import Key

LIMITS: Final = {
    "density": (0.0, 4.0),
    "range": (0.0, float(HIGHEST - LOWEST)),
    "syncopation": (0.0, 1.0),
    "mode": (-1.0, 1.0),
}
"""Least and most that the grid allows of each attribute."""
_ROUNDING: Final = 1e-9
_EXCESS: Final = 0.05
"""Share of the sixteenths that a standard deviation too much weighs as much as."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is decoded in search of a passage with the wanted amount; every step goes with every strength."""

    steps: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0)
    """Shifts of the latent vector along the attribute's direction, in standard deviations."""
    strengths: tuple[float, ...] = (0.0, 2.0, 4.0, 8.0, 12.0)
    """Strengths of the attribute guidance, in nats; see `guidance.attribute_guidance`."""
    give_back: bool = True
    """Whether bars return to what they were as long as the amount holds."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A passage that was moved, and how far."""

    passage: Passage
    attribute: str
    amount: float
    """Standard deviations that were asked for."""
    before: float
    """As `measure` has it, of the passage that was given."""
    wanted: float
    """At most `LIMITS`."""
    after: float
    alike: float
    """Share of the sixteenths that are as they were."""

    @property
    def reached(self) -> bool:
        """Whether it moved by the wanted amount at least, or as far as there is any."""
        if self.wanted == self.before:
            return not self.amount
        return bool(np.sign(self.amount) * (self.after - self.wanted) >= -_ROUNDING)

    @property
    def note(self) -> str:
        """What a user has to know where the amount was not reached; empty where it was."""
        if self.reached:
            return ""
        if self.wanted == self.before:
            end = "low" if self.amount < 0 else "high"
            return f"{self.attribute} is as {end} as can be already: the music is as it was"
        if self.after == self.before:
            return (
                f"{self.attribute} could not be moved: the model wrote nothing such; the music is as it was"
            )
        share = (self.after - self.before) / (self.wanted - self.before)
        return (
            f"{self.attribute} moved by {share:.0%} of the amount: the model wrote nothing that goes further"
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON: how far it moved."""
        return {
            **{n: round(getattr(self, n), 3) for n in ("before", "wanted", "after", "alike")},
            "reached": self.reached,
            "note": self.note,
        }


def move(
    space: Space,
    passage: Passage,
    attribute: str,
    amount: float,
    rng: np.random.Generator | None = None,
    search: Search | None = None,
) -> Moved:
    """The passage nearest to the given one, of those that the model writes, with more or less of an attribute.

    Decodes a handful of candidates (`Search`), gives back every bar that the amount can do without (bars that
    were equal stay equal), and keeps what has the wanted amount with the most sixteenths as they were. Where
    none has it, the one that came nearest; where none went the right way, the passage as it was. Takes about
    a second.

    Args:
        passage: of 16 bars.
        attribute: one of `ATTRIBUTES`.
        amount: standard deviations of the attribute in the training music; below 0 = less.
        rng: draws tokens, for other solutions; without it they are the likeliest.

    Raises:
        InputError: no such attribute, an amount that is not finite, or another length than the directions
            were measured on.
    """
    if attribute not in ATTRIBUTES:
        raise InputError(f"attribute is '{attribute}'; allowed: {', '.join(ATTRIBUTES)}")
    if passage.bars != LENGTHS[-1]:
        raise InputError(f"the passage has {passage.bars} bars; directions are those of {LENGTHS[-1]}")
    if not np.isfinite(amount):
        raise InputError(f"amount is {amount}; allowed: finite numbers, below 0 for less")
    column = ATTRIBUTES.index(attribute)
    before = float(measure(passage)[column])
    least, most = LIMITS[attribute]
    wanted = float(np.clip(before + amount * float(space.latent_map.scales[column]), least, most))
    best = Moved(passage, attribute, amount, before, wanted, before, 1.0)
    if wanted == before:
        return best
    goal = _Goal(column, 1.0 if amount > 0 else -1.0, wanted, float(space.latent_map.scales[column]))
    for made in _candidates(space, passage, attribute, goal, rng, search or Search()):
        after = float(measure(made)[column])
        found = Moved(made, attribute, amount, before, wanted, after, token_accuracy([passage], [made]))
        best = max(best, found, key=goal.worth)
    return replace(best, passage=_in_its_mode(best)) if attribute == "mode" else best


@dataclass(frozen=True, slots=True)
class _Goal:
    column: int
    sign: float
    wanted: float
    scale: float

    @property
    def enough(self) -> float:
        return self.sign * self.wanted - _ROUNDING

    def value(self, passage: Passage) -> float:
        """The attribute, so turned that more is better."""
        return self.sign * float(measure(passage)[self.column])

    def worth(self, moved: Moved) -> tuple[float, float]:
        """By which the best is chosen: whether it is enough, and how little else came with it."""
        value = self.sign * moved.after
        excess = max(0.0, value - self.enough) / self.scale
        return min(value, self.enough), moved.alike - _EXCESS * excess


def _candidates(
    space: Space,
    passage: Passage,
    attribute: str,
    goal: _Goal,
    rng: np.random.Generator | None,
    search: Search,
) -> Iterator[Passage]:
    (z,) = space.encode([passage])
    pairs = np.array([(step, strength) for step in search.steps for strength in search.strengths])
    shifts, strengths = (goal.sign * pairs.astype(np.float32)).T
    choose = Sampling(temperature=0.0).chooser(np.random.default_rng(0))
    if rng is not None:
        choose = Sampling().chooser(rng)
    grids = space.engine.write(
        z + shifts[:, None] * space.latent_map.directions[goal.column],
        np.full(len(pairs), METRES.index(passage.metre)),
        passage.bars,
        attribute_guidance(attribute, strengths, goal.wanted, passage, choose),
    )
    for grid in grids:
        made = replace(passage, grid=grid.astype(np.uint8))
        yield _given_back(passage, made, goal) if search.give_back else made


def _given_back(original: Passage, made: Passage, goal: _Goal) -> Passage:
    """With as many bars as they were as the amount allows; bars that were equal stay equal."""
    groups: dict[bytes, list[int]] = {}
    for bar, row in enumerate(original.grid):
        groups.setdefault(row.tobytes(), []).append(bar)
    grid = made.grid.copy()
    for rows in groups.values():
        grid[rows] = grid[rows[0]]
    best = replace(original, grid=grid)
    floor = min(goal.value(best), goal.enough)
    left = [rows for rows in groups.values() if (grid[rows] != original.grid[rows]).any()]
    while True:
        options = []
        for rows in left:
            back = replace(original, grid=_with(best.grid, rows, original.grid))
            value = goal.value(back)
            if value >= floor:
                changed = int((best.grid[rows] != original.grid[rows]).sum())
                options.append((changed, -abs(value - goal.enough), rows, back, value))
        if not options:
            return best
        *_, rows, best, value = max(options, key=lambda option: option[:2])
        left.remove(rows)
        # A return that brings it nearer to the goal is not lost again.
        floor = min(max(floor, value), goal.enough)


def _with(grid: Grid, rows: list[int], source: Grid) -> Grid:
    out = grid.copy()
    out[rows] = source[rows]
    return out


def _in_its_mode(moved: Moved) -> Passage:
    """With the signature of the parallel key where the thirds and sixths turned to it."""
    third = "minor" if moved.after < 0 else "major"
    if moved.before * moved.after >= 0 or third == third_of(moved.passage.key[1]):
        return moved.passage
    tonic = Key(0, *moved.passage.key).tonic
    fifths = next(f for f in range(-6, 7) if Key(0, f, third).tonic == tonic)
    return replace(moved.passage, key=(fifths, third))
