"""Incremental JSON reader: objects of lists, of lines, or of lists within objects, in bounded memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any, Final

_BLOCK: Final = 2**16
_MAX_OBJECT: Final = 2**22
"""Largest size of one object, characters; plays have some thousands."""
_MAX_DEPTH: Final = 8
"""Largest nesting depth around a play."""
_GAPS: Final = re.compile(r"[ \t\r\n,\ufeff]*")
_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?|[{}\[\]"]', re.DOTALL)


class BrokenJsonError(ValueError):
    """The stream ends within an object or has none; the message is a countable cause."""


def objects(stream: IO[str], within: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """Yields every object of a list, of lines, or of the lists at the paths `within`.

    Memory is bounded by one object of 4 Mi characters. Complete objects are yielded before an error is
    raised;
    for lines, also those after a broken line.

    Args:
        stream: text.
        within: paths of keys, such as `payload.listens`, where an object can contain the list. Objects
            without
            these paths are yielded themselves, as are objects in place of a list.

    Raises:
        BrokenJsonError: the text is truncated or invalid.
    """
    text = _Text(stream)
    broken = 0
    while first := text.peek():
        if first == "{" and text.line_is_broken():
            broken += 1
            continue
        yield from _elements_or_object(text, within, 0)
    if broken:
        raise BrokenJsonError(f"lines that are not JSON: {broken}")


def key_paths(text: str) -> frozenset[str]:
    """Returns the key paths in the beginning of a JSON text, which may be truncated.

    Lists add nothing to a path.

    >>> sorted(key_paths('[{"date": {"uts": "5"}, "name": "x"}, {"na'))
    ['date', 'date.uts', 'name']
    """
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return frozenset()
    found: set[str] = set()
    around: list[str] = []
    path = ""
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "{" | "[":
                around.append(path)
            case "}" | "]":
                path = around.pop() if around else ""
            case '"':
                break  # string truncated by the sample
            case _ if token[2]:
                path = f"{around[-1]}.{token[1]}".lstrip(".") if around else token[1]
                found.add(path)
            case _:
                continue
        if len(around) > 2 * _MAX_DEPTH:
            break
    return frozenset(found)


class _Text:
    """Window on a stream; values are consumed from its front."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._buffer, self._at, self._ended = stream, "", 0, False
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """Returns the next character without consuming it; "" at the end."""
        while True:
            gap = _GAPS.match(self._buffer, self._at)
            self._at = gap.end() if gap else self._at
            if self._at < len(self._buffer) or not self._more(_BLOCK):
                return self._buffer[self._at : self._at + 1]

    def skip(self) -> None:
        """Consumes the next character."""
        self._at += 1

    def value(self) -> Any:
        """Parses and consumes the next JSON value.

        Raises:
            BrokenJsonError: it is invalid, truncated, nested too deeply or too large; nothing is consumed.
        """
        size = _BLOCK
        while True:
            try:
                found, end = self._decoder.raw_decode(self._buffer, self._at)
                # A number at the end of the window can continue behind it.
                if end < len(self._buffer) or self._buffer[end - 1] in '"]}' or not self._more(_BLOCK):
                    self._at = end
                    return found
            except RecursionError:
                raise BrokenJsonError("JSON is nested too deeply") from None
            except ValueError as error:
                large = len(self._buffer) - self._at >= _MAX_OBJECT
                if large or not self._more(size):
                    raise BrokenJsonError("no JSON" if large else "JSON breaks off") from error
                size *= 2  # doubled for linear total time

    def line_is_broken(self) -> bool:
        """Whether a single-line object is invalid JSON; its line is then dropped."""
        end = self._buffer.find("\n", self._at)
        while end < 0 and len(self._buffer) - self._at < _MAX_OBJECT and self._more(_BLOCK):
            end = self._buffer.find("\n", self._at)
        line = self._buffer[self._at : end].rstrip() if end >= 0 else ""
        # An object over several lines has a first line with one of these ends; else the next line begins
        # alike.
        if not line or line[-1] in "[{:," or self._buffer[end + 1 : end + 2] != "{":
            return False
        try:
            self._decoder.raw_decode(line)
        except (ValueError, RecursionError):
            self._at = end + 1
            return True
        return False

    def _more(self, size: int) -> bool:
        block = "" if self._ended else self._stream.read(size)
        self._ended = not block
        self._buffer, self._at = self._buffer[self._at :] + block, 0
        return bool(block)


def _elements_or_object(text: _Text, within: tuple[str, ...], depth: int) -> Iterator[dict[str, Any]]:
    """Yields the objects of the next value."""
    if depth > _MAX_DEPTH:
        raise BrokenJsonError("JSON is nested too deeply")
    first = text.peek()
    if first == "[":
        text.skip()
        while (first := text.peek()) != "]":
            if not first:
                raise BrokenJsonError("JSON breaks off")
            yield from _elements_or_object(text, within, depth + 1)
        text.skip()
        return
    try:
        found = text.value()
    except BrokenJsonError:
        if first != "{" or not within:
            raise
        # Too large or truncated: read the elements of its lists one by one.
        yield from _members(text, within, "", depth + 1)
        return
    if isinstance(found, dict):
        inner = _held(found, within)
        yield from [found] if inner is None else inner


def _members(text: _Text, within: tuple[str, ...], path: str, depth: int) -> Iterator[dict[str, Any]]:
    """Yields the objects of the lists at `within` from the next object, which is at `path`."""
    text.skip()
    while (first := text.peek()) != "}":
        key = text.value() if first == '"' else None
        if not isinstance(key, str) or text.peek() != ":":
            raise BrokenJsonError("no JSON" if first else "JSON breaks off")
        text.skip()
        here, first = f"{path}.{key}".lstrip("."), text.peek()
        if first == "[" and here in within:
            yield from _elements_or_object(text, (), depth + 1)
        elif first == "{" and depth <= _MAX_DEPTH and any(w.startswith(f"{here}.") for w in within):
            yield from _members(text, within, here, depth + 1)
        else:
            text.value()
    text.skip()


def _held(found: dict[str, Any], within: tuple[str, ...]) -> list[dict[str, Any]] | None:
    """Returns the objects at the paths `within`; None without these paths."""
    held: list[dict[str, Any]] | None = None
    for path in within:
        value: Any = found
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, list):
            held = (held or []) + [v for v in value if isinstance(v, dict)]
        elif isinstance(value, dict) and not any(w.startswith(f"{path}.") for w in within):
            held = [*(held or []), value]
    return held
