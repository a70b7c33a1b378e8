"""The item attributes of S3-Rec's LastFM, rebuilt from HetRec's taggings, without held-out events.

The sequences are taggings: an artist enters a listener's sequence when the listener first tags it. The 388
attributes of S3-Rec are the tags that artists have in the same file, so they include taggings of the
artists to be predicted. `Taggings.vectors` excludes the taggings of hidden pairs.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_CORE = 5
"""Fewest artists of a listener, and listeners of an artist."""
Pair = tuple[int, int]
"""Row of a listener and row of an artist, from 0."""


@dataclass(frozen=True)
class Taggings:
    """Listener, artist and attribute of each tagging, by the rows of S3-Rec's files."""

    rows: NDArray[np.int64]
    """Listener (-1: not among those of the sequences), artist, attribute; shape (n, 3)."""
    shared_date: NDArray[np.bool_]
    """Whether the last artist of each listener has the date of the one before, shape (n_listeners,)."""
    shipped: NDArray[np.bool_]
    """The attributes as S3-Rec ships them, shape (n_artists, n_attributes)."""

    def vectors(self, hidden: Collection[Pair] = ()) -> NDArray[np.float32]:
        """Attributes of each artist without the taggings of hidden pairs, 0 or 1, shape as `shipped`."""
        left_out = set(hidden)
        found = np.zeros(self.shipped.shape, dtype=np.float32)
        for listener, artist, attribute in self.rows.tolist():
            if (listener, artist) not in left_out:
                found[artist, attribute] = 1.0
        return found

    def told_alone(self, pairs: Sequence[Pair]) -> float:
        """Share of pairs whose artist has an attribute that only the tagging of this pair gives."""
        givers: dict[Pair, set[int]] = defaultdict(set)
        for listener, artist, attribute in self.rows.tolist():
            givers[artist, attribute].add(listener)
        alone = {(next(iter(who)), artist) for (artist, _), who in givers.items() if len(who) == 1}
        return float(np.mean([pair in alone for pair in pairs]))


def read(hetrec: Path, s3rec: Path) -> Taggings:
    """Match the two data sets; fails unless all sequences and all attributes agree.

    Args:
        hetrec: folder of `user_taggedartists.dat`.
        s3rec: folder of `LastFM.txt` and `LastFM_item2attributes.json`.
    """
    lines = (hetrec / "user_taggedartists.dat").read_text("latin-1").splitlines()[1:]
    events = [tuple(map(int, line.split("\t"))) for line in lines]
    text = (s3rec / "LastFM.txt").read_text()
    sequences = [[int(x) - 1 for x in line.split()[1:]] for line in text.splitlines()]
    named = json.loads((s3rec / "LastFM_item2attributes.json").read_text())
    attributes = {int(item) - 1: [a - 1 for a in own] for item, own in named.items()}
    met = _cored([(user, artist, (year, month, day)) for user, artist, _, day, month, year in events])
    rows = _artist_rows(list(met.values()), sequences)
    listeners = {user: row for row, user in enumerate(met)}
    tagged = [(listeners.get(u, -1), rows[a], tag) for u, a, tag, *_ in events if a in rows]
    columns = _attribute_columns(tagged, attributes)
    shipped = np.zeros((len(attributes), 1 + max(columns.values())), dtype=bool)
    for item, own in attributes.items():
        shipped[item, own] = True
    dates = [[date for _, date in own] for own in met.values()]
    found = Taggings(
        np.array([(u, a, columns[tag]) for u, a, tag in tagged if tag in columns]),
        np.array([own[-1] == own[-2] for own in dates]),
        shipped,
    )
    if not np.array_equal(found.vectors() > 0, shipped):
        raise SystemExit("the rebuilt attributes are not those of LastFM_item2attributes.json")
    return found


def _cored(events: list[tuple[int, int, tuple[int, ...]]]) -> dict[int, list[tuple[int, tuple[int, ...]]]]:
    """Artists of each user with the date of their first tagging in the file, by date, 5-core."""
    first: dict[int, dict[int, tuple[int, ...]]] = defaultdict(dict)
    for user, artist, date in events:
        first[user].setdefault(artist, date)
    met = {user: sorted(own.items(), key=lambda one: one[1]) for user, own in first.items()}
    while True:
        counts = Counter(artist for own in met.values() for artist, _ in own)
        kept = {u: [one for one in own if counts[one[0]] >= _CORE] for u, own in met.items()}
        kept = {u: own for u, own in kept.items() if len(own) >= _CORE}
        if kept == met:
            return met
        met = kept


def _artist_rows(met: list[list[tuple[int, tuple[int, ...]]]], sequences: list[list[int]]) -> dict[int, int]:
    """Row of each artist: the only one consistent with all its positions.

    On the first of a month the order is the file's; on other dates S3-Rec knew the hour, which
    the file of HetRec does not tell, so that a whole date has to be compared as a set.
    """
    possible: dict[int, set[int]] = {}
    for own, sequence in zip(met, sequences, strict=True):
        same: dict[tuple[int, ...], set[int]] = defaultdict(set)
        for (_, date), item in zip(own, sequence, strict=True):
            same[date].add(item)
        for (artist, date), item in zip(own, sequence, strict=True):
            here = {item} if date[2] == 1 else same[date]
            possible[artist] = possible.get(artist, here) & here
    while any(len(items) > 1 for items in possible.values()):
        taken = {next(iter(items)) for items in possible.values() if len(items) == 1}
        fewer = {a: items if len(items) == 1 else items - taken for a, items in possible.items()}
        if fewer == possible:
            raise SystemExit("some artists of LastFM.txt cannot be told apart")
        possible = fewer
    rows = {artist: next(iter(items)) for artist, items in possible.items() if items}
    if sorted(rows.values()) != list(range(len(possible))):
        raise SystemExit("LastFM.txt does not hold the taggings of HetRec")
    return rows


def _attribute_columns(
    tagged: list[tuple[int, int, int]], attributes: dict[int, list[int]]
) -> dict[int, int]:
    """Attribute of each tag: the one with the same taggings of the same artists."""

    def signatures(pairs: list[Pair]) -> dict[int, frozenset[tuple[int, int]]]:
        counts: dict[int, Counter[int]] = defaultdict(Counter)
        for what, item in pairs:
            counts[what][item] += 1
        return {what: frozenset(of.items()) for what, of in counts.items()}

    ours = signatures([(tag, item) for _, item, tag in tagged])
    theirs = signatures([(a, item) for item, own in attributes.items() for a in own])
    by_signature: dict[frozenset[tuple[int, int]], list[int]] = defaultdict(list)
    for attribute, signature in sorted(theirs.items()):
        by_signature[signature].append(attribute)
    columns = {
        tag: by_signature[signature].pop(0)
        for tag, signature in sorted(ours.items())
        if by_signature.get(signature)
    }
    if len(columns) != len(theirs):
        raise SystemExit(f"{len(theirs) - len(columns)} attributes are not tags of HetRec's file")
    return columns
