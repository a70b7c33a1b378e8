"""Agreement of the ABC reader with abc2midi on the tunes of the music21 collections.

abc2midi expands repeats and ornaments, swings some rhythms and shortens notes. The text for both programs
excludes these elements; onsets and pitches are compared.

Run: python benchmarks/abc_agreement.py [--tunes 600] > docs/benchmarks/abc_agreement.md
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import symusic

from troubadour.formats.abc.read import TICKS_PER_QUARTER, read_abc
from troubadour.music.piece import Piece

FOLDERS = (
    "oneills1850",
    "ryansMammoth",
    "airdsAirs",
    "nottingham-dataset",
    "essenFolksong",
    "miscFolk",
    "josquin",
)
CLASSES = {
    "same": "same notes",
    "times": "same pitches, other onsets",
    "pitches": "same onsets, other pitches",
    "fewer": "fewer notes than abc2midi",
    "more": "more notes than abc2midi",
    "refused": "refused by one of the two",
}
Note = tuple[float, int]


def tunes_of(folder: Path, count: int) -> list[str]:
    """Evenly spread tunes of a folder of books."""
    text = "\n".join(
        p.read_bytes().decode("utf-8", "replace").replace("\r", "") + "\n"
        for p in sorted(folder.glob("*.abc"))
    )
    tunes = [t for t in re.split(r"^(?=X:)", text, flags=re.M) if t.startswith("X:")]
    return tunes[:: max(1, len(tunes) // count)][:count]


def comparable(tune: str) -> str:
    """The tune without what only abc2midi plays: repeats, grace notes, decorations, chord symbols, swing."""
    head, key, body = tune.partition("\nK:")
    body = re.sub(r'"[^"\n]*"|\{[^}\n]*\}|![^!\n]+!', "", body)
    body = re.sub(r"(?m)^(?![A-Za-z]:).*$", lambda m: re.sub(r"[.~H-Wuv](?!:)", "", m[0]), body)
    body = re.sub(r":+\|+:*|\|+:+|::+", "||", body)
    body = re.sub(r"(\||\[)\s?[1-9](?:[,-][1-9])*(?![\d/])", r"| ", body)
    head = re.sub(r"(?m)^(R|P):.*$", "N:", head)
    body = re.sub(r"(?m)^P:.*$", "N:", body)
    return f"{head}{key}{body}"


def ours(tune: str) -> list[Note] | None:
    """Onsets in quarters and pitches as Troubadour reads them; None: refused."""
    item = next(iter(read_abc(tune, "x.abc")), None)
    if not isinstance(item, Piece):
        return None
    score = item.score
    return sorted(
        (round(o / TICKS_PER_QUARTER, 2), p)
        for o, p in zip(score.onset.tolist(), score.pitch.tolist(), strict=True)
    )


def theirs(tune: str, folder: Path) -> list[Note] | None:
    """The same by abc2midi; None: no MIDI file came out."""
    source, target = folder / "x.abc", folder / "x.mid"
    target.unlink(missing_ok=True)
    source.write_text(tune, encoding="utf-8")
    subprocess.run(
        ["abc2midi", str(source), "-o", str(target), "-NGRA", "-NGUI", "-BF", "0"],
        capture_output=True, timeout=20, check=False,
    )  # fmt: skip
    if not target.exists():
        return None
    score: Any = symusic.Score(str(target))  # the stubs of symusic leave its members out
    return sorted(
        (round(n.time / score.ticks_per_quarter, 2), n.pitch) for track in score.tracks for n in track.notes
    )


def together(notes: list[Note]) -> list[Note]:
    """The notes of each chord at one onset: abc2midi strums chords."""
    out: list[Note] = []
    start = -1.0
    for onset, pitch in notes:
        start = start if onset - start < 0.07 else onset
        out.append((start, pitch))
    return sorted(out)


def verdict(mine: list[Note] | None, other: list[Note] | None) -> str:
    """The class of a tune's difference."""
    if not mine or not other:
        return "refused"
    mine, other = together(mine), together(other)
    first_mine, first_other = mine[0][0], other[0][0]
    if len(mine) != len(other):
        return "fewer" if len(mine) < len(other) else "more"
    pitches = [p for _, p in mine] == [p for _, p in other]
    times = all(
        abs((a - first_mine) - (b - first_other)) < 0.06 for (a, _), (b, _) in zip(mine, other, strict=True)
    )
    return "same" if pitches and times else "times" if pitches else "pitches" if times else "fewer"


def main() -> None:
    """Compare, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tunes", type=int, default=600, help="tunes in all, spread over the collections")
    parser.add_argument("--show", action="store_true", help="name the tunes that differ, on stderr")
    arguments = parser.parse_args()
    spec = importlib.util.find_spec("music21")
    if shutil.which("abc2midi") is None or spec is None or not spec.submodule_search_locations:
        sys.exit("abc2midi (Debian package abcmidi) and the package music21 are needed")
    corpus = Path(next(iter(spec.submodule_search_locations))) / "corpus"
    rows: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in FOLDERS:
            counts: Counter[str] = Counter()
            for tune in tunes_of(corpus / name, arguments.tunes // len(FOLDERS)):
                text = comparable(tune)
                found = verdict(ours(text), theirs(text, Path(scratch)))
                counts[found] += 1
                if arguments.show and found != "same":
                    print(found, name, tune.split("\n", 1)[0], file=sys.stderr)
            rows[name] = counts
    print_page(rows)


def print_page(rows: dict[str, Counter[str]]) -> None:
    """The page as Markdown."""
    total = sum(sum(c.values()) for c in rows.values())
    same = sum(c["same"] for c in rows.values())
    version = subprocess.run(["abc2midi", "-ver"], capture_output=True, text=True, check=False).stdout.strip()
    print("# Agreement of the ABC reader with abc2midi\n")
    print(f"Command: `python benchmarks/abc_agreement.py`. Date: {datetime.now(UTC):%Y-%m-%d}. ", end="")
    print(f"Machine: {platform.machine()}, Python {platform.python_version()}; abc2midi {version}.\n")
    print(f"{same} of {total} tunes ({same / total:.1%}) have the same onsets and pitches.\n")
    print(
        "Both read the same text. It excludes elements that only abc2midi plays: repeats and endings, grace"
    )
    print("notes, decorations, chord symbols, and the rhythm field, which makes it swing hornpipes.\n")
    print("Chords that abc2midi strums count as one onset. Examined differences:\n")
    print(
        "- Other onsets: Troubadour keeps barlines on a grid. A section's last full bar before an upbeat is"
    )
    print("  shortened, and a short bar at the end of a section is filled up; abc2midi does neither.")
    print("- Other numbers of notes: chords split by a line end.\n")
    print("| collection | tunes | " + " | ".join(CLASSES.values()) + " |")
    print("|---|" + "---:|" * (len(CLASSES) + 1))
    for name, counts in rows.items():
        print(f"| {name} | {sum(counts.values())} | " + " | ".join(str(counts[c]) for c in CLASSES) + " |")


if __name__ == "__main__":
    main()
