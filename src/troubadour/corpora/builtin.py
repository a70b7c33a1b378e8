"""The collections in the music21 package, read from its files; music21 itself is not imported.

The default collections are those whose headers state no restriction. Essen (non-commercial) and
Palestrina (rights reserved) are read only when their terms are accepted by name.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from troubadour.core.errors import InputError, MissingExtraError, UnreadableFileError
from troubadour.formats.abc.read import read_abc_file
from troubadour.formats.musicxml import read_musicxml_file
from troubadour.music.piece import Piece, Unreadable
from troubadour.music.score import Tempo, Track
from troubadour.music.styles import OTHERWISE_TEMPO, USUAL_TEMPO


@dataclass(frozen=True, slots=True)
class Collection:
    """One built-in collection."""

    name: str
    title: str
    folder: str
    """Folder in music21's corpus."""
    count: int
    """Number of pieces."""
    licence: str
    restricted: bool = False
    """Whether the terms must be accepted before reading."""


COLLECTIONS: Final = (
    Collection("oneills", "O'Neill's Music of Ireland (1850)", "oneills1850", 2009, "traditional; no terms stated"),
    Collection("ryans", "Ryan's Mammoth Collection (1883)", "ryansMammoth", 1059, "traditional; no terms stated"),
    Collection("airds", "Aird's Airs (1782)", "airdsAirs", 1180, "traditional; no terms stated"),
    Collection("folk", "Small folk collections", "miscFolk", 185, "traditional; no terms stated"),
    Collection("chorales", "J. S. Bach: chorales", "bach", 410, "public domain music; edition's terms not stated"),
    Collection(
        "essen", "Essen folk song collection", "essenFolksong", 8545,
        "copyright H. Schaffrath 1995; non-commercial use only", restricted=True,
    ),
    Collection(
        "palestrina", "Palestrina: masses", "palestrina", 1318, "rights reserved by their editor", restricted=True,
    ),
)  # fmt: skip
DEFAULT: Final = tuple(c.name for c in COLLECTIONS if not c.restricted)

# Most of O'Neill's transcriptions name no rhythm, but the book is in sections. The named rhythms
# show the borders: the first jig by number is 701 and the last before slip jigs 1115; slip jigs run
# 1116-1175, reels 1176-1555, hornpipes 1556-1757; long dances and then marches end the book. The
# metre must agree as well.
_ONEILLS: Final = (
    (1, 700, "air", ""),
    (701, 1115, "jig", "6/8 12/8"),
    (1116, 1175, "slip jig", "9/8"),
    (1176, 1555, "reel", "2/2 4/4 2/4"),
    (1556, 1757, "hornpipe", "2/2 4/4 2/4"),
    (1758, 1800, "long dance", ""),
    (1801, 1850, "march", "2/2 4/4 2/4 6/8"),
)
_VOICES: Final = ("sopr", "alto", "teno", "bass")


def collection(name: str) -> Collection:
    """Collection by name.

    Raises:
        InputError: the name is unknown; the message lists the collections.
    """
    for one in COLLECTIONS:
        if one.name == name:
            return one
    raise InputError(f"no collection '{name}'; there are: {', '.join(c.name for c in COLLECTIONS)}")


def read_collection(name: str, *, accept_terms: bool = False) -> Iterator[Piece | Unreadable]:
    """All pieces of a collection.

    Args:
        name: one of `COLLECTIONS`.
        accept_terms: states that the caller accepts the terms of a restricted collection.

    Raises:
        InputError: the collection is unknown, or its terms are not accepted.
        MissingExtraError: the music21 package is not installed.
    """
    chosen = collection(name)
    if chosen.restricted and not accept_terms:
        raise InputError(f"'{name}' is under terms: {chosen.licence}. Accept them explicitly to read it")
    folder = _corpus() / chosen.folder
    return _read(chosen, folder)


