"""The request that every composer takes: the one declaration of the composing controls.

The options of the command line, the REST model and the form of the page are built from the fields of `Brief`
(see `control_spec`). A new control is a new field here, and what composes to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from troubadour.core.errors import InputError
from troubadour.generation import control_text as text
from troubadour.generation.control_spec import ControlSpec, to_json, verify
from troubadour.generation.control_text import GivenNote, parse_key, parse_metre

FEWEST_COMMON: Final = 6
"""Least value of `max_common`: shorter matches are common to almost all tunes."""
_KEYS: Final = tuple(
    f"{tonic} {mode}"
    for tonic in ("C", "G", "D", "A", "F", "Bb")
    for mode in ("major", "minor", "dorian", "mixolydian")
)
_METRES: Final = ("4/4", "3/4", "2/4", "6/8", "9/8", "12/8", "2/2", "3/2")


@dataclass(frozen=True, slots=True)
class Brief:
    """Controls of one piece; the composer decides those that are `None`.

    Style, guidance, temperature and top_p steer the sampling, key and density too unless `strict` is set. All
    others are constraints that always hold.

    Raises:
        InputError: a value is out of range (the message says which and what is allowed).
    """

    style: Annotated[
        str | None,
        ControlSpec(
            "Style, such as jig, reel, hornpipe, air or chorale.",
            label="Style",
            choices_of="styles",
            example="jig",
            group="main",
        ),
    ] = None
    metre: Annotated[
        tuple[int, int] | None,
        ControlSpec(
            "Metre, such as 6/8.",
            label="Metre",
            suggestions=_METRES,
            example="6/8",
            parse=parse_metre,
            show=text.metre_name,
            check=text.check_metre,
            group="main",
            from_piece=True,
        ),
    ] = None
    key: Annotated[
        tuple[int, str] | None,
        ControlSpec(
            "Key, such as D, 'E minor' or 'A dorian'.",
            label="Key",
            suggestions=_KEYS,
            example="A dorian",
            parse=parse_key,
            show=text.key_name,
            check=text.check_key,
            group="main",
        ),
    ] = None
    """Key signature in fifths (-7 to 7), and mode."""
    bars: Annotated[
        int | None,
        ControlSpec(
            "Number of bars, an upbeat not counted.",
            label="Bars",
            low=1,
            high=64,
            group="main",
            from_piece=True,
        ),
    ] = None
    voices: Annotated[
        int | None,
        ControlSpec(
            "Number of voices: 1 for a tune, 4 for a chorale.",
            label="Voices",
            low=1,
            high=8,
            group="main",
            from_piece=True,
        ),
    ] = None
    tempo_bpm: Annotated[
        float | None,
        ControlSpec(
            "Tempo in quarter notes a minute.",
            label="Quarters a minute",
            option="tempo",
            low=20,
            high=336,
            unit="quarters a minute",
            group="main",
        ),
    ] = None
    density: Annotated[
        int | None,
        ControlSpec("Number of notes for the length: 0 is few, 7 is many.", label="Density", low=0, high=7),
    ] = None
    upbeat: Annotated[
        bool | None,
        ControlSpec("Whether the piece starts with an upbeat.", label="Upbeat", from_piece=True),
    ] = None
    strict: Annotated[
        bool,
        ControlSpec(
            "Key (as a scale) and density hold for every note; without it they only guide the composer. "
            "The scale of a minor key has both sixths and both sevenths: natural and raised.",
            label="Key and density hold for every note",
        ),
    ] = False
    chords: Annotated[
        str | None,
        ControlSpec(
            "Chords, one a bar: 'G C D7 G'; several a bar: 'G | C D7 | G'.",
            label="Chords",
            example="G C D7 G",
        ),
    ] = None
    """See `constraints.chords`."""
    instruments: Annotated[
        tuple[int, ...] | None,
        ControlSpec(
            "Instrument of each voice: 'flute' or 'violin,viola,cello,bassoon'.",
            label="Instruments",
            example="violin, cello",
            parse=text.parse_instruments,
            show=text.instrument_names,
            check=text.check_instruments,
            wire=list[str] | str,
            from_piece=True,
        ),
    ] = None
    """General MIDI program of each voice."""
    ranges: Annotated[
        tuple[tuple[int, int], ...] | None,
        ControlSpec(
            "Range of each voice, or one for all: '60-79,55-72' or 'C4-G5'.",
            label="Range of each voice",
            example="C4-G5",
            parse=text.parse_ranges,
            show=text.as_lists,
            check=text.check_ranges,
            wire=list[tuple[int | str, int | str]] | str,
        ),
    ] = None
    """Lowest and highest pitch of each voice; one range counts for all voices."""
    lowest: Annotated[
        int | None,
        ControlSpec(
            "Lowest note, as a MIDI pitch or a name such as C4.",
            label="Lowest note",
            low=0,
            high=127,
            unit="as a MIDI pitch",
            example="G3",
            parse=text.parse_pitch,
            wire=int | str,
        ),
    ] = None
    highest: Annotated[
        int | None,
        ControlSpec(
            "Highest note, as a MIDI pitch or a name such as C6.",
            label="Highest note",
            low=0,
            high=127,
            unit="as a MIDI pitch",
            example="C6",
            parse=text.parse_pitch,
            wire=int | str,
        ),
    ] = None
    cadence: Annotated[
        bool | None,
        ControlSpec(
            "Whether the piece ends on its tonic (several voices: in its chord, the bass on the tonic). "
            "Default: it does, unless that conflicts with another constraint.",
            label="Ends on its tonic",
            labels=("yes", "it need not"),
        ),
    ] = None
    notes: Annotated[
        tuple[GivenNote, ...],
        ControlSpec(
            "Notes that the piece must contain, as VOICE:START:LENGTH:NOTE in quarters from the first bar.",
            label="Given notes",
            example="1:0:1:D4 1:1:1:E4",
            parse=text.parse_notes,
            show=text.as_lists,
            wire=list[tuple[int, int, int, int]] | str,
            from_piece=True,
        ),
    ] = ()
    parallels: Annotated[
        bool | None,
        ControlSpec(
            "Whether two voices may move in parallel fifths, octaves or unisons. Default: not in a chorale, unless "
            "a given voice has them; elsewhere they may.",
            label="Parallel fifths",
            labels=("allowed", "barred"),
        ),
    ] = None
    max_common: Annotated[
        int | None,
        ControlSpec(
            "Most successive notes in common with any piece of the catalogue, in any key and tempo.",
            label="Most notes in common with any piece",
            low=FEWEST_COMMON,
            high=64,
            unit="notes",
        ),
    ] = None
    guidance: Annotated[
        float,
        ControlSpec(
            "Weight of the style: 1 as learnt, more to strengthen it, which takes about twice the time.",
            label="Weight of the style",
            low=1,
            high=4,
            step=0.5,
        ),
    ] = 1.0
    temperature: Annotated[
        float,
        ControlSpec(
            "Temperature of the sampling: low values give likelier notes.",
            label="Temperature",
            low=0.1,
            high=2,
            step=0.05,
            always_shown=True,
        ),
    ] = 0.9
    top_p: Annotated[
        float,
        ControlSpec(
            "Share of the probability that is sampled from.",
            label="Share sampled from",
            low=0,
            above=True,
            high=1,
            step=0.01,
            always_shown=True,
        ),
    ] = 0.97

    def __post_init__(self) -> None:
        verify(self)
        if self.bars == 1 and self.upbeat:
            raise InputError("bars is 1 and upbeat is set; allowed with an upbeat: 2 bars or more")

    @property
    def is_complete(self) -> bool:
        """Whether metre, key, bars, tempo and voices are decided."""
        return None not in (self.metre, self.key, self.bars, self.tempo_bpm, self.voices)

    def controls(self) -> dict[str, Any]:
        """The controls that are set or decided, for JSON."""
        return to_json(self)


__all__ = ["FEWEST_COMMON", "Brief", "GivenNote", "parse_key", "parse_metre"]
