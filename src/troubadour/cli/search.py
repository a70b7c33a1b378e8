"""Commands for search, similarity, analysis, originality and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from troubadour.cli.common import AsJson, Home, app, open_studio, print_json, say
from troubadour.core.errors import TroubadourError

if TYPE_CHECKING:
    from troubadour.app.embedding_search import SimilarPiece
    from troubadour.app.studio import Studio
    from troubadour.music.score import Score


Music = Annotated[str, typer.Argument(help="MIDI, MusicXML or ABC file, or the id of a piece.")]


@app.command()
def search(
    file: Annotated[
        str | None,
        typer.Argument(
            help="Query: a MIDI, MusicXML or ABC file, or a recording of a hummed, whistled or played tune."
        ),
    ] = None,
    notes: Annotated[
        str | None, typer.Option("--notes", help="Query as typed notes instead of a file: 'G A B d'.")
    ] = None,
    track: Annotated[
        int | None, typer.Option("--track", help="Index of the track to search with, from 0.", min=0)
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Number of pieces, 1 to 1000.", min=1, max=1000)] = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Search for a melody in any key, octave and tempo; the query may be hummed or whistled."""
    from troubadour.app.audio_library.audio_search import is_recording
    from troubadour.cli.audio import print_hits, show_transcription
    from troubadour.core.errors import InputError
    from troubadour.similarity.melody_search.index import MOST_NOTES
    from troubadour.similarity.melody_search.lines import query_skyline
    from troubadour.similarity.melody_search.typed import typed_skyline

    if (file is None) == (notes is None):
        raise InputError("give either a file or --notes")
    with open_studio(home) as studio:
        if file is not None and is_recording(Path(file)):
            if track is not None:
                raise InputError("--track chooses a track of a score; a recording has none, leave it out")
            show_transcription(*studio.search_recording(Path(file), n), as_json)
            return
        line = (
            typed_skyline(notes)
            if notes is not None
            else query_skyline(read_music_of(studio, file or "")[0], track)
        )
        found = studio.search(line, n)
    cut = len(line) > MOST_NOTES
    if as_json:
        query = {"notes": min(len(line), MOST_NOTES), "track": line.track, "cut": cut}
        print_json({"query": query, "items": [hit.to_dict() for hit in found]})
        return
    if cut:
        say(f"Searching with the first {MOST_NOTES} of {len(line)} notes")
    print_hits(found)


