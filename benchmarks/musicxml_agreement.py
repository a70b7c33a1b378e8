"""Agreement of the MusicXML reader with music21 on notes, keys, metres and tempos.

    python benchmarks/musicxml_agreement.py FOLDER ... [--sample 400] [--seed 1] [--seconds 20] [--all FOLDER ...]

Both read a sample of the files of all FOLDERs, and all files of --all. Notes are
compared as (onset, duration, pitch) in quarters on the time line of the file, with first endings, without
expanded repeats, grace and cue notes. Files for which music21 needs more than --seconds of processor time are
counted and left out. Prints the table of docs/benchmarks/musicxml_agreement.md.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from troubadour.formats.musicxml import read_musicxml_file
from troubadour.music.piece import Piece

warnings.filterwarnings("ignore")
SUFFIXES = {".mxl", ".musicxml", ".xml"}
Note = tuple[float, float, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--all", nargs="*", type=Path, default=[])
    parser.add_argument("--sample", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smallest", type=int, default=0, help="bytes of a sampled file")
    parser.add_argument("--largest", type=int, default=250_000, help="bytes of a sampled file")
    parser.add_argument("--seconds", type=int, default=20, help="processor time that music21 gets for a file")
    given = parser.parse_args()
    signal.signal(signal.SIGVTALRM, _stop)
    print("| set | files | read by both | notes | notes in both | keys | metres | tempos |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    reasons: Counter[str] = Counter()
    named: list[str] = []
    sets = [(f.name, _files(f)) for f in given.all]
    if given.folders:
        found = [
            p for f in given.folders for p in _files(f) if given.smallest <= p.stat().st_size <= given.largest
        ]
        chosen = random.Random(given.seed).sample(found, min(given.sample, len(found)))
        sets.append((f"sample of {len(found)}", sorted(chosen)))
    for name, files in sets:
        print(_row(name, files, reasons, named, given.seconds), flush=True)
    print("\n| difference | files |\n|---|---:|")
    for reason, count in reasons.most_common():
        print(f"| {reason} | {count} |")
    print("\n" + "\n".join(named))


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and p.is_file())


class _TooSlowError(BaseException):
    """Raised when the time limit of music21 is reached; no `Exception`, because music21 catches those."""


def _stop(*_: object) -> None:
    raise _TooSlowError


def _row(name: str, files: list[Path], reasons: Counter[str], named: list[str], seconds: int) -> str:
    both = notes = same = 0
    equal: Counter[str] = Counter()
    for path in files:
        started = time.monotonic()
        try:
            mine: Piece | None = read_musicxml_file(path, all_endings=True)
        except Exception as error:
            mine, cause = None, str(error)[-90:]
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
            theirs = _music21(path)
        except _TooSlowError:
            reasons[f"music21 needs longer than {seconds} s"] += 1
            continue
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if mine is None or theirs is None:
            if mine is None and theirs is not None:
                reasons["refused here, read by music21"] += 1
                named.append(f"- {path.name}: refused: {cause}")
            elif mine is not None:
                reasons["read here, refused by music21"] += 1
            continue
        both += 1
        ours = Counter(_notes(mine))
        other = Counter(_heard(theirs))
        notes += sum(other.values())
        common = sum((ours & other).values())
        same += common
        for what, agree in _maps(mine, theirs).items():
            equal[what] += agree
            if not agree:
                reasons[f"{what} differ"] += 1
                named.append(f"- {path.name}: {what}: {_shown(mine, theirs, what)}")
        if ours != other:
            reason = _reason(mine, ours, other)
            reasons[reason] += 1
            named.append(
                f"- {path.name}: {reason}: {sum(ours.values())} notes here, {sum(other.values())} there, "
                f"{common} in both; only here {_few(ours - other)}; only there {_few(other - ours)}"
            )
        print(f"  {path.name}: {time.monotonic() - started:.1f} s", flush=True, file=sys.stderr)
    return (
        f"| {name} | {len(files)} | {both} | {notes} | {same} ({same / max(notes, 1):.2%}) "
        f"| {equal['keys']} | {equal['metres']} | {equal['tempos']} |"
    )


def _few(notes: Counter[Note]) -> str:
    return ", ".join(f"{o:g}+{d:g} {p}" for o, d, p in sorted(notes)[:3]) or "none"


def _music21(path: Path) -> Any:
    from music21 import converter

    try:
        parsed = converter.parse(path, forceSource=True, format="musicxml")
        return parsed.toSoundingPitch()
    except Exception:
        return None


def _notes(piece: Piece) -> Iterator[Note]:
    score = piece.score
    quarter = score.ticks_per_quarter
    for onset, duration, pitch, _, track in score.notes().tolist():
        key = -1 if score.tracks[track].is_drum else pitch
        yield round(onset / quarter, 2), round(duration / quarter, 2), key


def _heard(stream: Any) -> Iterator[Note]:
    """Notes of music21: sounding, graces left out, pitch -1 for drums.

    Ties are joined here: its `stripTies` joins a chord as a whole or not at all.
    """
    for part in stream.parts:
        single: list[tuple[float, float, int, str]] = []
        for note in part.flatten().notes:
            if note.duration.isGrace or "Harmony" in note.classSet or "ChordSymbol" in note.classSet:
                continue
            onset, duration = float(note.offset), float(note.quarterLength)
            for one in getattr(note, "notes", (note,)):
                pitch = -1 if "Unpitched" in one.classSet else int(one.pitch.midi)
                single.append((onset, duration, pitch, one.tie.type if one.tie else ""))
        yield from _tied(single)


def _tied(single: list[tuple[float, float, int, str]]) -> Iterator[Note]:
    held: dict[int, list[list[float]]] = {}
    done: list[tuple[list[float], int]] = []
    for onset, duration, pitch, tie in sorted(single):
        before = held.setdefault(pitch, [])
        row = None
        if tie in ("stop", "continue"):
            row = next((r for r in before if abs(r[0] + r[1] - onset) < 0.01), None)
        if row is None:
            row = [onset, duration]
            done.append((row, pitch))
        else:
            before.remove(row)
            row[1] = onset + duration - row[0]
        if tie in ("start", "continue"):
            before.append(row)
    for row, pitch in done:
        yield round(row[0], 2), round(row[1], 2), pitch


def _maps(piece: Piece, stream: Any) -> dict[str, bool]:
    return {what: _ours(piece, what) == _theirs(stream, what) for what in ("keys", "metres", "tempos")}


def _shown(piece: Piece, stream: Any, what: str) -> str:
    return f"{_ours(piece, what)[:3]} here, {_theirs(stream, what)[:3]} there"


def _ours(piece: Piece, what: str) -> list[Any]:
    score = piece.score
    if what == "keys":
        return _changes([k.fifths for k in score.keys])
    if what == "metres":
        # Irregular bars have metres of their own here: only the first is compared.
        return [score.metres[0].name]
    return [round(score.tempos[0].bpm, 1)]


def _theirs(stream: Any, what: str) -> list[Any]:
    part = stream.parts[0].flatten()
    if what == "keys":
        for one in stream.parts:
            keys = [k.sharps for k in one.flatten().getElementsByClass("KeySignature")]
            if keys:
                return _changes([((k + 5) % 12 - 5) if abs(k or 0) > 7 else k for k in keys])
        return [0]
    if what == "metres":
        found = part.getElementsByClass("TimeSignature")
        return [found[0].ratioString] if found else ["4/4"]
    # A tempo that is heard and not printed is `numberSounding` there.
    told = [
        m.getQuarterBPM() if m.number is not None else m.numberSounding
        for m in stream.flatten().getElementsByClass("MetronomeMark")
        if m.number is not None or m.numberSounding is not None
    ]
    return [round(float(told[0]), 1)] if told else [100.0]


def _changes(values: list[Any]) -> list[Any]:
    return [v for i, v in enumerate(values) if not i or v != values[i - 1]]


def _reason(piece: Piece, ours: Counter[Note], other: Counter[Note]) -> str:
    """Class of a difference in notes."""
    mine, theirs = _sounding(ours), _sounding(other)
    if mine == theirs:
        return "notes: ties (which are one note)"
    if "grace or cue" in str(piece.repairs) and not mine - theirs:
        return "notes: cue notes, which music21 plays"
    if not mine - theirs and sum(ours.values()) < sum(other.values()):
        return "notes: left out here (first endings, tablature)"
    here, there = Counter(n[1:] for n in mine), Counter(n[1:] for n in theirs)
    if here == there:
        return "notes: onsets (short bars are filled up here, or first endings left out)"
    if sum((here & there).values()) > 0.9 * sum(there.values()):
        return "notes: a few"
    return "notes: left out here, and later ones earlier (first endings)"


def _sounding(notes: Counter[Note]) -> Counter[Note]:
    """Notes with those of one pitch that follow each other without a gap, or overlap, joined."""
    joined: Counter[Note] = Counter()
    last: dict[int, tuple[float, float]] = {}
    for onset, duration, pitch in sorted(notes):
        start, stop = last.get(pitch, (onset, onset))
        if onset > stop + 0.02:
            joined[start, round(stop - start, 1), pitch] += 1
            start, stop = onset, onset
        last[pitch] = (start, max(stop, onset + duration))
    for pitch, (start, stop) in last.items():
        joined[start, round(stop - start, 1), pitch] += 1
    return joined


if __name__ == "__main__":
    main()
