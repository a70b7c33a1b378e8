"""Write scores as ABC 2.1.

ABC holds notes, metres, keys, tempos, instruments, words, chord symbols and the usual signs. It does not hold
velocities, controllers, pitch bend and changes of instrument.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from troubadour.core.errors import InputError
from troubadour.formats.abc.signs import Signs
from troubadour.formats.abc.voice import MAX_LAYERS
from troubadour.music.exact import at_exact_tempo
from troubadour.music.marks import Mark, MarkKind
from troubadour.music.piece import Piece
from troubadour.music.quantise import NOTATION_TICKS, quantise
from troubadour.music.score import Key, Metre, Score
from troubadour.music.theory.spelling import signature, spell

_UNIT: Final = NOTATION_TICKS // 2
"""Ticks of the unit length, an eighth."""
_SHORTEST: Final = NOTATION_TICKS // 8
"""A 32nd: what lies on its multiples needs no tuplet."""
_BARS_A_LINE: Final = 4
_TUPLETS: Final = ((3, 2), (5, 4), (7, 4))
_WINDOWS: Final = (_UNIT, NOTATION_TICKS, 2 * NOTATION_TICKS)
_ACCIDENTALS: Final = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}


@dataclass(slots=True)
class _Item:
    """Notes or a rest as they are written, within one bar."""

    start: int
    end: int
    pitches: tuple[int, ...]
    tied_in: bool = False
    tied_out: bool = False


@dataclass(frozen=True, slots=True)
class _Bar:
    start: int
    end: int
    origin: int
    """Where the whole bar would start: before `start` for an upbeat."""
    metre: Metre
    key: Key


def write_abc(piece: Piece, *, number: int = 1) -> str:
    """A piece as one tune of an ABC book.

    Notes are brought onto the grid of notation first: 32nds, triplets, quintuplets and septuplets.
    Costs about 10 ms for a tune.

    Args:
        number: the tune's number in its book (`X:`).

    Raises:
        InputError: no notes, or more notes at once in a track than ABC's overlays hold.
    """
    score = at_exact_tempo(quantise(piece.score, ticks_per_quarter=NOTATION_TICKS), piece.score)
    if not len(score):
        raise InputError("a score without notes cannot be written as ABC")
    bars = _bars(score)
    signs = Signs(score)
    lines = [f"X:{number}", f"T:{_escaped(piece.title) or 'Untitled'}"]
    lines += [f"T:{_escaped(m.text)}" for m in score.marks if m.kind is MarkKind.SUBTITLE]
    lines += [f"C:{_escaped(piece.composer)}"] if piece.composer else []
    lines += [f"R:{_escaped(piece.style)}"] if piece.style else []
    text = signs.tempo_text()
    lines += [f"M:{score.metres[0].name}", "L:1/8", f"Q:{text}1/4={score.tempos[0].bpm:.8g}"]
    for i, track in enumerate(score.tracks):
        clef = "perc" if track.is_drum else _clef(score, i)
        name = _escaped(track.name).replace('"', "'")
        lines.append(f"V:{i + 1} clef={clef}" + (f' name="{name}"' if name else ""))
    lines.append(f"K:{_key_text(score.keys[0])}")
    for i, track in enumerate(score.tracks):
        lines.append(f"V:{i + 1}")
        lines.append("%%MIDI channel 10" if track.is_drum else f"%%MIDI program {track.program}")
    voices = [_voice(score, i, bars, signs) for i in range(len(score.tracks))]
    for first in range(0, len(bars), _BARS_A_LINE):
        for i, written in enumerate(voices):
            row = written[first : first + _BARS_A_LINE]
            lines.append(f"[V:{i + 1}] " + " ".join(bar for bar, _ in row))
            lines += signs.word_lines(i, [item for _, items in row for item in items])
    lines += [f"W:{_escaped(m.text)}" for m in score.marks if m.kind is MarkKind.CREDIT]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """A text string: one line, its special characters escaped."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain.replace("\\", "\\\\").replace("%", "\\%").replace("&", "\\&")


def _key_text(key: Key) -> str:
    tonic, mode = key.name.split(" ")
    return f"{tonic}{'' if mode == 'major' else 'm' if mode == 'minor' else ' ' + mode[:3]}"


def _clef(score: Score, track: int) -> str:
    pitch = score.pitch[score.track == track]
    return "bass" if pitch.mean() < 57 else "treble"


def _bars(score: Score) -> list[_Bar]:
    starts = score.bar_starts().tolist()
    bars = []
    last = starts[-1]
    for i, start in enumerate(starts):
        metre = next(m for m in reversed(score.metres) if m.tick <= start)
        key = next(k for k in reversed(score.keys) if k.tick <= start)
        length = metre.bar_ticks(score.ticks_per_quarter)
        upbeat = score.upbeat_ticks if not i else 0
        end = starts[i + 1] if start != last else start + (upbeat or length)
        bars.append(_Bar(start, end, end - length if upbeat else start, metre, key))
    if len(bars) == 1 and score.upbeat_ticks:
        bars.append(_Bar(bars[0].end, bars[0].end + length, bars[0].end, metre, key))
    return bars


