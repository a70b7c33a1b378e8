"""Marks: everything beside notes, tempo, metre and key that a score or a MIDI file says.

A mark has a place (tick, track), a kind and up to five values. `MarkKind` says which values each
kind uses; all others stay at their default. Writers pass over kinds that their format cannot hold.
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
    """The kinds of mark, with the values that each uses beside tick, track and (where given) pitch.

    Names of articulations, ornaments, dynamics and clefs are those of MusicXML 4.0.
    """

    # Enum's own hash is a Python function, ten times as slow; equality is that of str.
    __hash__ = str.__hash__

    # The piece: track WHOLE, tick 0.
    TITLE = "title"
    """`text`: the title inside the file, where it differs from `Piece.title` or must stay in the file."""
    SUBTITLE = "subtitle"
    """`text`"""
    COMPOSER = "composer"
    """`text`: likewise beside `Piece.composer`."""
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
    """`text`: name of the instrument, where it differs from the track's name."""
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
    """`number`: staff of the part, from 1, on which the note stands."""
    RELEASE = "release"
    """`value`: release velocity 0 to 127, -1 = the note ends with a note-on of velocity 0; `pitch` -1: all
    notes of the track without a mark of their own."""

    # Loudness and tempo.
    DYNAMIC = "dynamic"
    """`text`: `p`, `ff`, `sfz` ...; `value`: MIDI velocity, 0 = the writer's choice."""
    WEDGE = "wedge"
    """`text`: `crescendo` or `diminuendo`; from `tick` to `end`."""

    # Form: track WHOLE.
    REPEAT_START = "repeat-start"
    """At a barline."""
    REPEAT_END = "repeat-end"
    """At the barline that ends the passage; `number`: times it is played, 0 = not said (twice)."""
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
    """`value`: octaves by which the notes sound above what is written; from `tick` to `end`."""
    PEDAL = "pedal"
    """From `tick` to `end`."""
    TRANSPOSITION = "transposition"
    """`value`: semitones from written to sounding pitch; `number`: likewise in steps of the scale."""

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
    """`text`: the bytes in hexadecimal without F0, or with `number` 1 of an F7 event without F7."""
    SEQUENCER = "sequencer"
    """`text`: sequencer-specific bytes, or with `number` another meta event's type, in hexadecimal."""
    CHANNEL = "channel"
    """Where a track stands in its MIDI file: `value`: channel 0 to 15, -1 for none; `number`: chunk from 0;
    `end`: where the chunk ends. All its MIDI events are marks: a writer adds no program of its own."""
    PORT = "port"
    """`value`: MIDI port."""
    CLICK = "click"
    """Of the time signature at `tick`: `number`: MIDI clocks a click; `value`: 32nds a quarter."""
    SMPTE_OFFSET = "smpte-offset"
    """`text`: five bytes in hexadecimal."""
    FORMAT = "format"
    """`number`: format of the MIDI file; `text`: encoding of its texts; `end`: end of a chunk without notes
    that holds the maps."""
    RESTATED = "restated"
    """`text`: `tempo`, `metre` or `key`: the map's entry at `tick` stands in this track's chunk as well, or with
    `value` 1 here and not in the first chunk."""
    INSTANT = "instant"
    """The note of `pitch` has no length in its file; here it has one tick."""
    IMPLIED = "implied"
    """`text`: `tempo`, `metre` or `key`: the entry at tick 0 is a default that the source does not say."""


class Syllabic:
    """`Mark.value` of a lyric: where the syllable stands in its word."""

    SINGLE: Final = 0
    BEGIN: Final = 1
    MIDDLE: Final = 2
    END: Final = 3


FORM: Final = frozenset({MarkKind.REPEAT_START, MarkKind.REPEAT_END, MarkKind.ENDING, MarkKind.BARLINE})
"""Kinds that stand at a barline."""
PERFORMANCE: Final = frozenset({
    MarkKind.RELEASE, MarkKind.CONTROLLER, MarkKind.PITCH_BEND, MarkKind.CHANNEL_PRESSURE,
    MarkKind.KEY_PRESSURE, MarkKind.SYSEX, MarkKind.SEQUENCER, MarkKind.CHANNEL, MarkKind.PORT, MarkKind.CLICK,
    MarkKind.SMPTE_OFFSET, MarkKind.FORMAT, MarkKind.RESTATED, MarkKind.INSTANT, MarkKind.IMPLIED,
})  # fmt: skip
"""Kinds that only a MIDI file has."""
NOTATION: Final = frozenset(MarkKind) - PERFORMANCE
"""Kinds that a musician reads or sings."""
_FREE_PITCH: Final = frozenset({MarkKind.GRACE, MarkKind.KEY_PRESSURE})
"""Kinds whose pitch is their own and not that of a note at their tick."""


class Mark(NamedTuple):
    """One mark. Every value can be written as JSON."""

    tick: int
    """Where it stands or begins, in ticks of its score, >= 0."""
    track: int
    """Index into `Score.tracks`; `WHOLE` (-1) for the whole piece."""
    kind: MarkKind
    text: str = ""
    number: int = 0
    value: int = 0
    end: int = -1
    """End of a span in ticks; -1 = none."""
    pitch: int = -1
    """Sounding pitch of the note to which it belongs; -1 = no one note."""

    @property
    def on_note(self) -> bool:
        """Whether it belongs to the one note of its pitch that starts at its tick."""
        return self.pitch >= 0 and self.kind not in _FREE_PITCH

    def moved(self, ticks: int) -> Mark:
        """The mark, later by some ticks."""
        return self._replace(tick=self.tick + ticks, end=self.end + ticks if self.end >= 0 else -1)


def in_order(marks: Iterable[Mark], tracks: int) -> tuple[Mark, ...]:
    """Marks sorted by tick and track; those at one place stay in their order.

    The order at one place counts in MIDI: bank select comes before the program.

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
    """A chord symbol moved along the line of fifths: `F#m7/C#` by -2 is `Em7/B`.

    What does not begin with a root (`N.C.`, `IV`) stays as it is.
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
    while place > 11:  # beyond B# D# ... A#: the flat side reads easier
        place -= 12
    while place < -8:
        place += 12
    return name_of(place)
