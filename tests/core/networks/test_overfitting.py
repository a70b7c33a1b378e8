from __future__ import annotations

import pytest

from troubadour.core.networks.overfitting import Point, overfitting_report

CURVES = {
    "overfits": ([(0, 1.0, 1.0), (10, 0.7, 0.8), (20, 0.4, 0.75), (30, 0.2, 0.9)], 20),
    "memorises": ([(0, 1.0, 1.0), (10, 0.5, 0.8), (20, 0.45, 0.8)], 10),
    "still learning": ([(0, 1.0, 1.0), (10, 0.9, 0.9), (20, 0.8, 0.8)], 20),
    "no gain": ([(0, 0.9, 1.0), (10, 0.8, 1.1)], 0),
    "sound": ([(0, 1.0, 1.0), (10, 0.79, 0.8), (20, 0.785, 0.795)], 20),
}


@pytest.mark.parametrize("finding", CURVES)
def test_a_curve_is_called_by_its_name(finding: str) -> None:
    curve, kept = CURVES[finding]
    verdict = overfitting_report([Point(*p) for p in curve], kept)
    assert verdict.finding == finding
    assert f"{verdict.best.valid:.3f}" in verdict.words or f"{verdict.best.gap:.3f}" in verdict.words
    assert verdict.best.step == kept


def test_a_gap_that_was_there_before_training_is_not_held_against_it() -> None:
    curve = [Point(0, 0.6, 1.0), Point(10, 0.5, 0.9), Point(20, 0.5, 0.9)]
    assert overfitting_report(curve, 10).finding == "sound"
