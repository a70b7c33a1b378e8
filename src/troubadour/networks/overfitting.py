"""Whether a run overfitted: its curves on music it has seen and on music it has not, in words.

Both curves are of the averaged weights without dropout, transposition or hidden prefixes, by one
scorer, so that their gap means something; the loss that training itself sees is no such curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Finding = Literal["no gain", "overfits", "memorises", "still learning", "sound"]
_GAIN: Final = 0.002
"""Nats a token below which a difference counts as none."""
_RISE: Final = 0.01
"""Nats a token by which validation has to rise before a run counts as overfitted."""
_WIDE: Final = 0.15
"""Share of the validation loss from which on a gap that training opened counts as memorising."""


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluation of a run, in nats a token."""

    step: int
    seen: float
    """On a slice of the training music."""
    valid: float
    """On music that was held out."""

    @property
    def gap(self) -> float:
        """How much better it knows what it has seen."""
        return self.valid - self.seen


@dataclass(frozen=True, slots=True)
class OverfittingReport:
    """What the curves say."""

    finding: Finding
    words: str
    start: Point
    """Before the first step."""
    best: Point
    """Of the weights that are kept."""
    last: Point


def overfitting_report(curve: Sequence[Point], kept: int) -> OverfittingReport:
    """Judge a run by its evaluations, in order, the first of them before the first step.

    Args:
        kept: step of the weights that are kept.
    """
    start, last = curve[0], curve[-1]
    best = next(p for p in curve if p.step == kept)
    opened = best.gap - start.gap
    if start.valid - best.valid < _GAIN:
        return OverfittingReport(
            "no gain",
            f"Training did not help: validation stood at {start.valid:.3f} before it and never came lower than "
            f"{best.valid:.3f}. Keep the model that you started from, or lower the learning rates.",
            start,
            best,
            last,
        )
    if last.valid - best.valid > _RISE and last.seen < best.seen:
        finding: Finding = "overfits"
        words = (
            f"Overfitting set in after step {best.step}: on music it has seen the loss went on falling "
            f"({best.seen:.3f} to {last.seen:.3f}), on music it has not it rose ({best.valid:.3f} to "
            f"{last.valid:.3f}). The weights of step {best.step} are kept."
        )
    elif opened > _WIDE * best.valid:
        finding = "memorises"
        words = (
            f"It knows the music it has seen better than other music by {best.gap:.3f} nats a token "
            f"({start.gap:+.3f} before training). Validation did not suffer, but more music, more dropout or "
            "fewer steps would make it generalise better."
        )
    elif best.step == last.step and len(curve) > 2 and curve[-2].valid - last.valid > _RISE:
        finding = "still learning"
        words = (
            f"No overfitting, and not finished: validation was still falling at step {last.step} "
            f"({curve[-2].valid:.3f} to {last.valid:.3f}). More steps would help."
        )
    else:
        finding = "sound"
        words = (
            f"No sign of overfitting: validation fell from {start.valid:.3f} to {best.valid:.3f}, and the gap to "
            f"music it has seen is {best.gap:+.3f} ({start.gap:+.3f} before training)."
        )
    return OverfittingReport(finding, words, start, best, last)
