"""Commands for audio features and recordings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from troubadour.cli.common import (
    AsJson,
    Home,
    Seed,
    app,
    open_studio,
    print_json,
    progress_bar,
    say,
    train_app,
)

if TYPE_CHECKING:
    from troubadour.app.audio_library.humming import HummedQuery
    from troubadour.app.search import Hit
    from troubadour.app.studio import Studio

Processes = Annotated[
    int | None,
    typer.Option("--workers", help="Worker processes, 1 to 64. Default: one per core.", min=1, max=64),
]


@app.command()
def features(
    limit: Annotated[
        int | None, typer.Option("--limit", help="Largest number of pieces to measure now, 1 or more.", min=1)
    ] = None,
    workers: Processes = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Measure the sound of rendered scores, for comparison with recordings. Continues after an interruption."""
    from troubadour.app.audio_library.score_features import measure_scores

    with open_studio(home) as studio, progress_bar() as progress:
        found = measure_scores(
            studio.store,
            pool(workers),
            limit=limit,
            soundfont=getattr(studio.renderer, "soundfont", None),
            progress=progress,
        )
    if as_json:
        failed = [list(f) for f in found.failed]
        print_json({"added": found.added, "known": found.known, "left": found.left, "failed": failed})
        return
    print(f"{found.added} measured, {found.known} known, {found.left} left")
    for piece, cause in found.failed:
        print(f"  not measured: {piece}: {cause}")


@train_app.command("sound")
def train_sound(
    pieces: Annotated[
        int, typer.Option("--pieces", help="Largest number of training pieces, 20 or more.", min=20)
    ] = 600,
    steps: Annotated[int, typer.Option("--steps", help="Training steps, 1 or more.", min=1)] = 1500,
    workers: Processes = None,
    seed: Seed = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Train an audio encoder on the catalogue's own audio, without labels, and compute its embeddings."""
    from troubadour.app.audio_library import train_encoder
    from troubadour.app.audio_library.score_features import measure_scores

    with open_studio(home) as studio, progress_bar() as progress:
        font = getattr(studio.renderer, "soundfont", None)
        report = train_encoder.train_sound(
            studio.store,
            pool(workers),
            pieces=pieces,
            steps=steps,
            seed=seed or 0,
            soundfont=font,
            progress=progress,
        )
        # Measured pieces get the new embedding now, the others at the next `features`.
        limit = studio.store.sounds.counts()["sounds"]
        if limit:
            measure_scores(
                studio.store,
                pool(workers),
                limit=limit,
                soundfont=font,
                progress=progress,
            )
    if as_json:
        print_json(report)
        return
    print(f"{report['encoder']}: trained on {report['pieces']} pieces ({report['failed']} failed)")
    print(
        "`troubadour similar PIECE --by sound` uses it; `troubadour features` measures what has no sound yet"
    )


def pool(workers: int | None) -> Any:
    """Pool of worker processes; by default one per core."""
    from troubadour.app.audio_library.pool import Workers

    return Workers(workers or os.cpu_count() or 1)


def show_similar(studio: Studio, text: str, n: int, by: str, as_json: bool) -> None:
    """Print the pieces whose sound is similar to a piece or a file."""
    from troubadour.app.audio_library.audio_search import is_recording
    from troubadour.export.licensing import rights

    query = studio.audio.measure(Path(text))[0] if is_recording(Path(text)) else text
    found = studio.audio.similar(query, n, by)
    if as_json:
        items = [
            {
                "id": f.piece.id, "title": f.piece.title, "score": round(f.similarity, 6), "origin": f.origin,
                "artist": f.piece.artist, **rights(f.piece),
            }
            for f in found
        ]  # fmt: skip
        print_json({"piece": text, "by": by, "items": items})
        return
    for i, f in enumerate(found, start=1):
        by_whom = f" - {f.piece.artist or f.piece.composer}" if f.piece.artist or f.piece.composer else ""
        print(f"{i:3}. {f.piece.title}{by_whom}  [{f.piece.id}]  {f.similarity:.3f}  ({f.origin})")
        print(f"       {f.piece.source}; {f.piece.licence or 'licence unknown'}")


def show_transcription(sung: HummedQuery, hits: list[Hit], as_json: bool) -> None:
    """Print the notes of a hummed tune and the pieces that contain it."""
    if as_json:
        print_json({"query": sung.to_dict(), "items": [hit.to_dict() for hit in hits]})
        return
    for warning in sung.warnings:
        say(warning)
    names, cents = sung.names(), sung.notes.tuning_cents
    print(f"Heard {len(names)} notes, {cents:+.0f} cents from A4 = 440 Hz: {' '.join(names)}")
    print_hits(hits, timed_in_bars=False)


def print_hits(hits: list[Hit], *, timed_in_bars: bool = True) -> None:
    """Print the pieces that contain a melody, with the place of the match."""
    from troubadour.export.licensing import rights_line

    for i, hit in enumerate(hits, start=1):
        m, mark = hit.match, " (generated)" if hit.piece.generated else ""
        mine = f"bars {m.bars[0]}-{m.bars[1]} " if timed_in_bars else ""
        print(
            f"{i:3}. {hit.piece.title}{mark}  [{hit.piece.id}]  {m.score:.3f}  {m.notes} notes, {mine}"
            f"in its bars {m.their_bars[0]}-{m.their_bars[1]}, {m.semitones:+d} semitones"
        )
        print(f"       {rights_line(hit.piece)}")


def show_recording(studio: Studio, path: Path, as_json: bool) -> None:
    """Print the analysis of a recording: key, tempo and loudness, with evidence."""
    found = studio.audio.measure(path)[1]
    facts, tags = found["facts"], found["tags"]
    title = tags["title"] or path.name
    if as_json:
        stated = {k: v for k, v in tags.items() if v}
        print_json({
            "title": title, "medium": "audio", "seconds": round(found["seconds"], 2),
            "warnings": found["warnings"], "tags": stated, **facts,
        })  # fmt: skip
        return
    print(f"{title}{' - ' + tags['artist'] if tags['artist'] else ''}")
    print(
        f"  file       {found['seconds']:.1f} s, {facts['encoding']}, {facts['rate']} Hz, {facts['channels']} channels"
    )
    for warning in found["warnings"]:
        print(f"             {warning}")
    candidates = ", ".join(f"{k['key']} {k['correlation']:.2f}" for k in facts["key_candidates"])
    print(f"  key        {facts['key'] or 'not clear'} (correlation with its profile: {candidates})")
    print(f"  tuning     {facts['tuning_cents']:+d} cents from A4 = 440 Hz")
    others = ", ".join(f"{bpm:g} ({strength:.2f})" for bpm, strength in facts["tempo_others"])
    beat = f"{facts['tempo_bpm']:g} beats a minute" if facts["tempo_bpm"] else "no steady beat"
    print(f"  tempo      {beat} (strength {facts['tempo_strength']:.2f}; also {others or 'none'})")
    print(f"  loudness   {facts['loudness_lufs']:.1f} LUFS, peak {facts['peak_dbfs']:.1f} dBFS")
    print(
        f"  sound      centre at {facts['brightness_hertz']} Hz, {facts['onsets_per_second']:.1f} onsets a second"
    )
    if tags["licence"]:
        print(f"  licence    {tags['licence']}")
