"""Radio: one piece after another from a seed, never the same twice, skips heeded at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from troubadour.advise.listed import Listed
from troubadour.errors import InputError
from troubadour.listening.interactions import History
from troubadour.recommenders.rank import Ranker

_STYLE_SEEDS: Final = 30
_STYLE_BONUS: Final = 2.0
"""What belonging to the style of the seed is worth, in standard deviations of scores, without drift."""
_CHOICE: Final = 8
"""The next piece is drawn from so many of the best, so that two sessions differ."""
_SKIP_WEIGHT: Final = -0.7
_PLAY_WEIGHT: Final = 0.5


@dataclass(frozen=True, slots=True)
class RadioSpec:
    """What may be chosen about a radio."""

    drift: float = 0.3
    """0 (the seed alone decides) to 1 (what was just played decides as much as the seed)."""
    artist_gap: int = 5
    """At least so many pieces between two of one artist, while there is another; 0 and above."""

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
    rows = np.array([i for i, x in enumerate(ranker.infos) if x.attributes.get("style") == style], np.int64)
    if not len(rows):
        known = sorted({str(x.attributes.get("style") or "") for x in ranker.infos} - {""})
        raise InputError(f"no piece of style '{style}'; there are {', '.join(known) or 'none'}")
    counts = ranker.blend.popular.counts
    heard = np.where(rows < len(counts), counts[np.minimum(rows, len(counts) - 1)], 0)
    best = rows[np.argsort(-heard, kind="stable")[:_STYLE_SEEDS]]
    return History(best.astype(np.int32), np.full(len(best), 1.0))


def stream(
    ranker: Ranker,
    session: Session,
    artists: Mapping[str, str],
    rng: np.random.Generator,
    spec: RadioSpec | None = None,
) -> Iterator[tuple[Listed, Session]]:
    """One piece after another with the session up to it; ends when nothing unplayed is left.

    For skips to count send them: `next_piece` of `session.after(piece, skipped=True)`.
    """
    while (found := next_piece(ranker, session, artists, rng, spec)) is not None:
        session = session.after(found.id)
        yield found, session


def next_piece(
    ranker: Ranker,
    session: Session,
    artists: Mapping[str, str],
    rng: np.random.Generator,
    spec: RadioSpec | None = None,
) -> Listed | None:
    """The next piece of a session; nothing when all has been played. Costs one scoring of the catalogue.

    Args:
        artists: piece to artist, empty where nobody is named.

    Raises:
        InputError: a piece that was played is not in the catalogue.
    """
    spec = spec or RadioSpec()
    history = heard_in(ranker, session, spec)
    total = np.asarray(ranker.score([history])[0], dtype=np.float64)
    if session.style:
        of_style = [x.attributes.get("style") == session.style for x in ranker.infos]
        total = total + _STYLE_BONUS * (1 - spec.drift) * np.array(of_style)
    allowed = _allowed(ranker, session)
    if not allowed.any():
        return None
    gap = session.played[len(session.played) - spec.artist_gap :] if spec.artist_gap else ()
    recent = {artists.get(i, "") for i in gap} - {""}
    if recent:
        apart = allowed & np.array([artists.get(i, "") not in recent for i in ranker.items])
        allowed = apart if apart.any() else allowed
    row = _drawn(np.where(allowed, total, -np.inf), rng)
    info = ranker.infos[row]
    return Listed(
        ranker.items.id(row),
        info.title,
        float(total[row]),
        (_why(ranker, session, history, row),),
        {"generated": info.generated, "artist": artists.get(ranker.items.id(row), "")},
    )


def heard_in(ranker: Ranker, session: Session, spec: RadioSpec) -> History:
    """The seed and what the session adds: plays pull as far as drift allows, skips push away in full."""
    weights = dict(zip(session.seed.items.tolist(), session.seed.weights.tolist(), strict=True))
    strength = max(float(np.abs(session.seed.weights).sum()), 1.0)
    for age, piece in enumerate(reversed(session.played)):
        row = int(ranker.items.find([piece])[0])
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
    gone = {*session.played, *session.exclude}
    if len(session.seed) == 1:
        gone |= {ranker.items.id(int(session.seed.items[0]))}
    rows = ranker.items.find(gone)
    rows = rows[rows >= 0]
    allowed[rows] = False
    played = ranker.items.find(session.played)
    works = {ranker.infos[row].work for row in played[played >= 0].tolist()} - {""}
    if works:
        allowed &= np.array([info.work not in works for info in ranker.infos])
    return allowed


def _drawn(scores: NDArray[np.float64], rng: np.random.Generator) -> int:
    best = np.argsort(-scores, kind="stable")[:_CHOICE]
    best = best[np.isfinite(scores[best])]
    chance = np.exp(scores[best] - scores[best[0]])
    return int(rng.choice(best, p=chance / chance.sum()))


def _why(ranker: Ranker, session: Session, history: History, row: int) -> str:
    """The piece of the session or seed that is nearest to the chosen one."""
    if session.style and ranker.infos[row].attributes.get("style") == session.style and not session.played:
        return f"a {session.style}"
    liked = history.items[history.weights > 0]
    liked = liked[liked != row]
    content = ranker.blend.content
    if content is None or not content.known[row] or not len(liked):
        return "listeners of the same pieces play it"
    nearest = int(liked[int(np.argmax(content.similar(row, liked)))])
    return f"near to {ranker.infos[nearest].title}"
