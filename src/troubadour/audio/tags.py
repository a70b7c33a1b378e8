"""Tags of recordings: title, artist, identifiers, licence; text in any encoding.

tinytag (MIT) reads ID3, Vorbis comments, MP4, ASF, RIFF and AIFF tags. If a text file of the same name
lies beside the recording, its licence statement is used, as in public archives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_MOST_CHARACTERS: Final = 1_000
_SIDECAR_BYTES: Final = 20_000
_LICENCE: Final = re.compile(
    r"(CC0|CC[- ]BY(?:[- ](?:NC|SA|ND))*(?:[- ]\d\.\d)?|Creative Commons [\w ]+?Licen[cs]e|Public Domain)"
    r"[^\n]*?(https?://creativecommons\.org/\S+)?",
    re.IGNORECASE,
)
_DEED: Final = re.compile(r"https?://creativecommons\.org/\S+")
_ISRC: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{3}\d{7}")
_MBID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Tags:
    """Metadata of a recording; empty fields are not stated."""

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: str = ""
    licence: str = ""
    """Licence stated by the tags, or by the text file beside the recording."""
    isrc: str = ""
    """International Standard Recording Code, twelve characters."""
    mbid: str = ""
    """MusicBrainz recording id."""
    other: Mapping[str, str] = field(default_factory=dict[str, str])
    """`notice`: the text beside the file, shortened."""


def read_tags(path: Path) -> Tags:
    """Tags of a file; missing or damaged tags are empty, no error is raised."""
    from tinytag import TinyTag, TinyTagException

    licence, notice = _sidecar(path)
    other = {"notice": notice} if notice else {}
    try:
        found = TinyTag.get(str(path), duration=False)
    except (TinyTagException, OSError, ValueError, IndexError, KeyError, TypeError, OverflowError):
        return Tags(licence=licence, other=other)  # unreadable tags count as missing
    extra = {k.lower(): _text(v) for k, v in found.other.items()}
    isrc = re.sub(r"[-\s]", "", extra.get("isrc", "").upper())
    mbid = next((extra[k] for k in extra if k.replace(" ", "_") in _MBID_NAMES), "").lower()
    return Tags(
        title=_text(found.title),
        artist=_text(found.artist) or _text(found.albumartist) or _text(found.composer),
        album=_text(found.album),
        genre=_text(found.genre),
        year=_text(found.year)[:4],
        licence=licence or _stated(extra) or _text(extra.get("copyright")),
        isrc=isrc if _ISRC.fullmatch(isrc) else "",
        mbid=mbid if _MBID.fullmatch(mbid) else "",
        other=other,
    )


_MBID_NAMES: Final = (
    "musicbrainz_trackid",
    "musicbrainz_recordingid",
    "musicbrainz_track_id",
    "musicbrainz_recording_id",
)


def _stated(extra: Mapping[str, str]) -> str:
    return next(
        (
            extra[k]
            for k in ("license", "licence", "copyright_url", "url", "comment")
            if _LICENCE.search(extra.get(k, ""))
        ),
        "",
    )


def _sidecar(path: Path) -> tuple[str, str]:
    """Licence and text of `NAME.txt` or `NAME.LICENSE` beside `NAME.ogg` (also beside `NAME.hq.ogg`)."""
    stems = {path.stem, path.stem.partition(".")[0]}
    for candidate in (
        path.with_name(s + e)
        for s in sorted(stems, key=len, reverse=True)
        for e in (".txt", ".LICENSE", ".license")
    ):
        try:
            if (
                candidate.is_file()
                and not candidate.is_symlink()
                and candidate.stat().st_size <= _SIDECAR_BYTES
            ):
                text = _decoded(candidate.read_bytes())
                return licence_in(text), " ".join(text.split())[:_MOST_CHARACTERS]
        except OSError:
            continue  # an unreadable text file counts as missing
    return "", ""


def licence_in(text: str) -> str:
    """Licence that a text states, with the URL of its deed; empty if none is found.

    >>> licence_in("By X. CC-BY 4.0 https://creativecommons.org/licenses/by/4.0/")
    'CC-BY 4.0 https://creativecommons.org/licenses/by/4.0/'
    """
    words, deed = _LICENCE.search(text), _DEED.search(text)
    if words is None and deed is None:
        return ""
    # The deed's URL is exact; the words before it are for readers.
    return " ".join(part for part in (words[1].strip() if words else "", deed[0] if deed else "") if part)


def _decoded(data: bytes) -> str:
    for encoding in (
        ("utf-8-sig", "utf-16") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    ):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _text(value: object) -> str:
    """One line without control characters, because tags are shown in terminals."""
    if isinstance(value, list):
        value = value[0] if value else ""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() else " " for c in text).strip()[:_MOST_CHARACTERS]
