"""From the bytes of a MusicXML file, plain or compressed, to XML in UTF-8."""

from __future__ import annotations

import codecs
import io
import re
import zipfile
import zlib
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from troubadour.core.errors import InputError

MAX_BYTES: Final = 30_000_000
"""Of the XML itself, compressed or not."""
MAX_ENTRIES: Final = 200
_MAX_CONTAINER: Final = 100_000
_SNIFFED: Final = 65_536

# UTF-32 comes first: its little-endian mark begins with the one of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Forms of "<" without a byte-order mark (XML 1.0, appendix F).
_FIRST_CHARACTERS: Final = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_DECLARATION: Final = re.compile(rb"<\?xml\b[^>]{0,200}?\?>")
_ENCODING: Final = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
# Python knows codecs that are no character sets (`zip`, `punycode`): only these may be named.
_CHARACTER_SETS: Final = re.compile(
    r"(utf|iso|latin|us-?ascii|ascii|windows|cp|ibm|mac|x-mac|shift|s-?jis|euc|gb|big5|koi8|tis)",
    re.IGNORECASE,
)
_ROOT: Final = re.compile(rb"<(?:[\w.-]+:)?score-(?:partwise|timewise)[\s>]")
_FULL_PATH: Final = re.compile(rb"""full-path\s*=\s*(?:"([^"<>]+)"|'([^<>]+?)'\s*(?=[/>]|[\w:-]+\s*=))""")


