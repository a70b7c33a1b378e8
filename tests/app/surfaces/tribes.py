"""Catalogue of four styles, one for each group of listeners."""

from __future__ import annotations

from troubadour.recommenders.slate.item_info import ItemInfo

STYLES = ("jig", "reel", "air", "chorale")
N = 120
"""Piece i has style i % 4 and artist i % 24, so that each artist has one style."""


def info(i: int) -> ItemInfo:
    artist = f"Artist {i % 24}"
    return ItemInfo(f"Tune {i}", f"w{i}", artist, {"style": STYLES[i % 4]}, artist=artist)
