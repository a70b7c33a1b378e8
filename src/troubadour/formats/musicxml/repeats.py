"""Which measures are kept where a piece has first and second endings, and where its sections end."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Final

Element = Any
_HEAVY: Final = ("light-light", "light-heavy", "heavy-light", "heavy-heavy")


class Sections:
    """Barlines of all parts, as they are met."""

    def __init__(self) -> None:
        self._ends: set[int] = set()
        self._endings: dict[int, list[tuple[int, str, str]]] = defaultdict(list)

    def add(self, part: int, measure: int, line: Element) -> None:
        """Note one `barline`."""
        left = line.get("location") == "left"
        repeat = line.find("repeat")
        forward = repeat is not None and repeat.get("direction") == "forward"
        if (repeat is not None or line.findtext("bar-style") in _HEAVY) and not (left or forward):
            self._ends.add(measure)
        elif measure and (forward or (left and line.findtext("bar-style") in _HEAVY)):
            self._ends.add(measure - 1)
        ending = line.find("ending")
        if ending is not None:
            self._endings[part].append((measure, ending.get("type", ""), ending.get("number") or "1"))

    def laid_out(self, count: int, all_endings: bool) -> tuple[list[int], list[bool]]:
        """Measures that are kept, and whether each of all measures ends a section.

        With `all_endings` every measure is kept. Without:

        Of several endings only the last is kept, and a first ending without a second is left out.
        Endings are those of the first part that has any.
        """
        dropped: set[int] = set()
        group: list[tuple[int, int, int]] = []
        marks = self._endings[min(self._endings)] if self._endings and not all_endings else []
        for ending in [*_spans(marks, count), (count + 1, count + 1, 0)]:
            if group and (ending[0] != group[-1][1] + 1 or ending[2] <= group[-1][2]):
                last = group[-1]
                gone = group if last[2] == 1 else group[:-1]
                dropped.update(m for first, stop, _ in gone for m in range(first, stop + 1))
                group = []
            group.append(ending)
        kept = [i for i in range(count) if i not in dropped]
        ends = [i in self._ends for i in range(count)]
        ends[-1] = True
        return kept or list(range(count)), ends


def _spans(marks: list[tuple[int, str, str]], count: int) -> list[tuple[int, int, int]]:
    """(first measure, last measure, lowest number) of each ending."""
    spans: list[tuple[int, int, int]] = []
    start: tuple[int, int] | None = None
    for measure, kind, number in marks:
        if kind == "start":
            if start is not None and measure > start[0]:
                spans.append((start[0], measure - 1, start[1]))
            lowest = min((int(n) for n in re.findall(r"\d{1,3}", number)), default=1)
            start = (measure, lowest)
        elif start is not None:
            spans.append((start[0], measure, start[1]))
            start = None
    if start is not None:
        spans.append((start[0], start[0], start[1]))
    return spans


__all__ = ["Sections"]
