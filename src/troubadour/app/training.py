"""Train composers: from nothing, or on a user's own music from a model that is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from troubadour.catalogue.store import PieceRow, Store
from troubadour.core.errors import InputError, MissingExtraError
from troubadour.core.progress import Progress
from troubadour.core.svg_plots import Curve, lines
from troubadour.export.licensing import check_terms
from troubadour.generation.loading import REPORT, load_composer
from troubadour.generation.network_spec import Spec
from troubadour.generation.protocols import Learnt, require
from troubadour.generation.style_statistics import style_statistics
from troubadour.models.dataset import Example, example
from troubadour.models.families import family as family_named
from troubadour.models.options import TrainOptions
from troubadour.models.recipe import TrainingRecipe
from troubadour.music.quality import QualityFlag
from troubadour.music.score import Score
from troubadour.music.styles import STYLES

_HELD_OUT: Final = 5
"""Of a user's own music one work in as many is held out, where the catalogue holds out none."""


class TrainingPiece(NamedTuple):
    """A piece that may be trained on."""

    row: PieceRow
    score: Score


@dataclass(frozen=True, slots=True)
class Material:
    """What a run learns from and what it is checked with."""

    train: tuple[TrainingPiece, ...]
    valid: tuple[TrainingPiece, ...]

    def examples(self, part: Sequence[TrainingPiece], styles: Sequence[str]) -> list[Example]:
        """Pieces encoded for a network that knows some styles."""
        return [example(p.score, p.row.style, p.row.id, styles) for p in part]


