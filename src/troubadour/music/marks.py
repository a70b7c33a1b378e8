"""Marks: all content of a score or MIDI file other than notes, tempo, metre and key.

A mark has a place (tick, track), a kind and up to five values. `MarkKind` documents the values that
each kind uses; all others stay at their default. Writers skip kinds that their format cannot hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from operator import itemgetter
from typing import Final, NamedTuple

from troubadour.core.errors import InputError
from troubadour.music.theory.names import fifth_of, name_of

WHOLE: Final = -1
"""`Mark.track` of a mark that belongs to the whole piece."""
MAX_TICK: Final = 2**30


class MarkKind(StrEnum):
    """Kinds of mark, with the values that each uses besides tick and track.

    Names of articulations, ornaments, dynamics and clefs follow MusicXML 4.0.
    """

    # The hash of Enum is a Python function and ten times as slow; equality is that of str.
    __hash__ = str.__hash__

    # The piece: track WHOLE, tick 0.
    TITLE = "title"
    """`text`: title inside the file, if it differs from `Piece.title` or must stay in the file."""
    SUBTITLE = "subtitle"
    """`text`"""
    COMPOSER = "composer"
    """`text`: composer inside the file, if it differs from `Piece.composer`."""
    LYRICIST = "lyricist"
    """`text`"""
    ARRANGER = "arranger"
    """`text`"""
    COPYRIGHT = "copyright"
    """`text`: rights as written."""
    CREDIT = "credit"
    """`text`: any other text on the page; `number`: page from 1."""

    # Words.
    LYRIC = "lyric"
    """`text`: one syllable; `number`: verse from 1; `value`: a `Syllabic`; `end`: end of the melisma."""
    CHORD = "chord"
    """`text`: chord symbol as written (`F#m7/C#`); `N.C.` for none. Transposed with the notes."""
    TEMPO_TEXT = "tempo-text"
    """`text`: `Allegro`. The tempo itself is in `Score.tempos`."""
    WORDS = "words"
    """`text`: direction as written (`dolce`, `rit.`)."""
    REHEARSAL = "rehearsal"
    """`text`: rehearsal mark."""
    MARKER = "marker"
    """`text`: MIDI marker."""
    CUE = "cue"
    """`text`: MIDI cue point."""
    TEXT = "text"
    """`text`: MIDI text event, or a remark."""
    INSTRUMENT_NAME = "instrument-name"
    """`text`: name of the instrument, if it differs from the name of the track."""
    ABBREVIATION = "abbreviation"
    """`text`: short name of the part."""

    # Notes: `pitch` of the note at `tick`; -1 = all notes of the track that start there.
    ARTICULATION = "articulation"
    """`text`: `staccato`, `tenuto`, `accent`, `strong-accent` (marcato), `staccatissimo`, `breath-mark` ..."""
    ORNAMENT = "ornament"
    """`text`: `trill-mark`, `mordent`, `turn`, `tremolo` (`number` of strokes), `arpeggiate` ...; `end`."""
    TECHNICAL = "technical"
    """`text`: `up-bow`, `fingering` ...; `number`: the finger or string."""
    FERMATA = "fermata"
    """`text`: shape, empty for the usual one."""
    GRACE = "grace"
    """A grace note before `tick`: `pitch`; `number`: its order; `value`: 1 = slashed, 0 = not."""
    SLUR = "slur"
    """From `tick` to `end`, the onset of its last note; `pitch` and `number` where several run at once."""
    STAFF = "staff"
    """`number`: staff of the part on which the note is written, from 1."""
    RELEASE = "release"
    """`value`: release velocity 0 to 127, -1 = the note ends with a note-on of velocity 0; `pitch` -1 = all
    notes of the track that have no such mark."""

    # Loudness and tempo.
    DYNAMIC = "dynamic"
    """`text`: `p`, `ff`, `sfz` ...; `value`: MIDI velocity, 0 = chosen by the writer."""
    WEDGE = "wedge"
    """`text`: `crescendo` or `diminuendo`; from `tick` to `end`."""

    # Form: track WHOLE.
    REPEAT_START = "repeat-start"
    """At a barline."""
    REPEAT_END = "repeat-end"
    """At the barline that ends the passage; `number`: times it is played, 0 = not given (twice)."""
    ENDING = "ending"
    """`text`: numbers as written (`1`, `1, 2`); `number`: the first; `value`: 1 = the bracket is open at
    the right; from `tick` to `end`."""
    BARLINE = "barline"
    """`text`: MusicXML's bar style (`light-light`, `light-heavy`, `dashed` ...) of the barline at `tick`."""
    JUMP = "jump"
    """`text`: `segno`, `coda`, `fine`, `tocoda`, `dacapo`, `dalsegno`; `number` where there are several."""

    # Staff.
    CLEF = "clef"
    """`text`: `G2`, `F4`, `C3`, `percussion`, `TAB`; `value`: octave change; `number`: staff from 1."""
    OCTAVE_SHIFT = "octave-shift"
    """`value`: octaves from written to sounding pitch, positive is up; from `tick` to `end`."""
    PEDAL = "pedal"
    """From `tick` to `end`."""
    TRANSPOSITION = "transposition"
    """`value`: semitones from written to sounding pitch; `number`: the same in steps of the scale."""

    # MIDI.
    PROGRAM = "program"
    """Change of instrument: `value`: General MIDI program 0 to 127; `text`: its name as written."""
    CONTROLLER = "controller"
    """`number`: controller 0 to 127; `value`: 0 to 127."""
    PITCH_BEND = "pitch-bend"
    """`value`: -8192 to 8191."""
    CHANNEL_PRESSURE = "channel-pressure"
    """`value`: 0 to 127."""
    KEY_PRESSURE = "key-pressure"
    """`pitch`, `value`: 0 to 127."""
    SYSEX = "sysex"
    """`text`: bytes in hexadecimal, without F0; with `number` 1 those of an F7 event, without F7."""
    SEQUENCER = "sequencer"
    """`text`: sequencer-specific bytes in hexadecimal; with `number` those of the meta event of that type."""
    CHANNEL = "channel"
    """Place of a track in its MIDI file. `value`: channel 0 to 15, -1 = none; `number`: chunk from 0; `end`:
    end of the chunk. All MIDI events of such a track are marks, so that writers add no program."""
    PORT = "port"
    """`value`: MIDI port."""
    CLICK = "click"
    """For the time signature at `tick`. `number`: MIDI clocks a click; `value`: 32nds a quarter."""
    SMPTE_OFFSET = "smpte-offset"
    """`text`: five bytes in hexadecimal."""
    FORMAT = "format"
    """`number`: format of the MIDI file; `text`: encoding of its texts; `end`: end of the chunk of the maps if
    it has no notes."""
    RESTATED = "restated"
    """`text`: `tempo`, `metre` or `key`, whose map has an entry at `tick` that is written in the chunk of this
    track too, or with `value` 1 in this chunk and not in the first."""
    INSTANT = "instant"
    """The note of `pitch` has length 0 in its file and 1 tick here."""
    IMPLIED = "implied"
    """`text`: `tempo`, `metre` or `key`, whose entry at tick 0 is a default and not in the source."""


