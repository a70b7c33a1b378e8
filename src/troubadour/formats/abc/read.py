"""Read ABC notation (standard 2.1): books of tunes, one or several voices each.

A tune is read as it is written, once through: repeat signs are not expanded, and of first and
second endings only the last is kept, so that who learns from it sees the form and not copies.
Grace notes and decorations are passed over. `docs/formats.md` says what is read, section by section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.formats.abc.bars import TICKS_PER_QUARTER, with_page
from troubadour.formats.abc.book import DIRECTIVE, MAX_TUNE_CHARACTERS, Tune, tunes_of
from troubadour.formats.abc.fields import (
    clean_title,
    default_length,
    parse_key,
    parse_length,
    parse_properties,
    parse_tempo,
)
from troubadour.formats.abc.music import WHOLE, Reading, read_lines
from troubadour.formats.abc.text import decode, plain_text
from troubadour.formats.abc.voice import Voice
from troubadour.music.marks import WHOLE as WHOLE_PIECE
from troubadour.music.marks import Mark, MarkKind
from troubadour.music.piece import Piece, Unreadable
from troubadour.music.score import Key, Metre, Tempo
from troubadour.music.styles import OTHERWISE_TEMPO, USUAL_TEMPO, style_of

MAX_BYTES: Final = 20_000_000


def read_abc_file(path: Path) -> Iterator[Piece | Unreadable]:
    """Every tune of an ABC file: UTF-8, UTF-16, the character set that it names, or Windows-1252.

    Raises:
        UnreadableFileError: the file cannot be opened, is too large, or is not text.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFileError(str(path), f"larger than {MAX_BYTES // 1_000_000} MB; split the book")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(str(path), error.strerror or str(error)) from error
    if b"\0" in data[:4096] and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableFileError(str(path), "binary data, not ABC; ABC is plain text")
    return read_abc(decode(data), path.name)


def read_abc(text: str, name: str) -> Iterator[Piece | Unreadable]:
    """Every tune of a book, in order; one that cannot be read does not stop the others.

    Costs about 1 ms a tune.
    """
    found = False
    for number, tune in tunes_of(text):
        found = True
        try:
            if tune is None:
                raise InputError(f"tune longer than {MAX_TUNE_CHARACTERS} characters; split it")
            yield _read_tune(tune, name)
        except (InputError, OverflowError, ZeroDivisionError, RecursionError) as error:
            yield Unreadable(f"{name}#{number}", str(error))
    if not found:
        yield Unreadable(name, "no ABC tune in it (no line starts with X:)")


def _read_tune(tune: Tune, name: str) -> Piece:
    fields = tune.fields
    if "K" not in fields:
        raise InputError("no key field (K:), so the tune has no body; write K: and the key before the music")
    reading = Reading(Voice("", Metre(0, 4, 4), Key(0, 0, "major"), {}, 0))
    start = reading.start
    start.metre, start.free = reading.metre(fields["M"][-1] if "M" in fields else "")
    start.free = start.free and "M" in fields
    unit = parse_length(fields.get("L", [""])[-1]) or default_length(start.metre)
    start.unit = max(1, round(unit * WHOLE))
    key_text = fields["K"][-1]
    key = parse_key(key_text)
    start.key, start.altered = key.key, key.altered
    if not key.understood:
        reading.remark(f"key 'K:{key_text[:40]}' cannot be read; taken as C major")
    start.set_properties(parse_properties(key_text)._replace(name=None))
    # Voices after the key, so that they begin with its clef and transposition.
    for kind, text in tune.header:
        if kind in (DIRECTIVE, "m", "U"):
            reading.field(kind, text)
    reading.sings = any(kind == "w" for kind, _ in tune.body)
    for kind, text in tune.header:
        if kind == "V":
            reading.open_voice(text)
    tempo = parse_tempo(fields["Q"][0], start.metre, unit) if "Q" in fields else None
    read_lines(reading, tune.body)
    parts = reading.finish()
    if not parts:
        raise InputError("no notes")
    titles = [clean_title(t) for t in fields.get("T", [])] or [f"{name} {tune.number}"]
    style = style_of(fields.get("R", [""])[0], titles)
    bpm = reading.tempo or tempo or float(USUAL_TEMPO.get(style, OTHERWISE_TEMPO))
    repairs = list(reading.remarks)
    score, page, irregular_share = with_page(list(parts.values()), Tempo(0, bpm), repairs)
    texts = [(MarkKind.SUBTITLE, title) for title in titles[1:10]]
    texts += [
        (MarkKind.TEMPO_TEXT, plain_text(t))
        for t in re.findall(r'"([^"]{1,80})"', fields.get("Q", [""])[0])[:1]
    ]
    texts += [(MarkKind.CREDIT, plain_text(line)) for kind, line in tune.body if kind == "W" and line][:200]
    text_marks = tuple(Mark(0, WHOLE_PIECE, kind, text[:500]) for kind, text in texts)
    if text_marks:
        score = score.replace(marks=(*score.marks, *text_marks))
        page = page and page.replace(marks=(*page.marks, *text_marks))
    return Piece(
        score,
        titles[0],
        composer=clean_title(fields.get("C", [""])[0]),
        style=style,
        source=name,
        number=tune.number,
        repairs=tuple(repairs),
        irregular_share=irregular_share,
        page=page,
    )


__all__ = ["TICKS_PER_QUARTER", "read_abc", "read_abc_file"]