def looks_like_xml(start: bytes) -> bool:
    """Whether the first bytes of a file are XML in UTF-8, UTF-16 or UTF-32, with or without a mark.

    >>> looks_like_xml("<a/>".encode("utf-16-be")), looks_like_xml(b"X:1")
    (True, False)
    """
    encoding, mark = _encoding_of(start)
    width = 4 if "32" in encoding else 2 if "16" in encoding else 1
    body = start[mark:]
    text = body[: len(body) // width * width].decode(encoding, "replace")
    return text.lstrip(" \t\r\n\ufeff")[:1] == "<"


def xml_in(data: bytes) -> tuple[bytes, list[str]]:
    """XML in UTF-8 without an encoding declaration, and remarks on what was repaired.

    Raises:
        InputError: a damaged archive, no score in it, an unknown encoding or a limit passed.
    """
    if data[:2] != b"PK":
        return as_utf8(data), []
    # A directory of many entries is refused before it is read.
    entries = data.count(b"PK\x01\x02")
    if entries > MAX_ENTRIES:
        raise InputError(
            f"archive of {entries} entries; allowed: {MAX_ENTRIES}; unpack it and import its folder"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            score, remarks = _score_in(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        # The last three: cut short; an unknown version or compression; encrypted.
        cause = str(error)[:150] or "it ends too early"
        raise InputError(f"damaged or unusual archive: {cause}; export or download the file again") from error
    return as_utf8(score), remarks


def as_utf8(data: bytes) -> bytes:
    """XML of any encoding as UTF-8 without an encoding declaration.

    Raises:
        InputError: unknown encoding, or bytes that are not of the declared one.
    """
    encoding, mark = _encoding_of(data)
    body = data[mark:]
    if encoding == "utf-8":
        body = body.lstrip(b" \t\r\n")
        declared = _DECLARATION.match(body)
        if declared is None:
            return body
        named = _ENCODING.search(declared[0])
        name = named[1].decode() if named else "utf-8"
        body = body[declared.end() :]
        # The declaration was readable byte by byte, so a declared UTF-16 or UTF-32 is an error of the writer.
        if mark or re.fullmatch(r"utf-?(8|16|32)([a-z-]*)", name, re.IGNORECASE):
            return body
        encoding = _known(name)
    try:
        text = body.decode(encoding)
    except UnicodeError as error:
        raise InputError(f"not text in {encoding}: {str(error)[:150]}; save it as UTF-8") from error
    return _DECLARATION.sub(b"", text.lstrip("\ufeff \t\r\n").encode(), count=1)


def _encoding_of(data: bytes) -> tuple[str, int]:
    """Encoding by the first bytes, and the length of the byte-order mark; `utf-8` if in doubt."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name, len(mark)
    for first, name in _FIRST_CHARACTERS:
        if data.startswith(first):
            return name, 0
    return "utf-8", 0


def _known(name: str) -> str:
    aliases = {"x-mac-roman": "mac-roman", "macintosh": "mac-roman", "iso-10646-ucs-2": "utf-16"}
    wanted = aliases.get(name.lower(), name)
    try:
        found = codecs.lookup(wanted).name if _CHARACTER_SETS.match(wanted) else ""
    except LookupError:
        found = ""
    if not found:
        raise InputError(f"unknown encoding '{name}'; allowed: UTF-8, UTF-16, ISO-8859-1 and the like")
    return found


def _score_in(archive: zipfile.ZipFile) -> tuple[bytes, list[str]]:
    names = [e.filename for e in archive.infolist() if not e.is_dir()]
    remarks: list[str] = []
    listed: list[str] = []
    container = next((n for n in names if _plain(n) == "meta-inf/container.xml"), None)
    if container is not None:
        listed = [
            name
            for path in _root_files(_inflate(archive, container, _MAX_CONTAINER), remarks)
            if (name := _entry(path, names)) is not None
        ]
    loose = [
        n
        for n in names
        if not re.search(r"(^|/)(META-INF|__MACOSX)/|(^|/)\.", n) and re.search(r"\.(xml|musicxml)$", n, re.I)
    ]
    wanted = next((n for n in (*listed, *loose) if _is_score(archive, n)), None)
    if wanted is None:
        wanted = next(iter((*listed, *loose)), None)
    if wanted is None:
        if any(n.lower().endswith(".mscx") for n in names):
            raise InputError("a MuseScore file; open it in MuseScore and export it as MusicXML")
        raise InputError("archive without a score; export the piece again as compressed MusicXML")
    if container is not None and (remarks or wanted not in listed[:1]):
        remarks = [f"the archive's container.xml is wrong; read '{wanted[:80]}'"]
    elif container is None and len(loose) > 1:
        remarks = [f"archive of {len(loose)} XML files without a container.xml; read '{wanted[:80]}'"]
    return _inflate(archive, wanted, MAX_BYTES), remarks


def _root_files(container: bytes, remarks: list[str]) -> list[str]:
    """Paths that a container lists, those of a MusicXML media type first.

    The container is searched rather than parsed: in many archives it is not well-formed (an
    apostrophe in a path between apostrophes).
    """
    text = as_utf8(container)
    if b"<!ENTITY" in text:
        raise InputError("container.xml declares entities; export the piece again")
    text = re.sub(rb"<!--.*?-->", b"", text, flags=re.DOTALL)
    found: list[tuple[bool, str]] = []
    for tag in re.findall(rb"<(?:[\w.-]+:)?rootfile\b[^<]*", text):
        path = _FULL_PATH.search(tag)
        if path is None:
            remarks.append("root file without a path")
            continue
        kind = re.search(rb"""media-type\s*=\s*["']([^"']*)""", tag)
        other = kind is not None and b"musicxml" not in kind[1].lower()
        raw = path[1] or path[2]
        if b"'" in raw and path[2]:
            remarks.append("apostrophe in a path between apostrophes")
        found.append((other, _unescaped(raw.decode("utf-8", "replace"))))
    return [path for _, path in sorted(found, key=lambda f: f[0])]


def _unescaped(text: str) -> str:
    for entity, character in (("&apos;", "'"), ("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


def _plain(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./").lstrip("/").casefold()


def _entry(path: str, names: Iterable[str]) -> str | None:
    """The entry that a container's path means: exact, or with another case, slash or encoding of the name."""
    if path in names:
        return path
    wanted = {_plain(path), _plain(unquote(path))}
    for name in names:
        # Names that are not flagged as UTF-8 are read as code page 437.
        with_utf8 = name.encode("cp437", "replace").decode("utf-8", "replace")
        if _plain(name) in wanted or _plain(with_utf8) in wanted:
            return name
    return None


def _is_score(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as file:
        start = file.read(_SNIFFED)
    encoding, mark = _encoding_of(start)
    if encoding != "utf-8":
        start = start[mark:].decode(encoding, "ignore").encode("utf-8", "ignore")
    return _ROOT.search(start) is not None


def _inflate(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError(f"'{name[:80]}' is compressed in a way that MusicXML does not use")
    with archive.open(name) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InputError(f"'{name[:80]}' inflates to more than {limit // 1000} kB; split the piece")
    return data


__all__ = ["MAX_BYTES", "MAX_ENTRIES", "as_utf8", "looks_like_xml", "xml_in"]
