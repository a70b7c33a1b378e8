"""Normalised keys of titles and artists for matching between services.

Services differ in case, accents, punctuation, `feat.` and suffixes such as `- 2011 Remaster`. Words that
denote
another recording (live, remix, acoustic, instrumental) stay in the key.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_LETTERS: Final = str.maketrans(
    {
        "ø": "o", "đ": "d", "ð": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "\u0131": "i", "ħ": "h",
        "&": " and ",
    }
)  # fmt: skip
"""Letters without a Unicode decomposition, and one symbol that stands for a word."""
_ACCENTS: Final = re.compile(r"(?<=[A-Za-z\u0370-\u03ff])[\u0300-\u036f]+")
"""Latin and Greek only: in other scripts, marks distinguish letters."""
_APOSTROPHES: Final = re.compile(r"['\u2018\u2019\u02bc\u00b4`]")
_SAME_RECORDING: Final = (
    r"(?:\d{4}\s+)?(?:digital(?:ly)?\s+)?re-?master(?:ed)?(?:\s+(?:version|edition))?(?:\s+\d{4})?"
    r"|(?:mono|stereo)(?:\s+(?:mix|version))?|(?:album|single|lp)\s+version|bonus\s+track|explicit"
)
_GUEST: Final = r"(?:feat(?:uring)?|ft)\b\.?\s.*?"
_BRACKETS: Final = re.compile(rf"\s*[(\[](?:{_SAME_RECORDING}|{_GUEST})[)\]]", re.IGNORECASE)
_TAIL: Final = re.compile(rf"\s+[-\u2013\u2014]\s+(?:{_SAME_RECORDING})\s*$", re.IGNORECASE)
_GUEST_TAIL: Final = re.compile(rf"\s+{_GUEST}$", re.IGNORECASE)
_THE_LAST: Final = re.compile(r"^(.*),\s*(the|a|an)$", re.IGNORECASE)
_THE_FIRST: Final = re.compile(r"^the\s+(?=\S)")
_NOBODY: Final = frozenset({"", "trad", "traditional", "anon", "anonymous", "unknown", "unknown artist"})


def title_key(title: str) -> str:
    """Computes the key of a title; "" only for an empty title.

    >>> title_key("Kesh Jig, The") == title_key("The Kesh Jig (2011 Remaster)") == "kesh jig"
    True
    >>> title_key("Señorita (feat. X)"), title_key("Señorita - Live")
    ('senorita', 'senorita live')
    """
    text = unicodedata.normalize("NFKC", title).strip()
    text = _TAIL.sub("", _BRACKETS.sub("", text))
    return _fold(_GUEST_TAIL.sub("", text) or title)


def artist_key(artist: str) -> str:
    """Computes the key of an artist; "" for placeholders (`Trad.`, `Unknown Artist`).

    >>> artist_key("The Bothy Band feat. Triona"), artist_key("Sigur Rós"), artist_key("Trad.")
    ('bothy band', 'sigur ros', '')
    """
    text = unicodedata.normalize("NFKC", artist).strip()
    key = _fold(_GUEST_TAIL.sub("", _BRACKETS.sub("", text)) or artist)
    return "" if key in _NOBODY else key


def _fold(text: str) -> str:
    text = text.strip()
    turned = _THE_LAST.match(text)
    if turned:
        text = f"{turned[2]} {turned[1]}"
    folded = unicodedata.normalize("NFD", text.casefold().translate(_LETTERS))
    folded = unicodedata.normalize("NFC", _ACCENTS.sub("", folded))
    # Marks (M) are parts of letters, as in Devanagari, not separators.
    spaced = (c if unicodedata.category(c)[0] in "LNM" else " " for c in _APOSTROPHES.sub("", folded))
    # A title of symbols only ("???") would have an empty key: it is its own key.
    return _THE_FIRST.sub("", " ".join("".join(spaced).split())) or text.casefold()
