"""Structure of an ABC file: file header, tunes, free text, fields, directives (standard 2.1, section 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

MUSIC: Final = ""
DIRECTIVE: Final = "%"

_FILE_FIELDS: Final = frozenset("ABCDFGHILMmNORrSUZ")
"""Fields that the standard allows in the file header (section 3)."""
_TUNE: Final = re.compile(r"^(?=[ \t]*X:)", re.M)
_COMMENT: Final = re.compile(r"(?<!\\)%.*")
_FIELD: Final = re.compile(r"([A-Za-z+]):(?![|:])(.*)")
_BLOCK: Final = re.compile(r"%%\s*begin(\w{1,20})", re.I)
_BLOCK_END: Final = re.compile(r"(?:%%)?\s*end(\w{1,20})", re.I)
_MAX_FIELD: Final = 20_000
"""Characters of a field that `+:` lines go on; more are left out."""


MAX_TUNE_CHARACTERS: Final = 200_000
_GOES_ON: Final = "\\"


class Line(NamedTuple):
    """One logical line."""

    kind: str
    """Letter of a field, `DIRECTIVE`, or `MUSIC`."""
    text: str


_EMPTY: Final = Line(MUSIC, "")


@dataclass(frozen=True, slots=True)
class Tune:
    """One tune, parted into lines."""

    number: str
    header: list[Line]
    """Lines before the first K: and that field itself; those of the file header stand first."""
    body: list[Line]
    fields: dict[str, list[str]]
    """Texts of the tune's header by field; where the tune has no such field, those of the file header."""


def tunes_of(text: str) -> Iterator[tuple[str, Tune | None]]:
    """Tunes of a book in order, each with its source text's number; None where the tune is too long."""
    chunks = _TUNE.split(text.replace("\r\n", "\n").replace("\r", "\n"))
    # A text that starts with a tune has an empty chunk in front.
    common = _file_header(chunks[0])
    for chunk in chunks[1:]:
        number = _COMMENT.sub("", chunk.lstrip()[2:].split("\n", 1)[0]).strip()[:20]
        yield number, _tune(number, chunk, common) if len(chunk) <= MAX_TUNE_CHARACTERS else None


def _file_header(text: str) -> list[Line]:
    """Fields and directives before the first tune: blocks that hold nothing else."""
    header: list[Line] = []
    for block in re.split(r"\n[ \t]*(?:\n[ \t]*)+", text[: 10 * MAX_TUNE_CHARACTERS]):
        lines = list(_lines(block))
        if all(line.kind not in (MUSIC, "K") for line in lines if line.text):
            header += [line for line in lines if line.kind == DIRECTIVE or line.kind in _FILE_FIELDS]
    return [line for line in header if line.kind != MUSIC]


def _tune(number: str, text: str, common: list[Line]) -> Tune:
    header: list[Line] = []
    body: list[Line] = []
    in_body = False
    for line in _lines(text.lstrip()):
        if line is _EMPTY:
            if in_body:
                break  # an empty line ends the tune: what follows is free text
        elif in_body:
            body.append(line)
        elif line.kind != MUSIC:
            header.append(line)
            in_body = line.kind == "K"
    fields: dict[str, list[str]] = {}
    for kind, content in header:
        fields.setdefault(kind, []).append(content)
    shared: dict[str, list[str]] = {}
    for kind, content in common:
        shared.setdefault(kind, []).append(content)
    return Tune(number, [*common, *header], body, {**shared, **fields})


def _lines(text: str) -> Iterator[Line]:
    """Logical lines: comments taken off, `+:` joined to the field before, blocks of text left out.

    Empty lines come as `_EMPTY`; lines with only a comment do not come at all.
    """
    rows = text.split("\n")
    ends = _ends_of_blocks(rows) if "%%" in text else {}
    block = ""
    waiting: list[Line] = []  # a field that may go on, and the directives after it
    for number, raw in enumerate(rows):
        line = raw.strip()
        if block:
            closed = _BLOCK_END.match(line)
            block = "" if closed and closed[1].lower() == block else block
            continue
        if not line:
            yield from waiting
            waiting = []
            yield _EMPTY
            continue
        if line[0] == "%":
            if line[:2] == "%%":
                opened = _BLOCK.match(line)
                if opened and ends.get(opened[1].lower(), -1) > number:
                    block = opened[1].lower()
                else:
                    waiting.append(Line(DIRECTIVE, _COMMENT.sub("", line[2:]).strip()))
            continue
        if "%" in line:
            line = _COMMENT.sub("", line).rstrip()
            if not line:
                continue
        # A music line may start with a note and a repeat sign (`A:|`), which is no field.
        field = _FIELD.match(line) if line[1:2] == ":" else None
        if field is None:
            yield from waiting
            waiting = []
            yield Line(MUSIC, line[:-1] if line[-1] == "\\" else line)
            continue
        before = waiting[0] if waiting else None
        # Older files go on with words in another w: line after a backslash.
        if field[1] == "+" or (before and field[1] == before.kind == "w" and before.text.endswith(_GOES_ON)):
            if before is not None:
                waiting[0] = _continued(before, field[2])
            continue
        yield from waiting
        waiting = [Line(DIRECTIVE if field[1] == "I" else field[1], field[2].strip())]
    yield from waiting


def _continued(field: Line, text: str) -> Line:
    if len(field.text) > _MAX_FIELD:
        return field
    return field._replace(text=f"{field.text.removesuffix(_GOES_ON)} {text.strip()}")


def _ends_of_blocks(rows: list[str]) -> dict[str, int]:
    """Last line that ends a block of each name."""
    return {
        f[1].lower(): i for i, row in enumerate(rows) if "end" in row and (f := _BLOCK_END.match(row.strip()))
    }
