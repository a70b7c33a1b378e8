"""MFCCs of 60 s compared with librosa 0.11, warm, in processor time of one thread: `docs/benchmarks/audio_features.md`.

OMP_NUM_THREADS=1 PYTHONPATH=src python benchmarks/audio_features.py    # needs librosa
"""

from __future__ import annotations

import time
from collections.abc import Callable

import librosa
import numpy as np

from troubadour.audio.dsp.spectrum import deltas, mel_spectrum, mfcc, power_spectrum

RATE, SECONDS, ROUNDS = 22_050, 60, 15


def milliseconds(call: Callable[[], object]) -> tuple[float, float]:
    call()
    taken = []
    for _ in range(ROUNDS):
        started = time.process_time()
        call()
        taken.append(1000 * (time.process_time() - started))
    return min(taken), float(np.median(taken))


def main() -> None:
    y = (0.1 * np.random.default_rng(0).normal(size=SECONDS * RATE)).astype(np.float32)
    ours = mfcc(mel_spectrum(power_spectrum(y)))
    theirs = librosa.feature.mfcc(y=y, sr=RATE).T
    own = milliseconds(lambda: mfcc(mel_spectrum(power_spectrum(y))))
    other = milliseconds(lambda: librosa.feature.mfcc(y=y, sr=RATE))
    slope = np.abs(deltas(ours) - librosa.feature.delta(theirs.T).T).max()
    print("| 20 MFCCs of 60 s at 22,050 Hz | least ms | median ms |\n|---|---|---|")
    print(
        f"| Troubadour | {own[0]:.0f} | {own[1]:.0f} |\n| librosa {librosa.__version__} | {other[0]:.0f} | {other[1]:.0f} |"
    )
    print(f"\n{other[1] / own[1]:.1f} times as fast at the median, {other[0] / own[0]:.1f} at the least.")
    print(f"Largest difference: MFCC {np.abs(ours - theirs).max():.1e}, deltas {slope:.1e}.")


if __name__ == "__main__":
    main()