def _read(chosen: Collection, folder: Path) -> Iterator[Piece | Unreadable]:
    for path in sorted(folder.iterdir()):
        if path.suffix == ".abc":
            for item in read_abc_file(path):
                yield item if isinstance(item, Unreadable) else _described(item, chosen)
        elif path.suffix in (".mxl", ".xml"):
            try:
                yield _chorale(read_musicxml_file(path), chosen, path.stem)
            except UnreadableFileError as error:
                yield Unreadable(error.name, error.cause)


def _corpus() -> Path:
    spec = importlib.util.find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("the built-in collections are inside music21: pip install music21")
    return Path(next(iter(spec.submodule_search_locations))) / "corpus"


def _described(piece: Piece, chosen: Collection) -> Piece:
    style = piece.style
    if not style and chosen.name == "oneills":
        style = _oneills_style(piece)
        tempo = float(USUAL_TEMPO.get(style, OTHERWISE_TEMPO))
        if style and piece.score.tempos == (Tempo(0, float(OTHERWISE_TEMPO)),):
            page = piece.page and piece.page.replace(tempos=(Tempo(0, tempo),))
            piece = piece.replace(score=piece.score.replace(tempos=(Tempo(0, tempo),)), page=page)
    return piece.replace(style=style, source=f"{chosen.title}, {piece.source}", licence=chosen.licence)


def _oneills_style(piece: Piece) -> str:
    # Books are named after the numbers in them (`0051-0100.abc`). X: counts within the whole collection
    # in most books and within the book in some.
    span = re.match(r"(\d{4})-(\d{4})", piece.source)
    if not span or not piece.number.isdigit():
        return ""
    first, last, number = int(span[1]), int(span[2]), int(piece.number)
    if not first <= number <= last:
        number += first - 1
    metre = piece.score.metres[0].name
    for low, high, style, metres in _ONEILLS:
        if low <= number <= high and low <= first and last <= high + 50:
            return style if not metres or metre in metres.split() else ""
    return ""


def _chorale(piece: Piece, chosen: Collection, stem: str) -> Piece:
    """The four voices of a chorale; instruments that double them are removed and listed as a repair."""
    score = piece.score
    repairs = list(piece.repairs)
    voices = [i for i, t in enumerate(score.tracks) if t.name.lower()[:4] in _VOICES]
    if len(score.tracks) > 4 and len(voices) == 4:
        keep = sorted(voices, key=lambda i: _VOICES.index(score.tracks[i].name.lower()[:4]))
        place = {old: new for new, old in enumerate(keep)}
        rows = [(o, d, p, v, place[t]) for o, d, p, v, t in score.notes().tolist() if t in place]
        repairs.append(f"{len(score.tracks) - 4} instrumental parts left out")
        score = type(score).from_notes(
            rows,
            ticks_per_quarter=score.ticks_per_quarter,
            tracks=tuple(score.tracks[i] for i in keep),
            tempos=score.tempos,
            metres=score.metres,
            keys=score.keys,
            upbeat_ticks=score.upbeat_ticks,
        )
    sung = tuple(Track(52, False, t.name) for t in score.tracks)
    number = stem.removeprefix("bwv").replace("-", " ")
    title = re.sub(r"^BWV\s*[\d.]+[a-z]?\s*", "", piece.title)
    # A title equal to the file's name carries no information; one in another encoding is unreadable.
    readable = piece.title != f"{stem}.mxl" and piece.title != f"{stem}.xml" and title.isascii()
    return piece.replace(
        score=score.replace(tracks=sung if len(sung) == 4 else score.tracks),
        title=f"BWV {number} {title if readable else ''}".strip(),
        composer="Johann Sebastian Bach",
        style="chorale" if len(score.tracks) == 4 else "",
        source=f"{chosen.title}, {stem}",
        licence=chosen.licence,
        number=number,
        repairs=tuple(repairs),
        page=None,  # the page still has the instruments that were left out
    )
