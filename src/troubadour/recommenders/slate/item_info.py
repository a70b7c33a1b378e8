"""Metadata of items for ranking and explanations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from troubadour.core.errors import ModelError


@dataclass(frozen=True, slots=True)
class ItemInfo:
    """Metadata of one piece."""

    title: str = ""
    work: str = ""
    """Id of the work; a list contains at most one variant of a work. "" = no work."""
    group: str = ""
    """Book, artist or collection, for the cap per group. "" = no group."""
    attributes: Mapping[str, float | str] = field(default_factory=dict[str, float | str])
    """Descriptors from `features.attributes`, and `style`; explanations name those that are present."""
    generated: bool = False
    """Whether the piece is machine-composed."""
    explicit: bool = False
    """Whether the piece is marked as explicit."""
    artist: str = ""
    """Performer or composer. "" = unknown."""

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON-compatible dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Restores an item from the result of `to_dict`.

        Raises:
            ModelError: a field is unknown.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise ModelError(f"stored item information: {error}") from error


def shared(one: Mapping[str, float | str], other: Mapping[str, float | str]) -> dict[str, str]:
    """Returns the attributes on which two pieces agree, as words, the most specific first.

    Words agree if equal, tempo within 10%, density within 20%, compass within 2 semitones.

    >>> shared({"style": "jig", "key": "D dorian"}, {"style": "jig", "key": "G major"})
    {'style': 'jig'}
    """
    found: dict[str, str] = {}
    for name in ("style", "metre", "key", "mode"):
        if one.get(name) and one.get(name) == other.get(name):
            found[name] = str(one[name])
    if "key" in found:
        found.pop("mode", None)
    for name, unit, near in (
        ("tempo_bpm", "quarters a minute", 0.1),
        ("notes_per_bar", "notes a bar", 0.2),
        ("range_semitones", "semitones of range", 0.0),
    ):
        a, b = one.get(name), other.get(name)
        if isinstance(a, int | float) and isinstance(b, int | float) and a > 0 and b > 0:
            slack = near * max(a, b) if near else 2.0
            if abs(a - b) <= slack:
                found[name] = f"about {a:.0f} {unit}"
    return found


def phrase(words: Mapping[str, str]) -> str:
    """Formats shared attributes as a phrase, such as `6/8 jig in D dorian`; "" without attributes.

    >>> phrase({"style": "jig", "metre": "6/8", "key": "D dorian"})
    '6/8 jig in D dorian'
    """
    noun = words.get("style", "")
    start = [words[name] for name in ("metre", "mode") if name in words]
    end = f"in {words['key']}" if "key" in words else ""
    if noun or start or end:
        return " ".join(part for part in (*start, noun or "piece", end) if part)
    return ", ".join(words.values())
