"""MIDI: odd and broken files are read as far as they go, and what was read is written as it stood."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.pop import events_of, five_tracks

from troubadour.core.errors import UnreadableFileError
from troubadour.corpora.folder import read_file
from troubadour.formats.midi import read_midi, write_midi
from troubadour.formats.midi.text import decode, encoding_of
from troubadour.music.exact import losses
from troubadour.music.marks import WHOLE, Mark, MarkKind
from troubadour.music.piece import Piece
from troubadour.music.quality import check
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Metre, Score, Tempo, Track

EIGHT = [[480 * i, 480, pitch, 80, 0] for i, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72))]


def chunk(events: bytes, end: bytes = b"\x00\xff\x2f\x00") -> bytes:
    body = events + end
    return b"MTrk" + struct.pack(">I", len(body)) + body


def file(*chunks: bytes, kind: int = 1, division: int = 480) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, kind, len(chunks), division) + b"".join(chunks)


def note(pitch: int, delta: int = 0, length: int = 96) -> bytes:
    """A note with one-byte delta times."""
    return bytes((delta, 0x90, pitch, 80, length, 0x80, pitch, 64))


def read(data: bytes) -> Piece:
    return read_midi(data, "x.mid")


# The cases from the field: what is right is in their README.
CASES = {
    "m01_name_shiftjis": ("ピアノ ソナタ", 8, 4.0, ""),
    "m02_name_latin1": ("Prélude ©", 8, 4.0, ""),
    "m03_hung_note": ("m03_hung_note", 13, 6.0, "without an end"),
    "m05_bad_track_length": ("m05_bad_track_length", 8, 4.0, "wrong length"),
    "m07_smpte": ("m07_smpte", 8, 4.0, "SMPTE"),
    "m08_rmid": ("m08_rmid", 8, 4.0, ""),
    "m09_macbinary": ("m09_macbinary", 8, 4.0, ""),
    "m11_long_header": ("m11_long_header", 8, 4.0, ""),
    "m21_undefined_status_f4": ("m21_undefined_status_f4", 8, 4.0, "status bytes"),
}


@pytest.mark.parametrize("name", CASES)
def test_cases_from_the_field(shared_data: Path, name: str) -> None:
    title, notes, seconds, repair = CASES[name]
    (piece,) = read_file(shared_data.parent / "cases" / f"{name}.mid")
    assert isinstance(piece, Piece)
    assert piece.title == title
    assert piece.score.seconds == pytest.approx(seconds)
    assert len(piece.score) == notes
    assert repair in " ".join(piece.repairs)
    scale = quantise(piece.score.where(piece.score.pitch >= 60)).pitch[:8].tolist()
    assert scale == [row[2] for row in EIGHT]


@pytest.mark.parametrize(
    ("name", "seconds"), [("m32_fermata_mid_bar", 8.25), ("m33_fermata_last_beat", 14.5)]
)
def test_a_fermata_within_a_bar_keeps_its_time(shared_data: Path, name: str, seconds: float) -> None:
    (piece,) = read_file(shared_data.parent / "cases" / f"{name}.mid")
    assert isinstance(piece, Piece)
    assert piece.score.seconds == pytest.approx(seconds)
    assert [t.bpm for t in piece.score.tempos] == [120, 12, 120]
    grid = quantise(piece.score)
    assert grid.seconds == pytest.approx(seconds, rel=0.025)  # the metronome's marks are that far apart
    assert quantise(grid) == grid
    assert "tempo changes within bars" in " ".join(losses(piece.score, grid))


def test_notes_that_the_grid_cannot_hold_are_counted(shared_data: Path) -> None:
    (piece,) = read_file(shared_data.parent / "cases" / "m17_repeated_64ths.mid")
    assert isinstance(piece, Piece)
    assert len(piece.score) == 40
    grid = quantise(piece.score)
    assert losses(piece.score, grid) == ("8 notes lost: the grid cannot hold them",)
    assert losses(piece.score, grid)[0] in check(piece, grid).warnings  # an import tells it


def test_notes_doubled_exactly_are_no_loss() -> None:
    score = read(file(chunk(note(60) + note(62) + note(64)), chunk(note(60)))).score
    doubled = score.replace(
        **{
            name: np.concatenate([getattr(score, name)] * 2)
            for name in ("onset", "duration", "pitch", "velocity", "track")
        }
    )
    assert losses(doubled, quantise(doubled)) == ()


# Wrappers, headers and divisions.
PLAIN = file(chunk(note(60) + note(62)), kind=0)


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF" + struct.pack("<I", len(PLAIN) + 12) + b"RMIDdata" + struct.pack("<I", len(PLAIN)) + PLAIN,
        bytes((0, 4)) + b"tune" + bytes(122) + PLAIN + bytes(17),
        b"MThd" + struct.pack(">IHHHI", 10, 0, 1, 480, 7) + PLAIN[14:],
        PLAIN[:14] + b"XFIH" + struct.pack(">I", 3) + b"abc" + PLAIN[14:],
        PLAIN[:14] + bytes(5) + PLAIN[14:],
        PLAIN + b"\0" * 100,
        PLAIN[:8] + struct.pack(">H", 7) + PLAIN[10:],
    ],
    ids=["RMID", "MacBinary", "long header", "unknown chunk", "padding", "padding at the end", "format 7"],
)
def test_wrapped_and_padded_files_are_read(data: bytes) -> None:
    assert read(data).score == read(PLAIN).score


@pytest.mark.parametrize(
    ("frames", "ticks", "bpm"), [(24, 100, 120), (25, 40, 120), (29, 80, 119.88), (30, 80, 120), (25, 1, 125)]
)
def test_smpte_time_is_kept(frames: int, ticks: int, bpm: float) -> None:
    score = read(file(chunk(note(60, 0, ticks)), division=(256 - frames) << 8 | ticks)).score
    rate = 30000 / 1001 if frames == 29 else frames
    assert score.seconds == pytest.approx(ticks / (rate * ticks))
    assert score.tempos[0].bpm == pytest.approx(bpm, abs=0.01)


@pytest.mark.parametrize("length", [0, 3, 10, 2000, 2**31])
def test_a_wrong_track_length_does_not_lose_the_notes(length: int) -> None:
    data = bytearray(file(chunk(note(60) + note(62)), chunk(note(64) + note(65))))
    data[18:22] = struct.pack(">I", length)
    piece = read(bytes(data))
    assert sorted(piece.score.pitch.tolist()) == [60, 62, 64, 65]
    assert any("wrong length" in r for r in piece.repairs)


def test_a_track_that_breaks_off_is_read_to_the_break() -> None:
    whole = file(chunk(b"".join(note(60 + i) for i in range(10))))
    for cut in range(40, len(whole) - 4):
        piece = read(whole[:cut])
        assert len(piece.score) in ((cut - 22) // 8, (cut - 22) // 8 + 1)
        assert piece.repairs


# Notes.
def test_a_note_without_an_end_sounds_until_the_track_ends() -> None:
    piece = read(file(chunk(b"\x00\x90\x3c\x50" + note(64) + note(65), b"\x20\xff\x2f\x00")))
    assert piece.score.notes()[0].tolist() == [0, 224, 60, 80, 0]
    assert piece.repairs == ("notes without an end sound until the track ends",)


def test_a_note_struck_again_without_an_end_ends_there() -> None:
    """On, on, off: the second strike ends the first note, and the end is the second's."""
    data = file(chunk(b"\x00\x90\x3c\x50\x60\x90\x3c\x40\x60\x80\x3c\x40"))
    piece = read(data)
    assert piece.score.notes().tolist() == [[0, 96, 60, 80, 0], [96, 96, 60, 64, 0]]
    assert piece.repairs == ("notes struck again before their end",)