class Syllabic:
    """`Mark.value` of a lyric: place of the syllable in its word."""

    SINGLE: Final = 0
    BEGIN: Final = 1
    MIDDLE: Final = 2
    END: Final = 3


FORM: Final = frozenset({MarkKind.REPEAT_START, MarkKind.REPEAT_END, MarkKind.ENDING, MarkKind.BARLINE})
"""Kinds whose place is a barline."""
PERFORMANCE: Final = frozenset({
    MarkKind.RELEASE, MarkKind.CONTROLLER, MarkKind.PITCH_BEND, MarkKind.CHANNEL_PRESSURE,
    MarkKind.KEY_PRESSURE, MarkKind.SYSEX, MarkKind.SEQUENCER, MarkKind.CHANNEL, MarkKind.PORT, MarkKind.CLICK,
    MarkKind.SMPTE_OFFSET, MarkKind.FORMAT, MarkKind.RESTATED, MarkKind.INSTANT, MarkKind.IMPLIED,
})  # fmt: skip
"""Kinds that only MIDI files contain."""
NOTATION: Final = frozenset(MarkKind) - PERFORMANCE
"""Kinds of written music: words, signs and symbols."""
_FREE_PITCH: Final = frozenset({MarkKind.GRACE, MarkKind.KEY_PRESSURE})
"""Kinds whose pitch is not that of a note at their tick."""


class Mark(NamedTuple):
    """One mark; all values can be stored as JSON."""

    tick: int
    """Place or start in ticks of the score, >= 0."""
    track: int
    """Index into `Score.tracks`; `WHOLE` (-1) for the whole piece."""
    kind: MarkKind
    text: str = ""
    number: int = 0
    value: int = 0
    end: int = -1
    """End of a span in ticks; -1 = none."""
    pitch: int = -1
    """Sounding pitch of the note to which the mark belongs; -1 = no single note."""

    @property
    def on_note(self) -> bool:
        """Whether the mark belongs to the note of its pitch that starts at its tick."""
        return self.pitch >= 0 and self.kind not in _FREE_PITCH

    def moved(self, ticks: int) -> Mark:
        """The mark moved by some ticks; positive is later."""
        return self._replace(tick=self.tick + ticks, end=self.end + ticks if self.end >= 0 else -1)


def in_order(marks: Iterable[Mark], tracks: int) -> tuple[Mark, ...]:
    """Marks sorted by tick and track; marks at one place keep their order.

    MIDI needs that order: bank select comes before the program.

    Args:
        tracks: number of tracks of the score.

    Raises:
        InputError: a value is out of range.
    """
    found = sorted(marks, key=itemgetter(0, 1))
    for tick, track, kind, _, _, _, end, pitch in found:
        if not 0 <= tick <= MAX_TICK or not WHOLE <= track < tracks or not -1 <= pitch < 128:
            raise InputError(
                f"mark {kind} at tick {tick} of track {track} with pitch {pitch}; allowed: "
                f"ticks 0 to {MAX_TICK}, tracks -1 to {tracks - 1}, pitches -1 to 127"
            )
        if end != -1 and not tick <= end <= MAX_TICK:
            raise InputError(f"mark {kind} from tick {tick} to {end}; allowed: a rising span")
    return tuple(found)


_CHORD_ROOT: Final = re.compile(r"([A-G])(##|bb|[#b♯♭𝄪𝄫]?)")


def transpose_chord(text: str, fifths: int) -> str:
    """A chord symbol moved along the line of fifths; `F#m7/C#` by -2 is `Em7/B`.

    Text that does not begin with a root (`N.C.`, `IV`) is returned unchanged.
    """
    root = _CHORD_ROOT.match(text)
    if not root:
        return text
    head, slash, bass = text[root.end() :].rpartition("/")
    below = _CHORD_ROOT.fullmatch(bass.strip()) if slash else None
    if below:
        return f"{_moved_name(root, fifths)}{head}/{_moved_name(below, fifths)}"
    return _moved_name(root, fifths) + text[root.end() :]


def _moved_name(found: re.Match[str], fifths: int) -> str:
    if not fifths:
        return found[0]
    place = fifth_of(found[0]) + fifths
    while place > 11:  # flats are easier to read than roots beyond E#
        place -= 12
    while place < -8:
        place += 12
    return name_of(place)
