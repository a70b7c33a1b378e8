from __future__ import annotations

import numpy as np
import pytest
from tests.audio.conftest import tone

from troubadour.audio.dsp.loudness import QUIETEST, loudness
from troubadour.audio.sound import Sound


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("level", [-18.0, -23.0, -33.0, -40.0])
def test_a_stereo_sine_at_1_khz_measures_its_level(rate: int, level: float) -> None:
    # EBU Tech 3341, minimum requirements 1 and 2: within 0.1 LU.
    sound = Sound(tone(1000, 5.0, rate, 10 ** (level / 20), 2), rate)
    assert loudness(sound) == pytest.approx(level, abs=0.1)


def test_a_full_scale_sine_in_one_channel_is_minus_3_01() -> None:
    assert loudness(Sound(tone(997, 4.0, 48_000, 1.0), 48_000)) == pytest.approx(-3.01, abs=0.05)


def test_quiet_parts_are_gated_out() -> None:
    # EBU Tech 3341, case 3: -36, -23, -36 dBFS.
    parts = [tone(1000, s, 48_000, 10 ** (db / 20), 2) for s, db in ((10, -36.0), (60, -23.0), (10, -36.0))]
    assert loudness(Sound(np.concatenate(parts), 48_000)) == pytest.approx(-23.0, abs=0.1)


def test_surround_channels_count_more_and_low_frequency_effects_not_at_all() -> None:
    # EBU Tech 3341, case 6: L, R -28, C -24, Ls, Rs -30 measure -23.
    levels = (-28.0, -28.0, -24.0, None, -30.0, -30.0)
    channels = [
        tone(1000, 5.0, 48_000, 10 ** (db / 20))[:, 0] if db else tone(60, 5.0, 48_000, 0.9)[:, 0]
        for db in levels
    ]
    assert loudness(Sound(np.stack(channels, axis=1), 48_000)) == pytest.approx(-23.0, abs=0.1)


def test_silence_and_very_short_sound_have_an_answer() -> None:
    assert loudness(Sound(np.zeros((48_000, 2), dtype=np.float32), 48_000)) == QUIETEST
    assert loudness(Sound(np.zeros((1, 1), dtype=np.float32), 48_000)) == QUIETEST
    assert loudness(Sound(tone(1000, 0.2, 48_000, 0.1, 2), 48_000)) == pytest.approx(-20.0, abs=0.5)
