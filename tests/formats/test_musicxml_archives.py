"""Reading MusicXML: encodings, archives and limits."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from tests.formats.musicxml_texts import FOUR, document, note

from troubadour.core.errors import UnreadableFileError
from troubadour.corpora.folder import read_file
from troubadour.formats.musicxml import read_musicxml, read_musicxml_file
from troubadour.music.piece import Piece

TIME = "<time><beats>4</beats><beat-type>4</beat-type></time>"

# Encodings and archives -----------------------------------------------------------------------

XML = document(("Flöte é", FOUR))


@pytest.mark.parametrize(
    "data",
    [
        XML.encode(),
        b"\xef\xbb\xbf" + XML.encode(),
        XML.encode("utf-16"),
        b"\xfe\xff" + XML.encode("utf-16-be"),
        XML.encode("utf-16-le"),
        XML.encode("utf-16-be"),
        XML.encode("utf-32"),
        XML.encode("utf-32-be"),
        ("<?xml version='1.0' encoding='UTF-16'?>" + XML).encode("utf-16"),
        ("<?xml version='1.0' encoding='UTF-16'?>" + XML).encode(),
        ("<?xml version='1.0' encoding='ISO-8859-1'?>" + XML).encode("latin-1"),
        ("<?xml version='1.0' encoding='windows-1252'?>" + XML).encode("cp1252"),
        ("<?xml version='1.0' encoding='macintosh'?>" + XML).encode("mac-roman"),
        ("\n  <?xml version='1.0' encoding='UTF-8'?>" + XML).encode(),
    ],
)
def test_encodings(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.musicxml"
    path.write_bytes(data)
    (piece,) = read_file(path)
    assert isinstance(piece, Piece), piece
    assert piece.score.tracks[0].name == "Flöte é"


def test_a_multibyte_encoding() -> None:
    text = "<?xml version='1.0' encoding='Shift_JIS'?>" + document(("尺八", FOUR))
    assert read_musicxml(text.encode("shift-jis"), "x").score.tracks[0].name == "尺八"


def archive(**files: bytes | str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def container(*roots: str) -> str:
    return f"<container><rootfiles>{''.join(f'<rootfile {r}/>' for r in roots)}</rootfiles></container>"


OTHER = document(("Other", FOUR))


@pytest.mark.parametrize(
    ("files", "remark"),
    [
        ({"META-INF__container.xml": container("full-path='a.xml'"), "b.xml": OTHER, "a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='a.xml' media-type='application/vnd.recordare.musicxml+xml'", "full-path='b.pdf' media-type='application/pdf'"), "b.pdf": b"x", "a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='b.pdf' media-type='application/pdf'", "full-path='a.xml' media-type='application/vnd.recordare.musicxml+xml'"), "b.pdf": b"x", "a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='a.xml' media-type='text/plain'"), "a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='gone.xml'"), "a.xml": XML}, True),
        ({"META-INF__container.xml": "<container><rootfiles>", "a.xml": XML}, True),
        ({"META-INF__container.xml": "", "a.xml": XML}, True),
        ({"META-INF__container.xml": container("full-path='it's.xml'"), "it's.xml": XML}, True),
        ({"META-INF__container.xml": container("full-path='it&apos;s.xml'"), "it's.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='dir%20a/a.xml'"), "dir a__a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='A.XML'"), "a.xml": XML}, False),
        ({"META-INF__container.xml": container("full-path='score.musicxml'").encode("utf-16"), "score.musicxml": XML}, False),
        ({"settings.xml": "<settings/>", "a.musicxml": XML}, True),
        ({"__MACOSX__._a.xml": b"\0\5", "a.xml": XML.encode("utf-16")}, False),
    ],
)  # fmt: skip
def test_archives(files: dict[str, bytes | str], remark: bool) -> None:
    piece = read_musicxml(archive(**files), "x.mxl")
    assert piece.score.tracks[0].name == "Flöte é"
    assert bool(piece.repairs) == remark


def test_archives_of_something_else_say_what_to_do() -> None:
    with pytest.raises(UnreadableFileError, match="open it in MuseScore and export it"):
        read_musicxml(archive(**{"a.mscx": "<museScore/>"}), "x.mxl")
    with pytest.raises(UnreadableFileError, match="import the scores themselves"):
        read_musicxml(b"<opus/>", "x.xml")


# Limits ---------------------------------------------------------------------------------------

OPENING = "<score-partwise><part-list/><part id='P1'><measure>"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (OPENING + "<a>" * 100_000, "nested deeper"),
        (OPENING + "<a><!--</a>-->" * 1000, "nested deeper"),
        (OPENING + "<a/>" * 7_000_000, "XML elements"),
        (OPENING + f"<a b='{'x' * 1_100_000}'/>", "without an XML element"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>" + OPENING, "entities"),
        (OPENING, "not well-formed XML: no element found: line 1"),
    ],
    ids=["deep", "deep behind comments", "wide", "attribute", "entity", "cut off"],
)  # fmt: skip
def test_limits_hold_before_the_tree_is_built(data: str, cause: str) -> None:
    with pytest.raises(UnreadableFileError, match=cause):
        read_musicxml(data.encode(), "bad.xml")


def test_a_directory_of_many_entries_is_refused_before_it_is_read() -> None:
    data = archive(**{f"{i}.xml": b"" for i in range(300)})
    with pytest.raises(UnreadableFileError, match="archive of 300 entries; allowed: 200; unpack"):
        read_musicxml(data, "x.mxl")


@pytest.mark.slow
def test_real_archives_are_read_whole(shared_data: Path) -> None:
    paths = sorted((shared_data / "openscore_quartets").rglob("*.mxl"))[::15]
    assert len(paths) > 6
    for path in paths:
        piece = read_musicxml_file(path)
        assert [t.program for t in piece.score.tracks[:1]] == [40], path.name


@pytest.mark.parametrize("item", ["direction", "harmony"])
def test_directions_are_counted_before_they_are_read(item: str) -> None:
    with pytest.raises(
        UnreadableFileError, match="more than 50000 directions and chord symbols; split the piece"
    ):
        read_musicxml(document(("Flute", f"<{item}/>" * 50_001 + note())).encode(), "x")


def test_namespaces_are_passed_over() -> None:
    text = XML.replace("<score-partwise", "<score-partwise xmlns='http://example.org/m'")
    assert len(read_musicxml(text.encode(), "x").score) == 4
