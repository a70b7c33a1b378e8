from __future__ import annotations

import io
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from troubadour.core.errors import InputError, TroubadourError, UnreadableFileError
from troubadour.formats import render
from troubadour.formats.midi import write_midi
from troubadour.formats.render import SAMPLE_RATE, Audio, MidiRenderer, level, play, to_wav, write_wav
from troubadour.music.score import Score, Tempo, Track

PIANO, ORGAN, FIDDLE, CHOIR, FLUTE, BANJO = 0, 19, 40, 52, 73, 105


def a_scale(program: int, *, bpm: float = 120.0) -> Score:
    """Two octaves of C major up and down in quarters: 32 notes."""
    steps = [0, 2, 4, 5, 7, 9, 11, 12]
    pitches = [60 + s for s in steps] + [72 + s for s in steps]
    rows = [[24 * i, 24, pitch, 80, 0] for i, pitch in enumerate(pitches + pitches[::-1])]
    return Score.from_notes(rows, ticks_per_quarter=24, tracks=(Track(program),), tempos=(Tempo(0, bpm),))


def a_chorale(program: int) -> Score:
    """Four voices, a cadence over and over: I IV V I in half notes."""
    chords = [(48, 64, 67, 72), (53, 65, 69, 72), (55, 62, 67, 71), (48, 64, 67, 72)] * 4
    rows = [[48 * i, 48, p, 80, voice] for i, chord in enumerate(chords) for voice, p in enumerate(chord)]
    return Score.from_notes(
        rows, ticks_per_quarter=24, tracks=(Track(program),) * 4, tempos=(Tempo(0, 90.0),)
    )


def rms_db(audio: Audio) -> float:
    return float(20 * np.log10(np.sqrt(np.square(audio, dtype=np.float64).mean())))