def train_composer(
    store: Store,
    recipe: TrainingRecipe,
    folder: Path,
    *,
    steps: int | None = None,
    start: Path | None = None,
    own: Sequence[str] = (),
    accept_terms: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a composer on the catalogue, or go on with a run; its report.

    Writes `composer.safetensors`, `composer.json`, `report.json`, `report.md` and `curves.svg` into
    `folder`, next to the checkpoint from which the same call goes on.

    Args:
        folder: the run's own.
        steps: instead of the recipe's.
        start: folder of a composer whose weights to start from (fine-tuning); its shape and family
            are kept, its dropout only if the recipe names none.
        own: collections of the user's own. With `start` and a recipe that names no collections,
            they alone are trained on.
        accept_terms: learn from pieces under terms too.

    Raises:
        InputError: no usable piece, only one work, or one under terms that were not accepted.
        MissingExtraError: torch is not installed.
        ModelError: the folder holds a run of another shape, or `start` no composer.
        TroubadourError: the loss is not a number; the last good checkpoint stays.
    """
    options = TrainOptions(**{**recipe.train, **({"steps": steps} if steps else {})})
    found = material(store, recipe, own, alone=start is not None)
    check_terms([p.row for p in (*found.train, *found.valid)], accept_terms)
    # What is wrong with the music is told before torch takes seconds to load.
    try:
        from troubadour.core.networks.trainer import Trainer
        from troubadour.models.event_training import EventTask, load_start, save_composer
        from troubadour.models.train_report import train_report
    except ImportError as error:
        raise MissingExtraError("training needs torch: pip install 'troubadour[train]'") from error
    told = (
        None
        if progress is None
        else lambda step, loss: progress(f"{recipe.name}, loss {loss:.3f}", step, options.steps)
    )
    family = family_named(recipe.family)
    if hasattr(family, "train"):
        return _train_by_family(family, recipe, folder, options, found, start, told)
    spec, weights = (None, None) if start is None else load_start(start)
    spec = shape(recipe, spec)
    train, valid = (found.examples(part, spec.styles) for part in (found.train, found.valid))
    train += repeated(found.train, train, recipe)
    run = Trainer(folder, EventTask(spec, options, train, valid), options, weights)
    run.run(told)
    report = train_report(run)
    known = style_statistics((p.score, p.row.style) for p in found.train)
    if start is not None:
        # What a style is like stays known where the user's own music does not say.
        known = {**require(load_composer(start), Learnt, "lend its styles").profiles, **known}
    save_composer(folder, run, known, recipe.name)
    described = _described(report, found, folder)
    write_report(folder, recipe.name, described, run.state["history"])
    return described


def _train_by_family(
    family: Any,
    recipe: TrainingRecipe,
    folder: Path,
    options: TrainOptions,
    found: Material,
    start: Path | None,
    told: Callable[[int, float], None] | None,
) -> dict[str, Any]:
    """As `train_composer`, by a family with training data of its own kind."""
    train, valid = ([(p.score, p.row.style) for p in part] for part in (found.train, found.valid))
    trained = family.train(folder, recipe.name, recipe.model, options, train, valid, start, told)
    described = {**_described(trained.report, found, folder), **trained.more}
    write_report(folder, recipe.name, described, trained.history)
    return described


def _described(report: Any, found: Material, folder: Path) -> dict[str, Any]:
    return {
        **asdict(report),
        "data": sources(found.train),
        "train_pieces": len(found.train),
        "valid_pieces": len(found.valid),
        "folder": str(folder),
    }


def shape(recipe: TrainingRecipe, start: Spec | None) -> Spec:
    """The network that a recipe asks for; of one that is there only the dropout may be changed, and copies added.

    Raises:
        InputError: the recipe asks for another shape than that of the model to start from.
    """
    if start is None:
        spec_type = family_named(recipe.family).spec_type
        if not issubclass(spec_type, Spec):
            raise InputError(
                f"recipe {recipe.name}: family {recipe.family} has no shape that can be searched"
            )
        made: Spec = spec_type(**recipe.model, styles=STYLES)
        return made
    for name, wanted in recipe.model.items():
        may_change = name == "dropout" or (name == "copies" and wanted)
        if not may_change and getattr(start, name, wanted) != wanted:
            raise InputError(
                f"recipe {recipe.name}: {name} is {wanted}, but the model to start from has {getattr(start, name)}; "
                "leave it out to keep the model's shape"
            )
    changed = {name: recipe.model[name] for name in ("dropout", "copies") if name in recipe.model}
    return replace(start, **changed)


def material(
    store: Store, recipe: TrainingRecipe, own: Sequence[str] = (), *, alone: bool = False
) -> Material:
    """The pieces that a recipe takes, split by work as the catalogue does.

    A small collection may have no work in one of the splits. Then a fifth of its works is held out,
    those of the catalogue's test split only if there is nothing else.

    Args:
        own: collections to take beside the recipe's.
        alone: whether to take only `own`, where the recipe names no collections.

    Raises:
        InputError: no usable piece, or only one work.
    """
    named = {*recipe.collections, *own} if recipe.collections or alone else set[str]()
    train, valid, test = (_usable(store, recipe, split, named) for split in ("train", "valid", "test"))
    if not train or not valid:
        pool = train + valid
        if len({p.row.work for p in pool}) < 2:
            pool += test
        works = sorted({p.row.work for p in pool})
        if not works:
            where = f" in {', '.join(sorted(named))}" if named else ""
            raise InputError(
                f"no usable piece to train on{where}; import music first, or check its quality report"
            )
        if len(works) == 1:
            raise InputError(
                f"there is only one usable work ({pool[0].row.title}); training needs two at least, one to learn "
                "from and one to check with"
            )
        held = set(works[::_HELD_OUT]) if len(works) >= _HELD_OUT else set(works[:1])
        train = [p for p in pool if p.row.work not in held]
        valid = [p for p in pool if p.row.work in held]
    return Material(tuple(train), tuple(valid))


def sources(pieces: Sequence[TrainingPiece]) -> list[dict[str, Any]]:
    """How many pieces of each collection under which terms."""
    counted = Counter((p.row.collection, p.row.licence or "unknown") for p in pieces)
    return [{"collection": c, "licence": terms, "pieces": n} for (c, terms), n in sorted(counted.items())]


def repeated(
    pieces: Sequence[TrainingPiece], encoded: Sequence[Example], recipe: TrainingRecipe
) -> list[Example]:
    """The further copies of pieces that a recipe draws more than once in an epoch."""
    return [
        one
        for one, piece in zip(encoded, pieces, strict=True)
        for _ in range(recipe.repeat.get(piece.row.collection, 1) - 1)
    ]


def _usable(store: Store, recipe: TrainingRecipe, split: str, named: set[str]) -> list[TrainingPiece]:
    rows = [
        p
        for p in store.pieces(generated=False, split=split, medium="score")
        if (not named or p.collection in named) and QualityFlag.UNRELIABLE_BARLINES not in p.flags
    ]
    scores = store.scores([p.id for p in rows])
    return [
        TrainingPiece(p, s)
        for p, s in zip(rows, scores, strict=True)
        if len(s) and len(s.metres) <= recipe.metre_changes + 1
    ]


def write_report(folder: Path, name: str, report: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
    """`report.json`, and `report.md` with `curves.svg` for people."""
    document = report | {"history": list(history)}
    (folder / REPORT).write_text(json.dumps(document, indent=1) + "\n")
    curves = [
        Curve(label, [p["step"] for p in history], [p[key] for p in history])
        for label, key in (("seen", "seen"), ("held out", "valid"))
    ]
    (folder / "curves.svg").write_text(lines(f"{name}: nats a token", "step", curves))
    rows = [
        f"| {p['step']:,} | {'' if p['train'] is None else format(p['train'], '.3f')} | {p['seen']:.3f} | "
        f"{p['valid']:.3f} | {p['valid'] - p['seen']:+.3f} |"
        for p in history
    ]
    verdict = report["verdict"]
    styles = [f"| {style or '-'} | {loss:.3f} |" for style, loss in report["valid_by_style"].items()]
    text = [
        f"# {name}",
        "",
        f"**{verdict['finding'].capitalize()}.** {verdict['words']}",
        "",
        f"{report['train_pieces']} pieces to learn from, {report['valid_pieces']} held out by work; "
        f"{report['step']:,} steps, {report['tokens']:,} tokens, {report['seconds'] / 60:.1f} minutes. "
        f"Kept: the averaged weights of step {report['best_step']:,}.",
        "",
        "Nats a token. `seen` is a slice of the training music and `held out` the rest, both scored alike: averaged "
        "weights, no dropout, no transposition, prefix told. `training` is what the optimiser sees, with all of "
        "these; it is not comparable.",
        "",
        "| step | training | seen | held out | gap |",
        "| ---: | ---: | ---: | ---: | ---: |",
        *rows,
        "",
        "![curves](curves.svg)",
        "",
        "| style | held out |",
        "| --- | ---: |",
        *styles,
        "",
    ]
    (folder / "report.md").write_text("\n".join(text))
