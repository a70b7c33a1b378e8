"""Metres, keys and tempos of a MusicXML document: how they are written, and which of them count."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from troubadour.core.errors import InputError
from troubadour.music.score import MODES, Key, Metre, Tempo
from troubadour.music.theory.names import FIFTHS_ORDER

Element = Any
DEFAULT_TEMPO: Final = 100.0
_MODES: Final = {"aeolian": "minor", "ionian": "major"}
_UNITS: Final = {
    "maxima": 32.0, "long": 16.0, "breve": 8.0, "whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5,
    "16th": 0.25, "32nd": 0.125, "64th": 0.0625, "128th": 0.03125, "256th": 0.015625,
}  # fmt: skip
# Note signs of Unicode and SMuFL in words such as "Allegro (♩. = 96)".
_SIGNS: Final = {
    "\U0001d15d": 4.0, "\uecA2": 4.0, "\U0001d15e": 2.0, "\ueca3": 2.0, "\u2669": 1.0, "\U0001d15f": 1.0,
    "\ueca5": 1.0, "\u266a": 0.5, "\U0001d160": 0.5, "\ueca7": 0.5, "\U0001d161": 0.25, "\ueca9": 0.25,
}  # fmt: skip
_SPOKEN: Final = re.compile(
    rf"([{''.join(_SIGNS)}])\s*([.\u00b7\U0001d16d\uecb7]?)\s*=\s*(?:ca?\.?|circa|about)?\s*(\d{{1,4}}(?:[.,]\d+)?)"
)


class PartTransposition(NamedTuple):
    """From written to sounding pitch."""

    semitones: int = 0
    """Octaves included."""
    fifths: int | None = 0
    """What it adds to a signature; None where the file does not give the letters."""
    doubled: int = 0
    """Semitones from the sounding note to one that doubles it; 0 = none."""

    def key(self, fifths: int) -> int:
        """The sounding signature of a written one, not yet brought into -7 to 7.

        >>> PartTransposition(-2, -2).key(2)
        0
        """
        if self.fifths is not None:
            return fifths + self.fifths
        steps = 7 * self.semitones % 12
        return min((fifths + steps - 12 * n for n in range(3)), key=lambda k: (abs(k), -k))


@dataclass(slots=True)
class WrittenKey:
    """A signature in force from a place of one part on, as it sounds."""

    measure: int
    position: float
    """Ticks from the start of the measure."""
    fifths: int
    mode: str
    """Empty where the file does not say."""


@dataclass(slots=True)
class PartMaps:
    """Maps of one part in the order of the file."""

    metres: list[tuple[int, Metre | None]] = field(default_factory=list)
    """(measure, metre); None is free time."""
    keys: list[WrittenKey] = field(default_factory=list)
    tempos: list[tuple[int, float, float]] = field(default_factory=list)
    """(measure, ticks in it, quarters a minute)."""
    pitched: bool = False
    transposing: bool = False


def number_in(value: str | None, default: float = 0.0) -> float:
    """A finite decimal number.

    Raises:
        InputError: it is none.
    """
    if value is None:
        return default
    if value.isdecimal() and value.isascii() and len(value) <= 12:  # as nearly all are
        return float(value)
    if not value.strip():
        return default
    if not re.fullmatch(r"\s*[+-]?(\d{1,12}\.?\d{0,12}|\.\d{1,12})\s*", value):
        raise InputError(f"'{value.strip()[:40]}' where a number should stand")
    return float(value)


def transposition_of(item: Element) -> PartTransposition:
    """What a `transpose` element says."""
    octaves = round(number_in(item.findtext("octave-change")))
    chromatic = round(number_in(item.findtext("chromatic")))
    diatonic = item.findtext("diatonic")
    fifths = None if diatonic is None else 7 * chromatic - 12 * round(number_in(diatonic))
    # Nonsense such as a diatonic 0 beside a chromatic -2 would give a signature of 14 flats.
    if fifths is not None and not -11 <= fifths <= 11:
        fifths = None
    double = item.find("double")
    doubled = 0 if double is None else 12 if double.get("above") == "yes" else -12
    return PartTransposition(chromatic + 12 * octaves, fifths, doubled)


def metre_of(item: Element, remarks: Counter[str]) -> Metre | None:
    """What a `time` element says: one metre for additive ones, None for free time.

    Raises:
        InputError: a metre of no beats or of more than 64.
    """
    kinds = [k.text or "" for k in item.findall("beat-type")]
    beats = [b.text or "" for b in item.findall("beats")]
    if not beats:
        return None
    if len(kinds) not in (1, len(beats)):
        kinds = kinds[:1]
    total, common = 0.0, 1
    for i, group in enumerate(beats):
        count = sum(int(n) for n in re.findall(r"\d{1,4}", group))
        kind = round(number_in(kinds[min(i, len(kinds) - 1)] if kinds else None, 4))
        if not 1 <= count <= 64 or not 1 <= kind <= 1024:
            raise InputError(f"metre {count}/{kind}; allowed: 1 to 64 over 1, 2, 4 ... 64")
        if kind not in (1, 2, 4, 8, 16, 32, 64):
            remarks["metres that are not over 1, 2, 4 ... 64 read as free time"] += 1
            return None
        common = max(common, kind)
        total += count / kind
    numerator = round(total * common)
    if numerator > 64:
        raise InputError(f"metre {numerator}/{common}; allowed: 1 to 64 over 1, 2, 4 ... 64")
    return Metre(0, numerator, common)


def signature_of(item: Element, remarks: Counter[str]) -> tuple[int, str] | None:
    """Written fifths and mode (empty if it is not given) of a `key` element; None if it is no usual key."""
    fifths = item.findtext("fifths")
    if fifths is not None:
        mode = (item.findtext("mode") or "").strip().lower()
        mode = _MODES.get(mode, mode)
        value = number_in(fifths)
        if not value.is_integer() or not -14 <= value <= 14:
            raise InputError(f"key of {fifths.strip()} fifths; allowed: -14 to 14")
        return int(value), mode if mode in MODES else ""
    steps = [(s.text or "").strip() for s in item.findall("key-step")]
    alters = [number_in(a.text) for a in item.findall("key-alter")]
    for sign, order in ((1, FIFTHS_ORDER), (-1, FIFTHS_ORDER[::-1])):
        usual = set(order[: len(steps)])
        if steps and set(steps) == usual and all(a == sign for a in alters):
            return sign * len(steps), ""
    if steps:
        remarks["signatures that are no usual key passed over"] += 1
    return None


def tempo_of(direction: Element, sound: Element | None, current: float) -> float | None:
    """Quarters a minute that a direction asks for: its sound's, its metronome mark's or its words'."""
    told = sound.get("tempo") if sound is not None else None
    if told:
        return _sane(number_in(told))
    for mark in direction.iter("metronome"):
        units = [
            _UNITS.get((c.text or "").strip(), 1.0) if c.tag == "beat-unit" else 0.0
            for c in mark
            if c.tag in ("beat-unit", "beat-unit-dot")
        ]
        lengths: list[float] = []
        dots = 0
        for unit in units:
            if unit:
                lengths.append(unit)
                dots = 0
            elif lengths:
                dots += 1
                lengths[-1] *= (2 - 0.5**dots) / (2 - 0.5 ** (dots - 1))
        rate = re.search(r"\d+(?:[.,]\d+)?", mark.findtext("per-minute") or "")
        if rate and lengths:
            return _sane(float(rate[0].replace(",", ".")) * lengths[0])
        if len(lengths) == 2 and lengths[1]:
            return _sane(current * lengths[0] / lengths[1])  # the first value now lasts as long as the second
    for words in direction.iter("words"):
        spoken = _SPOKEN.search(words.text or "")
        if spoken:
            unit = _SIGNS[spoken[1]] * (1.5 if spoken[2] else 1.0)
            return _sane(float(spoken[3].replace(",", ".")) * unit)
    return None


