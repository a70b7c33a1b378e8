"""Export of a piece to MIDI, MusicXML and WAV files, with licence and source."""

from __future__ import annotations

from pathlib import Path

from troubadour.catalogue.store import PieceRow
from troubadour.core.errors import TroubadourError
from troubadour.formats.midi import write_midi
from troubadour.formats.musicxml import write_musicxml
from troubadour.formats.render import Renderer, play, write_wav
from troubadour.music.score import Score


def as_musicxml(row: PieceRow, score: Score) -> str:
    """MusicXML with licence, source and a mark on generated pieces."""
    return write_musicxml(
        score,
        title=row.title,
        composer=row.composer,
        rights=f"Composed by machine; {row.licence}" if row.generated else row.licence,
        source=row.source,
        generated=row.generated,
    )


def as_midi(row: PieceRow, score: Score) -> bytes:
    """Standard MIDI file with licence, source and a mark on generated pieces."""
    made = f"composed by machine, {row.source}, release {row.provenance.get('release')}"
    return write_midi(
        score,
        title=row.title,
        rights=row.licence,
        note=made if row.generated else row.source,
    )


def write_files(row: PieceRow, score: Score, renderer: Renderer, folder: Path) -> dict[str, str]:
    """Write a piece as MIDI, MusicXML and WAV.

    Args:
        row: the piece's row in the catalogue.
        score: its notes.
        renderer: synthesiser for the WAV file.
        folder: target folder; made if absent.

    Returns:
        Paths under the keys `midi`, `musicxml` and `wav`.

    Raises:
        TroubadourError: the folder cannot be written.
    """
    slug = "-".join("".join(c if c.isalnum() else " " for c in row.title.lower()).split())[:60]
    stem = f"{row.id}-{slug}"
    paths = {
        k: folder / f"{stem}.{e}" for k, e in (("midi", "mid"), ("musicxml", "musicxml"), ("wav", "wav"))
    }
    audio = play(score, renderer)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths["midi"].write_bytes(as_midi(row, score))
        paths["musicxml"].write_text(as_musicxml(row, score), encoding="utf-8")
        write_wav(paths["wav"], audio)
    except OSError as error:
        raise TroubadourError(f"{folder} cannot be written: {error.strerror}") from error
    return {k: str(p) for k, p in paths.items()}
