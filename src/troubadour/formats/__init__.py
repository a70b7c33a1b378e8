"""File formats of scores: MIDI, ABC and MusicXML, engraving, and rendering to sound."""
