"""General MIDI drums (keys 35 to 81 of channel 10) from names, sound ids and places on the staff."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

SNARE: Final = 38
"""Used where nothing says which drum it is."""

# The first pattern that fits decides, so "bass drum" stands before "drum" and "open hi-hat" before "hi-hat".
_PATTERNS: Final = tuple(
    (re.compile(pattern), key)
    for pattern, key in (
        (r"(side|cross).?stick|rim.?(shot|click)|\brim\b|drum.?sticks|stick click", 37),
        (r"electric snare|snare.?drum.electric|snare.*2|snare\.electric", 40),
        (r"snare|kleine trommel|kl\.? ?tr|caisse claire|tamburo|tambour\b|\bs\.? ?d\.?(?=$|[^a-z])|repinique|tabor|tarole", 38),
        (r"acoustic bass drum|bass.?drum.*(2|acoustic)|kick.*2|lambeg|gran ?tamburo", 35),
        (r"bass.?drum|kick|gran ?cassa|grosse (trommel|caisse)|gro\u00dfe trommel|gr\.? ?tr|\bb\.? ?d\.?(?=$|[^a-z])|\bg\.? ?c\.?(?=$|[^a-z])|bombo|surdo|o-daiko|cassa", 36),
        (r"pedal hi.?.?hat|hi.?.?hat.*(pedal|foot)|foot.*hi.?.?hat", 44),
        (r"open hi.?.?hat|hi.?.?hat.*open|half.?open hi", 46),
        (r"hi.?.?hat|charleston|\bh\.? ?h\.?(?=$|[^a-z])", 42),
        (r"low floor tom|floor tom.*(low|2)", 41),
        (r"floor tom", 43),
        (r"(hi|high)[ -]?mid.*tom|tom.*(hi|high)[ -]mid", 48),
        (r"low[ -]?mid.*tom|tom.*low[ -]mid", 47),
        (r"(hi|high) tom|tom.*(hi|high|\b1\b)", 50),
        (r"low tom|tom.*(low|\b3\b)", 45),
        (r"tom\b|tom-?tom|toms\b|tenor.?drum|tenortrommel|rototom|r\u00fchrtrommel", 47),
        (r"ride.*bell|bell.*ride", 53),
        (r"ride.*2", 59),
        (r"ride", 51),
        (r"splash", 55),
        (r"chin(a|ese).*(cymbal)?|cymbal\.chinese", 52),
        (r"crash.*2", 57),
        (r"crash|cymbal|becken|piatt[io]|cinell[io]|\bcym\.?|zil(l|ls)\b", 49),
        (r"tam-?tam|gong", 52),
        (r"tambo?urine?|tamburin|tamburello|schellen|pandeiro|riq|kanjira|daff?\b|tamborim", 54),
        (r"cow.?bell|kuhglocke|almglocken|cencerro|trychel", 56),
        (r"vibra.?slap|jawbone", 58),
        (r"(low|2).*bongo|bongo.*(low|2)", 61),
        (r"bongo", 60),
        (r"mute.*conga|conga.*mute|slap conga", 62),
        (r"(low|2).*conga|conga.*(low|2)|tumba", 64),
        (r"conga|djembe|darabuka|dumbek|tabla|ashiko|hand.?drum|quinto", 63),
        (r"(low|2).*timbale|timbale.*(low|2)", 66),
        (r"timbale", 65),
        (r"(low|2).*agogo|agogo.*(low|2)", 68),
        (r"agogo", 67),
        (r"cabasa|afoxe|shekere|afuche", 69),
        (r"rattle\.cog", 73),
        (r"maraca|shaker|ganza|caxixi|rattle|sand.?block|brush", 70),
        (r"long whistle|whistle.*(long|slide|siren)|lions?-?'?s?.?roar|siren", 72),
        (r"whistle", 71),
        (r"long gu?iro|gu?iro.*long", 74),
        (r"gu?iro|ratchet|ratsche|raganella|cog\b|washboard|scratch", 73),
        (r"claves?|castanet|kastagnetten|castagnett|bones\b|hyoushigi", 75),
        (r"(low|2).*(wood|temple).?.?block|(wood|temple).?.?block.*(low|2)", 77),
        (r"(wood|temple|granite|jam|tic-toc).?.?block|holzblock|tempelblock|slit.?drum|log.?drum|bloc", 76),
        (r"mute.*cuica|cuica.*mute", 78),
        (r"cuica", 79),
        (r"mute.*triang|triang.*(mute|closed)", 80),
        (r"triang|\btri\.?(?=$|[^a-z])|\btrgl", 81),
        (r"clap|whip|slapstick|peitsche|frusta|slap\b|snap|stomp|stamp", 39),
        (r"sleigh|jingle|mark.?tree|wind.?chime|chimes|bar chime|bell.?tree|finger.cymbal|crotal|tingsha", 81),
        (r"anvil|amboss|incudine|brake.?drum", 56),
        (r"caj[o\u00f3]n|kick", 36),
        (r"thunder|donner", 49),
    )
)  # fmt: skip
_GENERIC: Final = re.compile(
    r"drum.?(set|kit|s\b)|percussion|schlagzeug|batter(ia|ie)|\bperc\b|\bdr\b|^drum$", re.IGNORECASE
)
# Common drum-kit notation: (letter, octave) in the treble clef, plain and with a cross.
_PLAIN: Final = {
    "D4": 44, "E4": 35, "F4": 36, "G4": 41, "A4": 43, "B4": 45, "C5": 38, "D5": 47, "E5": 48, "F5": 50, "G5": 42,
    "A5": 49, "B5": 55, "C6": 52,
}  # fmt: skip
_CROSS: Final = {
    "D4": 44, "E4": 44, "F4": 44, "G4": 56, "A4": 37, "B4": 54, "C5": 37, "D5": 53, "E5": 56, "F5": 51, "G5": 42,
    "A5": 49, "B5": 57, "C6": 52,
}  # fmt: skip
CROSSES: Final = ("x", "cross", "circle-x", "diamond", "slashed", "back slashed")
"""Noteheads of cymbals and rims."""


@lru_cache(maxsize=4096)
def drum_of_name(name: str) -> int | None:
    """The General MIDI drum that a name or sound id means, None if it means no single one.

    >>> drum_of_name("Snare Drum"), drum_of_name("metal.triangle"), drum_of_name("Drumset")
    (38, 81, None)
    """
    text = name.lower()
    return next((key for pattern, key in _PATTERNS if pattern.search(text)), None)


def names_percussion(name: str) -> bool:
    """Whether a name means percussion without a pitch, a whole kit included.

    >>> names_percussion("Percussion"), names_percussion("Flute")
    (True, False)
    """
    return _GENERIC.search(name) is not None or drum_of_name(name) is not None


def drum_at(step: str, octave: int, notehead: str = "normal") -> int:
    """The drum that stands at a place of the staff in common drum-kit notation.

    >>> drum_at("C", 5), drum_at("G", 5, "x"), drum_at("G", 5, "circle-x")
    (38, 42, 46)
    """
    place = f"{step}{octave}"
    if notehead == "circle-x" and place == "G5":
        return 46
    table = _CROSS if notehead in CROSSES else _PLAIN
    return table.get(place, SNARE)


__all__ = ["CROSSES", "SNARE", "drum_at", "drum_of_name", "names_percussion"]
