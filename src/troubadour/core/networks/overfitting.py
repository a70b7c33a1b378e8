"""Overfitting report: a run's losses on training data and on held-out data, and a judgement in words.

Both curves are of the averaged weights, without dropout or augmentation, by one scorer, so that they can
be compared. The training loss itself cannot: it includes dropout and augmentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Finding = Literal["no gain", "overfits", "memorises", "still learning", "sound"]
_GAIN: Final = 0.002
"""Smallest difference that counts, in nats a token."""
_RISE: Final = 0.01
"""Rise of the validation loss from which a run counts as overfitted, in nats a token."""
_WIDE: Final = 0.15
"""Gap opened by training that counts as memorising, as a share of the validation loss."""


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluation of a run, in nats a token."""

    step: int
    seen: float
    """Loss on a slice of the training data."""
    valid: float
    """Loss on held-out data."""

    @property
    def gap(self) -> float:
        """Held-out loss minus loss on training data."""
        return self.valid - self.seen


@dataclass(frozen=True, slots=True)
class OverfittingReport:
    """Judgement of the curves."""

    finding: Finding
    words: str
    start: Point
    """Before the first step."""
    best: Point
    """Of the kept weights."""
    last: Point


def overfitting_report(curve: Sequence[Point], kept: int) -> OverfittingReport:
    """The report of a run.

    Args:
        curve: evaluations in the order of their steps; the first is before the first step.
        kept: step of the kept weights.
    """
    start, last = curve[0], curve[-1]
    best = next(p for p in curve if p.step == kept)
    opened = best.gap - start.gap
    if start.valid - best.valid < _GAIN:
        return OverfittingReport(
            "no gain",
            f"Training did not help: the validation loss was {start.valid:.3f} before it and never lower than "
            f"{best.valid:.3f}. Keep the model that you started from, or lower the learning rates.",
            start,
            best,
            last,
        )
    if last.valid - best.valid > _RISE and last.seen < best.seen:
        finding: Finding = "overfits"
        words = (
            f"Overfitting from step {best.step}: the loss on training music fell further "
            f"({best.seen:.3f} to {last.seen:.3f}), the loss on held-out music rose ({best.valid:.3f} to "
            f"{last.valid:.3f}). The weights of step {best.step} are kept."
        )
    elif opened > _WIDE * best.valid:
        finding = "memorises"
        words = (
            f"The loss on training music is {best.gap:.3f} nats a token below that on held-out music "
            f"({start.gap:+.3f} before training). Validation did not get worse, but more music, more dropout or "
            "fewer steps may help."
        )
    elif best.step == last.step and len(curve) > 2 and curve[-2].valid - last.valid > _RISE:
        finding = "still learning"
        words = (
            f"No overfitting; the validation loss was still falling at step {last.step} "
            f"({curve[-2].valid:.3f} to {last.valid:.3f}). More steps may help."
        )
    else:
        finding = "sound"
        words = (
            f"No sign of overfitting: the validation loss fell from {start.valid:.3f} to {best.valid:.3f}, and the gap to "
            f"training music is {best.gap:+.3f} ({start.gap:+.3f} before training)."
        )
    return OverfittingReport(finding, words, start, best, last)