def test_one_lost_end_does_not_shift_all_later_notes() -> None:
    later = b"".join(note(60) for _ in range(4))
    piece = read(file(chunk(b"\x00\x90\x3c\x50" + b"\x60" + note(60)[1:] + later)))
    assert piece.score.duration.tolist() == [96] * 6


def test_overlapping_strikes_that_all_end_keep_their_order() -> None:
    piece = read(file(chunk(b"\x00\x90\x3c\x50\x30\x90\x3c\x40\x30\x80\x3c\x40\x30\x80\x3c\x40")))
    assert piece.score.notes()[:, :2].tolist() == [[0, 96], [48, 96]]
    assert piece.repairs == ()


@pytest.mark.parametrize(
    "odd",
    [
        b"\x00\xf4",
        b"\x00\xf5",
        b"\x00\xf9",
        b"\x00\xfd",
        b"\x00\xf8",
        b"\x00\xf2\x01\x02",
        b"\x00\xf3\x05",
        b"\x00\xf6",
    ],
)
def test_status_bytes_without_meaning_are_passed_over(odd: bytes) -> None:
    piece = read(file(chunk(note(60) + odd + note(62))))
    assert piece.score.pitch.tolist() == [60, 62]
    assert piece.repairs == ("status bytes without meaning in a file passed over",)


