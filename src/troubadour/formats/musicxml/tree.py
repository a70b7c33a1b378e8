"""MusicXML as cells: one part in one measure each, partwise and timewise alike.

What makes a document expensive (elements, depth, entities, attributes without end) is counted in
its bytes and refused before a tree is built.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from troubadour.core.errors import InputError

MAX_DEPTH: Final = 60
"""MusicXML itself needs 12."""
MAX_ELEMENTS: Final = 1_000_000
"""The finale of Beethoven's ninth symphony has 700,000."""
MAX_GAP: Final = 1_000_000
"""Bytes without a tag: text or attributes of that length are hostile."""
_CHUNK: Final = 2_000_000
_NO_PROGRAM: Final = "no notation program writes this"
_HIDDEN: Final = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>", re.DOTALL)
_INDENTATION: Final = re.compile(rb">\s+<")
_OTHER_ROOTS: Final = {
    "opus": "a list of scores; import the scores themselves",
    "museScore": "a MuseScore file; open it in MuseScore and export it as MusicXML",
    "mei": "an MEI file; convert it to MusicXML with a notation program",
}

Element = Any


class Cell(NamedTuple):
    """One part in one measure."""

    part: int
    """From 0."""
    measure: int
    """From 0."""
    element: Element


def parse(data: bytes) -> Element:
    """The root of a MusicXML document in UTF-8.

    Raises:
        InputError: the XML is not well-formed, entities are declared, a limit is passed, or the root is
            none of MusicXML.
    """
    if len(data) > 3 * MAX_ELEMENTS and data.count(b"<") > 3 * MAX_ELEMENTS:
        raise InputError(f"more than {MAX_ELEMENTS} XML elements; split the piece")
    # Indentation is most of what a parser has to handle: without it parsing takes a third of the time.
    dense = data if b"<![CDATA[" in data else _INDENTATION.sub(b"><", data)
    _check_size(dense)
    _check_prolog(data)
    # What defusedxml forbids is forbidden above.
    # A tree of elements has no cycles: looking for some while it grows costs a tenth of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        root = ElementTree.fromstring(dense)
    except ElementTree.ParseError as error:
        raise InputError(_cause(data) or str(error)) from error
    finally:
        if collects:
            gc.enable()
    if root.tag[:1] == "{":
        for element in root.iter():
            element.tag = _local(element.tag)
    return root


def part_ids(root: Element) -> list[str]:
    """Ids of the parts by part number."""
    if root.tag == "score-partwise":
        return [part.get("id", "") for part in root.findall("part")]
    return list(dict.fromkeys(part.get("id", "") for part in root.iterfind("measure/part")))


def cells(root: Element) -> Iterator[Cell]:
    """Each part of each measure; within a part measures rise."""
    if root.tag == "score-partwise":
        for number, part in enumerate(root.findall("part")):
            for measure, cell in enumerate(part.findall("measure")):
                yield Cell(number, measure, cell)
        return
    numbers = {name: i for i, name in enumerate(part_ids(root))}
    for measure, element in enumerate(root.findall("measure")):
        for cell in element.findall("part"):
            yield Cell(numbers[cell.get("id", "")], measure, cell)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _check_size(data: bytes) -> None:
    # No element is shorter than four bytes, so most documents need no counting.
    if len(data) > 4 * MAX_ELEMENTS and data.count(b"</") + data.count(b"/>") > MAX_ELEMENTS:
        raise InputError(f"more than {MAX_ELEMENTS} XML elements; split the piece")
    if b"<!--" in data or b"<![CDATA[" in data:
        data = _HIDDEN.sub(b"", data)
    depth = gap = 0
    for start in range(0, len(data), _CHUNK):
        # One byte more than the chunk, so that its last tag shows its kind; the rest is rounding of limits.
        characters = np.frombuffer(data[start : start + _CHUNK + 1], dtype=np.uint8)
        places = np.flatnonzero(characters[:-1] == ord("<"))
        stops = np.flatnonzero(characters == ord(">"))
        kinds = characters[places + 1]
        closing = kinds == ord("/")
        empty = np.zeros(len(places), dtype=bool)
        if len(stops) and len(places):
            stop = stops[np.minimum(np.searchsorted(stops, places), len(stops) - 1)]
            empty = characters[stop - 1] == ord("/")
        opening = ~closing & ~empty & (kinds != ord("!")) & (kinds != ord("?"))
        depths = depth + np.cumsum(opening.astype(np.int64) - closing)
        bounds = np.concatenate([[-gap], places, [len(characters) - 1]])
        if len(depths) and depths.max() > MAX_DEPTH:
            raise InputError(f"XML nested deeper than {MAX_DEPTH}; {_NO_PROGRAM}")
        if np.diff(bounds).max() > MAX_GAP:
            raise InputError(f"more than {MAX_GAP} bytes without an XML element; {_NO_PROGRAM}")
        depth = int(depths[-1]) if len(depths) else depth
        gap = int(bounds[-1] - bounds[-2])


def _cause(data: bytes) -> str:
    """What is wrong with XML, with line and column."""
    try:
        expat.ParserCreate("utf-8").Parse(data, True)
    except expat.ExpatError as error:
        return f"not well-formed XML: {error}; open it in a notation program and export it again"
    return ""


class _RootReached(Exception):  # noqa: N818 (a signal, not an error)
    pass


def _check_prolog(data: bytes) -> None:
    """Refuse declared entities and other kinds of document.

    Entities are declared before the root element, in a DOCTYPE, which itself is usual in MusicXML.
    """
    parser = expat.ParserCreate("utf-8")

    def entity(*_: object) -> None:
        raise InputError("the file declares XML entities; MusicXML needs none; export the piece again")

    def root(tag: str, _: object) -> None:
        name = tag.rpartition(":")[2]
        if name not in ("score-partwise", "score-timewise"):
            kind = _OTHER_ROOTS.get(name, "not MusicXML; allowed: score-partwise and score-timewise")
            raise InputError(f"root element is '{name[:80]}': {kind}")
        raise _RootReached

    parser.EntityDeclHandler = entity
    parser.StartElementHandler = root
    try:
        for start in range(0, len(data), 65_536):
            parser.Parse(data[start : start + 65_536], False)
    except (_RootReached, expat.ExpatError):
        return  # the parser proper says what is wrong, and where


__all__ = ["MAX_DEPTH", "MAX_ELEMENTS", "Cell", "Element", "cells", "parse", "part_ids"]
