"""MusicXML in and out."""

from troubadour.formats.musicxml.read import read_musicxml, read_musicxml_file
from troubadour.formats.musicxml.write import write_musicxml

__all__ = ["read_musicxml", "read_musicxml_file", "write_musicxml"]
