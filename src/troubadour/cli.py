"""The command line: results on standard output, progress and errors on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from troubadour.errors import TroubadourError

if TYPE_CHECKING:
    from troubadour.composers.base import Brief
    from troubadour.music.score import Score
    from troubadour.studio import Composed, Studio

app = typer.Typer(
    name="troubadour",
    help="Compose music and recommend music, each making the other better.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
train_app = typer.Typer(help="Train models.", no_args_is_help=True)
app.add_typer(train_app, name="train")

Home = Annotated[
    Path | None,
    typer.Option(
        "--home", help="Where everything lives.", envvar="TROUBADOUR_HOME", show_default="your data folder"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Seed = Annotated[int | None, typer.Option("--seed", help="The same seed gives the same result.", min=0)]
_LISTENERS: Final = 500
_SEED: Final = 1
_DEMO_PIECES: Final = 3


def main() -> None:
    """Entry point: errors of ours become one line and exit code 1."""
    try:
        app()
    except TroubadourError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


@app.command()
def demo(
    home: Home = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the composed pieces.")] = Path("out"),
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the page at the end.")] = True,
    port: Annotated[int, typer.Option("--port", help="Port of the page.")] = 8765,
    seed: Seed = None,
) -> None:
    """The main job: import music, simulate listeners, recommend, compose for one of them, serve."""
    from troubadour import jobs

    with _studio(home) as studio:
        fresh = studio.releases.live() is None
        if fresh:
            _say(f"Importing the built-in collections into {studio.home}")
            with _progress() as tell:
                for report in jobs.import_builtin(studio.store, tell=tell):
                    _say(f"  {report.summary()}")
            if not studio.store.listeners():
                _say(f"Simulating {_LISTENERS} listeners (labelled `simulated` wherever they are shown)")
                jobs.simulate_listeners(studio.store, _LISTENERS, _SEED)
            _say("Fitting the recommender")
            jobs.fit(studio.store, studio.releases)
        if fresh or not studio.store.counts()["generated"]:
            _show_listener(studio, out, 0 if seed is None else seed)
        else:
            _say(f"Everything is in place in {studio.home}; `troubadour compose` composes more.")
        if serve:
            _serve(studio, "127.0.0.1", port)


def _show_listener(studio: Studio, out: Path, seed: int) -> None:
    people = studio.store.listeners()
    person = people[seed % len(people)]
    print(f"\nListener {person.id}, {person.name}{' (simulated)' if person.simulated else ''}")
    styles = ", ".join(f"{style} {n}" for style, n in studio.liked_styles(person.id)[:5])
    print(f"  played by style: {styles}")
    rows = {p.id: p for p in studio.store.pieces()}
    print("  last played:")
    for piece, kind, value, _ in studio.store.history(person.id, limit=8):
        share = f", {value:.0%} heard" if kind == "play" and value is not None else ""
        print(f"    {rows[piece].title} [{rows[piece].style or '-'}] - {kind}{share}")
    found, release = studio.recommend(person.id, 10)
    print(f"\nTen recommendations (release {release}):")
    for i, item in enumerate(found, start=1):
        print(f"  {i:2}. {item.title} [{rows[item.id].style or '-'}]\n      {item.reasons[0].text}")
    from troubadour.composers.base import Brief

    print(f"\nComposed for {person.name}:")
    for i in range(_DEMO_PIECES):
        new = studio.compose(Brief(), seed=seed + i, listener=person.id)
        _print_piece(new, studio.write_files(new.id, out))


@app.command("import")
def import_(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders, or built-in collections (builtin, oneills, ryans, airds, folk, chorales)."
        ),
    ] = None,
    accept_terms: Annotated[
        bool,
        typer.Option("--accept-terms", help="For collections under terms (essen, palestrina): accept them."),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Import music into the catalogue; importing twice changes nothing."""
    from troubadour import jobs
    from troubadour.corpora.builtin import COLLECTIONS, DEFAULT

    names = {c.name for c in COLLECTIONS}
    reports = []
    with _studio(home) as studio:
        with _progress() as tell:
            for path in paths or ["builtin"]:
                if path == "builtin":
                    reports += jobs.import_builtin(studio.store, DEFAULT, tell=tell)
                elif path in names and not Path(path).exists():
                    reports += jobs.import_builtin(studio.store, [path], accept_terms=accept_terms, tell=tell)
                else:
                    reports.append(jobs.import_folder(studio.store, Path(path), tell))
        if studio.releases.live() is None and studio.store.counts()["pieces"]:
            _say("Making the first release")
            jobs.fit(studio.store, studio.releases)
    if as_json:
        _json([r.to_dict() for r in reports])
        return
    for report in reports:
        print(report.summary())
        for name, cause in [*report.unreadable, *report.dropped][:20]:
            print(f"  not taken: {name}: {cause}")
        for what, count in sorted(report.repaired.items(), key=lambda item: -item[1]):
            print(f"  {count} with: {what}")


