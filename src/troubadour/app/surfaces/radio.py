"""Radio: an endless sequence of pieces from a seed, without repeats, adapted to skips."""

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
"""The next piece is drawn from this many best candidates, so that sessions differ."""
_FALL: Final = 0.7
"""Ratio of the probabilities of successive ranks; ranks are used because the unit of scores varies."""
_SKIP_WEIGHT: Final = -0.4
_PLAY_WEIGHT: Final = 0.5
"""Weights of a skip, and of a play at drift 1, as shares of the seed's total weight."""


@dataclass(frozen=True, slots=True)
class RadioSpec:
    """Options of a radio."""

    drift: float = 0.3
    """0 (only the seed counts) to 1 (the latest plays count as much as the seed). A style radio draws each
    piece from all styles with this probability, otherwise from its own style.
    """
    artist_gap: int = 5
    """Smallest number of pieces between two of one artist, if other candidates exist; 0 to 100."""

    def __post_init__(self) -> None:
        if not 0 <= self.drift <= 1:
            raise InputError(f"drift is {self.drift}; allowed: 0 to 1")
        if not 0 <= self.artist_gap <= 100:
            raise InputError(f"artist_gap is {self.artist_gap}; allowed: 0 to 100")


@dataclass(frozen=True, slots=True)
class Session:
    """State of a session. A client can hold it and send it with each request; the server keeps no state."""

    seed: History
    """Events to start from: one piece, pieces of a style, or a listener's history."""
    style: str = ""
    """Style of the seed; empty if the radio was not started from a style."""
    played: tuple[str, ...] = ()
    """Ids of the pieces played so far, skipped ones included, in order."""
    skipped: frozenset[str] = frozenset()
    exclude: frozenset[str] = field(default_factory=frozenset)
    """Ids that are never played, such as blocked pieces."""

    def after(self, piece: str, *, skipped: bool = False) -> Self:
        """Session after one more piece."""
        marked = self.skipped | {piece} if skipped else self.skipped
        played = self.played if piece in self.played else (*self.played, piece)
        return replace(self, played=played, skipped=marked)


def from_style(ranker: Ranker, style: str) -> History:
    """Seed from the most played pieces of a style.

    Raises:
        InputError: no piece has that style; the message lists the styles.
    """
    rows = np.flatnonzero(_of_style(ranker, style))
    if not len(rows):
        known = sorted({str(x.attributes.get("style") or "") for x in ranker.infos} - {""})
        raise InputError(f"no piece of style '{style}'; known styles: {', '.join(known) or 'none'}")
    counts = np.zeros(len(ranker.items), dtype=np.int64)
    heard = ranker.blend.popular.counts
    counts[: len(heard)] = heard
    best = rows[np.argsort(-counts[rows], kind="stable")[:_STYLE_SEEDS]]
    return History(best.astype(np.int32), np.ones(len(best)))


def next_piece(
    ranker: Ranker, session: Session, seed: int = 0, spec: RadioSpec | None = None
) -> ListedItem | None:
    """Next piece of a session; None if all pieces have been played. Costs one scoring of the catalogue.

    Args:
        ranker: the recommender.
        session: pieces played so far.
        seed: of the random draw. The draw depends on the seed and the number of pieces played, so ten pieces
            in one request equal ten requests of one piece.
        spec: options.

    Raises:
        InputError: a played piece is not in the catalogue.
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
    """Seed plus the session's events: plays weighted by drift, skips with full negative weight.

    Raises:
        InputError: a played piece is not in the catalogue.
    """
    weights = dict(zip(session.seed.items.tolist(), session.seed.weights.tolist(), strict=True))
    strength = max(float(np.abs(session.seed.weights).sum()), 1.0)
    rows = ranker.items.find(session.played).tolist()
    for age, (row, piece) in enumerate(zip(reversed(rows), reversed(session.played), strict=True)):
        if row < 0:
            raise InputError(
                f"'{piece}' was played, but is not in the catalogue; leave it out of the session"
            )
        if piece in session.skipped:
            change = _SKIP_WEIGHT * strength
        else:
            change = _PLAY_WEIGHT * strength * spec.drift * 0.7**age
        weights[row] = weights.get(row, 0.0) + change
    return History(np.array(list(weights), dtype=np.int32), np.array(list(weights.values())))


def _allowed(ranker: Ranker, session: Session) -> NDArray[np.bool_]:
    """Candidates: not played, no variant of a played piece, not the single seed piece, not excluded."""
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
    """Items by the artists of the last pieces, or with the title of any played piece."""
    played = [ranker.infos[row] for row in ranker.items.find(session.played).tolist() if row >= 0]
    artists = {info.artist for info in played[-spec.artist_gap :]} - {""} if spec.artist_gap else set[str]()
    titles = {info.title for info in played} - {""}
    return np.array([info.artist in artists or info.title in titles for info in ranker.infos], dtype=bool)


def _apart(allowed: NDArray[np.bool_], alike: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Candidates without items too similar to the last pieces, unless no candidate would remain."""
    apart = allowed & ~alike
    return apart if apart.any() else allowed


def _of_style(ranker: Ranker, style: str) -> NDArray[np.bool_]:
    return np.array([info.attributes.get("style") == style for info in ranker.infos], dtype=bool)


def _chances(scores: NDArray[np.float64], allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Probability of each item to be drawn, shape (n_items,), sum 1."""
    best = np.argsort(-np.where(allowed, scores, -np.inf), kind="stable")[:_CHOICE]
    best = best[allowed[best]]
    out = np.zeros(len(scores))
    out[best] = _FALL ** np.arange(len(best))
    return np.asarray(out / out.sum())


def _why(ranker: Ranker, parts: Parts, history: History, session: Session, row: int) -> tuple[str, ...]:
    """Reasons from the models, preceded by the style for a style radio."""
    said = tuple(r.text for r in reasons(ranker.blend, parts, 0, history, row, ranker.infos))
    style = ranker.infos[row].attributes.get("style")
    return (f"of the style {style}", *said) if session.style and style == session.style else said
