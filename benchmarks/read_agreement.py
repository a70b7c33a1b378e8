"""Agreement of the MIDI reader with mido: prints Markdown tables for `docs/benchmarks/midi_agreement.md`.

    python benchmarks/read_agreement.py FOLDER [--limit N]

Reads every MIDI file under FOLDER with `troubadour.formats.midi.read_midi` and with mido (a development dependency),
which has its own parser, and compares notes, keys, metres and tempos. Every difference is put into a class; a class
"unexplained" that is not zero is a fault of one of the readers.
"""

from __future__ import annotations

import argparse
import datetime
import io
import platform
import re
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import mido

from troubadour.core.errors import TroubadourError
from troubadour.formats.midi import read_midi
from troubadour.music.score import Score

SAME = "equal"
UNEXPLAINED = "unexplained"
Change = tuple[Any, ...]
"""A tick, and the value from there on."""


class Note(NamedTuple):
    """A note in ticks of the file."""

    onset: int
    duration: int
    pitch: int
    velocity: int


@dataclass
class Told:
    """Contents of a file as read by mido."""

    ticks_per_quarter: int
    notes: list[Note] = field(default_factory=list)
    overlapped: set[tuple[int, int]] = field(default_factory=set)
    """(onset, pitch) of notes that overlap another of their channel and pitch."""
    hung: list[tuple[int, int]] = field(default_factory=list)
    """(onset, pitch) of notes without an end."""
    changes: dict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    """`keys` (tick, fifths, mode), `metres` (tick, numerator, denominator), `tempos` (tick, bpm)."""


def told_by_mido(data: bytes) -> Told:
    """Notes and changes in mido's messages; note-offs are paired first in, first out."""
    file = mido.MidiFile(file=io.BytesIO(data), clip=True)
    told = Told(file.ticks_per_beat)
    for track in file.tracks:
        tick = 0
        open_notes: dict[tuple[int, int], deque[tuple[int, int]]] = defaultdict(deque)
        for message in track:
            tick += message.time
            if message.type in ("note_on", "note_off"):
                waiting = open_notes[message.channel, message.note]
                if message.type == "note_on" and message.velocity:
                    waiting.append((tick, message.velocity))
                    if len(waiting) > 1:
                        told.overlapped |= {(onset, message.note) for onset, _ in waiting}
                elif waiting:
                    onset, velocity = waiting.popleft()
                    told.notes.append(Note(onset, tick - onset, message.note, velocity))
            elif message.type == "key_signature":
                told.changes["keys"].append((tick, *_fifths(message.key)))
            elif message.type == "time_signature":
                told.changes["metres"].append((tick, message.numerator, message.denominator))
            elif message.type == "set_tempo" and message.tempo:
                told.changes["tempos"].append((tick, round(60e6 / message.tempo, 2)))
        told.hung += [(onset, pitch) for (_, pitch), left in open_notes.items() for onset, _ in left]
    return told


def _fifths(name: str) -> tuple[int, str]:
    """Fifths and mode of a key as mido names it, such as `F#m`."""
    minor = name.endswith("m")
    tonic = name.removesuffix("m")
    fifths = "FCGDAEB".index(tonic[0]) - 1 + 7 * (tonic.count("#") - tonic.count("b"))
    return (fifths - 3 if minor else fifths), "minor" if minor else "major"


def compare_notes(score: Score, told: Told) -> Counter[str]:
    """Count equal notes, and differences by class."""
    columns = (score.onset, score.duration, score.pitch, score.velocity)
    ours = Counter(Note(*row) for row in zip(*(c.tolist() for c in columns), strict=True))
    theirs = Counter(told.notes)
    found = Counter({SAME: (ours & theirs).total()})
    left: dict[tuple[int, int], list[Note]] = defaultdict(list)
    for note in (ours - theirs).elements():
        left[note.onset, note.pitch].append(note)
    for note in (theirs - ours).elements():
        at = (note.onset, note.pitch)
        same = left[at].pop() if left[at] else None
        if same is None:
            found["not read, a double" if at in told.overlapped else f"not read, {UNEXPLAINED}"] += 1
        elif note.duration == 0:
            found["length 0, read as 1 tick"] += 1
        elif same.duration != note.duration:
            overlaps = at in told.overlapped
            found[
                "overlapping notes of one pitch, ends paired otherwise"
                if overlaps
                else f"length, {UNEXPLAINED}"
            ] += 1
        else:
            found[f"velocity, {UNEXPLAINED}"] += 1
    hung = Counter(told.hung)
    for at, notes in left.items():
        for _ in notes:
            found["without an end, read" if hung[at] > 0 else f"not in mido, {UNEXPLAINED}"] += 1
            hung[at] -= 1
    found["without an end, not read"] += sum(n for n in hung.values() if n > 0)
    return +found


