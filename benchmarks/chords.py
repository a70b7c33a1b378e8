"""Chords compared with published, music21's and AugmentedNet's Roman numerals: prints Markdown tables.

    python benchmarks/chords.py [--home FOLDER] [--data FOLDER] [--songs 40] [--seed 1]

Chorales analysed by A. Jones, D. Tymoczko and others (analyses in music21) are compared
beat by beat. music21's own numeral describes the notes at the beat, in the local key that it
estimates over the surrounding bars. `--data` is the folder with `openscore_lieder`, whose numerals are the output
of a program: agreement with them is not accuracy.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from troubadour.analysis.beats import beats, pitched
from troubadour.analysis.harmony import find_chords
from troubadour.analysis.key import key_of
from troubadour.app import importing
from troubadour.app.search import read_music
from troubadour.catalogue.store import Store
from troubadour.core.errors import TroubadourError
from troubadour.core.threads import one_thread
from troubadour.music.score import Score

_TRIAD = {"major": "major", "7": "major", "maj7": "major", "minor": "minor", "m7": "minor",
          "diminished": "diminished", "m7b5": "diminished", "dim7": "diminished", "augmented": "augmented"}  # fmt: skip
_SAID = ("root", "root and triad", "root, triad and inversion", "local key", "numeral (root, triad, key)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--songs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        f"Command: `python benchmarks/chords.py --data FOLDER --songs {options.songs} --seed {options.seed}`; "
        f"{datetime.date.today()}; {machine()}\n"
    )
    with tempfile.TemporaryDirectory() as folder, Store.open(options.home or Path(folder)) as store:
        if not store.counts()["pieces"]:
            importing.import_builtin(store, ["chorales"])
        rows = [r for r in store.pieces(generated=False) if r.collection == "chorales"]
        scores = store.scores([r.id for r in rows])
    with one_thread():
        chorales({r.number: s for r, s in zip(rows, scores, strict=True)})
        if options.data:
            lieder(options.data / "openscore_lieder", options.songs, options.seed)


class Tally:
    """Agreement of two analyses, and their disagreements."""

    def __init__(self) -> None:
        self.agreed: Counter[str] = Counter()
        self.differ: Counter[tuple[str, str]] = Counter()

    def add(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        root = one["root"] == other["root"]
        triad = root and one["triad"] == other["triad"]
        key = one["key"] == other["key"]
        said = (root, triad, triad and one["inversion"] == other["inversion"], key, triad and key)
        self.agreed["beats"] += 1
        for what, so in zip(_SAID, said, strict=True):
            self.agreed[what] += so
        if not triad:
            self.differ[(other["figure"], one["figure"])] += 1

    def shares(self) -> str:
        return " | ".join(f"{self.agreed[w] / max(self.agreed['beats'], 1):.3f}" for w in _SAID)

    def common(self, n: int = 14) -> str:
        return ", ".join(f"{a} / {b or '-'} ({k})" for (a, b), k in self.differ.most_common(n))


def chorales(by_number: dict[str, Score]) -> None:
    from music21 import converter

    spec = find_spec("music21")
    assert spec is not None
    folder = Path(next(iter(spec.submodule_search_locations or []))) / "corpus" / "bach" / "choraleAnalyses"
    ours, theirs, between = Tally(), Tally(), Tally()
    left_out: list[str] = []
    used = 0
    for path in sorted(folder.glob("*.rntxt")):
        bwv = re.search(r"BWV:\s*(\S+)", path.read_text())
        score = by_number.get(bwv[1]) if bwv else None
        if score is None:
            left_out.append(f"BWV {bwv[1] if bwv else path.stem} (not among the scores)")
            continue
        people = numerals(converter.parse(str(path), format="romantext"))
        rows = joined(score, people, music21_numerals(score))
        if not fits(score, people, rows):
            left_out.append(f"BWV {bwv[1] if bwv else ''} (another key or length)")
            continue
        used += 1
        for mine, human, peer in rows:
            ours.add(mine, human)
            if peer:
                theirs.add(peer, human)
                between.add(mine, peer)
    print(f"## {used} chorales with published analyses, {ours.agreed['beats']} beats\n")
    print("| | " + " | ".join(_SAID) + " |\n" + "|---" * (len(_SAID) + 1) + "|")
    print(f"| Troubadour beside people | {ours.shares()} |")
    print(f"| music21 beside people | {theirs.shares()} |")
    print(f"| Troubadour beside music21 | {between.shares()} |")
    print(f"\nMost frequent disagreements, people / Troubadour: {ours.common()}.")
    print(f"\nmusic21 / Troubadour: {between.common()}.\n\nExcluded: {', '.join(left_out)}.\n")


def numerals(stream: Any) -> list[tuple[float, float, Callable[[], dict[str, Any]]]]:
    """(start, length, content) of each numeral of a parsed analysis, in quarters."""

    def said(r: Any) -> Callable[[], dict[str, Any]]:
        return lambda: {
            "root": r.root().pitchClass, "triad": r.quality, "inversion": r.inversion(), "figure": r.figure,
            "key": key_of(r.key.tonic.pitchClass, r.key.mode).name,
        }  # fmt: skip

    return [
        (float(r.getOffsetInHierarchy(stream)), float(r.quarterLength), said(r))
        for r in stream.flatten().getElementsByClass("RomanNumeral")
    ]


def joined(score: Score, people: list[Any], peer: dict[int, dict[str, Any]]) -> list[Any]:
    """Chords of Troubadour, the other analysis and music21 at each common beat."""
    table = beats(score)
    starts = {(int(b), int(p)): int(t) for b, p, t in zip(table.bar, table.place, table.start, strict=True)}
    ours = sorted(((starts[c.bar, c.beat], c) for c in find_chords(score)), key=lambda pair: pair[0])
    ticks = [t for t, _ in ours]
    rows: list[Any] = []
    for start in table.start.tolist():
        c = ours[int(np.searchsorted(ticks, start, side="right")) - 1][1]
        now = [say for offset, length, say in people if offset * 24 <= start + 0.01 < (offset + length) * 24]
        if now and c.root >= 0:
            mine = {
                "root": c.root, "triad": _TRIAD[c.quality], "inversion": c.inversion, "figure": c.numeral, "key": c.key,
            }  # fmt: skip
            rows.append((mine, now[-1](), peer.get(start)))
    return rows


def fits(score: Score, people: list[Any], rows: list[Any], beats_off: float = 1.5) -> bool:
    shifts = [sum((m["root"] - p["root"]) % 12 == shift for m, p, _ in rows) for shift in range(12)]
    end = people[-1][0] + people[-1][1] if people else 0.0
    return not int(np.argmax(shifts)) and abs(end - score.end_ticks / 24) <= beats_off


def music21_numerals(score: Score) -> dict[int, dict[str, Any]]:
    """music21's analysis of each beat, by tick."""
    from music21 import chord, roman

    notes, table = pitched(score), beats(score)
    end = notes.onset + notes.duration
    local = [music21_key(score, bar, bar + 2) for bar in range(int(table.bar.max()) + 1)]
    found: dict[int, dict[str, Any]] = {}
    for start, bar in zip(table.start.tolist(), table.bar.tolist(), strict=True):
        sounding = sorted(notes.pitch[(notes.onset <= start) & (end > start)].tolist())
        if len({p % 12 for p in sounding}) < 2 or local[bar] is None:
            continue
        one = chord.Chord(sounding)
        key = local[bar]
        found[start] = {
            "root": one.root().pitchClass, "triad": one.quality, "inversion": one.inversion(),
            "key": key_of(key.tonic.pitchClass, key.mode).name,
            "figure": roman.romanNumeralFromChord(one, key).figure,
        }  # fmt: skip
    return found


