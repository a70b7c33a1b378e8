"""Erasure of a listener from the store, from all models fitted on their events, and from copies of both.

Models are treated first and the store last. A run that is killed can therefore be repeated: the
listener's rows are still there. Only a salted hash in the receipt remains.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from troubadour.catalogue.item_vectors import item_vectors
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError, StorageError
from troubadour.interactions.events import History, Interactions
from troubadour.interactions.id_map import IdMap
from troubadour.privacy.export import iso, pseudonym
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.releases.artefacts import info_of, load_ranker, save_ranker
from troubadour.releases.store import Release, Releases

LEARNT_FROM_LISTENERS: Final = "recommender"
"""Part of a release that is fitted on listeners' events."""
MADE_FROM_MUSIC: Final = frozenset({"composer", "corpus", "style"})
"""Parts of a release without listener data. Any other part is treated as if it had such data."""
FORMAT: Final = "troubadour-forget-receipt"
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Treated:
    """Treatment of one part of one release."""

    release: str
    """Id of the release."""
    part: str
    artefact: str
    """Name of the deleted artefact; it includes the start of the SHA-256 of the files."""
    treatment: str
    """`downdated` (the listener's share was subtracted exactly), `refitted` (fitted again without the
    listener), `removed` (deleted; to be trained again) or `untouched` (the listener had no share).
    """
    new_artefact: str = ""
    new_release: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Record of an erasure, without personal data."""

    listener: str
    """Salted hash of the id, see `privacy.export.pseudonym`."""
    forgotten: str
    """Time of the erasure, ISO 8601, UTC."""
    rows: Mapping[str, int]
    """Rows deleted from each table; `provenance`: generated pieces whose provenance no longer names the listener."""
    models: tuple[Treated, ...]
    releases_removed: tuple[str, ...]
    live: str
    """Id of the live release; empty if there is none."""
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Fields of the receipt, for JSON."""
        return {"format": FORMAT, "version": 1, **asdict(self)}


def forget(store: Store, releases: Releases, home: Path, listener: str) -> tuple[Receipt, Path]:
    """Erase a listener.

    The live release and the previous one are rebuilt without the listener, with the same settings and
    on the events that each was fitted on; all other releases are removed. Costs two fits without
    tuning and one copy of the store.

    Args:
        store: the catalogue.
        releases: the model releases of the same home.
        home: folder that the receipt is written to.
        listener: id of the listener.

    Returns:
        The receipt and its path.

    Raises:
        NotFoundError: there is no such listener.
        StorageError: another process locks the store or keeps publishing models; run it again.
    """
    started = time.monotonic()
    store.listener(listener)
    hashed = pseudonym(store, listener)
    treated: list[Treated] = []
    removed: list[str] = []
    for _ in range(_ATTEMPTS):
        before = releases.ids()
        live, previous = releases.live(), releases.previous()
        made = [_without(store, releases, one, listener, treated) for one in (previous, live) if one]
        if live is not None:
            releases.point(live=made[-1].id, previous=made[0].id if previous else None)
        others = [name for name in before if name not in {m.id for m in made}]
        _record_removed(releases, others, live, previous, treated)
        removed += releases.remove(others)
        # A release published meanwhile was fitted on the listener's events.
        if set(releases.ids()) == {m.id for m in made}:
            break
    else:
        raise StorageError(
            "another process keeps publishing models; stop training and run this command again"
        )
    rows = store.erase(listener)
    store.compact()
    now = releases.live()
    receipt = Receipt(
        hashed,
        iso(time.time()),
        rows,
        tuple(treated),
        tuple(removed),
        now.id if now else "",
        round(time.monotonic() - started, 1),
    )
    return receipt, _written(home / "receipts", receipt)


def _without(
    store: Store, releases: Releases, release: Release, listener: str, treated: list[Treated]
) -> Release:
    """New release equal to another one, without the listener's share."""
    parts: dict[str, str] = {}
    done: list[Treated] = []
    for part, artefact in release.parts.items():
        if part in MADE_FROM_MUSIC or (
            part == LEARNT_FROM_LISTENERS and not _had_a_share(store, release, listener)
        ):
            parts[part] = artefact
            done.append(Treated(release.id, part, artefact, "untouched", artefact))
        elif part == LEARNT_FROM_LISTENERS:
            ranker, how = without_listener(store, load_ranker(releases.folder(artefact)), release, listener)
            parts[part] = releases.add(part, partial(save_ranker, ranker=ranker))
            done.append(Treated(release.id, part, artefact, how, parts[part]))
        else:
            done.append(Treated(release.id, part, artefact, "removed"))
    new = releases.publish(parts, {**release.notes, "counts": store.counts()})
    treated += [replace(one, new_release=new.id) for one in done]
    return new


def _had_a_share(store: Store, release: Release, listener: str) -> bool:
    until = release.notes.get("last_event")  # absent in releases made before the field existed
    return until is None or any(not e["flags"] for e in store.event_rows(listener, int(until)))


def without_listener(store: Store, ranker: Ranker, release: Release, listener: str) -> tuple[Ranker, str]:
    """Recommender of a release as if the listener had never been in the log.

    The listener's share is subtracted where that is exact.

    Returns:
        The recommender, and `downdated`, or `refitted` if a part was fitted again.
    """
    until = release.notes.get("last_event")
    pieces = {p.id: p for p in store.pieces()}
    known = [i for i in ranker.items if i in pieces]
    log = _over(store.interactions(until=until, without=listener), known)
    vectors = item_vectors(store)[[pieces[i].row for i in known]]
    rng = np.random.default_rng(int(release.notes.get("seed", 0)))
    if until is not None and len(known) == len(ranker.items):
        mine = history_at(store, ranker, listener, int(until))
        try:
            forgot = ranker.forget(mine, log, vectors, rng)
        except InputError:
            pass  # the history differs from the fitted one, because flags of events changed: fit everything again
        else:
            return forgot, "refitted" if ranker.blend.unforgetting else "downdated"
    infos = [info_of(pieces[i]) for i in known]
    return Ranker.fit(
        log, vectors, infos, rng, weights=ranker.weights, spec=ranker.spec, blend=ranker.blend.spec
    ), "refitted"


def history_at(store: Store, ranker: Ranker, listener: str, until: int) -> History:
    """Unflagged events of a listener up to `until`, on which a recommender was fitted."""
    return ranker.history(store.listener_events(listener, until=until))


def _over(log: Interactions, items: list[str]) -> Interactions:
    """Log over the catalogue at the time of fitting, which is a prefix of the current catalogue."""
    vocabulary = IdMap(items)
    kept = log.where(log.item < len(items))
    return Interactions(
        kept.listener, kept.item, kept.kind, kept.value, kept.time, kept.listeners, vocabulary
    )


def _record_removed(
    releases: Releases,
    others: list[str],
    live: Release | None,
    previous: Release | None,
    treated: list[Treated],
) -> None:
    rebuilt = {one.id for one in (live, previous) if one}
    for name in others:
        if name not in rebuilt:
            for part, artefact in releases.get(name).parts.items():
                if part not in MADE_FROM_MUSIC:
                    treated.append(Treated(name, part, artefact, "removed"))


def _written(folder: Path, receipt: Receipt) -> Path:
    path = folder / f"forget-{receipt.forgotten.replace(':', '')}-{receipt.listener[:12]}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(receipt.to_dict(), indent=1))
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
    return path
