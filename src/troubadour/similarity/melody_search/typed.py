"""Parser of typed queries: notes in a lenient form of ABC."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from troubadour.core.errors import InputError
from troubadour.formats.abc.read import read_abc
from troubadour.music.piece import Unreadable
from troubadour.music.quantise import quantise
from troubadour.similarity.melody_search.lines import LEAST_NOTES, Skyline, query_skyline

MOST_CHARACTERS: Final = 5_000
_NOTES: Final = re.compile(r"[A-Ga-gzx^_=,'\d/|:\[\]()<>\-\s#]*")
_SHARP: Final = re.compile(r"([A-Ga-g])#")
_KEY: Final = re.compile(r"^\s*K:\s*([A-G][b#]?(?:\s*(?:maj|min|m|dor|mix|lyd|phr|loc)[a-z]*)?)\s+", re.I)
_LENGTH: Final = re.compile(r"[\d/<>z]")


def typed_skyline(text: str) -> Skyline:
    """Skyline of typed notes.

    Capital letters are the octave from middle C, small letters the next one; `,` and `'` mean an
    octave down or up; `^F` or `F#` is a sharp, `_B` a flat; `2` doubles and `/` halves a length;
    barlines are optional. A prefix such as `K:D` sets a key signature. Without any length, rhythm is
    ignored in the search.

    Args:
        text: at most `MOST_CHARACTERS` characters.

    Raises:
        InputError: the text is not in this form, or has fewer than four notes.

    >>> typed_skyline("K:G G A B d").pitch.tolist()
    [67, 69, 71, 74]
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{len(text)} characters of notes; allowed: {MOST_CHARACTERS}")
    key = _KEY.match(text)
    if key is None and text.lstrip().startswith("K:"):
        raise InputError(
            f"the key of {text[:20]!r} cannot be read; write it as K:D, K:Am or K:A dor, then notes"
        )
    notes = _SHARP.sub(r"^\1", text[key.end() :] if key else text)
    if not _NOTES.fullmatch(notes):
        stray = next(c for i, c in enumerate(notes) if not _NOTES.fullmatch(notes[: i + 1]))
        raise InputError(
            f"notes hold {stray!r}; allowed: letters A to G and a to g as in ABC, such as G A B d2"
        )
    flat = " ".join(notes.replace("|", " ").replace(":", " ").split())
    book = f"X:1\nT:typed\nM:none\nL:1/4\nK:{key[1] if key else 'C'}\n{flat}\n"
    found = next(iter(read_abc(book, "notes")), None)
    if found is None or isinstance(found, Unreadable):
        cause = found.cause if found else "no notes"
        raise InputError(f"notes {text!r} cannot be read: {cause}; write them as in ABC, such as G A B d2")
    try:
        line = query_skyline(quantise(found.score))
    except InputError:
        raise InputError(
            f"notes {text!r}: at least {LEAST_NOTES} are needed to search with, such as G A B d"
        ) from None
    return Skyline(line.pitch, line.onset, np.ones_like(line.bar), 0, bool(_LENGTH.search(notes)))