def _sane(bpm: float) -> float | None:
    return bpm if 1 <= bpm <= 1000 else None


def metres_by_measure(parts: list[PartMaps], lengths: list[int], quarter: int) -> list[Metre]:
    """The metre in force in each measure.

    It is that of the first part that has any, unless only another part's fills the measure (4/4
    against 12/8).
    """
    running = [_running(p.metres, len(lengths)) for p in parts if p.metres]
    if not running:
        return [Metre(0, 4, 4)] * len(lengths)
    chosen: list[Metre] = []
    for metres, length in zip(zip(*running, strict=True), lengths, strict=True):
        chosen.append(next((m for m in metres if m.bar_ticks(quarter) == length), metres[0]))
    return chosen


def _running(changes: list[tuple[int, Metre | None]], count: int) -> list[Metre]:
    """The metre of one part in each measure; free time keeps the one before."""
    values: list[Metre] = []
    pending = sorted(changes, key=lambda c: c[0])
    current = Metre(0, 4, 4)
    for i in range(count):
        while pending and pending[0][0] <= i:
            current = pending.pop(0)[1] or current
        values.append(current)
    return values


def keys_of(parts: list[PartMaps], starts: dict[int, int], remarks: Counter[str]) -> tuple[Key, ...]:
    """The keys at each time, as they sound.

    The first pitched part decides where it has signs and does not transpose. Otherwise the parts
    vote, since horns, trumpets and timpani are often written without a signature. Equal numbers:
    parts that do not transpose count first, then earlier ones.
    """
    voices = [p for p in parts if p.keys and p.pitched] or [p for p in parts if p.keys]
    changes: list[tuple[int, int, WrittenKey]] = []
    for number, part in enumerate(voices):
        for key in part.keys:
            if key.measure in starts:
                changes.append((starts[key.measure] + round(key.position), number, key))
    if len(changes) < sum(len(p.keys) for p in voices):
        changes += _carried(voices, starts)
    now: dict[int, WrittenKey] = {}
    keys: list[Key] = []
    changes.sort(key=lambda c: c[0])
    for i, (tick, number, key) in enumerate(changes):
        now[number] = key
        if i + 1 < len(changes) and changes[i + 1][0] == tick:
            continue
        votes = Counter(k.fifths for k in now.values())
        best = max(now, key=lambda n: (votes[now[n].fifths], not voices[n].transposing, -n))
        if 0 in now and now[0].fifths and not voices[0].transposing:
            best = 0
        fifths = now[best].fifths
        mode = next((now[n].mode for n in sorted(now) if now[n].fifths == fifths and now[n].mode), "major")
        wrapped = fifths
        while not -7 <= wrapped <= 7:
            wrapped += 12 if wrapped < 0 else -12
        if wrapped != fifths:
            remarks["keys beyond seven signs read as the same key with fewer"] += 1
        if not keys:
            keys.append(Key(0, wrapped, mode))
        elif (wrapped, mode) != keys[-1][1:]:
            keys.append(Key(tick, wrapped, mode))
    return tuple(keys) or (Key(0, 0, "major"),)