def music21_key(score: Score, first: int, last: int) -> Any:
    """Key of the surrounding bars by music21's Krumhansl-Schmuckler analysis."""
    from music21 import note, stream

    starts = score.bar_starts()
    low = starts[max(min(first - 2, len(starts) - 1), 0)]
    high = starts[last] if last < len(starts) else score.end_ticks
    part = pitched(score.where((score.onset >= low) & (score.onset < high)))
    if not len(part):
        return None
    line = stream.Stream()
    for pitch, duration in zip(part.pitch.tolist(), part.duration.tolist(), strict=True):
        line.append(note.Note(pitch, quarterLength=duration / 24))
    return line.analyze("key")


def lieder(folder: Path, songs: int, seed: int) -> None:
    from music21 import converter

    paths = sorted(folder.rglob("analysis_automatic.rntxt"))
    tally, used, why = Tally(), 0, Counter[str]()
    for i in np.random.default_rng(seed).permutation(len(paths)).tolist():
        if used == songs:
            break
        music = sorted(paths[i].parent.glob("*.mxl"))
        try:
            score = read_music(music[0]).score
            people = numerals(converter.parse(str(paths[i]), format="romantext"))
            rows = joined(score, people, {})
        except TroubadourError:
            why["the score does not read"] += 1
            continue
        except Exception:  # music21 raises whatever it meets in a damaged analysis
            why["analysis not readable by music21"] += 1
            continue
        if not rows or not fits(score, people, rows, 4.0):
            why["another key or length (repeats, another count of bars)"] += 1
            continue
        used += 1
        for mine, other, _ in rows:
            tally.add(mine, other)
    print(f"## {used} songs of OpenScore Lieder compared with AugmentedNet, {tally.agreed['beats']} beats\n")
    print("| | " + " | ".join(_SAID) + " |\n" + "|---" * (len(_SAID) + 1) + "|")
    print(f"| Troubadour beside AugmentedNet | {tally.shares()} |")
    print(f"\nMost frequent disagreements, AugmentedNet / Troubadour: {tally.common()}.")
    print(f"\nExcluded: {', '.join(f'{what} ({n})' for what, n in why.items()) or 'none'}.")


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
