"""Radio: one piece after another from a seed, never the same twice, skips heeded at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.app.surfaces.listed import ListedItem
from troubadour.core.errors import InputError
from troubadour.interactions.events import History
from troubadour.recommenders.blend.combine import Parts
from troubadour.recommenders.explain.reasons import reasons
from troubadour.recommenders.slate.ranker import Ranker

_STYLE_SEEDS: Final = 30
_CHOICE: Final = 8
"""The next piece is drawn from so many of the best, so that two sessions differ."""
_FALL: Final = 0.7
"""Each of them is drawn this often beside the one before; by place, since the unit of scores varies."""
_SKIP_WEIGHT: Final = -0.4
_PLAY_WEIGHT: Final = 0.5
"""Of a skip, and of a play at full drift: as shares of all that the seed weighs."""


@dataclass(frozen=True, slots=True)
class RadioSpec:
    """What may be chosen about a radio."""

    drift: float = 0.3
    """0 (the seed alone decides) to 1 (what was just played decides as much as the seed). A radio of a
    style draws each piece from all styles with this probability, and else from its own."""
    artist_gap: int = 5
    """At least so many pieces between two of one artist, while there is another; 0 to 100."""

    def __post_init__(self) -> None:
        if not 0 <= self.drift <= 1:
            raise InputError(f"drift is {self.drift}; allowed: 0 to 1")
        if not 0 <= self.artist_gap <= 100:
            raise InputError(f"artist_gap is {self.artist_gap}; allowed: 0 to 100")


@dataclass(frozen=True, slots=True)
class Session:
    """What was played so far. A client can keep it and send it along: a radio holds no state."""

    seed: History
    """Where it starts: one piece, some of a style, or a listener's history."""
    style: str = ""
    """Of the seed, where a style was asked for."""
    played: tuple[str, ...] = ()
    """In order, those that were skipped too."""
    skipped: frozenset[str] = frozenset()
    exclude: frozenset[str] = field(default_factory=frozenset)
    """Never to be played: blocked pieces."""

    def after(self, piece: str, *, skipped: bool = False) -> Self:
        """The session once a piece has been played."""
        marked = self.skipped | {piece} if skipped else self.skipped
        played = self.played if piece in self.played else (*self.played, piece)
        return replace(self, played=played, skipped=marked)


def from_style(ranker: Ranker, style: str) -> History:
    """A seed from the pieces of a style that most listeners heard.

    Raises:
        InputError: no piece is of that style; the message names those that there are.
    """
    rows = np.flatnonzero(_of_style(ranker, style))
    if not len(rows):
        known = sorted({str(x.attributes.get("style") or "") for x in ranker.infos} - {""})
        raise InputError(f"no piece of style '{style}'; there are {', '.join(known) or 'none'}")
    counts = np.zeros(len(ranker.items), dtype=np.int64)
    heard = ranker.blend.popular.counts
    counts[: len(heard)] = heard
    best = rows[np.argsort(-counts[rows], kind="stable")[:_STYLE_SEEDS]]
    return History(best.astype(np.int32), np.ones(len(best)))


def next_piece(
    ranker: Ranker, session: Session, seed: int = 0, spec: RadioSpec | None = None
) -> ListedItem | None:
    """The next piece of a session; nothing when all has been played. Costs one scoring of the catalogue.

    Args:
        seed: with the number of pieces played it decides what is drawn, so that ten pieces at once
            are the same as one by one.

    Raises:
        InputError: a piece that was played is not in the catalogue.
    """
    spec = spec or RadioSpec()
    rng = np.random.default_rng((seed, len(session.played)))
    allowed, alike = _allowed(ranker, session), _too_alike(ranker, session, spec)
    if not allowed.any():
        return None
    history = heard_in(ranker, session, spec)
    parts = ranker.blend.parts([history])
    total = parts.total()[0]
    chances = _chances(total, _apart(allowed, alike))
    own = allowed & _of_style(ranker, session.style) if session.style else allowed
    if own.any() and not own[allowed].all():
        chances = (1 - spec.drift) * _chances(total, _apart(own, alike)) + spec.drift * chances
    row = int(rng.choice(len(chances), p=chances))
    info = ranker.infos[row]
    more = {"generated": info.generated, "artist": info.artist}
    why = _why(ranker, parts, history, session, row)
    return ListedItem(ranker.items.id(row), info.title, float(total[row]), why, more, float(chances[row]))


