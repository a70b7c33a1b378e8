"""Source and licence of a piece: shown with the piece, and checked before export and training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from troubadour.catalogue.store import PieceRow
from troubadour.core.errors import InputError
from troubadour.corpora.builtin import COLLECTIONS


def rights(piece: PieceRow) -> dict[str, Any]:
    """Artist, source, licence and, for a generated piece, its release, for JSON."""
    return {
        "artist": piece.display_artist,
        "source": piece.source,
        "licence": piece.licence,
        "generated": piece.generated,
        **({"release": piece.provenance.get("release")} if piece.generated else {}),
    }


def rights_line(piece: PieceRow) -> str:
    """Source, release and licence in one line of text."""
    release = f", release {piece.provenance.get('release')}" if piece.generated else ""
    return f"{piece.source or 'source unknown'}{release}; {piece.licence or 'licence unknown'}"


def terms_of(piece: PieceRow) -> str:
    """Terms that must be accepted before export; empty if there are none."""
    # A user's own folder may have the name of a collection: the licence distinguishes them.
    for one in COLLECTIONS:
        if one.restricted and piece.collection == one.name and piece.licence == one.licence:
            return one.licence
    return ""


def check_terms(pieces: Iterable[PieceRow], accepted: bool) -> None:
    """Check that no piece has terms that are not accepted.

    Args:
        pieces: pieces to export or to train on.
        accepted: whether the caller accepts the terms.

    Raises:
        InputError: a piece has such terms; the message states them and how to accept them.
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
