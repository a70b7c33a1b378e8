"""Long operations: simulating listeners, fitting the recommender, publishing a release."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import numpy as np

from troubadour.app.originality import catalogue_overlap
from troubadour.app.styles import fit_styles, save_styles
from troubadour.catalogue.item_vectors import item_vectors
from troubadour.catalogue.store import KINDS, Event, Store
from troubadour.core.errors import InputError, ModelError
from troubadour.core.progress import Progress
from troubadour.generation.loading import DOCUMENT, REPORT, WEIGHTS, load_composer
from troubadour.generation.originality import Corpus
from troubadour.interactions.events import Interactions
from troubadour.interactions.simulate import SimulationSpec, simulate
from troubadour.recommenders.blend.choose import TuningBudget
from troubadour.recommenders.blend.report import to_markdown
from troubadour.recommenders.slate.ranker import Ranker
from troubadour.releases.artefacts import info_of, save_corpus, save_ranker
from troubadour.releases.store import Release, Releases

_EVENTS_A_BATCH: Final = 10_000


def simulate_listeners(store: Store, count: int, seed: int) -> int:
    """Add simulated listeners and their events, labelled as simulated.

    Args:
        store: the catalogue.
        count: number of listeners.
        seed: of the simulation.

    Returns:
        Number of events.

    Raises:
        InputError: the catalogue is empty.
    """
    pieces = store.pieces(generated=False, medium="score")
    if not pieces:
        raise InputError("the catalogue is empty; import music first (`troubadour import`)")
    described = [{**p.attributes, "style": p.style} for p in pieces]
    made = simulate(
        [p.id for p in pieces], described, np.random.default_rng(seed), SimulationSpec(listeners=count)
    )
    log = made.interactions
    ids = list(log.listeners)
    store.add_listeners((i, name, True) for i, name in zip(ids, made.names, strict=True))
    events = list(_events(log, ids, seed))
    for start in range(0, len(events), _EVENTS_A_BATCH):
        store.record(events[start : start + _EVENTS_A_BATCH])
    return len(events)


def _events(log: Interactions, ids: list[str], seed: int) -> Iterator[Event]:
    pieces = list(log.items)
    for i in range(len(log)):
        value = float(log.value[i])
        yield Event(
            event=f"simulated-{seed}-{i}",
            listener=ids[log.listener[i]],
            piece=pieces[log.item[i]],
            kind=KINDS[log.kind[i]],
            time=int(log.time[i]),
            value=None if np.isnan(value) else value,
        )


def fit(
    store: Store,
    releases: Releases,
    seed: int = 0,
    *,
    effort: TuningBudget | None = None,
    progress: Progress | None = None,
) -> Release:
    """Tune and fit the recommender, build the originality corpus, publish a release and make it live.

    The tuning report is stored in the release's notes (`choice`), and beside the recommender as
    `choice.json` and `choice.md`.

    Args:
        store: the catalogue.
        releases: where the release is published.
        seed: of the random choices.
        effort: tuning budget.
        progress: callback.

    Raises:
        InputError: the catalogue is empty.
        StorageError: the disk is full or not writable.
    """
    pieces = store.pieces()
    if not pieces:
        raise InputError("the catalogue is empty; import music first (`troubadour import`)")
    last = store.last_event()
    ranker = Ranker.fit(
        store.interactions(until=last),
        item_vectors(store),
        [info_of(p) for p in pieces],
        np.random.default_rng(seed),
        budget=effort,
        progress=progress,
    )
    human = [p.id for p in pieces if not p.generated and p.medium == "score"]
    corpus = Corpus.of(zip(human, store.scores(human), strict=True))
    styles = fit_styles(store)
    live = releases.live()
    composer = live.parts["composer"] if live else add_shipped_composer(releases)
    release = releases.publish(
        {
            "composer": composer,
            "recommender": releases.add("recommender", lambda folder: _save_chosen(folder, ranker)),
            "corpus": releases.add("corpus", lambda folder: save_corpus(folder, corpus)),
            **(
                {"style": releases.add("style", lambda folder: save_styles(folder, styles))} if styles else {}
            ),
        },
        {
            "counts": store.counts(),
            "seed": seed,
            "last_event": last,  # end of the training log: needed for exact erasure of a listener
            "choice": ranker.choice.to_dict() if ranker.choice else None,
            "borrowing": asdict(catalogue_overlap(corpus, store)),
        },
    )
    releases.promote(release.id)
    return release


def _save_chosen(folder: Path, ranker: Ranker) -> None:
    """Write a ranker and its tuning report."""
    save_ranker(folder, ranker)
    if ranker.choice is not None:
        document = ranker.choice.to_dict()
        (folder / "choice.json").write_text(json.dumps(document, indent=1))
        (folder / "choice.md").write_text(to_markdown(document))


def add_shipped_composer(releases: Releases) -> str:
    """Publish the installed composer as an artefact.

    Raises:
        ModelError: it is missing from the installation.
    """
    with as_file(files("troubadour") / "data" / "models" / "composer") as folder:
        if not (folder / WEIGHTS).is_file():
            raise ModelError("the composer is missing from the installation; install Troubadour again")

        return releases.add("composer", lambda stage: _copy_composer(folder, stage))


def _copy_composer(folder: Path, stage: Path) -> None:
    for name in (WEIGHTS, DOCUMENT, REPORT):
        if name == DOCUMENT or (folder / name).is_file():
            shutil.copyfile(folder / name, stage / name)


def composer_folder(releases: Releases, where: str) -> Path:
    """Folder of a composer.

    Args:
        releases: the releases of the home.
        where: `r0003`, `live`, `shipped`, or a folder that holds a composer.

    Raises:
        NotFoundError: there is no such release or folder.
    """
    if where == "shipped":
        return releases.folder(add_shipped_composer(releases))
    if Path(where).is_dir():
        return Path(where)
    live = releases.live() if where == "live" else None
    return releases.folder((live or releases.get(where)).parts["composer"])


def use_composer(releases: Releases, folder: Path) -> Release:
    """Publish and promote a release with a trained composer and the other parts of the live release.

    Raises:
        ModelError: the folder holds no readable composer.
        InputError: there is no live release.
    """
    load_composer(folder)
    live = releases.live()
    if live is None:
        raise InputError("no release is live yet; run `troubadour import` first")

    composer = releases.add("composer", lambda stage: _copy_composer(folder, stage))
    release = releases.publish({**live.parts, "composer": composer}, dict(live.notes))
    releases.promote(release.id)
    return release
