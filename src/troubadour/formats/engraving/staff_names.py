"""Names and abbreviations of the General MIDI programs, as they stand before a staff."""

from __future__ import annotations

from typing import Final, NamedTuple


class InstrumentName(NamedTuple):
    """What stands before the first and before every later system."""

    name: str
    abbreviation: str


_ALL: Final = """\
Piano|Pno.
Bright Piano|Br. Pno.
Electric Grand Piano|E. Gr. Pno.
Honky-tonk Piano|H.-t. Pno.
Electric Piano|E. Pno.
FM Electric Piano|FM Pno.
Harpsichord|Hpsd.
Clavinet|Clav.
Celesta|Cel.
Glockenspiel|Glock.
Music Box|Mus. Box
Vibraphone|Vib.
Marimba|Mar.
Xylophone|Xyl.
Tubular Bells|Tub. B.
Dulcimer|Dulc.
Drawbar Organ|Dr. Org.
Percussive Organ|Perc. Org.
Rock Organ|R. Org.
Organ|Org.
Harmonium|Harm.
Accordion|Acc.
Harmonica|Hca.
Bandoneon|Band.
Classical Guitar|Guit.
Steel-string Guitar|St. Guit.
Jazz Guitar|J. Guit.
Electric Guitar|E. Guit.
Muted Electric Guitar|M. E. Guit.
Overdriven Guitar|Od. Guit.
Distortion Guitar|Dist. Guit.
Guitar Harmonics|Guit. Harm.
Acoustic Bass|Ac. B.
Bass Guitar|B. Guit.
Picked Bass Guitar|P. B. Guit.
Fretless Bass|Frl. B.
Slap Bass|Sl. B.
Slap Bass 2|Sl. B. 2
Synth Bass|Syn. B.
Synth Bass 2|Syn. B. 2
Violin|Vln.
Viola|Vla.
Violoncello|Vc.
Double Bass|Db.
Tremolo Strings|Trem. Str.
Pizzicato Strings|Pizz. Str.
Harp|Hp.
Timpani|Timp.
Strings|Str.
Slow Strings|Sl. Str.
Synth Strings|Syn. Str.
Synth Strings 2|Syn. Str. 2
Choir|Ch.
Voice|V.
Synth Voice|Syn. V.
Orchestra Hit|Orch. Hit
Trumpet in B♭|B♭ Tpt.
Trombone|Tbn.
Tuba|Tba.
Muted Trumpet in B♭|M. B♭ Tpt.
Horn in F|F Hn.
Brass|Br.
Synth Brass|Syn. Br.
Synth Brass 2|Syn. Br. 2
Soprano Saxophone|S. Sax.
Alto Saxophone|A. Sax.
Tenor Saxophone|T. Sax.
Baritone Saxophone|Bar. Sax.
Oboe|Ob.
English Horn|E. Hn.
Bassoon|Bsn.
Clarinet in B♭|B♭ Cl.
Piccolo|Picc.
Flute|Fl.
Recorder|Rec.
Pan Flute|P. Fl.
Blown Bottle|Bottle
Shakuhachi|Shak.
Tin Whistle|Wh.
Ocarina|Oc.
Square Lead|Sq. Ld.
Saw Lead|Saw Ld.
Calliope|Call.
Chiff Lead|Ch. Ld.
Charang|Char.
Voice Lead|V. Ld.
Fifths Lead|5ths Ld.
Bass and Lead|B. Ld.
New Age Pad|N. A. Pad
Warm Pad|W. Pad
Polysynth|Polys.
Choir Pad|Ch. Pad
Bowed Pad|B. Pad
Metallic Pad|Met. Pad
Halo Pad|H. Pad
Sweep Pad|Sw. Pad
Rain|Rain
Soundtrack|Sndtr.
Crystal|Cryst.
Atmosphere|Atm.
Brightness|Brt.
Goblins|Gob.
Echoes|Ech.
Sci-fi|Sci-fi
Sitar|Sit.
Banjo|Bj.
Shamisen|Sham.
Koto|Koto
Kalimba|Kal.
Bagpipe|Bagp.
Fiddle|Fid.
Shehnai|Sheh.
Tinkle Bell|Tink. B.
Agogo Bells|Ag. B.
Steel Drums|St. Dr.
Woodblock|Wdbl.
Taiko|Taiko
Melodic Tom|Mel. Tom
Synth Drum|Syn. Dr.
Reverse Cymbal|Rev. Cym.
Fret Noise|Fret N.
Breath Noise|Br. N.
Seashore|Seash.
Bird Tweet|Bird
Telephone|Tel.
Helicopter|Heli.
Applause|Appl.
Gunshot|Gun."""
INSTRUMENT_NAMES: Final = tuple(InstrumentName(*line.split("|")) for line in _ALL.split("\n"))
"""One for each program from 0 to 127."""
DRUMS: Final = InstrumentName("Drum Set", "Dr.")
CHOIR: Final = (
    InstrumentName("Soprano", "S."), InstrumentName("Alto", "A."), InstrumentName("Tenor", "T."),
    InstrumentName("Bass", "B."),
)  # fmt: skip

_ALSO: Final = (
    InstrumentName("Clarinet", "Cl."), InstrumentName("Trumpet", "Tpt."), InstrumentName("Horn", "Hn."),
    InstrumentName("Saxophone", "Sax."), InstrumentName("Cello", "Vc."),
)  # fmt: skip
"""Names that scores have beside those of the list."""


def abbreviate(name: str) -> str:
    """A short form of a name: the list's for an instrument, else initials of several words, or the beginning.

    What follows an instrument's name stays, such as a number; a key comes before it.

    >>> abbreviate("Lead Vocals"), abbreviate("Melody"), abbreviate("Solo")
    ('L. V.', 'Mel.', 'Solo')
    >>> abbreviate("Violin II"), abbreviate("Clarinet in Bb"), abbreviate("Tenor Sax")
    ('Vln. II', 'Bb Cl.', 'T. Sax.')
    """
    low = name.lower().replace(" sax ", " saxophone ") + ("ophone" if name.lower().endswith(" sax") else "")
    for known in sorted((*INSTRUMENT_NAMES, *_ALSO, *CHOIR, DRUMS), key=lambda k: -len(k.name)):
        if low == known.name.lower():
            return known.abbreviation
        if low.startswith(known.name.lower() + " "):
            words = name.split()
            rest = words[len(known.name.split()) :]
            if len(rest) == 1 and (rest[0].isdigit() or set(rest[0]) <= set("IVX")):
                return f"{known.abbreviation} {rest[0]}"
            if len(rest) == 2 and rest[0].lower() == "in" and len(rest[1]) <= 2:
                return f"{rest[1]} {known.abbreviation}"
    words = name.split()
    if len(words) > 1:
        return " ".join(w if w.isdigit() else f"{w[0]}." for w in words)
    return name if len(name) <= 5 else f"{name[:3]}."