def _layers(score: Score, track: int) -> list[list[_Item]]:
    """Notes of a track as rows of chords that do not overlap."""
    layers: list[list[_Item]] = []
    mine = score.track == track
    rows = zip(
        score.onset[mine].tolist(), score.duration[mine].tolist(), score.pitch[mine].tolist(), strict=True
    )
    for onset, duration, pitch in rows:
        for layer in layers:
            last = layer[-1]
            if (last.start, last.end) == (onset, onset + duration):
                last.pitches = (*last.pitches, pitch)
                break
            if last.end <= onset:
                layer.append(_Item(onset, onset + duration, (pitch,)))
                break
        else:
            layers.append([_Item(onset, onset + duration, (pitch,))])
    if len(layers) > MAX_LAYERS:
        raise InputError(
            f"track {track + 1} has notes of {len(layers)} different lengths at once; ABC holds {MAX_LAYERS} a voice: "
            "write MIDI or MusicXML, or split the track"
        )
    return layers


def _voice(score: Score, track: int, bars: Sequence[_Bar], signs: Signs) -> list[tuple[str, list[_Item]]]:
    """Each bar's text with its barline, and its notes in the first layer (words stand under those)."""
    layers = [
        _in_bars(layer, bars, signs.cuts(track) if not i else frozenset())
        for i, layer in enumerate(_layers(score, track))
    ]
    written = []
    tempos = {t.tick: t.bpm for t in score.tempos[1:]} if not track else {}
    for i, bar in enumerate(bars):
        text = ""
        if i and bar.metre[1:] != bars[i - 1].metre[1:]:
            text += f"[M:{bar.metre.name}]"
        if i and bar.key[1:] != bars[i - 1].key[1:]:
            text += f"[K:{_key_text(bar.key)}]"
        if bar.start in tempos:
            text += f"[Q:1/4={tempos[bar.start]:.8g}]"
        used = max([j for j, layer in enumerate(layers) if any(item.pitches for item in layer[i])], default=0)
        rows = [
            _layer(layer[i], bar, track if not j else None, signs)
            for j, layer in enumerate(layers[: used + 1])
        ]
        line = signs.barline(bar.end, last=i == len(bars) - 1)
        written.append((signs.before_bar(bar.start) + text + " & ".join(rows) + " " + line, layers[0][i]))
    return written


def _in_bars(layer: list[_Item], bars: Sequence[_Bar], cuts: frozenset[int]) -> list[list[_Item]]:
    """Items of a layer by bar: split at barlines, filled up with rests."""
    rows: list[list[_Item]] = []
    items = iter(layer)
    item = next(items, None)
    for bar in bars:
        row: list[_Item] = []
        time = bar.start
        while time < bar.end:
            if item is None or item.start >= bar.end:
                row.append(_Item(time, bar.end, ()))
                break
            if item.start > time:
                row.append(_Item(time, item.start, ()))
            start, end = max(item.start, bar.start), min(item.end, bar.end)
            row.append(_Item(start, end, item.pitches, start > item.start, end < item.end))
            time = end
            if item.end <= bar.end:
                item = next(items, None)
        rows.append(list(_cut(row, cuts)) if cuts else row)
    return rows


def _cut(row: list[_Item], cuts: frozenset[int]) -> Iterator[_Item]:
    """Split items at ticks that carry a sign."""
    for item in row:
        inside = [item.start, *sorted(c for c in cuts if item.start < c < item.end), item.end]
        yield from _parts(item, list(pairwise(inside)))


def _parts(item: _Item, spans: list[tuple[int, int]]) -> Iterator[_Item]:
    for start, end in spans:
        yield _Item(
            start,
            end,
            item.pitches,
            item.tied_in or (start > item.start and bool(item.pitches)),
            item.tied_out or (end < item.end and bool(item.pitches)),
        )


