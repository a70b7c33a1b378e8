"""Standard MIDI Files, read and written."""

from troubadour.formats.midi.events import is_midi
from troubadour.formats.midi.read import read_midi, read_midi_file
from troubadour.formats.midi.write import write_midi

__all__ = ["is_midi", "read_midi", "read_midi_file", "write_midi"]
