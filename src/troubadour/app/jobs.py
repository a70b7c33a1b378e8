"""Long work: import, simulate listeners, fit and publish a release."""

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
from troubadour.generation.autoregressive import DOCUMENT, REPORT, WEIGHTS, load_composer
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
    """Add simulated listeners and what they did, labelled as such; the number of events.

    Raises:
        InputError: the catalogue is empty.
    """
    pieces = store.pieces(generated=False, medium="score")
    if not pieces:
        raise InputError("the catalogue is empty; import music first")
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
    """Choose and fit the recommender on the log, index the catalogue for originality, publish, go live.

    How the recommender was chosen stands in the release's notes (`choice`), and beside its weights as
    `choice.json` and `choice.md`.

    Args:
        effort: how much may be tried to choose.
    """
    pieces = store.pieces()
    if not pieces:
        raise InputError("the catalogue is empty; import music first")
    last = store.last_event()
    ranker = Ranker.fit(
        store.interactions(until=last),
        item_vectors(store),
        [info_of(p) for p in pieces],
        np.random.default_rng(seed),
        effort=effort,
        tell=progress,
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
            "last_event": last,  # what was learnt from: needed to take a listener out of it exactly
            "choice": ranker.choice.to_dict() if ranker.choice else None,
            "borrowing": asdict(catalogue_overlap(corpus, store)),
        },
    )
    releases.promote(release.id)
    return release


def _save_chosen(folder: Path, ranker: Ranker) -> None:
    """A ranker, and how it was chosen."""
    save_ranker(folder, ranker)
    if ranker.choice is not None:
        document = ranker.choice.to_dict()
        (folder / "choice.json").write_text(json.dumps(document, indent=1))
        (folder / "choice.md").write_text(to_markdown(document))


def add_shipped_composer(releases: Releases) -> str:
    """The composer that comes with the program, as an artefact.

    Raises:
        ModelError: it is missing from the installation.
    """
    with as_file(files("troubadour") / "data" / "models" / "composer") as folder:
        if not (folder / WEIGHTS).is_file():
            raise ModelError("the shipped composer is missing; install Troubadour again")

        return releases.add("composer", lambda stage: _copy_composer(folder, stage))


def _copy_composer(folder: Path, stage: Path) -> None:
    for name in (WEIGHTS, DOCUMENT, REPORT):
        if name != REPORT or (folder / name).is_file():
            shutil.copyfile(folder / name, stage / name)


def composer_folder(releases: Releases, where: str) -> Path:
    """The folder of a composer: of a release by id, of the live one, the shipped one, or a path.

    Args:
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
    """Put a trained composer into a new release beside the live one's other parts.

    Raises:
        ModelError: no composer can be read in the folder.
        InputError: there is no live release to join it to.
    """
    load_composer(folder)
    live = releases.live()
    if live is None:
        raise InputError("no release is live yet; run `troubadour import` first")

    composer = releases.add("composer", lambda stage: _copy_composer(folder, stage))
    release = releases.publish({**live.parts, "composer": composer}, dict(live.notes))
    releases.promote(release.id)
    return release