@app.command()
def similar(
    piece: Annotated[str, typer.Argument(help="Id of a piece, or a recording.")],
    n: Annotated[int, typer.Option("--n", help="Number of pieces, 1 to 1000.", min=1, max=1000)] = 10,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            help="content (features), embedding (of the composer), melody, timbre or sound. Default: content; for recordings timbre.",
        ),
    ] = None,
    style: Annotated[str | None, typer.Option("--style", help="Only pieces of this style.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Only pieces in this key, such as 'D major'.")
    ] = None,
    generated: Annotated[
        bool | None, typer.Option("--generated/--human", help="Only generated pieces, or only human ones.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Find similar pieces by content, the composer's embedding, melody, or sound."""
    from troubadour.app.audio_library.audio_search import WAYS, is_recording
    from troubadour.cli.audio import show_similar
    from troubadour.core.errors import InputError
    from troubadour.export.licensing import rights, rights_line

    allowed = ("content", "embedding", "melody", *WAYS)
    if by is not None and by not in allowed:
        raise InputError(f"by is '{by}'; allowed: {', '.join(allowed)}")

    given = {"style": style, "key": key, "generated": generated}
    where = {k: v for k, v in given.items() if v is not None}
    with open_studio(home) as studio:
        recording = is_recording(Path(piece)) or studio.store.piece(piece).medium == "audio"
        if by in WAYS or (by is None and recording):
            if where:
                raise InputError(
                    "--style, --key and --generated work with content, embedding and melody; leave them out, or add --by content"
                )
            show_similar(studio, piece, n, by or "timbre", as_json)
            return
        if by in ("embedding", "melody"):
            _print_near(piece, studio.similar_by(by, piece, n, where=where), by, as_json)
            return
        found = studio.similar(piece, n, where=where)
        rows = [*studio.store.pieces_by_id(i.id for i in found).values()]
    if as_json:
        items = [
            {
                "id": i.id,
                "title": i.title,
                "score": round(i.similarity, 6),
                "bars": [1, int(row.attributes.get("bars", 0))],
                "shared": i.shared,
                **rights(row),
            }
            for i, row in zip(found, rows, strict=True)
        ]
        print_json({"piece": piece, "by": by, "items": items})
        return
    for i, item in enumerate(found, start=1):
        mark = " (generated)" if item.generated else ""
        print(f"{i:3}. {item.title}{mark}  [{item.id}]  {item.similarity:.3f}  {item.shared}")
        print(f"       {rights_line(rows[i - 1])}")


def _print_near(piece: str, near: list[SimilarPiece], by: str, as_json: bool) -> None:
    from troubadour.export.licensing import rights_line

    if as_json:
        print_json({"piece": piece, "by": by, "items": [one.to_dict() for one in near]})
        return
    for i, one in enumerate(near, start=1):
        mark = " (generated)" if one.piece.generated else ""
        print(
            f"{i:3}. {one.piece.title}{mark}  [{one.piece.id}]  {one.similarity:.3f}  bars {one.bars[0]}-{one.bars[1]}"
        )
        print(f"       {rights_line(one.piece)}")


@app.command()
def analyse(music: Music, home: Home = None, as_json: AsJson = False) -> None:
    """Analyse a piece: key, metre, chords, form, style, mood and difficulty, with evidence; or a recording."""
    from troubadour.app.audio_library.audio_search import is_recording
    from troubadour.cli.audio import show_recording

    with open_studio(home) as studio:
        if is_recording(Path(music)):
            show_recording(studio, Path(music), as_json)
            return
        score, title, _ = read_music_of(studio, music)
        found = studio.analyse(score)
    if as_json:
        print_json({"title": title, **found.to_dict()})
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
    n: Annotated[int, typer.Option("--n", help="Number of matches, 1 to 100.", min=1, max=100)] = 5,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the longest passages that a piece shares with the catalogue, compared with human pieces."""
    from troubadour.export.licensing import rights_line

    with open_studio(home) as studio:
        score, title, piece = read_music_of(studio, music)
        found = studio.originality(score, n, without=piece)
    if as_json:
        print_json({"title": title, **found.to_dict()})
        return
    human = found.human
    print(f"{title}: {found.verdict}")
    print(
        f"  of {human.pieces} human pieces: median {human.median:.0f} notes, 95th percentile {human.high:.0f}"
    )
    for row, m in found.matches:
        print(
            f"  {m.notes} notes, bars {m.bars[0]}-{m.bars[1]}: {row.title} [{row.id}], bars {m.their_bars[0]}-{m.their_bars[1]}"
        )
        print(f"       {rights_line(row)}")


@app.command()
def draw(
    what: Annotated[
        str,
        typer.Argument(
            help="roll, similarity (of bars), timeline (keys and chords) or map (of the catalogue)."
        ),
    ],
    music: Annotated[str | None, typer.Argument(help="File or id of a piece; not for `map`.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="An .svg or .png file. Default: WHAT.svg.")
    ] = None,
    width: Annotated[int, typer.Option("--width", help="Width of a PNG in pixels.")] = 1600,
    font: Annotated[Path | None, typer.Option("--font", help="Font file for text in a PNG.")] = None,
    home: Home = None,
) -> None:
    """Draw a piece or the catalogue as SVG or PNG."""
    from troubadour.analysis.png import to_png
    from troubadour.core.errors import InputError

    kinds = ("roll", "similarity", "timeline", "map")
    if what not in kinds:
        raise InputError(f"cannot draw '{what}'; allowed: {', '.join(kinds)}")
    if (music is None) != (what == "map"):
        raise InputError("`draw map` takes no music; the other pictures need a file or the id of a piece")
    path = out or Path(f"{what}.svg")
    if path.suffix.lower() not in (".svg", ".png"):
        raise InputError(f"cannot draw a '{path.suffix}' file; allowed: .svg, .png")
    with open_studio(home) as studio:
        if music is None:
            picture = studio.analysis.map()
        else:
            score, title, _ = read_music_of(studio, music)
            picture = studio.analysis.draw(what, score, title)
    png = path.suffix.lower() == ".png"
    data = to_png(picture, width, font) if png else picture.encode()
    try:
        path.write_bytes(data)
    except OSError as error:
        raise TroubadourError(f"{path} cannot be written: {error.strerror}") from error
    print(path)


def read_music_of(studio: Studio, music: str, *, exact: bool = False) -> tuple[Score, str, str]:
    """Score and title of a file or a catalogue piece, and the piece's id (empty for a file).

    Args:
        studio: the use cases.
        music: path of a file or id of a piece.
        exact: return the unquantised score.
    """
    from troubadour.app.search import read_exact, read_music
    from troubadour.core.errors import NotFoundError

    if not Path(music).exists():
        try:
            score = studio.store.exact_score(music) if exact else studio.store.score(music)
            return score, studio.store.piece(music).title, music
        except NotFoundError:
            pass  # `read_music` reports that it is neither
    piece = read_exact(Path(music)) if exact else read_music(Path(music))
    return piece.score, piece.title or Path(music).name, ""
