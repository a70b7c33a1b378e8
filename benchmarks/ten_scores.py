"""Draw the ten scores of docs/engraving.md from docs/examples/scores.

    python benchmarks/ten_scores.py [--png FOLDER]

Each tune book there is read, written as MusicXML with every ending, and drawn by verovio into
docs/images/scores. With --png, their first pages, to be looked at, are written to FOLDER too.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from troubadour.app.search import read_exact
from troubadour.export.files import written_score
from troubadour.formats.engrave import Engraver
from troubadour.formats.musicxml import write_musicxml
from troubadour.formats.print_pages import Titles, outlined, without_size

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--png", type=Path)
    options = parser.parse_args()
    engraver = Engraver()
    out = DOCS / "images" / "scores"
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted((DOCS / "examples" / "scores").glob("*.abc")):
        piece = read_exact(path)
        text = write_musicxml(written_score(piece.score), title=piece.title, composer=piece.composer)
        svg = _steady(engraver.svg(text, width=2000, scale=38), path.stem)
        (out / f"{path.stem}.svg").write_text(svg)
        print(f"{path.stem}: {len(svg) // 1000} kB; {'; '.join(piece.repairs) or 'no remark'}")
        if options.png:
            from troubadour.analysis.png import to_png

            options.png.mkdir(parents=True, exist_ok=True)
            pages = engraver.pages(text, Titles(piece.title, composer=piece.composer), "DejaVu Sans", 6.0)
            (options.png / f"{path.stem}.png").write_bytes(to_png(without_size(pages[0]), 1654))
    engraver.close()


def _steady(svg: str, stem: str) -> str:
    """The picture without fonts, white space and names that nothing uses, the others the same each time."""
    svg = outlined(re.sub(r"<style[^>]*>@font-face.*?</style>", "", svg, flags=re.S))
    svg = re.sub(r"<title\b.*?</title>|<!--.*?-->|<desc\b.*?</desc>", "", svg, flags=re.S)
    svg = re.sub(r">\s+<", "><", svg)
    used = set(re.findall(r"[#]([\w-]+)", svg))
    names = {name: f"{stem}-{i}" for i, name in enumerate(re.findall(r'\bid="([^"]+)"', svg)) if name in used}
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{names[m[1]]}"' if m[1] in used else "", svg)
    return re.sub(r"(#)([\w-]+)", lambda m: m[1] + names.get(m[2], m[2]), svg)


if __name__ == "__main__":
    main()
