"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from troubadour.core.errors import InputError


def table(head: Sequence[str], rows: Iterable[Sequence[object]], align: str = "") -> list[str]:
    """Lines of a Markdown table.

    Args:
        head: column titles.
        rows: cells, converted by `str`; as many in each row as titles.
        align: one letter per column: `l` default alignment, `r` right. Default: all `l`.

    Returns:
        Title line, rule, and one line per row, without line ends.

    Raises:
        InputError: a row or `align` has another number of columns.

    >>> print("\\n".join(table(["style", "pieces"], [["jig", 3]], "lr")))
    | style | pieces |
    |---|---:|
    | jig | 3 |
    """
    align = align or "l" * len(head)
    found = [[str(cell) for cell in row] for row in rows]
    for cells in [align, *found]:
        if len(cells) != len(head):
            raise InputError(f"{len(cells)} columns in {cells!r}; need {len(head)}, one per title")
    rule = "".join("|---:" if letter == "r" else "|---" for letter in align) + "|"
    return [_line(head), rule, *map(_line, found)]


def _line(cells: Sequence[str]) -> str:
    # An empty cell is one space: `| | |` rather than `|  |  |`.
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