@app.command()
def compose(
    listener: Annotated[
        str | None, typer.Option("--listener", help="Compose to this listener's taste.")
    ] = None,
    style: Annotated[
        str | None, typer.Option("--style", help="jig, reel, hornpipe, air, chorale ...")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="Such as D, 'E minor', 'A dorian'.")] = None,
    metre: Annotated[str | None, typer.Option("--metre", help="Such as 6/8.")] = None,
    bars: Annotated[int | None, typer.Option("--bars", help="1 to 64.")] = None,
    voices: Annotated[int | None, typer.Option("--voices", help="1, or 4 for a chorale.")] = None,
    tempo: Annotated[float | None, typer.Option("--tempo", help="Quarter notes a minute.")] = None,
    density: Annotated[int | None, typer.Option("--density", help="0 (few notes) to 7 (many).")] = None,
    temperature: Annotated[float, typer.Option("--temperature", help="0.1 (safe) to 2 (wild).")] = 0.9,
    top_p: Annotated[float, typer.Option("--top-p", help="Share of the probability sampled from.")] = 0.97,
    count: Annotated[int, typer.Option("--count", help="How many pieces.", min=1, max=100)] = 1,
    out: Annotated[Path, typer.Option("--out", help="Folder for MIDI, MusicXML and WAV.")] = Path("out"),
    seed: Seed = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Compose a piece; what is left open follows the listener's taste, or the style's habits."""
    from troubadour.composers.base import Brief, parse_key, parse_metre

    brief = Brief(
        style=style,
        key=None if key is None else parse_key(key),
        metre=None if metre is None else parse_metre(metre),
        bars=bars,
        voices=voices,
        tempo_bpm=tempo,
        density=density,
        temperature=temperature,
        top_p=top_p,
    )
    with _studio(home) as studio:
        done = list(_compose_some(studio, brief, listener, seed, count, out))
    if as_json:
        described = [_piece_json(piece, files) for piece, files in done]
        _json(described[0] if count == 1 else described)
        return
    for piece, files in done:
        _print_piece(piece, files)


def _compose_some(
    studio: Studio, brief: Brief, listener: str | None, seed: int | None, count: int, out: Path
) -> Iterator[tuple[Composed, dict[str, str]]]:
    for i in range(count):
        piece = studio.compose(brief, seed=None if seed is None else seed + i, listener=listener)
        yield piece, studio.write_files(piece.id, out)


def _piece_json(piece: Composed, files: dict[str, str]) -> dict[str, Any]:
    return {
        "id": piece.id,
        "title": piece.title,
        "files": files,
        "seed": piece.seed,
        "release": piece.release,
        "controls": piece.controls(),
        "longest_match": {
            "notes": piece.match.notes,
            "piece": piece.match.piece,
            "title": piece.match_title,
            "bars": list(piece.match.bars),
            "their_bars": list(piece.match.their_bars),
        },
        "influences": list(piece.influences),
        "generated": True,
        "duration_seconds": round(piece.score.seconds, 2),
        "seconds": round(piece.seconds, 3),
    }


def _print_piece(piece: Composed, files: dict[str, str]) -> None:
    metre, key = piece.score.metres[0].name, piece.score.keys[0].name
    print(
        f"  {piece.title}: {metre}, {key}, {piece.score.n_bars} bars, {piece.score.seconds:.0f} s, seed {piece.seed}"
    )
    if piece.influences:
        print(f"    near to what they like: {', '.join(piece.influences)}")
    first, last = piece.match.bars
    print(
        f"    longest match with the catalogue: {piece.match.notes} notes (bars {first}-{last}) "
        f"with {piece.match_title or 'nothing'}"
    )
    for path in files.values():
        print(f"    {path}")


@app.command()
def recommend(
    listener: Annotated[str, typer.Argument(help="Id of a listener, such as sim-0001.")],
    n: Annotated[int, typer.Option("--n", help="How many.", min=1, max=1000)] = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Recommend pieces to a listener, each with its reasons."""
    with _studio(home) as studio:
        found, release = studio.recommend(listener, n)
    if as_json:
        items = [
            {
                "id": item.id,
                "title": item.title,
                "score": round(item.score, 6),
                "reasons": [r.text for r in item.reasons],
                "generated": item.generated,
                **({"fallback": item.fallback} if item.fallback else {}),
            }
            for item in found
        ]
        _json({"listener": listener, "items": items, "release": release})
        return
    for i, item in enumerate(found, start=1):
        mark = " (generated)" if item.generated else ""
        print(f"{i:3}. {item.title}{mark}  [{item.id}]  {item.score:.2f}")
        for reason in item.reasons:
            print(f"       {reason.text}")


