"""A file as a sequencer writes it, and what an independent reader finds in a file."""

from __future__ import annotations

import io

import mido
import numpy as np


def events_of(data: bytes) -> list[tuple[int, int, str]]:
    """Tick, track and text of each event as mido reads it, sorted."""
    found = []
    for index, track in enumerate(mido.MidiFile(file=io.BytesIO(data)).tracks):
        tick = 0
        for message in track:
            tick += message.time
            found.append((tick, index, str(message.copy(time=0))))
    return sorted(found)


def five_tracks() -> bytes:
    """A pop file as a sequencer writes it: drums, chords, bass, lead, words; human timing."""
    rng = np.random.default_rng(1)
    out = mido.MidiFile(ticks_per_beat=480)
    head = mido.MidiTrack([
        mido.MetaMessage("track_name", name="My Song"), mido.MetaMessage("set_tempo", tempo=508475),
        mido.MetaMessage("time_signature", numerator=4, denominator=4, clocks_per_click=24),
        mido.MetaMessage("key_signature", key="A"), mido.MetaMessage("marker", text="Verse"),
        mido.MetaMessage("marker", text="Chorus", time=4 * 1920), mido.MetaMessage("end_of_track", time=1920),
    ])  # fmt: skip
    out.tracks.append(head)
    for name, channel, program, pitches in (
        ("Drums", 9, None, (36, 38)), ("Keys", 0, 4, (57, 61, 64)), ("Bass", 1, 33, (33,)), ("Lead", 2, 81, (69, 71, 73, 76)),
    ):  # fmt: skip
        events: list[tuple[int, int, mido.Message]] = []
        if program is not None:
            events.append((0, 0, mido.Message("program_change", channel=channel, program=program)))
        events.append((0, 1, mido.Message("control_change", channel=channel, control=7, value=90 + channel)))
        for tick in range(0, 8 * 1920, 240):
            pan = mido.Message("control_change", channel=channel, control=10, value=tick // 240)
            events.append((tick + 7, 1, pan))
        for tick in range(480, 8 * 1920, 960):
            bend = mido.Message("pitchwheel", channel=channel, pitch=int(rng.integers(-800, 800)))
            events.append((tick + 11, 1, bend))
        for beat in range(32):
            onset = beat * 480 + int(rng.integers(0, 12))
            played = pitches if name == "Keys" else [pitches[int(rng.integers(len(pitches)))]]
            for pitch in played:
                length = int(rng.integers(380, 440))
                velocity = int(rng.integers(50, 110))
                on = mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)
                off = mido.Message("note_off", channel=channel, note=pitch, velocity=int(rng.integers(1, 90)))
                events += [(onset, 3, on), (onset + length, 2, off)]
            if name == "Lead":
                events.append((onset, 1, mido.MetaMessage("lyrics", text=f"la{beat}")))
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        now = 0
        for tick, _, message in sorted(events, key=lambda e: e[:2]):
            track.append(message.copy(time=tick - now))
            now = tick
        track.append(mido.MetaMessage("end_of_track", time=8 * 1920 - now))
        out.tracks.append(track)
    stream = io.BytesIO()
    out.save(file=stream)
    return stream.getvalue()
