"""YouTube and YouTube Music: watch history of Google Takeout as JSON (`watch-history.json`).

`[{"header", "title": "Watched ...", "titleUrl", "subtitles": [{"name", "url"}], "time", "products"}]`. Videos
are
plays if they are music: watched in YouTube Music, or from a channel "Artist - Topic", which YouTube generates
for
tracks. Other videos, advertisements, searches and removed videos are rejected. The time watched is unknown,
so no
event is a skip. Times are ISO 8601, UTC.
Format: Google Takeout, "YouTube and YouTube Music", history.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from troubadour.interactions.importers.base import Found, NamedTrack, PlayEvent, ReadOptions
from troubadour.interactions.importers.json_events import json_events, object_of, text_of
from troubadour.interactions.importers.json_stream import key_paths
from troubadour.interactions.importers.sources import Source
from troubadour.interactions.importers.times import unix_seconds

_MUSIC: Final = "YouTube Music"
_TOPIC: Final = " - Topic"
_AROUND: Final = (
    ("Watched ", ""), ("Listened to ", ""), ("Vous avez regardé ", ""), ("Has visto ", ""), ("Viste ", ""),
    ("Hai guardato ", ""), ("Você assistiu a ", ""), ("Assistiu a ", ""), ("Obejrzano: ", ""),
    ("Zhlédnuto ", ""), ("", " angesehen"), ("", " bekeken"), ("", " を視聴しました"), ("", " を再生しました"),
)  # fmt: skip
"""Text before and after the title, by language of the account."""
_QUOTES: Final = (("„", "“"), ("“", "”"), ("«", "»"), ('"', '"'))


def looks_like(name: str, head: str) -> bool:
    """Whether a file has this format."""
    return {"header", "title", "time", "products"} <= key_paths(head)


def read(source: Source, options: ReadOptions) -> Found:
    """Reads events; see `Reader`."""
    yield from json_events(source, partial(_event, options))


def _event(options: ReadOptions, line: dict[str, Any]) -> PlayEvent | str:
    url = text_of(line.get("titleUrl"))
    by = line.get("subtitles")
    channel = text_of(object_of(by[0]).get("name")) if isinstance(by, list) and by else ""
    details = line.get("details")
    notes = [text_of(object_of(d).get("name")) for d in details] if isinstance(details, list) else []
    if "From Google Ads" in notes:
        return "an advertisement"
    products = line.get("products")
    music = (
        line.get("header") == _MUSIC
        or (isinstance(products, list) and _MUSIC in products)
        or f"From {_MUSIC}" in notes
        or "//music.youtube.com/" in url
        or channel.endswith(_TOPIC)
    )
    if not music:
        return "not identified as music: neither YouTube Music nor a channel '- Topic'"
    if url and "watch?" not in url:
        return "a search or a page, not a track"
    title = _title(text_of(line.get("title")))
    if not title or not channel or title.startswith(("http://", "https://")):
        return "removed video: title or artist is missing"
    artist = channel.removesuffix(_TOPIC).removesuffix("VEVO").strip()
    return PlayEvent(NamedTrack(title, artist), "play", unix_seconds(line.get("time"), options.now))


def _title(text: str) -> str:
    """Removes the surrounding text from a title.

    >>> _title("Watched The Kesh Jig"), _title("„Nachtfähre“ angesehen")
    ('The Kesh Jig', 'Nachtfähre')
    """
    for before, behind in _AROUND:
        if text.startswith(before) and text.endswith(behind):
            text = text[len(before) : len(text) - len(behind)].strip()
            # Remove quotes only with surrounding text: titles can have their own quotes.
            for left, right in _QUOTES:
                if len(text) > 2 and text.startswith(left) and text.endswith(right):
                    return text[1:-1]
            return text
    return text
