from __future__ import annotations

import pytest

from troubadour.core.errors import InputError
from troubadour.core.markdown import table


def test_columns_are_aligned_as_given() -> None:
    assert table(["a", "b"], [["x", 1], ["", 2.5]], "lr") == [
        "| a | b |",
        "|---|---:|",
        "| x | 1 |",
        "| | 2.5 |",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert table(["", ""], []) == ["| | |", "|---|---|"]


@pytest.mark.parametrize(("rows", "align"), [([["x"]], ""), ([], "lll")])
def test_another_number_of_columns_is_refused(rows: list[list[object]], align: str) -> None:
    with pytest.raises(InputError, match="need 2"):
        table(["a", "b"], rows, align)
