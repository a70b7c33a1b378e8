"""Export of a piece to score, audio and data files, with licence and source."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from troubadour.catalogue.store import NewPiece, PieceRow
from troubadour.core.errors import InputError, TroubadourError
from troubadour.formats.abc.write import write_abc
from troubadour.formats.engrave import Engraver
from troubadour.formats.engraving.written import as_notated
from troubadour.formats.midi import write_midi
from troubadour.formats.musicxml import write_musicxml
from troubadour.formats.musicxml.write import write_parts
from troubadour.formats.pdf import PDF_FONT, pages_to_pdf
from troubadour.formats.print_pages import Titles, without_size
from troubadour.formats.render import Audio, Renderer, play, wav_bytes
from troubadour.music.exact import at_exact_tempo, rescaled
from troubadour.music.marks import NOTATION
from troubadour.music.piece import Piece
from troubadour.music.quantise import NOTATION_TICKS, TICKS_PER_QUARTER, quantise
from troubadour.music.score import Score

Row = PieceRow | NewPiece
"""A stored piece, or one that was just composed."""
FORMATS: Final = {
    "midi": "mid", "musicxml": "musicxml", "abc": "abc", "wav": "wav", "ogg": "ogg", "flac": "flac", "pdf": "pdf",
    "svg": "svg", "png": "png",
}  # fmt: skip
"""File extension of each export format."""
DEFAULT_FORMATS: Final = ("midi", "musicxml", "wav")
_SOUND: Final = ("wav", "ogg", "flac")
_PAGES: Final = ("pdf", "svg", "png")
_CHUNK: Final = 65_536
"""Frames per call of libsndfile, which fails on long OGG files written in one call."""


def as_musicxml(row: Row, score: Score) -> str:
    """MusicXML of a stored score, with licence, source and a mark on generated pieces."""
    return write_musicxml(
        written_score(score),
        title=row.title,
        composer=row.composer,
        rights=_rights(row),
        source=row.source,
        generated=row.generated,
    )


def as_parts(row: Row, score: Score) -> list[tuple[str, str]]:
    """Musicians' parts as (name, MusicXML) pairs."""
    return write_parts(
        written_score(score),
        title=row.title,
        composer=row.composer,
        rights=_rights(row),
        source=row.source,
        generated=row.generated,
    )


def as_midi(row: Row, score: Score) -> bytes:
    """Standard MIDI file of a stored score, with licence, source and a mark on generated pieces."""
    made = f"composed by machine, {row.source}, release {row.provenance.get('release')}"
    return write_midi(
        score,
        title=row.title,
        rights=row.licence,
        note=made if row.generated else row.source,
    )


def as_abc(row: Row, score: Score) -> str:
    """ABC tune with licence and source in the standard's fields, and notated in place of played lengths."""
    notated = as_notated(_at_notation_ticks(written_score(score)))
    text = write_abc(Piece(notated, row.title, row.composer, row.style))
    # Header fields must precede the key field.
    fields = {"S": row.source, "N": _rights(row)}
    lines = [f"{name}:{' '.join(value.split())}\n" for name, value in fields.items() if value]
    return re.sub(r"^(?=M:)", lambda _: "".join(lines), text, count=1, flags=re.M)


def written_score(score: Score) -> Score:
    """Stored score on the notation grid, quintuplets and septuplets included, with its exact tempo.

    A score with 24 ticks per quarter is on the composing grid and is returned unchanged.
    """
    if score.ticks_per_quarter == TICKS_PER_QUARTER:
        return score
    return at_exact_tempo(quantise(score, marks=NOTATION, ticks_per_quarter=NOTATION_TICKS), score)


def _at_notation_ticks(score: Score) -> Score:
    times = NOTATION_TICKS // score.ticks_per_quarter
    return rescaled(score, times) if times > 1 else score


