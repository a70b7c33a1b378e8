"""Report of a composer's training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from troubadour.core.networks.overfitting import OverfittingReport
from troubadour.core.networks.trainer import Trainer


@dataclass(frozen=True, slots=True)
class TrainReport:
    """Figures of a run; losses of the best averaged weights, in nats a token (a VAE: a step)."""

    step: int
    valid_loss: float
    """On held-out music, full prefix."""
    valid_by_style: dict[str, float]
    """The same by style (a VAE: by length)."""
    train_loss: float | None
    """Running mean, with dropout and transposition; None before the first step."""
    seen_loss: float
    """On a slice of the training music, scored as `valid_loss`."""
    seconds: float
    """Of training, over all parts of the run."""
    tokens: int
    best_step: int
    verdict: OverfittingReport
    """Whether it overfitted."""


def train_report(trainer: Trainer[Any]) -> TrainReport:
    """The report of a run that validated at least once."""
    state, verdict = trainer.state, trainer.overfitting()
    assert verdict is not None
    best = next(p for p in state["history"] if p["step"] == state["best_step"])
    return TrainReport(
        state["step"],
        best["valid"],
        best["groups"],
        state["train_loss"],
        best["seen"],
        state["seconds"],
        state["tokens"],
        state["best_step"],
        verdict,
    )
