"""Draw the ten scores of docs/engraving.md from docs/examples/scores.

    python benchmarks/ten_scores.py [--png FOLDER]

Each tune book there is read, written as MusicXML with every ending, and drawn by verovio into
docs/images/scores. With --png, pages to look at are written to FOLDER too.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from troubadour.app.search import read_exact
from troubadour.export.files import written_score
from troubadour.formats.engrave import Engraver
from troubadour.formats.musicxml import write_musicxml

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
            white = re.sub(
                r"(<svg\b[^>]*>)", r'\1<rect width="100%" height="100%" fill="white"/>', svg, count=1
            )
            (options.png / f"{path.stem}.png").write_bytes(to_png(white, 1400))
    engraver.close()


def _steady(svg: str, stem: str) -> str:
    """The picture with ids that are the same each time."""
    names: dict[str, str] = {}
    for found in re.findall(r'\bid="([^"]+)"', svg):
        names.setdefault(found, f"{stem}-{len(names)}")
    return re.sub(r'(\bid="|href="#|url\(#)([^")]+)', lambda m: m[1] + names.get(m[2], m[2]), svg)


if __name__ == "__main__":
    main()