def _carried(voices: list[PartMaps], starts: dict[int, int]) -> list[tuple[int, int, WrittenKey]]:
    """Keys from measures that were left out, moved to the next one that was kept."""
    found: list[tuple[int, int, WrittenKey]] = []
    kept = sorted(starts)
    for number, part in enumerate(voices):
        for i, key in enumerate(part.keys):
            if key.measure in starts:
                continue
            later = next((m for m in kept if m > key.measure), None)
            following = part.keys[i + 1].measure if i + 1 < len(part.keys) else None
            if later is not None and (following is None or following > later):
                found.append((starts[later], number, key))
    return found


def tempos_of(parts: list[PartMaps], starts: dict[int, int], quarter: int) -> tuple[Tempo, ...]:
    """Tempos of all parts; at one time the first part's counts, and of one part's the last."""
    by_tick: dict[int, tuple[int, float]] = {}
    for number, part in enumerate(parts):
        for measure, position, bpm in part.tempos:
            if measure in starts:
                tick = starts[measure] + max(0, round(position))
                if by_tick.get(tick, (number, 0.0))[0] == number:
                    by_tick[tick] = (number, bpm)
    tempos = [Tempo(tick, by_tick[tick][1]) for tick in sorted(by_tick)]
    if not tempos or tempos[0].tick > 0:
        # A mark over the first notes after a rest or an upbeat means the beginning, too.
        first = tempos[0].bpm if tempos and tempos[0].tick < 4 * quarter else DEFAULT_TEMPO
        tempos = [Tempo(0, first), *(t for t in tempos if t.bpm != first or t.tick >= 4 * quarter)]
    return tuple(t for i, t in enumerate(tempos) if not i or t.bpm != tempos[i - 1].bpm)


__all__ = [
    "PartMaps",
    "PartTransposition",
    "WrittenKey",
    "keys_of",
    "metre_of",
    "metres_by_measure",
    "number_in",
    "signature_of",
    "tempo_of",
    "tempos_of",
    "transposition_of",
]