@pytest.mark.parametrize("between", [b"\x00\xff\x01\x01a", b"\x00\xf0\x02\x01\xf7", b"\x00\xf8", b""])
def test_running_status_goes_on(between: bytes) -> None:
    data = file(chunk(b"\x00\x90\x3c\x50\x60\x3c\x00" + between + b"\x00\x3e\x50\x60\x3e\x00"))
    assert read(data).score.notes()[:, :3].tolist() == [[0, 96, 60], [96, 96, 62]]


def test_data_bytes_without_any_status_are_passed_over() -> None:
    piece = read(file(chunk(b"\x00\x3c\x00\x50" + note(60) + note(62))))
    assert piece.score.pitch.tolist() == [60, 62]
    assert any("without a status" in r for r in piece.repairs)


# Formats.
def test_the_channels_of_format_0_are_tracks() -> None:
    data = file(
        chunk(b"\x00\xc2\x28" + b"\x00\x92\x3c\x50\x00\x99\x24\x50\x60\x82\x3c\x40\x00\x89\x24\x40"), kind=0
    )
    score = read(data).score
    assert [(t.program, t.is_drum) for t in score.tracks] == [(40, False), (0, True)]
    assert events_of(write_midi(score))[:6] == sorted(events_of(data))[:6]


def test_the_patterns_of_format_2_come_one_after_the_other() -> None:
    piece = read(file(chunk(note(60)), chunk(note(62)), kind=2))
    assert piece.score.notes()[:, :3].tolist() == [[0, 96, 60], [96, 96, 62]]
    assert piece.repairs == ("format 2: 2 patterns put one after the other",)


def test_a_change_of_instrument_stays_in_its_track() -> None:
    score = read(file(chunk(b"\x00\xc0\x49" + note(72) + b"\x00\xc0\x46" + note(48)))).score
    assert [t.program for t in score.tracks] == [73]
    assert [(m.tick, m.value) for m in score.marks if m.kind is MarkKind.PROGRAM] == [(0, 73), (96, 70)]


# Texts.
TEXTS = [
    ("Prélude ©", "latin-1"), ("Für Elise", "cp1252"), ("Noël", "cp1252"), ("Étude", "cp1252"), ("Ça ira", "cp1252"),
    ("Mélodie d\u2019été", "cp1252"), ("プレリュード", "cp932"), ("愛の夢", "cp932"), ("歌", "cp932"), ("ﾋﾟｱﾉ", "cp932"),
    ("ピアノ", "euc_jp"), ("前奏曲", "gbk"), ("钢琴", "gbk"), ("月亮代表我的心", "gbk"), ("前奏曲", "big5"),
    ("鋼琴", "big5"), ("피아노", "cp949"), ("전주곡", "cp949"), ("Прелюдия", "cp1251"), ("Прелюдия", "koi8_r"),
    ("Σονάτα", "cp1253"), ("Für Elise", "utf-8"), ("前奏曲", "utf-8"), ("Prelude", "ascii"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "encoding"), TEXTS)
def test_names_in_any_encoding_are_read_and_written_back(text: str, encoding: str) -> None:
    said = text.encode(encoding)
    data = file(chunk(bytes((0, 0xFF, 3, len(said))) + said + note(60)))
    score = read(data).score
    assert score.tracks[0].name == text
    assert said in write_midi(score)


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_no_bytes_of_a_text_are_lost(texts: list[bytes]) -> None:
    encoding = encoding_of(texts)
    for text in texts:
        assert len(decode(text, encoding)) > 0 or not text


# Writing.
def test_a_file_of_five_tracks_is_written_as_it_was_read() -> None:
    data = five_tracks()
    assert events_of(write_midi(read(data).score)) == events_of(data)