@app.command()
def similar(
    piece: Annotated[str, typer.Argument(help="Id of a piece.")],
    n: Annotated[int, typer.Option("--n", help="How many.", min=1, max=1000)] = 10,
    style: Annotated[str | None, typer.Option("--style", help="Only pieces of this style.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Only pieces in this key, such as 'D major'.")
    ] = None,
    generated: Annotated[
        bool | None, typer.Option("--generated/--human", help="Only composed pieces, or none of them.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """The pieces nearest to one by their content."""
    from troubadour.understand import rights

    given = {"style": style, "key": key, "generated": generated}
    with _studio(home) as studio:
        found = studio.similar(piece, n, where={k: v for k, v in given.items() if v is not None})
        rows = [studio.store.piece(i.id) for i in found]
    if as_json:
        items = [
            {
                "id": i.id,
                "title": i.title,
                "score": round(i.similarity, 6),
                "shared": i.shared,
                **rights(row),
            }
            for i, row in zip(found, rows, strict=True)
        ]
        _json({"piece": piece, "items": items})
        return
    for i, item in enumerate(found, start=1):
        mark = " (generated)" if item.generated else ""
        print(f"{i:3}. {item.title}{mark}  [{item.id}]  {item.similarity:.3f}  {item.shared}")
        print(f"       {rows[i - 1].source}; {rows[i - 1].licence or 'licence unknown'}")


Music = Annotated[str, typer.Argument(help="A MIDI, MusicXML or ABC file, or the id of a piece.")]


@app.command()
def search(
    file: Annotated[str | None, typer.Argument(help="A fragment: MIDI, MusicXML or ABC file.")] = None,
    notes: Annotated[str | None, typer.Option("--notes", help="Typed notes instead: 'G A B d'.")] = None,
    track: Annotated[int | None, typer.Option("--track", help="Track to search with, from 0.", min=0)] = None,
    n: Annotated[int, typer.Option("--n", help="How many.", min=1, max=1000)] = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Find a melody in the catalogue, in any key, octave and tempo."""
    from troubadour.errors import InputError
    from troubadour.similarity.lines import query_line
    from troubadour.similarity.melody import MOST_NOTES
    from troubadour.similarity.typed import typed_line

    if (file is None) == (notes is None):
        raise InputError("give a file or --notes, one of them")
    with _studio(home) as studio:
        line = typed_line(notes) if notes is not None else query_line(_music(studio, file or "")[0], track)
        found = studio.search(line, n)
    cut = len(line) > MOST_NOTES
    if as_json:
        query = {"notes": min(len(line), MOST_NOTES), "track": line.track, "cut": cut}
        _json({"query": query, "items": [hit.to_dict() for hit in found]})
        return
    if cut:
        _say(f"Searching with the first {MOST_NOTES} of {len(line)} notes")
    for i, hit in enumerate(found, start=1):
        m, mark = hit.match, " (generated)" if hit.piece.generated else ""
        print(
            f"{i:3}. {hit.piece.title}{mark}  [{hit.piece.id}]  {m.score:.3f}  {m.notes} notes, bars "
            f"{m.bars[0]}-{m.bars[1]} in its bars {m.their_bars[0]}-{m.their_bars[1]}, {m.semitones:+d} semitones"
        )
        print(f"       {hit.piece.source}; {hit.piece.licence or 'licence unknown'}")


@app.command()
def analyse(music: Music, home: Home = None, as_json: AsJson = False) -> None:
    """Key, metre, chords, form, style, mood and difficulty of a piece, with the evidence."""
    with _studio(home) as studio:
        score, title, _ = _music(studio, music)
        found = studio.analyse(score)
    if as_json:
        _json({"title": title, **found.to_dict()})
        return
    key, mood, hard = found.key, found.mood, found.difficulty
    print(title)
    if key.key:
        print(f"  key        {key.key} ({key.probability:.0%}; notated {key.notated})")
        print(f"             {', '.join(f'{r.what} {r.weight:+.1f}' for r in key.reasons[:4])}")
        for region in key.regions if len(key.regions) > 1 else ():
            print(f"             bars {region.bars[0]}-{region.bars[1]}: {region.key}")
    print(f"  metre      {', '.join(f'{name} from bar {bar}' for bar, name in found.metre_changes)}")
    if found.chords:
        what = "implied" if found.chords_implied else "chords"
        print(f"  {what:10} {' '.join(c.numeral or '-' for c in found.chords)}")
        print(f"  form       {found.form.letters}")
        for p in found.form.phrases:
            print(
                f"             {p.letter:3} bars {p.bars[0]}-{p.bars[1]} {p.cadence} ({' '.join(p.chords)})"
            )
    style = found.style
    print(f"  style      {f'{style.style} ({style.probability:.0%})' if style.style else style.why_not}")
    if mood:
        cues = ", ".join(f"{c.name} {c.valence:+.2f}/{c.arousal:+.2f}" for c in mood.cues)
        print(f"  mood       {mood.word}: valence {mood.valence:+.2f}, arousal {mood.arousal:+.2f} ({cues})")
    if hard:
        print(
            f"  difficulty {hard.word} ({hard.level:.2f}): {', '.join(f'{w} {v:g}' for w, v, _ in hard.parts[:3])}"
        )


@app.command()
def originality(
    music: Music,
    n: Annotated[int, typer.Option("--n", help="How many matches.", min=1, max=100)] = 5,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """The longest passages that a piece shares with the catalogue, beside what human pieces share."""
    with _studio(home) as studio:
        score, title, piece = _music(studio, music)
        found = studio.originality(score, n, without=piece)
    if as_json:
        _json({"title": title, **found.to_dict()})
        return
    human = found.human
    print(f"{title}: {found.verdict}")
    print(
        f"  of {human.pieces} human pieces: median {human.median:.0f} notes, 95 in 100 up to {human.high:.0f}"
    )
    for row, m in found.matches:
        print(
            f"  {m.notes} notes, bars {m.bars[0]}-{m.bars[1]}: {row.title} [{row.id}], bars {m.their_bars[0]}-{m.their_bars[1]}"
        )
        print(f"       {row.source}; {row.licence or 'licence unknown'}")


@app.command()
def draw(
    what: Annotated[
        str, typer.Argument(help="roll, similarity (bars with bars), timeline (keys and chords) or map.")
    ],
    music: Annotated[
        str | None, typer.Argument(help="A file or the id of a piece; `map` draws the catalogue.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The SVG file; without it, WHAT.svg.")] = None,
    home: Home = None,
) -> None:
    """Draw a piece or the catalogue as SVG."""
    from troubadour.errors import InputError

    kinds = ("roll", "similarity", "timeline", "map")
    if what not in kinds:
        raise InputError(f"cannot draw '{what}'; allowed: {', '.join(kinds)}")
    if (music is None) != (what == "map"):
        raise InputError("`draw map` draws the catalogue; the others need a file or the id of a piece")
    with _studio(home) as studio:
        if music is None:
            picture = studio.understanding.map()
        else:
            score, title, _ = _music(studio, music)
            picture = studio.understanding.draw(what, score, title)
    path = out or Path(f"{what}.svg")
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise TroubadourError(f"{path} cannot be written: {error.strerror}") from error
    print(path)


def _music(studio: Studio, music: str) -> tuple[Score, str, str]:
    """The score and title of a file or of a piece of the catalogue, and its id if it is one."""
    from troubadour.errors import NotFoundError
    from troubadour.understand import read_music

    if not Path(music).exists():
        try:
            return studio.store.score(music), studio.store.piece(music).title, music
        except NotFoundError:
            pass  # `read_music` says that it is neither
    piece = read_music(Path(music))
    return piece.score, piece.title or Path(music).name, ""


@app.command()
def status(home: Home = None, as_json: AsJson = False) -> None:
    """What there is: pieces, listeners, interactions, the live release."""
    with _studio(home) as studio:
        found = studio.status()
    if as_json:
        _json(found)
        return
    for name, value in found.items():
        print(f"{name:13} {value}")


@train_app.command("composer")
def train_composer(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as recipes/tunes-and-chorales.toml.")],
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="Import this file or folder first and train on it too."),
    ] = None,
    start: Annotated[Path | None, typer.Option("--from", help="Folder of a composer to start from.")] = None,
    folder: Annotated[Path, typer.Option("--folder", help="The run's folder; the same one resumes.")] = Path(
        "run"
    ),
    steps: Annotated[int | None, typer.Option("--steps", help="Instead of the recipe's.", min=1)] = None,
    use: Annotated[bool, typer.Option("--use", help="Make a release with it and go live.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Train a composer on the catalogue, or go on with a run that was stopped."""
    from dataclasses import replace

    from troubadour import jobs
    from troubadour.composers.recipe import Recipe

    chosen = Recipe.load(recipe)
    with _studio(home) as studio, _progress() as tell:
        if not studio.store.counts()["pieces"]:
            jobs.import_builtin(studio.store, list(chosen.collections) or ["oneills"], tell=tell)
        for path in data or []:
            name = jobs.import_folder(studio.store, path, tell).collection
            if chosen.collections:
                chosen = replace(chosen, collections=(*chosen.collections, name))
        report = jobs.train_composer(studio.store, chosen, folder, steps=steps, start=start, tell=tell)
        if use:
            report["release"] = jobs.use_composer(studio.releases, folder).id
    if as_json:
        _json(report)
        return
    print(
        f"step {report['step']}: train {report['train_loss']:.4f}, valid {report['valid_loss']:.4f} nats a token"
    )
    for style, loss in report["valid_by_style"].items():
        print(f"  {style or 'no style':12} {loss:.4f}")


@train_app.command("recommender")
def train_recommender(home: Home = None, seed: Seed = None, as_json: AsJson = False) -> None:
    """Fit the recommender on all that listeners did, publish a release and go live."""
    from troubadour import jobs

    with _studio(home) as studio:
        release = jobs.fit(studio.store, studio.releases, seed or 0)
    if as_json:
        _json({"release": release.id, "notes": dict(release.notes)})
        return
    print(f"release {release.id} is live")


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port.")] = 8765,
    home: Home = None,
) -> None:
    """Serve the page and the API."""
    with _studio(home) as studio:
        _serve(studio, host, port)


def _serve(studio: Studio, host: str, port: int) -> None:
    import uvicorn

    from troubadour.server.app import create_app

    studio.models()  # a missing or damaged model is told now and not at the first request
    _say(f"Serving on http://{host}:{port} (Ctrl-C stops)")
    uvicorn.run(create_app(studio), host=host, port=port, log_level="warning")


@contextmanager
def _studio(home: Path | None) -> Iterator[Studio]:
    from troubadour.config import Settings
    from troubadour.music.render import MidiRenderer
    from troubadour.studio import Studio

    settings = Settings.load(home=home)
    with Studio(settings.home, settings.threads, MidiRenderer(settings.soundfont)) as studio:
        yield studio


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on standard error; plain silence where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            key = what.split(",")[0]
            if key not in tasks:
                tasks[key] = bar.add_task(what, total=total or None)
            bar.update(tasks[key], completed=done, description=what)

        yield tell


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


__all__ = ["app", "main"]