def write_files(
    row: Row,
    score: Score,
    renderer: Renderer,
    folder: Path,
    *,
    formats: Sequence[str] = DEFAULT_FORMATS,
    parts: bool = False,
) -> dict[str, str]:
    """Write a piece in some formats.

    SVG and PNG have one file per page: `svg`, `svg 2` and so on. The key of a part's file is the format
    followed by the part's name: `pdf Viola`.

    Args:
        row: the piece's row in the catalogue.
        score: the stored score; MIDI and audio reproduce it exactly.
        renderer: synthesiser for audio files.
        folder: target folder; made if absent.
        formats: formats among `FORMATS`.
        parts: also write the musicians' parts, in each printed format requested.

    Returns:
        Paths by format.

    Raises:
        InputError: a format is unknown.
        MissingExtraError: PDF needs typst, PNG needs resvg.
        TroubadourError: the folder cannot be written.
    """
    unknown = next((f for f in formats if f not in FORMATS), None)
    if unknown is not None:
        raise InputError(f"format is '{unknown}'; allowed: {', '.join(FORMATS)}")
    stem = f"{row.id}-{_slug(row.title)}"
    out: dict[str, tuple[str, bytes]] = {}
    audio = play(score, renderer) if set(formats) & set(_SOUND) else None
    for kind in formats:
        ending = FORMATS[kind]
        if kind == "midi":
            out[kind] = (f"{stem}.{ending}", as_midi(row, score))
        elif kind == "musicxml":
            out[kind] = (f"{stem}.{ending}", as_musicxml(row, score).encode())
        elif kind == "abc":
            out[kind] = (f"{stem}.{ending}", as_abc(row, score).encode())
        elif audio is not None and kind in _SOUND:
            out[kind] = (f"{stem}.{ending}", sound_bytes(audio, kind))
    documents = [("", as_musicxml(row, score))] if set(formats) & set(_PAGES) else []
    if parts:
        found = as_parts(row, score)
        for number, (name, text) in enumerate(found, start=1):
            if "musicxml" in formats:
                out[f"musicxml {name}"] = (f"{stem}-{number}-{_slug(name)}.musicxml", text.encode())
        if documents:
            documents += found
    out.update(_printed(row, score, documents, [f for f in formats if f in _PAGES], stem))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in out.values():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise TroubadourError(f"{folder} cannot be written: {error.strerror}") from error
    return {kind: str(folder / name) for kind, (name, _) in out.items()}


def _printed(
    row: Row, score: Score, documents: Sequence[tuple[str, str]], formats: Sequence[str], stem: str
) -> dict[str, tuple[str, bytes]]:
    """Pages of the score and of the parts: (file name, content) by key."""
    out: dict[str, tuple[str, bytes]] = {}
    engraver = Engraver()
    try:
        for number, (part, text) in enumerate(documents):
            titles = Titles(
                row.title,
                composer=row.composer or ("Troubadour (composed by machine)" if row.generated else ""),
                part=part,
                rights=_rights(row),
            )
            base = f"{stem}-{number}-{_slug(part)}" if part else stem
            staff = 5.5 if not part and len(score.tracks) > 3 else 6.8
            for kind in formats:
                font = {"pdf": PDF_FONT, "png": "DejaVu Sans"}.get(kind, "serif")
                pages = engraver.pages(text, titles, font, staff)
                key = f"{kind} {part}".strip()
                if kind == "pdf":
                    out[key] = (f"{base}.pdf", pages_to_pdf(pages, f"{row.title} {part}".strip()))
                    continue
                encode = _png if kind == "png" else str.encode
                for page, svg in enumerate(pages, start=1):
                    more = "" if page == 1 else f" {page}"
                    out[key + more] = (f"{base}{more.replace(' ', '-')}.{kind}", encode(svg))
    finally:
        engraver.close()
    return out


def _png(svg: str) -> bytes:
    from troubadour.analysis.png import to_png

    return to_png(without_size(svg), 1654)


def sound_bytes(audio: Audio, kind: str) -> bytes:
    """Audio as WAV, FLAC or OGG Vorbis.

    Args:
        audio: shape (frames, channels).
        kind: `wav`, `flac` or `ogg`.
    """
    if kind == "wav":
        return wav_bytes(audio)
    import soundfile

    from troubadour.formats.render import SAMPLE_RATE

    out = io.BytesIO()
    subtype = "VORBIS" if kind == "ogg" else "PCM_16"
    with soundfile.SoundFile(out, "w", SAMPLE_RATE, audio.shape[1], subtype, format=kind.upper()) as file:
        for start in range(0, len(audio), _CHUNK):
            file.write(audio[start : start + _CHUNK])
    return out.getvalue()


def _rights(row: Row) -> str:
    return f"Composed by machine; {row.licence}" if row.generated else row.licence


def _slug(text: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())[:60]