KINDS = st.sampled_from(range(9))


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A regular file with events of all kinds."""
    out = mido.MidiFile(ticks_per_beat=draw(st.sampled_from((24, 96, 480, 1000))), charset="utf-8")
    text = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=9)
    for index in range(draw(st.integers(1, 3))):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=draw(text))])
        if index == 0:
            bpm = draw(st.floats(4, 900))
            track.append(mido.MetaMessage("set_tempo", tempo=round(60e6 / bpm)))
            track.append(
                mido.MetaMessage("time_signature", numerator=draw(st.integers(1, 12)), denominator=8)
            )
            track.append(
                mido.MetaMessage("key_signature", key=draw(st.sampled_from(("C", "Bb", "F#m", "Am"))))
            )
        for _ in range(draw(st.integers(1, 8))):
            time, channel = draw(st.integers(1, 900)), draw(st.integers(0, 15))
            value, number = draw(st.integers(0, 127)), draw(st.integers(0, 127))
            kind = draw(KINDS)
            if kind == 0:
                track.append(
                    mido.Message("control_change", channel=channel, control=number, value=value, time=time)
                )
            elif kind == 1:
                track.append(
                    mido.Message("pitchwheel", channel=channel, pitch=value * 128 - 8192 + number, time=time)
                )
            elif kind == 2:
                track.append(mido.Message("program_change", channel=channel, program=value, time=time))
            elif kind == 3:
                track.append(mido.Message("polytouch", channel=channel, note=number, value=value, time=time))
            elif kind == 4:
                track.append(mido.Message("aftertouch", channel=channel, value=value, time=time))
            elif kind == 5:
                track.append(mido.Message("sysex", data=(number, value), time=time))
            elif kind == 6:
                name = draw(st.sampled_from(("text", "lyrics", "marker", "cue_marker", "copyright")))
                track.append(mido.MetaMessage(name, text=draw(text), time=time))
            elif kind == 7:
                track.append(mido.MetaMessage("sequencer_specific", data=(number, value), time=time))
            track.append(
                mido.Message("note_on", channel=channel, note=number, velocity=max(value, 1), time=time)
            )
            end = draw(st.sampled_from(("note_off", "note_on")))
            release = value if end == "note_off" else 0
            track.append(mido.Message(end, channel=channel, note=number, velocity=release, time=time + 1))
        track.append(mido.MetaMessage("end_of_track", time=draw(st.integers(0, 50))))
        out.tracks.append(track)
    stream = io.BytesIO()
    out.save(file=stream)
    return stream.getvalue()


@given(files())
def test_what_is_read_is_written_as_it_stood(data: bytes) -> None:
    score = read(data).score
    written = write_midi(score)
    again = read(written).score
    assert again == score
    assert again.same_marks(score)
    kept = [(tick, text) for tick, _, text in events_of(data)]
    assert sorted((tick, text) for tick, _, text in events_of(written)) == sorted(kept)


def test_a_score_from_elsewhere_is_written_with_all_that_midi_can_hold() -> None:
    score = Score.from_notes(
        [(0, 840, 60, 80, 0), (840, 168, 62, 81, 0), (0, 840, 48, 70, 1), (0, 420, 36, 90, 2)],
        ticks_per_quarter=840,
        tracks=(Track(40, name="Violine"), Track(40), Track(0, is_drum=True)),
        tempos=(Tempo(0, 97.3), Tempo(840, 121.0)),
        metres=(Metre(0, 3, 4),),
        keys=(Key(0, -2, "minor"),),
        marks=(
            Mark(0, 0, MarkKind.LYRIC, "Lie", 1, 1),
            Mark(840, 0, MarkKind.LYRIC, "be", 1, 3),
            Mark(0, WHOLE, MarkKind.CHORD, "Gm"),
            Mark(0, WHOLE, MarkKind.REHEARSAL, "A"),
            Mark(0, 1, MarkKind.PEDAL, end=840),
            Mark(0, 0, MarkKind.ARTICULATION, "staccato", pitch=60),
        ),
    )
    found = mido.MidiFile(file=io.BytesIO(write_midi(score, title="Lied", rights="CC0", note="made")))
    assert found.ticks_per_beat == 840
    names = [next(m.name for m in track if m.type == "track_name") for track in found.tracks]
    assert names == ["Lied", "Violine", "Violin 2", "Drums"]
    head = [m for m in found.tracks[0] if m.is_meta]
    assert [round(60e6 / m.tempo, 3) for m in head if m.type == "set_tempo"] == [97.3, 121.0]
    assert [m.text for m in head if m.type in ("text", "copyright", "marker")] == ["CC0", "made", "Gm", "A"]
    assert [m.text for m in found.tracks[1] if m.type == "lyrics"] == ["Lie-", "be"]
    controls = [(m.control, m.value) for m in found.tracks[2] if m.type == "control_change"]
    assert controls == [(7, 100), (10, 64), (64, 127), (64, 0)]
    assert {m.channel for m in found.tracks[3] if not m.is_meta} == {9}
    assert len({m.channel for t in found.tracks[1:] for m in t if not m.is_meta}) == 3
    again = read(write_midi(score, title="Lied"))
    assert again.title == "Lied"
    assert again.score.notes().tolist() == score.notes().tolist()
    assert [t.bpm for t in again.score.tempos] == pytest.approx([97.3, 121.0], abs=1e-4)


def test_chord_symbols_among_texts_are_chords_and_move_with_the_music() -> None:
    texts = b"".join(bytes((0, 0xFF, 1, len(t))) + t for t in (b"Am", b"F#m7/C#", b"G"))
    score = read(file(chunk(texts + note(60)))).score
    assert [m.text for m in score.transpose(2).marks if m.kind is MarkKind.CHORD] == ["Bm", "G#m7/D#", "A"]


# Hostile files.
def mutations(data: bytes, n: int, seed: int) -> Iterable[bytes]:
    rng = np.random.default_rng(seed)
    for _ in range(n):
        raw = bytearray(data)
        for _ in range(int(rng.integers(1, 12))):
            place = int(rng.integers(len(raw)))
            way = int(rng.integers(3))
            if way == 0:
                raw[place] = int(rng.integers(256))
            elif way == 1:
                del raw[place : place + int(rng.integers(1, 9))]
            else:
                raw[place:place] = bytes(rng.integers(0, 256, int(rng.integers(1, 9)), dtype=np.uint8))
        yield bytes(raw)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_are_read_or_refused(seed: int) -> None:
    for data in mutations(five_tracks(), 60, seed):
        try:
            score = read(data).score
        except UnreadableFileError:
            continue
        assert read(write_midi(score)).score.notes().tolist() == score.notes().tolist()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a MIDI file"),
        (b"MThd", "breaks off"),
        (file(), "no track"),
        (file(chunk(b"")), "no notes"),
        (file(chunk(note(60)), division=0), "division is 0"),
        (file(chunk(note(60)), division=0xE000), "allowed: 24, 25"),
        (file(chunk(note(60) + b"\xff\xff\xff\x7f\xb0\x01\x01" * 9)), "tick"),
        (file(chunk(b"\x00\xb0\x01\x01" * 250_001 + note(60))), "250000 events"),
        (file(chunk(b"\x00\x90\x3c\x50" * 200_001)), "200000 notes"),
        (file(*[chunk(note(60))] * 65), "65 tracks"),
        (file(*[chunk(b"")] * 1025), "1024 tracks"),
    ],
    ids=[
        "empty",
        "header",
        "no track",
        "no notes",
        "division",
        "frames",
        "ticks",
        "events",
        "notes",
        "tracks",
        "chunks",
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableFileError, match=message):
        read(data)


def test_quintuplets_and_septuplets_are_held_for_notation() -> None:
    rows = [(i * 96, 96, 60 + i, 80, 0) for i in range(5)]
    rows += [(480 + round(i * 480 / 7), 68, 60 + i, 80, 0) for i in range(7)]
    rows += [(960 + i * 120, 120, 60 + i, 80, 0) for i in range(4)] + [(1440, 480, 72, 80, 0)]
    score = Score.from_notes(rows, ticks_per_quarter=480)
    fine = quantise(score, ticks_per_quarter=840)
    assert fine.onset.tolist() == [
        *range(0, 840, 168), *range(840, 1680, 120), *range(1680, 2520, 210), 2520,
    ]  # fmt: skip
    assert fine.duration.tolist() == [168] * 5 + [120] * 7 + [210] * 4 + [840]
    assert quantise(fine, ticks_per_quarter=840) == fine
    assert quantise(fine) == quantise(score)


def test_public_files_come_back_with_all_events(shared_data: Path) -> None:
    """Files that need no repair and say each track's name at its start."""
    paths = sorted((shared_data / "composing").rglob("*.mid"))[::120]
    compared = 0
    for path in paths:
        data = path.read_bytes()
        if len(data) > 60_000:
            continue
        piece = read(data)
        if piece.repairs:
            continue
        before = sorted((tick, text) for tick, _, text in events_of(data) if "end_of_track" not in text)
        after = events_of(write_midi(piece.score))
        assert sorted((tick, text) for tick, _, text in after if "end_of_track" not in text) == before, path
        compared += 1
    assert compared >= 20
