"""A catalogue in four tribes, each with a style of its own."""

from __future__ import annotations

from troubadour.recommenders.slate.item_info import ItemInfo

STYLES = ("jig", "reel", "air", "chorale")
N = 120
"""Piece i is of style i % 4 and of artist i % 24, so that each artist has one style."""


def info(i: int) -> ItemInfo:
    artist = f"Artist {i % 24}"
    return ItemInfo(f"Tune {i}", f"w{i}", artist, {"style": STYLES[i % 4]}, artist=artist)
