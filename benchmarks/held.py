"""Independent check of constraints in written files; shares no code with the composer.

Notes, metres, tempi and instruments are read with mido from the MIDI file, the key from the MusicXML
file; scales, chords, densities, cadences, parallels and common passages are computed here independently.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, pairwise

import mido
import numpy as np
from numpy.typing import NDArray

from troubadour.generation.request import Brief

Note = tuple[int, int, int]
"""Onset and end in ticks, 24 a quarter, from the start with its upbeat; MIDI pitch."""
CHORDS = {
    "": (0, 4, 7), "m": (0, 3, 7), "7": (0, 4, 7, 10), "m7": (0, 3, 7, 10), "maj7": (0, 4, 7, 11),
    "6": (0, 4, 7, 9), "dim": (0, 3, 6), "sus4": (0, 5, 7),
}  # fmt: skip
PLAYED = {
    0: (21, 108),
    40: (55, 105),
    41: (48, 93),
    42: (36, 84),
    52: (36, 84),
    70: (34, 76),
    73: (60, 98),
    71: (50, 94),
}
"""Widest playable ranges of some General MIDI instruments."""
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11, "#": 1, "b": -1}
_TONIC_FIFTHS = {
    "major": 0, "lydian": -1, "mixolydian": 1, "dorian": 2, "minor": 3, "phrygian": 4, "locrian": 5,
}  # fmt: skip
_EDGES = (0.4, 0.7, 1.0, 1.3, 1.6, 1.9, 2.3)


@dataclass(frozen=True)
class Heard:
    """A piece as read by an independent program."""

    voices: list[list[Note]]
    programs: list[int]
    metres: list[tuple[int, int, int]]
    """Tick, numerator, denominator; an upbeat is a short bar before the last of them."""
    tempo_bpm: float
    keys: list[tuple[int, str]]
    upbeat: int


def read(midi: bytes, musicxml: str) -> Heard:
    """Read the MIDI and the MusicXML file of a piece."""
    song = mido.MidiFile(file=io.BytesIO(midi))
    voices, programs, metres, tempi = [], [], [], []
    for track in song.tracks:
        time, open_, notes, program = 0, {}, [], None
        for message in track:
            time += message.time * 24
            tick, rest = divmod(time, song.ticks_per_beat)
            assert not rest or not message.type.startswith("note"), "off the grid"
            if message.type == "note_on" and message.velocity:
                open_.setdefault(message.note, []).append(tick)
            elif message.type in ("note_on", "note_off"):
                notes.append((open_[message.note].pop(0), tick, message.note))
            elif message.type == "program_change":
                program = message.program
            elif message.type == "time_signature":
                metres.append((tick, message.numerator, message.denominator))
            elif message.type == "set_tempo":
                tempi.append(mido.tempo2bpm(message.tempo))
        if program is not None:
            voices.append(sorted(notes))
            programs.append(program)
    first = ElementTree.fromstring(musicxml).find("part")
    assert first is not None
    keys = [(int(k.findtext("fifths", "")), k.findtext("mode", "")) for k in first.iter("key")]
    return Heard(voices, programs, metres, tempi[0], keys, upbeat=metres[-1][0])


def checks(brief: Brief, heard: Heard, passages: Passages | None) -> dict[str, bool]:
    """Result of each requested constraint: name to whether it holds."""
    assert brief.bars is not None
    _, numerator, denominator = heard.metres[-1]
    bar = numerator * 96 // denominator
    end = brief.bars * bar
    voices, notes = heard.voices, [n for voice in heard.voices for n in voice]
    pitches = [n[2] for n in notes]
    fifths, mode = heard.keys[0]
    tonic = (7 * (fifths + _TONIC_FIFTHS[mode])) % 12
    last = heard.upbeat + (brief.bars - 1) * bar
    found = {"bars": all(n[1] <= end for n in notes) and any(n[1] > last for n in notes)}
    if brief.voices is not None:
        found["voices"] = len(voices) == brief.voices
    if brief.metre is not None:
        found["metre"] = brief.metre == (numerator, denominator) and len(heard.metres) <= 1 + bool(
            heard.upbeat
        )
    if brief.key is not None:
        found["key (signature)"] = heard.keys == [brief.key]
    if brief.key is not None and brief.strict:
        found["key (as a scale)"] = {p % 12 for p in pitches} <= scale(*brief.key)
    if brief.tempo_bpm is not None:
        found["tempo"] = abs(heard.tempo_bpm - brief.tempo_bpm) < 0.01
    if brief.upbeat is not None:
        found["upbeat or none"] = bool(heard.upbeat) == brief.upbeat
    if brief.density is not None and brief.strict:
        share = len(notes) / (end / 24 * len(voices))
        found["density"] = sum(share > edge for edge in _EDGES) == brief.density
    if brief.instruments is not None:
        found["instruments"] = tuple(heard.programs) == brief.instruments
        found["instruments' ranges"] = all(
            PLAYED[program][0] <= n[2] <= PLAYED[program][1]
            for program, voice in zip(brief.instruments, voices, strict=True)
            for n in voice
        )
    if brief.ranges is not None:
        ranges = brief.ranges * (len(voices) if len(brief.ranges) == 1 else 1)
        found["range of each voice"] = all(
            low <= n[2] <= high for (low, high), voice in zip(ranges, voices, strict=True) for n in voice
        )
    if brief.lowest is not None:
        found["lowest note"] = min(pitches) >= brief.lowest
    if brief.highest is not None:
        found["highest note"] = max(pitches) <= brief.highest
    if brief.notes:
        found["given notes"] = all(
            (n.onset + heard.upbeat, n.onset + heard.upbeat + n.duration, n.pitch) in voices[n.voice - 1]
            for n in brief.notes
        )
    if brief.chords is not None:
        found["chords"] = _follows(brief.chords, brief.bars, voices, (numerator, denominator), heard.upbeat)
    if brief.cadence:
        close = {tonic} | ({(tonic + i) % 12 for i in (3, 4, 7)} if len(voices) > 1 else set())
        lasts = [[n[2] % 12 for n in v if n[0] == v[-1][0]] for v in voices if v]
        found["end on a cadence"] = lasts[-1][0] == tonic and {p for last in lasts for p in last} <= close
    if brief.parallels is False:
        found["no parallel fifths, octaves or unisons"] = parallels(voices) == 0
    if passages is not None:
        found[f"at most {passages.notes} notes in common"] = not passages.any_in(voices)
    return found


def scale(fifths: int, mode: str) -> set[int]:
    """Pitch classes of a scale; minor includes the raised sixth and seventh."""
    classes = {7 * (fifths + i) % 12 for i in range(-1, 6)}
    tonic = 7 * (fifths + _TONIC_FIFTHS[mode])
    return classes | ({(tonic + 9) % 12, (tonic + 11) % 12} if mode == "minor" else set())


def _follows(text: str, bars: int, voices: list[list[Note]], metre: tuple[int, int], upbeat: int) -> bool:
    """Whether beats contain only chord tones, and the lowest voice the bass at each chord change."""
    words = text.split()
    rows = [row.split() for row in text.split("|")]
    if "|" not in text:
        share = max(1, len(words) // bars)
        rows = [words[i : i + share] for i in range(0, len(words), share)]
    bar = metre[0] * 96 // metre[1]
    beat = 96 // metre[1] * (3 if metre[1] >= 8 and metre[0] % 3 == 0 and metre[0] > 3 else 1)
    for number in range(bars):
        names = rows[number % len(rows)]
        each = bar // len(names)
        for place in sorted({*range(0, bar, beat), *range(0, bar, each)}):
            tick = upbeat + number * bar + place
            classes, bass = _chord(names[place // each])
            sounding = [[n[2] % 12 for n in voice if n[0] <= tick < n[1]] for voice in voices]
            if any(p not in classes for heard in sounding for p in heard):
                return False
            if len(voices) > 1 and place % each == 0 and any(p != bass for p in sounding[-1]):
                return False
    return True


def _chord(name: str) -> tuple[set[int], int]:
    upper, _, lower = name.partition("/")
    root = sum(_LETTERS[c] for c in upper[:2] if c == upper[0] or c in "#b") % 12
    kind = upper[2:] if upper[1:2] in ("#", "b") else upper[1:]
    bass = sum(_LETTERS[c] for c in lower) % 12 if lower else root
    return {(root + i) % 12 for i in CHORDS[kind]} | {bass}, bass


def parallels(voices: list[list[Note]]) -> int:
    """Count parallel fifths and octaves (unisons): both voices move between equal intervals."""
    count = 0
    for upper, lower in combinations(voices, 2):
        moves = [
            {b[0]: (a[2], b[2]) for a, b in pairwise(v) if a[1] == b[0] and a[2] != b[2]}
            for v in (upper, lower)
        ]
        for tick in moves[0].keys() & moves[1].keys():
            (a, b), (c, d) = moves[0][tick], moves[1][tick]
            count += abs(a - c) % 12 == abs(b - d) % 12 and abs(a - c) % 12 in (0, 7)
    return count


class Passages:
    """All passages of `notes + 1` notes, by intervals and exact duration ratios."""

    def __init__(self, lines: Iterable[list[Note]], notes: int) -> None:
        self.notes = notes
        self._known = np.unique(np.concatenate([self._hashes(line) for line in lines]))

    def any_in(self, voices: list[list[Note]]) -> bool:
        """Whether a piece contains one of them."""
        for voice in voices:
            found = self._hashes(voice)
            place = np.minimum(np.searchsorted(self._known, found), len(self._known) - 1)
            if (self._known[place] == found).any():
                return True
        return False

    def _hashes(self, line: list[Note]) -> NDArray[np.uint64]:
        rows = np.array(line, dtype=np.int64).reshape(-1, 3)
        if len(rows) <= self.notes:
            return np.zeros(0, dtype=np.uint64)
        lengths = rows[:, 1] - rows[:, 0]
        shared = np.gcd(lengths[1:], lengths[:-1])
        steps = (np.diff(rows[:, 2]) + 128) << 40 | (lengths[1:] // shared) << 20 | lengths[:-1] // shared
        words = steps.astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93)
        words ^= words >> np.uint64(32)
        n = len(words) - self.notes + 1
        total = np.zeros(n, dtype=np.uint64)
        for i in range(self.notes):
            total = total * np.uint64(0x100000001B3) ^ words[i : i + n]
        return total


def top_line(notes: Iterable[Note]) -> list[Note]:
    """Skyline: highest note of each onset."""
    at: dict[int, Note] = defaultdict(lambda: (0, 0, -1))
    for note in notes:
        at[note[0]] = max(at[note[0]], note, key=lambda n: n[2])
    return [at[tick] for tick in sorted(at)]
