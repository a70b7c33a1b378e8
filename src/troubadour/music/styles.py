"""The closed vocabulary of styles, their usual tempos, and recognition of styles in titles and fields."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

STYLES: Final = (
    "air", "chorale", "clog", "cotillion", "fling", "gavotte", "hornpipe", "jig", "long dance", "march",
    "minuet", "polka", "quickstep", "reel", "slide", "slip jig", "song", "strathspey", "waltz",
)  # fmt: skip

USUAL_TEMPO: Final = {
    "air": 88, "chorale": 80, "clog": 138, "cotillion": 126, "fling": 138, "gavotte": 120, "hornpipe": 160,
    "jig": 172, "long dance": 152, "march": 116, "minuet": 116, "polka": 126, "quickstep": 116, "reel": 200,
    "slide": 184, "slip jig": 176, "song": 92, "strathspey": 120, "waltz": 144,
}  # fmt: skip
"""Usual tempo of each style in quarters a minute, for sources without a tempo."""
OTHERWISE_TEMPO: Final = 120
"""Tempo in quarters a minute where the style is not known either."""

_SPELLINGS: Final = {
    "slipjig": "slip jig", "hop jig": "slip jig", "slip or hop jig": "slip jig", "double jig": "jig",
    "single jig": "jig", "highland fling": "fling", "quick step": "quickstep", "set dance": "long dance",
    "long-dance": "long dance", "cotilion": "cotillion", "valse": "waltz", "menuet": "minuet",
    "minuetto": "minuet", "gavot": "gavotte", "song air": "song",
}  # fmt: skip
# Titles are searched for whole words; longer names come first.
_TITLE_WORDS: Final = (
    ("slip jig", "slip jig"), ("hop jig", "slip jig"), ("long dance", "long dance"), ("hornpipe", "hornpipe"),
    ("strathspey", "strathspey"), ("quickstep", "quickstep"), ("quick step", "quickstep"), ("reel", "reel"),
    ("jig", "jig"), ("march", "march"), ("minuet", "minuet"), ("waltz", "waltz"), ("cotillion", "cotillion"),
    ("gavot", "gavotte"), ("polka", "polka"), ("clog", "clog"), ("fling", "fling"),
)  # fmt: skip


def style_of(rhythm: str, titles: Iterable[str] = ()) -> str:
    """The style that a rhythm field names, else the first that a title names, else an empty string.

    Args:
        rhythm: the rhythm field of a source, such as `R:` of ABC.
        titles: titles to search if the field names no known style.

    >>> style_of("Double Jig"), style_of("", ["Acacia -- Reel"]), style_of("", ["Jigger's Air"])
    ('jig', 'reel', '')
    """
    said = " ".join(rhythm.lower().split())
    said = _SPELLINGS.get(said, said)
    if said in STYLES:
        return said
    text = " ".join(titles).lower()
    for word, style in _TITLE_WORDS:
        if re.search(rf"\b{word}(s|te|h)?\b", text):
            return style
    return ""
