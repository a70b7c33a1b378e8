"""Characters of an ABC file: encodings, and escapes in text strings (standard 2.1, section 8.2)."""

from __future__ import annotations

import html.entities
import re
import unicodedata
from typing import Final

_CHARSET: Final = re.compile(rb"^(?:%%|I:)\s*abc-charset\s+([A-Za-z0-9_-]{1,20})", re.M)
_CHARSETS: Final = re.compile(
    r"utf-?8|us-?ascii|latin-?[1-9]|latin-?10|iso-?8859-\d{1,2}|cp125[0-8]|windows-125[0-8]"
)
_COMBINING: Final = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "c": "\u0327", "o": "\u030a",
    "u": "\u0306", "v": "\u030c", "H": "\u030b", ";": "\u0328", "=": "\u0304", ".": "\u0307", ",": "\u0327",
}  # fmt: skip
_LETTERS: Final = {
    "AA": "Å", "aa": "å", "AE": "Æ", "ae": "æ", "OE": "Œ", "oe": "œ", "ss": "ß", "/O": "Ø", "/o": "ø",
    "DH": "Ð", "dh": "ð", "TH": "Þ", "th": "þ", "/D": "Đ", "/d": "đ", "/L": "Ł", "/l": "ł",
}  # fmt: skip
_ESCAPE: Final = re.compile(
    r"""\\u(?P<short>[0-9A-Fa-f]{4})|\\U(?P<long>[0-9A-Fa-f]{8})
    |\\(?P<letter>AA|aa|AE|ae|OE|oe|ss|DH|dh|TH|th|/[OoDdLl])
    |\\(?P<slashed>[Oo])(?:\ |\{\})
    |\\(?P<accent>[`'^~"couvH;=.,])(?P<base>[A-Za-z])
    |\\(?P<plain>[\\%&"])
    |&(?P<entity>[A-Za-z]{2,8});|&\#(?P<number>\d{1,6});
    |\$(?P<font>[0-9])""",
    re.X,
)


def decode(data: bytes) -> str:
    """Decodes a file: byte order mark, then `abc-charset`, then UTF-8, then Windows-1252 and Latin-1."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    charsets = ["utf-8-sig", "cp1252", "latin-1"]
    found = _CHARSET.search(data[:65536])
    if found and _CHARSETS.fullmatch(name := found[1].decode("ascii").lower()):
        charsets.insert(0, "utf-8-sig" if name.startswith("utf") else name)
    for charset in charsets:
        try:
            return data.decode(charset)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("latin-1")


def plain_text(text: str) -> str:
    r"""A text string with its escapes resolved.

    >>> plain_text(r"Cr\'eole, \"Ubung &eacute;t\u00e9")
    'Créole, Übung été'
    """
    if "\\" not in text and "&" not in text and "$" not in text:
        return text
    return _ESCAPE.sub(_resolved, text)


def _resolved(found: re.Match[str]) -> str:
    kind = found.lastgroup
    value = found[kind] if kind else ""
    if kind in ("short", "long", "number"):
        code = int(value, 10 if kind == "number" else 16)
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else found[0]
    if kind == "letter":
        return _LETTERS[value]
    if kind == "slashed":
        return "Ø" if value == "O" else "ø"
    if kind == "base":
        composed = unicodedata.normalize("NFC", value + _COMBINING[found["accent"]])
        return composed if len(composed) == 1 else value
    if kind == "entity":
        return chr(html.entities.name2codepoint[value]) if value in html.entities.name2codepoint else found[0]
    return value if kind == "plain" else ""
