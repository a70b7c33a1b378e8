"""Features equal to those of librosa 0.11 for the same samples (`benchmarks/librosa_reference.py`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from troubadour.audio.dsp import harmonic, rhythm, spectrum

TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    with np.load(Path(__file__).with_name("reference.npz"), allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def ours(reference: dict[str, Any]) -> dict[str, Any]:
    samples = reference["samples"].astype(np.float32) / 32768
    power = spectrum.power_spectrum(samples)
    mel = spectrum.mel_spectrum(power)
    onsets = rhythm.onset_strength(mel)
    return {
        "power": power[::8],
        "mel": mel,
        "mfcc": spectrum.mfcc(mel),
        "deltas": spectrum.deltas(spectrum.mfcc(mel)),
        "tuning": harmonic.estimate_tuning(power),
        "chroma": harmonic.chroma(power),
        "contrast": harmonic.spectral_contrast(power),
        "centroid": harmonic.centroid(power),
        "onsets": onsets,
        "tempogram": rhythm.tempogram(onsets),
        "tempo": rhythm.find_tempo(onsets).bpm,
    }


@pytest.mark.parametrize(
    "name", ["mel", "mfcc", "deltas", "chroma", "tuning", "contrast", "onsets", "tempogram", "tempo"]
)
def test_a_feature_equals_librosa(name: str, ours: dict[str, Any], reference: dict[str, Any]) -> None:
    assert np.shape(ours[name]) == reference[name].shape
    np.testing.assert_allclose(ours[name], reference[name], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["power", "centroid"])
def test_large_numbers_equal_librosa_relatively(
    name: str, ours: dict[str, Any], reference: dict[str, Any]
) -> None:
    np.testing.assert_allclose(ours[name], reference[name], rtol=1e-4, atol=1e-4)


def test_the_signal_is_not_trivial(reference: dict[str, Any]) -> None:
    assert reference["mfcc"].std() > 10
    assert reference["tempo"] == pytest.approx(120, abs=4)
    assert reference["tuning"] == pytest.approx(0.12, abs=0.03)
