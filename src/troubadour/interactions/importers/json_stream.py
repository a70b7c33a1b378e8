"""JSON objects one after another out of a stream, however large: lists, lines, or lists within objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any, Final

_BLOCK: Final = 2**16
_MAX_OBJECT: Final = 2**22
"""Characters of one object; a play takes some thousands."""
_MAX_DEPTH: Final = 8
"""Lists and objects around a play."""
_GAPS: Final = re.compile(r"[ \t\r\n,\ufeff]*")
_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?|[{}\[\]"]', re.DOTALL)


class BrokenJsonError(ValueError):
    """The stream ends within an object, or holds none; the message is a cause to be counted."""


def objects(stream: IO[str], within: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """Every object of a list, of lines, or of the lists at the paths `within`.

    Memory is bounded by one object of 4 Mi characters. What is whole is yielded before a fault is raised;
    of lines, those after a broken one too.

    Args:
        within: paths of keys, such as `payload.listens`, at which an object of the stream may hold the list.
            An object that has none of them is yielded itself. An object in place of the list is yielded too.

    Raises:
        BrokenJsonError: the text breaks off, or is not JSON from some place on.
    """
    text = _Text(stream)
    broken = 0
    while first := text.peek():
        if first == "{" and text.line_is_broken():
            broken += 1
            continue
        yield from _elements_or_object(text, within, 0)
    if broken:
        raise BrokenJsonError(f"lines that are no JSON: {broken}")


def key_paths(text: str) -> frozenset[str]:
    """Paths of the keys in the beginning of a JSON text, which may be cut anywhere; lists add nothing to a path.

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
                break  # a text that the end of the sample cut
            case _ if token[2]:
                path = f"{around[-1]}.{token[1]}".lstrip(".") if around else token[1]
                found.add(path)
            case _:
                continue
        if len(around) > 2 * _MAX_DEPTH:
            break
    return frozenset(found)


class _Text:
    """A window on a stream, of which values are taken from the front."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._buffer, self._at, self._ended = stream, "", 0, False
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The first character of what comes; empty at the end."""
        while True:
            gap = _GAPS.match(self._buffer, self._at)
            self._at = gap.end() if gap else self._at
            if self._at < len(self._buffer) or not self._more(_BLOCK):
                return self._buffer[self._at : self._at + 1]

    def skip(self) -> None:
        """Drop the character that `peek` showed."""
        self._at += 1

    def value(self) -> Any:
        """The JSON value that comes.

        Raises:
            BrokenJsonError: it is none, is cut, nested too deeply or too large. Nothing is taken then.
        """
        size = _BLOCK
        while True:
            try:
                found, end = self._decoder.raw_decode(self._buffer, self._at)
                # A number at the edge of the window may go on behind it.
                if end < len(self._buffer) or self._buffer[end - 1] in '"]}' or not self._more(_BLOCK):
                    self._at = end
                    return found
            except RecursionError:
                raise BrokenJsonError("JSON is nested too deeply") from None
            except ValueError as error:
                large = len(self._buffer) - self._at >= _MAX_OBJECT
                if large or not self._more(size):
                    raise BrokenJsonError("no JSON" if large else "JSON breaks off") from error
                size *= 2  # doubled, so that the time stays linear

    def line_is_broken(self) -> bool:
        """Whether an object that is alone on its line is no JSON; its line is dropped then."""
        end = self._buffer.find("\n", self._at)
        while end < 0 and len(self._buffer) - self._at < _MAX_OBJECT and self._more(_BLOCK):
            end = self._buffer.find("\n", self._at)
        line = self._buffer[self._at : end].rstrip() if end >= 0 else ""
        # Of an object over several lines the first ends with one of these; another line begins as this one.
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
    """The objects of the value that comes."""
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
        # Too large to be held, or cut: what its lists hold is taken one by one.
        yield from _members(text, within, "", depth + 1)
        return
    if isinstance(found, dict):
        inner = _held(found, within)
        yield from [found] if inner is None else inner


def _members(text: _Text, within: tuple[str, ...], path: str, depth: int) -> Iterator[dict[str, Any]]:
    """The objects of the lists at `within`, out of an object at `path` that comes."""
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
    """The objects at the paths `within`; nothing where it has none of the paths."""
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