def _layer(row: list[_Item], bar: _Bar, track: int | None, signs: Signs) -> str:
    """Music code of one layer of a bar; the row comes to hold the items as they are written."""
    state = _Accidentals(bar.key)
    beat = max(bar.metre.tactus_ticks(NOTATION_TICKS), _UNIT)
    out: list[str] = []
    done: list[_Item] = []
    rest = list(row)
    while rest:
        group, ratio = _tuplet(rest, bar)
        if not group:
            group = [rest[0]]
            spans = _plain_spans(rest[0].start - bar.origin, rest[0].end - bar.origin)
            if len(spans) > 1:
                rest[:1] = list(_parts(rest[0], [(a + bar.origin, b + bar.origin) for a, b in spans]))
                continue
        place = group[0].start - bar.origin
        if out and (place % beat == 0 or group[0].end - group[0].start >= NOTATION_TICKS):
            out.append(" ")
        if ratio != 1:
            p, q = ratio.numerator, ratio.denominator
            out.append(f"({p}:{q}:{len(group)}" if len(group) != p or q != 2 else f"({p}")
        for item in group:
            before, after = (
                signs.around(track, item.start, starts=not item.tied_in) if track is not None else ("", "")
            )
            if track is not None and not item.tied_in and (found := signs.graces.get((track, item.start))):
                before = _graces(found, state) + before
            out.append(before + _chord(item, ratio, state) + after)
        done += group
        del rest[: len(group)]
    row[:] = done
    return "".join(out)


def _tuplet(items: list[_Item], bar: _Bar) -> tuple[list[_Item], Fraction]:
    """The tuplet that begins with the first item, or nothing and a ratio of 1."""
    start = items[0].start - bar.origin
    for window in _WINDOWS:
        if start % window:
            break
        group: list[_Item] = []
        for item in items:
            if item.end - bar.origin > start + window:
                break
            group.append(item)
        if not group or group[-1].end - bar.origin != start + window:
            continue
        lengths = [item.end - item.start for item in group]
        if not any(length % _SHORTEST for length in lengths):
            continue
        for p, q in _TUPLETS:
            if not any(length * 2 * p % window for length in lengths):
                return group, Fraction(p, q)
    return [], Fraction(1)


def _plain_spans(start: int, end: int) -> list[tuple[int, int]]:
    """A length as spans of printable lengths, split at beats; places are counted from the bar."""
    length = end - start
    units, odd = divmod(length, _SHORTEST)
    following = (start // NOTATION_TICKS + 1) * NOTATION_TICKS
    syncopated = not start % _UNIT and length == NOTATION_TICKS
    if start % NOTATION_TICKS and following < end and not syncopated:
        return [*_plain_spans(start, following), *_plain_spans(following, end)]
    if not odd:
        while units and units % 2 == 0:
            units //= 2
        if units in (1, 3, 7):
            return [(start, end)]
    for step in (4 * NOTATION_TICKS, 2 * NOTATION_TICKS, NOTATION_TICKS, _UNIT, _UNIT // 2, _SHORTEST):
        cut = (start // step + 1) * step
        if cut < end:
            return [*_plain_spans(start, cut), *_plain_spans(cut, end)]
        if odd and step == NOTATION_TICKS:
            break  # within a quarter a tuplet's note stays whole
    return [(start, end)]


class _Accidentals:
    """Accidentals in force within a bar."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.signature = signature(key.fifths)
        self.state: dict[str, int] = {}
        self.shown: set[tuple[str, int]] = set()

    def note(self, pitch: int, *, shown: bool) -> str:
        """A note without its length.

        Args:
            shown: whether the accidental is written in any case.
        """
        step, alter, octave = spell(pitch, self.key)
        text = ""
        changed = step in self.state
        if (
            shown
            or self.state.get(step, self.signature.get(step, 0)) != alter
            or (changed and (step, octave) not in self.shown)
        ):
            text = _ACCIDENTALS[alter]
            self.state[step] = alter
            self.shown = {place for place in self.shown if place[0] != step} | {(step, octave)}
        if octave >= 5:
            return text + step.lower() + "'" * (octave - 5)
        return text + step + "," * (4 - octave)


def _graces(marks: Sequence[Mark], state: _Accidentals) -> str:
    """Grace notes in braces."""
    found = sorted(marks, key=lambda m: m.number)
    notes = "".join(state.note(m.pitch, shown=False) for m in found)
    return f"{{{'/' if found[0].value else ''}{notes}}}"


def _chord(item: _Item, ratio: Fraction, state: _Accidentals) -> str:
    value = Fraction(item.end - item.start, _UNIT) * ratio
    length = "" if value == 1 else str(value.numerator) if value.denominator == 1 else ""
    if value.denominator != 1:
        length = f"{'' if value.numerator == 1 else value.numerator}/{'' if value.denominator == 2 else value.denominator}"
    if not item.pitches:
        return f"z{length}"
    places = [spell(pitch, state.key)[::2] for pitch in item.pitches]
    # A natural and a sharp of one step in a chord: a tie would carry one's accidental to the other.
    notes = [
        state.note(p, shown=places.count(place) > 1) for p, place in zip(item.pitches, places, strict=True)
    ]
    head = notes[0] if len(notes) == 1 else f"[{''.join(notes)}]"
    return f"{head}{length}{'-' if item.tied_out else ''}"


__all__ = ["write_abc"]
