"""The closed vocabulary of styles, and how a style is read from what a source says."""

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
"""Quarter notes a minute that players take a style at, where a source gives no tempo."""
OTHERWISE_TEMPO: Final = 120

_SPELLINGS: Final = {
    "slipjig": "slip jig", "hop jig": "slip jig", "slip or hop jig": "slip jig", "double jig": "jig",
    "single jig": "jig", "highland fling": "fling", "quick step": "quickstep", "set dance": "long dance",
    "long-dance": "long dance", "cotilion": "cotillion", "valse": "waltz", "menuet": "minuet",
    "minuetto": "minuet", "gavot": "gavotte", "song air": "song",
}  # fmt: skip
# In titles a style counts where it stands as a word; the longer names are looked for first.
_TITLE_WORDS: Final = (
    ("slip jig", "slip jig"), ("hop jig", "slip jig"), ("long dance", "long dance"), ("hornpipe", "hornpipe"),
    ("strathspey", "strathspey"), ("quickstep", "quickstep"), ("quick step", "quickstep"), ("reel", "reel"),
    ("jig", "jig"), ("march", "march"), ("minuet", "minuet"), ("waltz", "waltz"), ("cotillion", "cotillion"),
    ("gavot", "gavotte"), ("polka", "polka"), ("clog", "clog"), ("fling", "fling"),
)  # fmt: skip


def style_of(rhythm: str, titles: Iterable[str] = ()) -> str:
    """The style that a rhythm field names, else the one that a title names, else nothing.

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
