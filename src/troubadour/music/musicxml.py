"""MusicXML in and out."""

from troubadour.music.musicxml_read import read_musicxml, read_musicxml_file
from troubadour.music.musicxml_write import write_musicxml

__all__ = ["read_musicxml", "read_musicxml_file", "write_musicxml"]
