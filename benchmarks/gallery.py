"""Draw the scores of docs/composing.md: run each command before an image.

    python benchmarks/gallery.py --home HOME [--only NAME] [--keep FOLDER]

`HOME` is a home with the built-in collections and a release (`troubadour import`). Generated
notes are blue, given notes black. Commands without an installed model are skipped; their images
are in comments of the page, which are removed when the image is drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import tempfile
import xml.etree.ElementTree as ElementTree
from fractions import Fraction
from pathlib import Path

from typer.testing import CliRunner

from troubadour.app.search import read_music
from troubadour.catalogue.store import Store
from troubadour.cli import app
from troubadour.core.errors import TroubadourError
from troubadour.formats.engrave import Engraver

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "composing.md"
BLOCK = re.compile(
    r"```sh\n(?P<command>troubadour [^`]*?)\n```\n+(?:<!-- later: )?!\[[^\]]*\]\(images/(?P<name>[\w-]+)\.svg\)"
)
NEW = "#2a5db0"
Heard = set[tuple[Fraction, int]]
"""Onset in quarters from the start, and MIDI pitch."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--only", help="name of one image")
    parser.add_argument("--keep", type=Path, help="folder for the composed files")
    options = parser.parse_args()
    os.environ["TROUBADOUR_HOME"] = str(options.home.resolve())
    os.chdir(DOCS.parent)
    engraver = Engraver()
    for block in BLOCK.finditer(PAGE.read_text()):
        name, words = block["name"], shlex.split(block["command"].replace("\\\n", " "))[1:]
        if options.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory() as folder:
            out = (options.keep or Path(folder)) / name
            done = CliRunner().invoke(app, [*words, "--json", "--out", str(out)])
            if done.exit_code:
                print(f"{name}: left out: {done.exception or done.output}")
                continue
            answer = json.loads(done.stdout)
            files = [item["files"]["musicxml"] for item in answer.get("items", [answer])]
            known = given(words, options.home) if "items" not in answer else None
            drawn = [engraver.svg(coloured(Path(f).read_text(), known), 1800, 30) for f in files]
        (DOCS / "images" / f"{name}.svg").write_text(stacked(drawn))
        waiting = re.compile(rf"<!-- later: (!\[[^\]]*\]\(images/{name}\.svg\)) -->")
        PAGE.write_text(waiting.sub(r"\1", PAGE.read_text()))
        print(f"{name}: {sum(map(len, drawn)) // 1000} kB, {answer.get('title', '')}")
    engraver.close()


def given(words: list[str], home: Path) -> Heard | None:
    """Notes of a command's input piece; None without one."""
    if words[0] == "compose":
        return None
    if Path(words[1]).exists():
        score = read_music(Path(words[1])).score
    else:
        store = Store.open(home)
        try:
            score = store.score(words[1])
        except TroubadourError:
            return None
        finally:
            store.close()
    return {(Fraction(row[0], score.ticks_per_quarter), row[2]) for row in score.notes().tolist()}


def coloured(musicxml: str, known: Heard | None) -> str:
    """MusicXML with generated notes in colour."""
    root = ElementTree.fromstring(musicxml)
    for measure in root.iter("measure"):
        # A metronome mark alone would bring a font of 60 kB along.
        for mark in [d for d in measure.iter("direction") if d.find(".//metronome") is not None]:
            measure.remove(mark)
    if known is None:
        return ElementTree.tostring(root, encoding="unicode")
    for part in root.iter("part"):
        measure_start, divisions = Fraction(0), 1
        fresh: dict[int, bool] = {}
        for measure in part.iter("measure"):
            place = longest = Fraction(0)
            onset = place
            for item in measure:
                divisions = int(item.findtext("divisions", str(divisions)))
                length = Fraction(int(item.findtext("duration", "0")), divisions)
                if item.tag == "backup":
                    place -= length
                elif item.tag == "forward":
                    place += length
                elif item.tag == "note":
                    if item.find("chord") is None:
                        onset, place = place, place + length
                    pitch = item.find("pitch")
                    height = -1 if pitch is None else _midi(pitch)
                    if not any(t.get("type") == "stop" for t in item.iter("tie")):
                        fresh[height] = (measure_start + onset, height) not in known
                    if pitch is not None and fresh[height]:
                        item.set("color", NEW)
                longest = max(longest, place)
            measure_start += longest
    return ElementTree.tostring(root, encoding="unicode")


def _midi(pitch: ElementTree.Element) -> int:
    step = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[pitch.findtext("step", "C")]
    return 12 * (int(pitch.findtext("octave", "4")) + 1) + step + int(pitch.findtext("alter", "0"))


def stacked(drawn: list[str]) -> str:
    """Scores stacked on a white background, as one SVG."""
    rows, top, width = [], 0.0, 0.0
    for svg in drawn:
        found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
        assert found is not None
        wide, high = float(found[1]), float(found[2])
        body = svg[svg.index("<svg") :]
        rows.append(re.sub(r"<svg ", f'<svg y="{top:g}" width="{wide:g}" height="{high:g}" ', body, count=1))
        top, width = top + high, max(width, wide)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {top:g}"><rect width="100%" height="100%" fill="#fff"/>'
    return slim("\n".join([head, *rows, "</svg>", ""]))


def slim(svg: str) -> str:
    """SVG without indentation, descriptions and unused ids; deterministic."""
    svg = re.sub(r"<desc>.*?</desc>|<g [^>]*placeholder[^>]*>\s*<ellipse[^>]*>\s*</g>", "", svg, flags=re.S)
    for number, name in enumerate(dict.fromkeys(re.findall(r"#(\w+) g\.", svg))):
        svg = svg.replace(name, f"score{number}")
    used = {*re.findall(r'href="#([^"]+)"', svg), *re.findall(r"#(\w+) g\.", svg)}
    svg = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", svg)
    svg = re.sub(r'(<g) class="(?!definition-scale|page-margin)[^"]*"', r"\1", svg)
    return re.sub(r"\n\s*", "\n", svg)


if __name__ == "__main__":
    main()
