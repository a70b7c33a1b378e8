"""Notation of written scores: visible faults, counted over the built-in collections.

Beams across the middle of the bar in 4/4, the Scotch snap of strathspeys, lengths and rests compared with
printed editions of the OpenScore collections (`--shared FOLDER`). `--pictures FOLDER` draws
the examples of docs/engraving.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import re
import time
import zipfile
from collections import Counter
from datetime import date
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from defusedxml import ElementTree as SafeXml

from troubadour.formats.abc.read import read_abc
from troubadour.formats.engrave import Engraver
from troubadour.formats.engraving.notation import values
from troubadour.formats.engraving.pulse import QUARTER, pulse_for
from troubadour.formats.musicxml import read_musicxml_file, write_musicxml
from troubadour.formats.print_pages import outlined
from troubadour.music.marks import WHOLE, Mark, MarkKind
from troubadour.music.piece import Piece
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Metre, Score, Track

Element = ElementTree.Element


def corpus() -> Path:
    spec = importlib.util.find_spec("music21")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / "corpus"


def tunes(folder: str) -> list[Piece]:
    files = sorted((corpus() / folder).glob("*.abc"))
    text = "\n".join(path.read_bytes().decode("utf-8", "replace") for path in files)
    return [p for p in read_abc(text, folder) if isinstance(p, Piece)]


def bars(part: Element) -> list[tuple[tuple[int, int], list[Element], int]]:
    """(metre, notes, ticks) of every bar of a part."""
    out = []
    metre = (4, 4)
    for measure in part.findall("measure"):
        if measure.find("attributes/time") is not None:
            metre = (
                int(measure.findtext("attributes/time/beats") or 4),
                int(measure.findtext("attributes/time/beat-type") or 4),
            )
        notes = [n for n in measure.findall("note") if n.find("chord") is None and n.findtext("voice") == "1"]
        out.append((metre, notes, sum(int(n.findtext("duration") or 0) for n in notes)))
    return out


def beam_over_middle(document: Element) -> bool:
    """Whether a beam crosses the middle of a full bar of 4/4."""
    for part in document.findall("part"):
        for metre, notes, length in bars(part):
            if metre != (4, 4) or length != 96:
                continue
            place, on = 0, False
            for note in notes:
                beam = note.findtext("beam")
                if place == 48 and on and beam in ("continue", "end"):
                    return True
                on = beam in ("begin", "continue")
                place += int(note.findtext("duration") or 0)
    return False


def snaps(document: Element) -> tuple[int, int]:
    """Sixteenths on a beat before a dotted eighth: (written so, written with a tie)."""
    whole = tied = 0
    for part in document.findall("part"):
        for _, notes, _ in bars(part):
            place = 0
            for note, after in pairwise(notes):
                length = int(note.findtext("duration") or 0)
                if length == 6 and place % 24 == 0 and note.find("tie") is None:
                    following = int(after.findtext("duration") or 0)
                    starts = any(t.get("type") == "start" for t in after.findall("tie"))
                    whole += following == 18 and not starts
                    tied += following == 6 and starts
                place += length
    return whole, tied


def printed(folder: Path, every: int) -> tuple[Counter[str], int]:
    """Note values and rests of printed editions against ours: counts, and the number of scores."""
    counts: Counter[str] = Counter()
    files = [
        *sorted((folder / "openscore_lieder" / "scores").rglob("*.mxl"))[::every],
        *sorted((folder / "openscore_quartets" / "scores").rglob("*.mxl"))[:: max(every // 2, 1)],
    ]
    for path in files:
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith(".xml") and "META" not in n)
            root = SafeXml.fromstring(archive.read(name), forbid_dtd=False)
        for part in root.findall("part"):
            _compare(part, counts)
    return counts, len(files)


def _compare(part: Element, counts: Counter[str]) -> None:
    divisions, metre = 1, (4, 4)
    for measure in part.findall("measure"):
        position = Fraction(0)
        running: dict[str, tuple[Fraction, list[int]]] = {}
        for item in measure:
            if item.tag == "attributes":
                divisions = int(item.findtext("divisions") or divisions)
                if item.find("time/beats") is not None:
                    beats = (item.findtext("time/beats") or "4").split("+")[0]
                    metre = (int(beats), int(item.findtext("time/beat-type") or 4))
            elif item.tag in ("backup", "forward"):
                step = Fraction(QUARTER * int(item.findtext("duration") or 0), divisions)
                position += -step if item.tag == "backup" else step
            elif item.tag == "note" and item.find("grace") is None and item.find("chord") is None:
                length = Fraction(QUARTER * int(item.findtext("duration") or 0), divisions)
                start, position = position, position + length
                _note(item, measure, metre, start, length, running, counts)


def _note(
    item: Element,
    measure: Element,
    metre: tuple[int, int],
    start: Fraction,
    length: Fraction,
    running: dict[str, tuple[Fraction, list[int]]],
    counts: Counter[str],
) -> None:
    plain = item.find("time-modification") is None and measure.get("implicit") != "yes"
    if not plain or start.denominator > 1 or length.denominator > 1 or metre[1] not in (2, 4, 8):
        return
    pulse = pulse_for(Metre(0, *metre), [])
    rest = item.find("rest")
    if rest is not None:
        if rest.get("measure") == "yes" or item.get("print-object") == "no" or start + length > pulse.bar:
            return
        ours = [v.length for v in values(int(start), int(start + length), pulse, [], False)]
        counts["rests"] += 1
        counts["rests as printed"] += ours == [int(length)]
        return
    ties = {t.get("type") for t in item.findall("tie")}
    voice = item.findtext("voice") or ""
    begun, parts = running.get(voice, (start, []))
    if "stop" not in ties or begun + sum(parts) != start:
        begun, parts = start, []
    parts = [*parts, int(length)]
    running[voice] = (begun, parts)
    if "start" in ties:
        return
    running.pop(voice)
    end = begun + sum(parts)
    step = QUARTER // 8
    if end > pulse.bar or begun % step or end % step:
        return
    counts["notes"] += 1
    counts["notes as printed"] += [v.length for v in values(int(begun), int(end), pulse, [])] == parts


def pictures(folder: Path) -> None:
    """Small scores of our own, as SVG without fonts."""
    engraver = Engraver()
    for name, score in examples().items():
        svg = outlined(engraver.svg(write_musicxml(quantise(score)), 1500, 40))
        svg = re.sub(r"<style[^>]*>@font-face.*?</style>", "", svg, flags=re.S)
        (folder / f"engraving-{name}.svg").write_text(svg, encoding="utf-8")
    engraver.close()


def examples() -> dict[str, Score]:
    """A reel with a snap and triplets, a waltz for the piano, and the start of a lead sheet with drums."""
    tune = [(12, 67), (6, 72), (18, 74), (18, 76), (6, 74), (12, 72), (12, 74), (12, 76), (12, 79), (8, 81), (8, 79),
            (8, 76), (24, 79), (24, 76), (24, 74), (36, 72), (12, 67), (48, 72)]  # fmt: skip
    rows, time_ = [], 0
    for length, pitch in tune:
        rows.append((time_, length, pitch, 80, 0))
        time_ += length
    reel = Score.from_notes(
        rows, ticks_per_quarter=24, tracks=(Track(73),), keys=(Key(0, 0, "major"),), upbeat_ticks=12,
        marks=(Mark(12, WHOLE, MarkKind.REPEAT_START), Mark(12, 0, MarkKind.DYNAMIC, "mf"),
               Mark(108, 0, MarkKind.SLUR, end=132), Mark(rows[-1][0], 0, MarkKind.FERMATA)),
    )  # fmt: skip
    waltz = []
    for bar, bass in enumerate((43, 38, 45, 43)):
        waltz.append((72 * bar, 22, bass, 70, 0))
        waltz += [(72 * bar + 24 * k, 19, p, 64, 0) for k in (1, 2) for p in (55, 59)]
        waltz += [(72 * bar + 12 * k, 11, 71 + (0, 3, 5, 7, 5, 3)[k], 80, 0) for k in range(6)]
    piano = Score.from_notes(
        waltz, ticks_per_quarter=24, metres=(Metre(0, 3, 4),), keys=(Key(0, 1, "major"),),
    )  # fmt: skip
    band = [(96 * b + 12 * e, 3, 42, 80, 2) for b in range(2) for e in range(8)]
    band += [(96 * b + t, 3, p, 100, 2) for b in range(2) for t, p in ((0, 36), (24, 38), (60, 36), (72, 38))]
    band += [(96 * b + 24 * k, 22, 33 + 2 * k + 5 * b, 80, 1) for b in range(2) for k in range(4)]
    band += [
        (96 * b + t, n, p + 5 * b, 90, 0)
        for b in range(2)
        for t, n, p in ((0, 36, 69), (36, 12, 67), (48, 45, 64))
    ]
    lead = Score.from_notes(
        band, ticks_per_quarter=24, tracks=(Track(66), Track(33), Track(0, True)), keys=(Key(0, 0, "minor"),),
        marks=(Mark(0, WHOLE, MarkKind.CHORD, "Am7"), Mark(96, WHOLE, MarkKind.CHORD, "Dm9"),
               Mark(0, WHOLE, MarkKind.TEMPO_TEXT, "Medium")),
    )  # fmt: skip
    return {"tune": reel, "piano": piano, "band": lead}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--shared", type=Path, help="folder that holds openscore_lieder and openscore_quartets"
    )
    parser.add_argument("--every", type=int, default=12, help="read every n-th printed score")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures of docs/engraving.md")
    options = parser.parse_args()
    if options.pictures:
        pictures(options.pictures)
        return
    books = [p for folder in ("oneills1850", "ryansMammoth", "airdsAirs") for p in tunes(folder)]
    chorales = [read_musicxml_file(path) for path in sorted((corpus() / "bach").glob("*.mxl"))]
    common = [p for p in [*books, *chorales] if p.score.metres[0][1:] == (4, 4)]
    common = common[:: max(1, len(common) // 274)][:274]
    began = time.perf_counter()
    documents = [ElementTree.fromstring(write_musicxml(quantise(p.score))) for p in common]
    seconds = time.perf_counter() - began
    crossing = sum(beam_over_middle(d) for d in documents)
    strathspeys = [p for p in books if p.style == "strathspey"][:100]
    whole = tied = faulty = 0
    for piece in strathspeys:
        found = snaps(ElementTree.fromstring(write_musicxml(quantise(piece.score))))
        whole, tied, faulty = whole + found[0], tied + found[1], faulty + (found[1] > 0)
    print("# Notation of written scores\n")
    command = "python benchmarks/engraving.py" + (" --shared FOLDER" if options.shared else "")
    print(f"Command: `{command}`; {date.today()}; Python {platform.python_version()}\n")
    print("| what | pieces | with the fault | before |\n|---|---|---|---|")
    print(f"| 4/4: a beam across the middle of the bar | {len(documents)} | {crossing} | 140 of 274 |")
    print(f"| strathspeys: a Scotch snap written with a tie | {len(strathspeys)} | {faulty} | 82 of 100 |")
    print(f"\nScotch snaps: {whole} as sixteenth and dotted eighth, {tied} with a tie.")
    print(f"Writing took {1000 * seconds / len(documents):.1f} ms a piece.")
    if options.shared:
        counts, scores = printed(options.shared, options.every)
        print(
            f"\nCompared with {scores} printed songs and quartets (OpenScore), without triplets and grace notes: "
            f"{counts['notes as printed'] / counts['notes']:.2%} of {counts['notes']:,} notes have "
            f"the same values and ties, {counts['rests as printed'] / counts['rests']:.2%} of "
            f"{counts['rests']:,} rests are one rest."
        )


if __name__ == "__main__":
    main()
