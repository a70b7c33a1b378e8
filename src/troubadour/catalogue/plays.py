"""Import of plays: track matching, bot filter, and separate storage of unmatched plays."""

from __future__ import annotations

import csv
import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.catalogue.matching import UNKNOWN, Matcher, TrackMatch
from troubadour.catalogue.records import KINDS, Event, NewPiece, Unmatched
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError, StorageError
from troubadour.core.progress import Progress
from troubadour.interactions.bot_filter import Flag, flag_suspicious
from troubadour.interactions.importers.base import Malformed, NamedTrack, PlayEvent, Remark, played_share
from troubadour.interactions.names import artist_key, title_key

_BATCH: Final = 10_000
_STREAM_SECONDS: Final = 30.0
"""Shortest duration of a play of a track with unknown length, seconds."""
_EXAMPLES: Final = 5
_NO_LISTENER: Final = "no listener is named"
_TOP: Final = 20


@dataclass(slots=True)
class PlaysReport:
    """Result of an import of plays.

    Each event is counted in exactly one of `new`, `present`, `unmatched_new`, `unmatched_present` and
    `rejected`.
    """

    source: str
    read: int = 0
    """Number of events and malformed parts."""
    new: int = 0
    """Number of stored events, flagged ones included."""
    present: int = 0
    """Number of events that were in the store already."""
    unmatched_new: int = 0
    """Number of events stored as unmatched: the catalogue has no such piece, or several."""
    unmatched_present: int = 0
    rejected: int = 0
    causes: dict[str, int] = field(default_factory=dict[str, int])
    """Number of rejected parts by cause."""
    examples: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """First rejected parts: (place, cause)."""
    matched_by: dict[str, int] = field(default_factory=dict[str, int])
    """Number of tracks (not events) by result of matching: scheme, `name`, `added`, `unknown`,
    `ambiguous`."""
    flagged: dict[str, int] = field(default_factory=dict[str, int])
    """Number of new events by flag; flagged events are stored but excluded from training."""
    flagged_events: int = 0
    """Number of new events with at least one flag."""
    time_unknown: int = 0
    """Number of events without a time; they count as older than all others."""
    listeners: int = 0
    pieces_added: int = 0
    """Number of added metadata-only pieces."""
    top_unmatched: list[tuple[str, str, str, int]] = field(default_factory=list[tuple[str, str, str, int]])
    """Most frequent unmatched tracks: (artist, title, reason, events)."""
    remarks: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON-compatible dictionary."""
        return asdict(self)

    def summary(self) -> str:
        """Formats the counts in one line for people."""
        return (
            f"{self.source}: {self.read} read, {self.new} new, {self.present} known, "
            f"{self.unmatched_new + self.unmatched_present} not in the catalogue, {self.rejected} rejected, "
            f"{self.flagged_events} flagged and excluded from training"
        )


class _Log:
    """Columnar buffer of events with interned tracks and listeners; 40 bytes per event."""

    def __init__(self, default: str) -> None:
        self.default = default
        self.tracks: dict[NamedTrack, int] = {}
        self.people: dict[str, int] = {}
        self.listener, self.track, self.kind = array("i"), array("i"), array("b")
        self.time, self.value, self.played = array("q"), array("d"), array("d")
        self.lengths: dict[int, float] = {}
        self._by_id: dict[tuple[str, str], int] = {}

    def add(self, event: PlayEvent) -> str:
        """Adds an event; returns the cause of a rejection, or ""."""
        listener = self.default or event.listener
        if not listener:
            return _NO_LISTENER
        track = self._track(event.track)
        if track is None:
            return "recording named only by an id without a listen"
        self.listener.append(self.people.setdefault(listener, len(self.people)))
        self.track.append(track)
        self.kind.append(KINDS.index(event.kind))
        self.time.append(event.time)
        self.value.append(np.nan if event.value is None else event.value)
        self.played.append(np.nan if event.played_seconds is None else event.played_seconds)
        if event.duration_seconds:
            # Durations from streams are too short after seeking: take the longest.
            self.lengths[track] = max(self.lengths.get(track, 0.0), event.duration_seconds)
        return ""

    def _track(self, track: NamedTrack) -> int | None:
        if not track.title and track.identifiers:
            found = next((self._by_id[i] for i in track.identifiers if i in self._by_id), None)
            if found is not None:
                return found
            if all(scheme == "msid" for scheme, _ in track.identifiers):
                return None
        number = self.tracks.setdefault(track, len(self.tracks))
        for identifier in track.identifiers:
            self._by_id.setdefault(identifier, number)
        return number

    def columns(self) -> dict[str, NDArray[Any]]:
        """Returns the events as columns, in file order."""
        names = ("listener", "track", "kind", "time", "value", "played")
        return {name: np.array(getattr(self, name)) for name in names}


def import_plays(
    store: Store,
    found: Iterable[PlayEvent | Malformed | Remark],
    source: str,
    *,
    listener: str = "",
    add_unknown: bool = False,
    unmatched_file: Path | None = None,
    progress: Progress | None = None,
) -> PlaysReport:
    """Imports the events of a reader. Repeated imports change nothing.

    All events are read and matched before the first is stored. Events are committed in batches.

    Args:
        store: destination.
        found: events, malformed parts and remarks.
        source: name of the importer, stored with the events.
        listener: id of the listener; overrides the file. "" = listeners named in the file.
        add_unknown: whether to add unknown tracks as pieces without notes or sound.
        unmatched_file: CSV file to write unmatched tracks to; None = none.
        progress: receives the number of events read.

    Raises:
        InputError: neither file nor argument names a listener.
        StorageError: the disk is full; committed batches are kept.
    """
    report = PlaysReport(source)
    log = _collected(found, report, listener, progress)
    if not log.people:
        if report.causes.get(_NO_LISTENER):
            raise InputError("the file does not say who listened; pass --listener ID")
        return report
    people, tracks = list(log.people), list(log.tracks)
    store.add_listeners((name, "", False) for name in people)
    report.listeners = len(people)
    matches = _matched(store, tracks, add_unknown, report)
    columns = _with_shares(store, log, matches, report)
    ids = _event_ids(columns, people, tracks)
    _store(store, columns, ids, people, tracks, matches, report)
    missing = Counter(t for t in columns["track"].tolist() if not matches[t].piece)
    report.top_unmatched = [
        (tracks[t].artist, tracks[t].title, matches[t].reason, n) for t, n in missing.most_common(_TOP)
    ]
    if unmatched_file is not None:
        _write_unmatched(unmatched_file, tracks, matches, missing)
    return report


def _collected(
    found: Iterable[PlayEvent | Malformed | Remark],
    report: PlaysReport,
    listener: str,
    progress: Progress | None,
) -> _Log:
    log = _Log(listener)
    for item in found:
        if isinstance(item, Remark):
            report.remarks.append((item.where, item.text))
            continue
        report.read += 1
        if progress and report.read % 1000 == 0:
            progress(report.source, report.read, 0)
        where, cause = (item.where, item.cause) if isinstance(item, Malformed) else ("", log.add(item))
        if cause:
            _reject(report, cause, where)
    return log


def _reject(report: PlaysReport, cause: str, where: str = "", count: int = 1) -> None:
    report.rejected += count
    report.causes[cause] = report.causes.get(cause, 0) + count
    if where and len(report.examples) < _EXAMPLES:
        report.examples.append((where, cause))


def _matched(
    store: Store, tracks: list[NamedTrack], add_unknown: bool, report: PlaysReport
) -> list[TrackMatch]:
    matcher = Matcher(store)
    matches = [matcher.match(t) for t in tracks]
    if add_unknown:
        new: dict[str, NewPiece] = {}
        for i, (track, match) in enumerate(zip(tracks, matches, strict=True)):
            if match.reason == UNKNOWN and track.title:
                piece = metadata_piece(track)
                new.setdefault(piece.id, piece)
                matches[i] = TrackMatch(piece.id, "added")
        pieces = list(new.values())
        for start in range(0, len(pieces), _BATCH):
            report.pieces_added += store.add_pieces(pieces[start : start + _BATCH])
    report.matched_by = dict(Counter(m.reason for m in matches).most_common())
    return matches


def metadata_piece(track: NamedTrack) -> NewPiece:
    """Builds a metadata-only piece from a track; collaborative models can recommend it."""
    key = f"{title_key(track.title)}\0{artist_key(track.artist)}"
    identity = "m" + hashlib.sha256(key.encode()).hexdigest()[:11]
    return NewPiece(
        id=identity,
        title=track.title,
        score=None,
        work=identity,
        split="none",
        fingerprint="",
        grams=np.zeros(0, dtype=np.uint32),
        attributes={},
        collection="plays",  # not the file name, which may be personal
        source="named in imported plays",
        artist=track.artist,
        album=track.album,
        medium="metadata",
        identifiers={s: v for s, v in track.identifiers if s not in ("piece", "msid")},
    )


def _with_shares(
    store: Store, log: _Log, matches: list[TrackMatch], report: PlaysReport
) -> dict[str, NDArray[Any]]:
    """Returns the columns with shares computed where the length is known, without too short plays."""
    columns = log.columns()
    lengths = {p.id: p.duration_seconds for p in store.pieces() if p.duration_seconds}
    length = np.full(len(matches), np.nan)
    for i, match in enumerate(matches):
        length[i] = log.lengths.get(i) or lengths.get(match.piece) or np.nan
    played, of_track = columns["played"], length[columns["track"]]
    needs_share = np.isnan(columns["value"]) & ~np.isnan(played) & (columns["kind"] != KINDS.index("rating"))
    for i in np.flatnonzero(needs_share & ~np.isnan(of_track)).tolist():
        columns["value"][i] = played_share(played[i], of_track[i])
    too_short = needs_share & np.isnan(of_track) & (columns["kind"] == KINDS.index("play"))
    too_short &= played < _STREAM_SECONDS
    if too_short.any():
        _reject(report, "played for less than 30 s, length of the track unknown", count=int(too_short.sum()))
        columns = {name: column[~too_short] for name, column in columns.items()}
    report.time_unknown = int((columns["time"] == 0).sum())
    return columns


def _event_ids(columns: dict[str, NDArray[Any]], people: list[str], tracks: list[NamedTrack]) -> list[str]:
    """Computes event ids from listener, track, kind, time and the rank among equal events."""
    names = [
        f"{title_key(t.title)}\0{artist_key(t.artist)}" if t.title else repr(t.identifiers) for t in tracks
    ]
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    named = np.array([numbers[name] for name in names], dtype=np.int64)[columns["track"]]
    order = np.lexsort((columns["kind"], columns["time"], named, columns["listener"]))
    sorted_ = np.stack([c[order] for c in (columns["listener"], named, columns["time"], columns["kind"])])
    first = np.append(True, (np.diff(sorted_, axis=1) != 0).any(axis=0))
    start = np.flatnonzero(first)[np.cumsum(first) - 1]
    nth = np.zeros(len(order), dtype=np.int64)
    nth[order] = np.arange(len(order)) - start
    ids: list[str] = []
    for listener, track, kind, time, n in zip(
        columns["listener"].tolist(),
        columns["track"].tolist(),
        columns["kind"].tolist(),
        columns["time"].tolist(),
        nth.tolist(),
        strict=True,
    ):
        text = f"{people[listener]}\0{names[track]}\0{kind}\0{time}\0{n}"
        ids.append("i" + hashlib.blake2b(text.encode(), digest_size=12).hexdigest())
    return ids


def _store(
    store: Store,
    columns: dict[str, NDArray[Any]],
    ids: list[str],
    people: list[str],
    tracks: list[NamedTrack],
    matches: list[TrackMatch],
    report: PlaysReport,
) -> None:
    stored = store.events_of(people)
    known = set(stored["event"].tolist())
    new_rows = np.array([i for i, event in enumerate(ids) if event not in known], dtype=np.int64)
    report.present = len(ids) - len(new_rows)
    flags = _flags(
        stored, {name: column[new_rows] for name, column in columns.items()}, people, tracks, matches
    )
    events: list[Event] = []
    unmatched: list[Unmatched] = []
    n_unmatched = 0
    for i, flag in zip(new_rows.tolist(), flags.tolist(), strict=True):
        track, match = tracks[columns["track"][i]], matches[columns["track"][i]]
        listener, kind = people[columns["listener"][i]], KINDS[columns["kind"][i]]
        value = float(columns["value"][i])
        share = None if np.isnan(value) else value
        time = int(columns["time"][i])
        if match.piece:
            events.append(
                Event(ids[i], listener, match.piece, kind, time, share, flags=flag, source=report.source)
            )
            if len(events) == _BATCH:
                _keep(store, events, report)
        else:
            n_unmatched += 1
            unmatched.append(
                Unmatched(
                    ids[i], listener, track.title, track.artist, track.album, dict(track.identifiers),
                    match.reason, kind, time, share, flag, report.source,
                )
            )  # fmt: skip
            if len(unmatched) == _BATCH:
                report.unmatched_new += store.unmatched.add(unmatched)
                unmatched.clear()
    _keep(store, events, report)
    report.unmatched_new += store.unmatched.add(unmatched)
    report.unmatched_present = n_unmatched - report.unmatched_new
    report.flagged_events = int((flags > 0).sum())
    report.flagged = {
        flag.name.lower(): n for flag in Flag if flag.name and (n := int((flags & flag > 0).sum()))
    }


def _keep(store: Store, events: list[Event], report: PlaysReport) -> None:
    """Stores a batch and removes its events from the unmatched ones."""
    report.new += store.record(events)
    store.unmatched.remove(e.event for e in events)
    events.clear()


def _flags(
    stored: dict[str, NDArray[Any]],
    columns: dict[str, NDArray[Any]],
    people: list[str],
    tracks: list[NamedTrack],
    matches: list[TrackMatch],
) -> NDArray[np.uint8]:
    """Computes flags of new events in the context of stored events."""
    numbers: dict[str, int] = {}
    item_of = np.array([numbers.setdefault(m.piece or f"\0{i}", len(numbers)) for i, m in enumerate(matches)])
    person = {name: i for i, name in enumerate(people)}
    before = [
        np.array([person[p] for p in stored["listener"]], dtype=np.int64),
        np.array([numbers.setdefault(p, len(numbers)) for p in stored["piece"]], dtype=np.int64),
        stored["kind"],
        stored["time"],
    ]
    new = [columns["listener"], item_of[columns["track"]], columns["kind"], columns["time"]]
    together = [np.concatenate(pair) for pair in zip(before, new, strict=True)]
    known = len(stored["event"])
    return flag_suspicious(together[0], together[1], together[2], together[3], known)[known:]


def _write_unmatched(
    path: Path, tracks: list[NamedTrack], matches: list[TrackMatch], missing: Counter[int]
) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["artist", "title", "album", "mbid", "isrc", "spotify", "reason", "events"])
            for number, count in missing.most_common():
                track, given = tracks[number], dict(tracks[number].identifiers)
                codes = [given.get(scheme, "") for scheme in ("mbid", "isrc", "spotify")]
                writer.writerow(
                    [track.artist, track.title, track.album, *codes, matches[number].reason, count]
                )
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