def spectrum(audio: Audio) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in Hz and magnitudes of the middle of the sound, to about 0.05 Hz."""
    mono = audio.mean(axis=1, dtype=np.float64)
    middle = mono[len(mono) // 4 : len(mono) // 4 + 2**16]
    size = 2**20
    return np.fft.rfftfreq(size, 1 / SAMPLE_RATE), np.abs(np.fft.rfft(middle * np.hanning(len(middle)), size))


@pytest.mark.parametrize(
    "score",
    [a_scale(FIDDLE), a_scale(BANJO), a_scale(FLUTE), a_chorale(CHOIR), a_chorale(ORGAN), a_chorale(PIANO)],
    ids=["fiddle", "banjo", "flute", "choir", "organ", "piano"],
)
def test_a_piece_sounds_for_its_length_at_a_sane_level(score: Score) -> None:
    audio = play(score, MidiRenderer())
    assert audio.dtype == np.float32
    assert audio.shape == (len(audio), 2)
    assert np.isfinite(audio).all()
    # It rings out after the last note, but does not go on in silence.
    assert score.seconds - 0.1 <= len(audio) / SAMPLE_RATE <= score.seconds + 2.0
    assert 0.2 < np.abs(audio).max() <= 10 ** (-1 / 20) + 1e-6
    assert -22 <= rms_db(audio) <= -13
    assert np.abs(audio[-1]).max() < 1e-3, "ends in a click"
    assert np.abs(audio.mean(axis=0)).max() < 1e-3, "has an offset"


def test_the_last_note_dies_away_instead_of_being_cut() -> None:
    score = a_chorale(CHOIR)
    raw = MidiRenderer().render(write_midi(score))
    end = int(score.seconds * SAMPLE_RATE)
    just_after = np.abs(raw[end : end + 2400]).max()
    assert just_after > 0.05 * np.abs(raw).max()
    assert np.abs(raw[end + 2 * SAMPLE_RATE :]).max() < 0.01 * np.abs(raw).max()


def test_instruments_differ_by_less_in_loudness_than_in_peak() -> None:
    loudness = [rms_db(play(a_scale(program), MidiRenderer())) for program in (FLUTE, FIDDLE, PIANO, BANJO)]
    assert max(loudness) - min(loudness) < 6


@pytest.mark.parametrize("program", [PIANO, FIDDLE, FLUTE, CHOIR, ORGAN])
@pytest.mark.parametrize(("pitch", "hertz"), [(69, 440.0), (57, 220.0)])
def test_notes_sound_at_their_pitch(program: int, pitch: int, hertz: float) -> None:
    score = Score.from_notes(
        [[0, 24 * 8, pitch, 90, 0]], ticks_per_quarter=24, tracks=(Track(program),), tempos=(Tempo(0, 120.0),)
    )
    frequencies, loudness = spectrum(play(score, MidiRenderer()))
    # The fundamental, or for a stop or voice with a weak one the nearest harmonic, within 15 cents.
    for harmonic in (1, 2):
        near = np.abs(np.log2(frequencies[1:] / (hertz * harmonic))) < 0.5 / 12
        peak = np.flatnonzero(near)[loudness[1:][near].argmax()] + 1
        if loudness[peak] > 0.05 * loudness.max():
            assert abs(1200 * np.log2(frequencies[peak] / (hertz * harmonic))) < 15
            return
    pytest.fail("neither the fundamental nor the octave is heard")


def test_another_program_is_another_sound() -> None:
    fiddle, flute = (play(a_scale(p), MidiRenderer()) for p in (FIDDLE, FLUTE))
    length = min(len(fiddle), len(flute))
    together = np.corrcoef(fiddle[:length, 0], flute[:length, 0])[0, 1]
    assert abs(together) < 0.5


def test_twice_as_fast_lasts_half_as_long() -> None:
    slow, fast = (len(play(a_scale(PIANO, bpm=bpm), MidiRenderer())) for bpm in (60.0, 120.0))
    assert slow / fast == pytest.approx(2, rel=0.05)


def test_equal_scores_give_equal_files() -> None:
    midi = write_midi(a_scale(FIDDLE))
    assert to_wav(midi, MidiRenderer()) == to_wav(midi, MidiRenderer())


def test_a_written_wav_opens_elsewhere(tmp_path: Path) -> None:
    audio = play(a_scale(FIDDLE), MidiRenderer())
    write_wav(tmp_path / "tune.wav", audio)
    info = soundfile.info(tmp_path / "tune.wav")
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (48_000, 2, "PCM_16", len(audio))
    back, _ = soundfile.read(tmp_path / "tune.wav", dtype="float32")
    assert np.abs(back - audio).max() <= 1 / 32768


def test_midi_of_other_programs_is_rendered() -> None:
    out = io.BytesIO()
    file = mido.MidiFile(type=0, ticks_per_beat=96)
    track = mido.MidiTrack()
    track += [
        mido.Message("program_change", program=FLUTE),
        mido.Message("note_on", note=69, velocity=90),
        mido.Message("note_off", note=69, time=96),
    ]
    file.tracks.append(track)
    file.save(file=out)
    audio, rate = soundfile.read(io.BytesIO(to_wav(out.getvalue(), MidiRenderer())))
    assert rate == SAMPLE_RATE
    assert 0.5 < len(audio) / rate < 3


def test_silence_before_the_first_note_is_kept() -> None:
    score = a_scale(PIANO)
    late = score.replace(onset=score.onset + 96)
    audio = play(late, MidiRenderer())
    assert np.abs(audio[: int(1.9 * SAMPLE_RATE)]).max() < 1e-3


def test_levelling_obeys_the_peak_and_trims() -> None:
    loud = np.zeros((3 * SAMPLE_RATE, 2), dtype=np.float32)
    loud[:SAMPLE_RATE] = 0.001
    loud[100] = 0.5  # one click in a quiet passage must not clip
    audio = level(loud)
    assert np.abs(audio).max() == pytest.approx(10 ** (-1 / 20), rel=1e-3)
    assert len(audio) / SAMPLE_RATE < 1.1
    assert loud[100, 0] == 0.5, "the caller's array is left as it was"


@pytest.mark.parametrize("audio", [np.zeros((100, 2), np.float32), np.zeros((0, 2), np.float32)])
def test_silence_is_an_error_rather_than_a_division_by_zero(audio: Audio) -> None:
    with pytest.raises(TroubadourError, match="silence"):
        level(audio)


@pytest.mark.parametrize(
    "midi",
    [b"", b"MThd", b"not midi at all", b"RIFF" + bytes(100), b"MThd" + bytes(4000)],
    ids=["empty", "header only", "text", "wav", "zeros"],
)
def test_what_is_not_midi_is_refused(midi: bytes) -> None:
    with pytest.raises((UnreadableFileError, InputError)):
        MidiRenderer().render(midi)


@pytest.mark.slow
def test_mutated_midi_is_rendered_or_refused_but_never_hangs() -> None:
    midi = write_midi(a_scale(FIDDLE))
    rng = np.random.default_rng(5)
    rendered = refused = 0
    for _ in range(12):
        damaged = np.frombuffer(midi, np.uint8).copy()
        places = rng.integers(14, len(damaged), 4)
        damaged[places] = rng.integers(0, 256, 4)
        try:
            audio = MidiRenderer(timeout_seconds=120).render(damaged.tobytes())
        except (UnreadableFileError, InputError):
            refused += 1
        else:
            rendered += 1
            assert np.isfinite(audio).all()
    assert rendered + refused == 12
    assert rendered
    assert refused


def test_a_piece_of_hours_is_refused_at_once() -> None:
    score = Score.from_notes([[0, 24, 60, 80, 0], [24 * 60 * 60 * 10, 24, 60, 80, 0]], ticks_per_quarter=24)
    with pytest.raises(InputError, match=r"18000 s; allowed: 900"):
        play(score, MidiRenderer())


def test_a_piece_without_notes_is_refused() -> None:
    with pytest.raises(InputError, match="no notes"):
        play(Score.from_notes([], ticks_per_quarter=24), MidiRenderer())


def test_a_rendering_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(TroubadourError, match=r"over 0\.001 s"):
        MidiRenderer(timeout_seconds=0.001).render(write_midi(a_scale(PIANO)))


def test_a_renderer_out_of_memory_is_an_error_and_not_our_end(monkeypatch: pytest.MonkeyPatch) -> None:
    score = Score.from_notes([[0, 24 * 1000, 60, 80, 0]], ticks_per_quarter=24)  # 500 s
    monkeypatch.setattr(render, "_MEMORY_BYTES", 100 << 20)
    with pytest.raises(TroubadourError, match="rendering failed"):
        MidiRenderer().render(write_midi(score))


def test_a_soundfont_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.sf2"):
        MidiRenderer(tmp_path / "none.sf2").render(write_midi(a_scale(PIANO)))
    (tmp_path / "damaged.sf2").write_bytes(b"RIFF" + bytes(64))
    with pytest.raises(TroubadourError, match="rendering failed"):
        MidiRenderer(tmp_path / "damaged.sf2").render(write_midi(a_scale(PIANO)))
