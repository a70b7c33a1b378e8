"""Synthetic singer for tests of transcription: hum, whistle or syllables.

No recordings of real singers are available. Pitches have glides, vibrato, drift and errors; durations are
uneven; the voice is a harmonic series with the formants of a closed or open mouth, breath and room noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 22_050
_STEP: Final = 1 / 200
_RESONANCES: Final = {
    # Frequency in Hz, width and gain of each formant.
    "hum": ((250, 80, 1.0), (1100, 200, 0.06), (2200, 300, 0.02)),
    "la": ((700, 90, 1.0), (1200, 110, 0.6), (2600, 170, 0.25)),
    "oo": ((320, 70, 1.0), (800, 90, 0.25), (2300, 200, 0.05)),
}


@dataclass(frozen=True, slots=True)
class Singer:
    """Parameters of a singer; the default is perfect."""

    voice: str = "hum"
    """`hum`, `la`, `oo` or `whistle`."""
    vibrato_cents: float = 0.0
    vibrato_hertz: float = 5.5
    intonation_cents: float = 0.0
    """Standard deviation of a note from its pitch."""
    drift_cents: float = 0.0
    """Standard deviation of the permanent change of tuning from note to note."""
    off_cents: float = 0.0
    """Tuning offset from 440 Hz."""
    glide_seconds: float = 0.02
    """Time constant of a glide (two thirds of the interval)."""
    scoop_cents: float = 0.0
    """Depth below the pitch at which the first note of a breath starts."""
    timing: float = 0.0
    """Standard deviation of the logarithm of each duration."""
    gap: float = 0.1
    """Share of a note that is silent before the next one."""
    wrong: float = 0.0
    """Share of notes a semitone or tone off; half as many are omitted."""
    noise_db: float = -60.0
    """Level of the room noise relative to the voice."""
    breath: float = 0.003
    """Level of the breath noise relative to the voice."""
    jitter: float = 0.0
    """Jitter: standard deviation of the pitch from period to period, in cents."""

    def sing(
        self, pitch: NDArray[np.float64], seconds: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Audio of consecutive notes, shape (n,), at `RATE`, peak .5."""
        pitch, seconds = self._misremembered(pitch, seconds, rng)
        n = len(pitch)
        seconds = seconds * np.exp(self.timing * rng.normal(size=n))
        cents = self.off_cents + self.intonation_cents * rng.normal(size=n)
        cents = cents + np.cumsum(self.drift_cents * rng.normal(size=n))
        target = pitch + cents / 100
        steps = np.maximum(np.rint(seconds / _STEP).astype(int), 4)
        wanted = np.repeat(target, steps)
        curve = np.empty(len(wanted))
        at, share = target[0] - self.scoop_cents / 100, min(1.0, _STEP / max(self.glide_seconds, 1e-4))
        for i, goal in enumerate(wanted.tolist()):
            at += share * (goal - at)
            curve[i] = at
        time = np.arange(len(curve)) * _STEP
        curve = curve + self.vibrato_cents / 100 * np.sin(2 * np.pi * self.vibrato_hertz * time)
        curve = curve + self.jitter / 100 * rng.normal(size=len(curve))
        loud = np.concatenate([_envelope(k, self.gap, rng) for k in steps.tolist()])
        return self._voiced(curve, loud, rng)

    def _misremembered(
        self, pitch: NDArray[np.float64], seconds: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        pitch = np.asarray(pitch, dtype=np.float64).copy()
        off = rng.random(len(pitch)) < self.wrong
        pitch[off] += rng.choice([-2, -1, 1, 2], int(off.sum()))
        keep = rng.random(len(pitch)) >= self.wrong / 2
        keep[:2] = True
        return pitch[keep], np.asarray(seconds, dtype=np.float64)[keep]

    def _voiced(
        self, curve: NDArray[np.float64], loud: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        n = int(len(curve) * _STEP * RATE)
        when = np.arange(n) / RATE
        grid = np.arange(len(curve)) * _STEP
        hertz = 440 * 2 ** ((np.interp(when, grid, curve) - 69) / 12)
        phase = 2 * np.pi * np.cumsum(hertz) / RATE
        level = np.interp(when, grid, loud)
        out = np.zeros(n)
        if self.voice == "whistle":
            out = np.sin(phase) + 0.02 * np.sin(2 * phase)
        else:
            for k in range(1, 31):
                if k * float(hertz.min()) > RATE / 2:
                    break
                alive = k * hertz < 0.45 * RATE
                out += alive * _gain(self.voice, k * hertz) / k * np.sin(k * phase)
        out /= max(float(np.sqrt(np.mean(np.square(out)))), 1e-9)
        out = level * (out + self.breath * 10 * rng.normal(size=n) * (1 + 0.3 * rng.normal(size=n)))
        room = np.cumsum(rng.normal(size=n + RATE // 2))  # more energy at low frequencies, as in rooms
        room = room - np.convolve(room, np.ones(200) / 200, mode="same")
        room = room / max(float(room.std()), 1e-9) + 0.3 * rng.normal(size=len(room))
        silence = np.zeros(RATE // 4)
        out = np.concatenate([silence, out, silence])[: len(room)]
        out = out + 10 ** (self.noise_db / 20) * room[: len(out)]
        return (0.5 * out / np.abs(out).max()).astype(np.float32)


def _envelope(steps: int, gap: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Envelope of one note: soft attack, unsteady level, release and gap."""
    silent = round(gap * steps)
    on = steps - silent
    rise, fall = min(8, on // 2), min(10, on // 2)
    level = np.full(on, 10 ** (rng.normal() * 1.5 / 20))
    level[:rise] *= np.linspace(0.05, 1, rise)
    level[on - fall :] *= np.linspace(1, 0.1, fall)
    return np.concatenate([level, np.full(silent, 0.003)])


def _gain(voice: str, hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.full(len(hertz), 0.003)
    for centre, width, gain in _RESONANCES[voice]:
        out += gain / (1 + np.square((hertz - centre) / width))
    return out


GOOD: Final = Singer(vibrato_cents=20, intonation_cents=10, glide_seconds=0.03, timing=0.05, noise_db=-40)
USUAL: Final = Singer(
    vibrato_cents=30, intonation_cents=25, drift_cents=6, glide_seconds=0.04, scoop_cents=80, timing=0.1,
    noise_db=-30, wrong=0.03, breath=0.01, jitter=5,
)  # fmt: skip
POOR: Final = Singer(
    vibrato_cents=45, intonation_cents=40, drift_cents=12, glide_seconds=0.06, scoop_cents=150, timing=0.18,
    noise_db=-20, wrong=0.08, breath=0.02, jitter=10,
)  # fmt: skip


def in_voice(singer: Singer, voice: str) -> Singer:
    """The same accuracy with another voice; whistlers glide more and have less vibrato."""
    if voice == "whistle":
        return replace(singer, voice=voice, vibrato_cents=singer.vibrato_cents / 2, gap=0.08)
    return replace(singer, voice=voice)
