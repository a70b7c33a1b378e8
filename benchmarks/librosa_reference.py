"""Write `tests/audio/reference.npz`: features of three seconds of synthetic music by librosa 0.11.

Needs librosa, which neither Troubadour nor its tests install (with numba and scikit-learn
350 MB, and half a minute of compilation before the first result):

    python -m venv other && other/bin/pip install 'librosa==0.11.*'
    other/bin/python benchmarks/librosa_reference.py
"""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np

OUT = Path(__file__).parents[1] / "tests" / "audio" / "reference.npz"
RATE = 22_050


def signal(seed: int = 7) -> np.ndarray:
    """Chords, clicks on a beat of 0.5 s and noise, as 16-bit samples, shape (n,)."""
    rng = np.random.default_rng(seed)
    time = np.arange(3 * RATE) / RATE
    out = 0.02 * rng.normal(size=len(time))
    for start, chord in ((0.0, (60, 64, 67)), (1.0, (65, 69, 72)), (2.0, (67, 71, 74))):
        on = np.clip(time - start, 0, 1) * (time < start + 1)
        for pitch in chord:
            for harmonic in (1, 2, 3, 4):
                hertz = 440 * 2 ** ((pitch + 0.12 - 69) / 12) * harmonic
                out += 0.1 / harmonic * np.sin(2 * np.pi * hertz * time) * np.exp(-3 * on) * (on > 0)
    for beat in np.arange(0, 3, 0.5):
        begin = int(beat * RATE)
        out[begin : begin + 400] += 0.4 * rng.normal(size=400) * np.exp(-np.arange(400) / 80)
    return np.round(np.clip(out, -1, 1) * 32767).astype(np.int16)


def main() -> None:
    samples = signal()
    y = samples.astype(np.float32) / 32768
    power = np.abs(librosa.stft(y)) ** 2
    mfcc = librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=20)
    onsets = librosa.onset.onset_strength(y=y, sr=RATE)
    lags = int(8.0 * RATE / 512)
    found = {
        "power": power[:, ::8],
        "mel": librosa.feature.melspectrogram(y=y, sr=RATE),
        "mfcc": mfcc,
        "deltas": librosa.feature.delta(mfcc),
        "chroma": librosa.feature.chroma_stft(y=y, sr=RATE),
        "tuning": librosa.estimate_tuning(S=power, sr=RATE, bins_per_octave=12),
        "contrast": librosa.feature.spectral_contrast(y=y, sr=RATE),
        "centroid": librosa.feature.spectral_centroid(y=y, sr=RATE)[0],
        "onsets": onsets,
        "tempogram": librosa.feature.tempogram(onset_envelope=onsets, sr=RATE, win_length=lags).mean(axis=1),
        "tempo": librosa.feature.tempo(onset_envelope=onsets, sr=RATE)[0],
    }
    arrays = {name: np.asarray(value, dtype=np.float32).T for name, value in found.items()}
    np.savez_compressed(OUT, allow_pickle=False, samples=samples, **arrays)
    print(OUT, {name: value.shape for name, value in arrays.items()}, f"librosa {librosa.__version__}")


if __name__ == "__main__":
    main()