def compare_changes(ours: list[Change], theirs: list[Change], default: tuple[Any, ...]) -> str:
    """Class of a file's keys, metres or tempos: equal, or equal after named steps."""
    if not theirs:
        return (
            "none in the file, the default assumed"
            if ours == [default]
            else f"none in the file, {UNEXPLAINED}"
        )
    steps: list[str] = []
    kept = sorted(theirs, key=lambda change: change[0])
    alike = len({c[0] for c in kept}) == len(set(kept))
    for step, change in (
        (
            "the same in several tracks" if alike else "different ones at a tick, the last stands",
            _last_of_each_tick,
        ),
        ("repeats left out", _without_repeats),
        ("the first comes late and holds from the beginning on as well", _from_zero),
    ):
        after = change(kept)
        if after != kept:
            steps.append(step)
        kept = after
        if ours == kept:
            return "; ".join(steps) or SAME
    return UNEXPLAINED


def _last_of_each_tick(changes: list[Change]) -> list[Change]:
    return list({change[0]: change for change in changes}.values())


def _without_repeats(changes: list[Change]) -> list[Change]:
    return [c for i, c in enumerate(changes) if i == 0 or c[1:] != changes[i - 1][1:]]


def _from_zero(changes: list[Change]) -> list[Change]:
    return [(0, *changes[0][1:]), *changes] if changes[0][0] else changes


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares the MIDI reader with mido.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="number of files, evenly spread")
    arguments = parser.parse_args()
    paths = sorted(
        p for p in arguments.folder.rglob("*") if p.suffix.lower() in (".mid", ".midi") and p.is_file()
    )
    if arguments.limit:
        paths = paths[:: max(1, len(paths) // arguments.limit)]
    started = time.process_time()
    read: Counter[str] = Counter()
    tables: dict[str, Counter[str]] = defaultdict(Counter)
    examples: dict[tuple[str, str], str] = {}
    for path in paths:
        name = path.relative_to(arguments.folder).as_posix()
        state, classes = _compared(path)
        read[state] += 1
        for what, found in classes.items():
            tables[what].update(found)
            for kind in found:
                examples.setdefault((what, kind), name)
        examples.setdefault(("files", state), name)
    print(
        f"{datetime.date.today()}, {platform.platform()}, {time.process_time() - started:.0f} s of processor time"
    )
    _table("files", read, examples)
    for what in ("notes", "keys", "metres", "tempos"):
        _table(what, tables[what], examples)


def _compared(path: Path) -> tuple[str, dict[str, Counter[str]]]:
    data = path.read_bytes()
    score = told = None
    states: list[str] = []
    try:
        score = read_midi(data, path.name).score
    except TroubadourError as error:
        states.append(f"refused: {_cause(str(error).removeprefix(path.name))}")
    try:
        told = told_by_mido(data)
    except (OSError, ValueError, EOFError, IndexError, KeyError, mido.KeySignatureError) as error:
        states.append(f"refused by mido: {_cause(repr(error))}")
    if score is None or told is None:
        return "; ".join(states), {}
    if score.ticks_per_quarter != told.ticks_per_quarter:
        return f"ticks a quarter, {UNEXPLAINED}", {}
    pairs: dict[str, tuple[list[Change], Change]] = {
        "keys": ([(k.tick, k.fifths, k.mode) for k in score.keys], (0, 0, "major")),
        "metres": ([(m.tick, m.numerator, m.denominator) for m in score.metres], (0, 4, 4)),
        "tempos": ([(t.tick, round(t.bpm, 2)) for t in score.tempos], (0, 120.0)),
    }
    classes = {
        what: Counter([compare_changes(ours, told.changes[what], default)])
        for what, (ours, default) in pairs.items()
    }
    return "read by both", {"notes": compare_notes(score, told), **classes}


def _cause(text: str) -> str:
    return re.sub(r"\d+", "N", text).strip(" :")[:80].replace("|", "/")


def _table(what: str, counts: Counter[str], examples: dict[tuple[str, str], str]) -> None:
    unit = "notes" if what == "notes" else "files"
    print(f"\n| {what} | {unit} | share | for example |\n| --- | ---: | ---: | --- |")
    for kind, n in counts.most_common():
        example = "" if kind in (SAME, "read by both") else f"`{examples[what, kind]}`"
        print(f"| {kind} | {n:,} | {n / max(counts.total(), 1):.3%} | {example} |")


if __name__ == "__main__":
    main()