def heard_in(ranker: Ranker, session: Session, spec: RadioSpec) -> History:
    """The seed and what the session adds: plays pull as far as drift allows, skips push away in full.

    Raises:
        InputError: a piece that was played is not in the catalogue.
    """
    weights = dict(zip(session.seed.items.tolist(), session.seed.weights.tolist(), strict=True))
    strength = max(float(np.abs(session.seed.weights).sum()), 1.0)
    rows = ranker.items.find(session.played).tolist()
    for age, (row, piece) in enumerate(zip(reversed(rows), reversed(session.played), strict=True)):
        if row < 0:
            raise InputError(f"'{piece}' was played, but is not in the catalogue")
        if piece in session.skipped:
            change = _SKIP_WEIGHT * strength
        else:
            change = _PLAY_WEIGHT * strength * spec.drift * 0.7**age
        weights[row] = weights.get(row, 0.0) + change
    return History(np.array(list(weights), dtype=np.int32), np.array(list(weights.values())))


def _allowed(ranker: Ranker, session: Session) -> NDArray[np.bool_]:
    """Neither played, nor a variant of what was played, nor the seed of one piece, nor excluded."""
    allowed = np.ones(len(ranker.items), dtype=bool)
    rows = ranker.items.find((*session.played, *session.exclude))
    allowed[rows[rows >= 0]] = False
    if len(session.seed) == 1:
        allowed[session.seed.items] = False
    played = ranker.items.find(session.played)
    works = {ranker.infos[row].work for row in played[played >= 0].tolist()} - {""}
    if works:
        allowed &= np.array([info.work not in works for info in ranker.infos])
    return allowed


def _too_alike(ranker: Ranker, session: Session, spec: RadioSpec) -> NDArray[np.bool_]:
    """Which pieces are by the artists of the last ones played, or bear the title of any."""
    played = [ranker.infos[row] for row in ranker.items.find(session.played).tolist() if row >= 0]
    artists = {info.artist for info in played[-spec.artist_gap :]} - {""} if spec.artist_gap else set[str]()
    titles = {info.title for info in played} - {""}
    return np.array([info.artist in artists or info.title in titles for info in ranker.infos], dtype=bool)


def _apart(allowed: NDArray[np.bool_], alike: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without what is too much like the last pieces, where anything else is left."""
    apart = allowed & ~alike
    return apart if apart.any() else allowed


def _of_style(ranker: Ranker, style: str) -> NDArray[np.bool_]:
    return np.array([info.attributes.get("style") == style for info in ranker.infos], dtype=bool)


def _chances(scores: NDArray[np.float64], allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The probability of each item to be drawn, shape (n_items,), sum 1."""
    best = np.argsort(-np.where(allowed, scores, -np.inf), kind="stable")[:_CHOICE]
    best = best[allowed[best]]
    out = np.zeros(len(scores))
    out[best] = _FALL ** np.arange(len(best))
    return np.asarray(out / out.sum())


def _why(ranker: Ranker, parts: Parts, history: History, session: Session, row: int) -> tuple[str, ...]:
    """What the models say for it, and of a style's radio that it is of the style."""
    said = tuple(r.text for r in reasons(ranker.blend, parts, 0, history, row, ranker.infos))
    style = ranker.infos[row].attributes.get("style")
    return (f"of the style {style}", *said) if session.style and style == session.style else said
