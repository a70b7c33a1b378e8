"""Where a piece comes from and under which terms: shown wherever it is shown, respected where it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from troubadour.catalogue.store import PieceRow
from troubadour.core.errors import InputError
from troubadour.corpora.builtin import COLLECTIONS


def rights(piece: PieceRow) -> dict[str, Any]:
    """Artist, source, licence, and of a composed piece the release that made it, for JSON."""
    return {
        "artist": piece.display_artist,
        "source": piece.source,
        "licence": piece.licence,
        "generated": piece.generated,
        **({"release": piece.provenance.get("release")} if piece.generated else {}),
    }


def rights_line(piece: PieceRow) -> str:
    """The same in one line for people and for the files that are written."""
    release = f", release {piece.provenance.get('release')}" if piece.generated else ""
    return f"{piece.source or 'source unknown'}{release}; {piece.licence or 'licence unknown'}"


def terms_of(piece: PieceRow) -> str:
    """The terms that have to be accepted before a piece leaves the house; empty where there are none."""
    # A user's own folder may bear the name of a collection: its licence tells them apart.
    for one in COLLECTIONS:
        if one.restricted and piece.collection == one.name and piece.licence == one.licence:
            return one.licence
    return ""


def check_terms(pieces: Iterable[PieceRow], accepted: bool) -> None:
    """Refuse to write, or to learn from, pieces whose terms were not accepted.

    Raises:
        InputError: there is such a piece; the message says the terms and how to accept them.
    """
    if accepted:
        return
    bound = [(p, terms) for p in pieces if (terms := terms_of(p))]
    if bound:
        first, terms = bound[0]
        more = f" and {len(bound) - 1} more" if len(bound) > 1 else ""
        raise InputError(
            f"'{first.title}' [{first.id}]{more} is under terms: {terms}. Accept them with --accept-terms "
            "(accept_terms=True), or leave it out"
        )
