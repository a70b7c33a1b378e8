from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from troubadour.core.errors import InputError, MissingExtraError, NotFoundError
from troubadour.core.registry import KINDS, find, names
from troubadour.formats.render import MidiRenderer


def test_every_built_in_can_be_found_by_its_name(root: Path) -> None:
    groups = tomllib.loads((root / "pyproject.toml").read_text())["project"]["entry-points"]
    assert set(groups) == {f"troubadour.{kind}" for kind in KINDS}
    for kind in KINDS:
        for name, value in groups[f"troubadour.{kind}"].items():
            assert name in names(kind)
            found = find(kind, name)
            assert f"{found.__module__}:{found.__name__}" == value


def test_a_found_renderer_is_the_class_itself() -> None:
    assert find("renderers", "midirenderer") is MidiRenderer


def test_an_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(NotFoundError, match=r"'popularr'.*did you mean popular\?.*content, ease, .*popular"):
        find("recommenders", "popularr")


def test_an_unknown_kind_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="composers, recommenders, renderers"):
        names("singers")  # type: ignore[arg-type]


def test_a_plugin_registers_like_a_built_in() -> None:
    plugin = EntryPoint("mine", "decimal:Decimal", "troubadour.composers")
    other = EntryPoint("mine", "fractions:Fraction", "someone.else")
    assert names("composers", entries=[plugin, other]) == ("mine",)
    assert find("composers", "mine", entries=[plugin, other]).__name__ == "Decimal"


def test_two_packages_may_not_claim_one_name() -> None:
    first = EntryPoint("mine", "decimal:Decimal", "troubadour.composers")
    second = EntryPoint("mine", "fractions:Fraction", "troubadour.composers")
    with pytest.raises(InputError, match=r"twice.*decimal:Decimal, fractions:Fraction"):
        find("composers", "mine", entries=[first, second])
    assert find("composers", "mine", entries=[first, first]).__name__ == "Decimal"


def test_a_plugin_whose_dependency_is_absent_says_so() -> None:
    plugin = EntryPoint("mine", "no_such_library.thing:Thing", "troubadour.composers")
    with pytest.raises(MissingExtraError, match="needs no_such_library"):
        find("composers", "mine", entries=[plugin])
