"""MusicXML documents of a few notes, as text, and how to read them."""

from __future__ import annotations

from troubadour.formats.musicxml import read_musicxml
from troubadour.music.piece import Piece

TIME = "<time><beats>4</beats><beat-type>4</beat-type></time>"


def note(step: str = "C", octave: int = 4, length: float = 1, more: str = "", alter: int = 0) -> str:
    altered = f"<alter>{alter}</alter>" if alter else ""
    return (
        f"<note>{more if more.startswith(('<chord', '<cue')) else ''}"
        f"<pitch><step>{step}</step>{altered}<octave>{octave}</octave></pitch><duration>{length}</duration>"
        f"{'' if more.startswith(('<chord', '<cue')) else more}</note>"
    )


def unpitched(step: str = "C", octave: int = 5, more: str = "") -> str:
    return (
        f"<note><unpitched><display-step>{step}</display-step><display-octave>{octave}</display-octave>"
        f"</unpitched><duration>1</duration>{more}</note>"
    )


def key(fifths: int, more: str = "", mode: str = "", number: str = "") -> str:
    at = f" number='{number}'" if number else ""
    said = f"<mode>{mode}</mode>" if mode else ""
    return f"<attributes><key{at}><fifths>{fifths}</fifths>{said}</key>{more}</attributes>"


def transpose(chromatic: int, diatonic: int | None = None, more: str = "") -> str:
    letters = "" if diatonic is None else f"<diatonic>{diatonic}</diatonic>"
    return f"<transpose>{letters}<chromatic>{chromatic}</chromatic>{more}</transpose>"


def document(*parts: tuple[str, str | list[str]], divisions: float = 1) -> str:
    """Partwise document of (content of `score-part`, measures)."""
    heads, bodies = [], []
    for i, (head, measures) in enumerate(parts):
        declared = head if head.startswith("<") else f"<part-name>{head}</part-name>"
        heads.append(f"<score-part id='P{i}'>{declared}</score-part>")
        cells = [measures] if isinstance(measures, str) else measures
        first = f"<attributes><divisions>{divisions}</divisions>{TIME}</attributes>"
        body = "".join(f"<measure>{first if not n else ''}{cell}</measure>" for n, cell in enumerate(cells))
        bodies.append(f"<part id='P{i}'>{body}</part>")
    return f"<score-partwise><part-list>{''.join(heads)}</part-list>{''.join(bodies)}</score-partwise>"


def read(*parts: tuple[str, str | list[str]], divisions: float = 1) -> Piece:
    return read_musicxml(document(*parts, divisions=divisions).encode(), "x.musicxml")


def fifths(*parts: tuple[str, str | list[str]]) -> list[tuple[int, int]]:
    """(quarter, fifths) of each key."""
    score = read(*parts).score
    return [(k.tick // score.ticks_per_quarter, k.fifths) for k in score.keys]


FOUR = "".join(note(s) for s in "CDEF")
