"""One entry of a list, with its reasons, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from troubadour.catalogue.store import PieceRow
from troubadour.export.licensing import rights
from troubadour.recommenders.slate.recommendation import Recommendation


@dataclass(frozen=True, slots=True)
class ListedItem:
    """An entry of a list: a piece, style or artist."""

    id: str
    title: str
    score: float
    """The higher the better; its unit depends on the context."""
    reasons: tuple[str, ...]
    """For people, the strongest first."""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Entries that only this kind of list has, JSON-able."""
    propensity: float = 1.0
    """Probability with which it was chosen for its place; 1 where nothing was left to chance."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.id,
            "title": self.title,
            "score": round(self.score, 6),
            "reasons": list(self.reasons),
            **self.more,
        }


def listed(one: Recommendation, *reasons: str) -> ListedItem:
    """A recommendation as an entry, with `reasons` before its own."""
    more = {"generated": one.generated, **({"fallback": one.fallback} if one.fallback else {})}
    return ListedItem(
        one.id, one.title, one.score, (*reasons, *(r.text for r in one.reasons)), more, one.propensity
    )


def recommended_json(one: ListedItem, row: PieceRow) -> dict[str, Any]:
    """A recommended piece for JSON: entry, artist, source and licence; the same in every list and face."""
    return {**one.to_dict(), **rights(row)}
