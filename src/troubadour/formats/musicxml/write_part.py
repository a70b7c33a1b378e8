"""The measures of one part as MusicXML."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from troubadour.formats.engraving.beams import beam_marks
from troubadour.formats.engraving.clefs import (
    BASS,
    PERCUSSION,
    TREBLE,
    Clef,
    clef_path,
    clefs_of,
    marked_clefs,
    octave_shift,
)
from troubadour.formats.engraving.dynamics import printed_levels
from troubadour.formats.engraving.measures import WrittenMeasure, beat_ticks
from troubadour.formats.engraving.notation import values
from troubadour.formats.engraving.percussion import drum_of
from troubadour.formats.engraving.pulse import QUARTER
from troubadour.formats.engraving.staves import PartLayout
from troubadour.formats.engraving.transposing import written_key
from troubadour.formats.engraving.tuplets import tuplet_regions
from troubadour.formats.engraving.written import WrittenChord, drum_voices, staff_notes, voices_of
from troubadour.formats.musicxml.write_attributes import clef_xml, metronome_xml, time_xml, transpose_xml
from troubadour.formats.musicxml.write_marks import PartMarks, barlines, form_marks, harmony_or_direction
from troubadour.formats.musicxml.write_notes import (
    Accidentals,
    NotePlace,
    Written,
    chord_xml,
    grace_xml,
    mark_tuplets,
    rest_xml,
)
from troubadour.music.score import Key, Score


class PartWriter:
    """Writes the measures of one part.

    Args:
        score: at `QUARTER` ticks a quarter.
        unit: ticks a division of the document.
        first: whether it carries what stands over the whole score.
        chords: whether it carries the chord symbols of the whole score.
        alone: whether it is a musician's own part, with rests of several bars drawn as one, and with
            what stands over the top staff of the score.
    """

    def __init__(
        self,
        score: Score,
        part: PartLayout,
        bars: Sequence[WrittenMeasure],
        unit: int,
        *,
        first: bool,
        chords: bool,
        alone: bool = False,
    ) -> None:
        self.score, self.part, self.bars, self.alone = score, part, bars, alone
        self.unit = unit
        self.form = form_marks(score)
        self.lead = first or alone
        self.marks = PartMarks(score, part, first=self.lead, chords=chords)
        self.edges = [bar.start for bar in bars] + [bars[-1].end]
        mine = part.staff > 0
        self.plain = bool((score.velocity[mine] == 80).all())
        self.keys = [written_key(bar.key, part.transposition) for bar in bars]
        # For each staff: voices, each a list of the chords that sound in each bar.
        self.voices = [self._voices(staff + 1) for staff in range(part.staves)]
        self.clefs = [self._clefs(staff) for staff in range(part.staves)]
        self.accidentals = [Accidentals() for _ in range(part.staves)]
        self._dynamics()
        self._ottavas()
        self._tempos()
        self.marks.directions.sort(key=lambda d: d.tick)
        self._next = 0
        self._said: set[tuple[int, int]] = set()

    # Preparation ------------------------------------------------------------------------------

    def _voices(self, staff: int) -> list[list[list[WrittenChord]]]:
        rows = self.score.notes()[self.part.staff == staff].tolist()
        if self.part.is_drum:
            found = drum_voices(rows, self.edges, beat_ticks(self.bars[0].metre))
        else:
            found = voices_of(staff_notes(rows, self.edges))
        return [self._by_bar(voice) for voice in found]

    def _by_bar(self, chords: Sequence[WrittenChord]) -> list[list[WrittenChord]]:
        out: list[list[WrittenChord]] = [[] for _ in self.bars]
        for chord in chords:
            bar = bisect_right(self.edges, chord.start) - 1
            while bar < len(self.bars) and self.edges[bar] < chord.end:
                out[bar].append(chord)
                bar += 1
        return out

    def _clefs(self, staff: int) -> list[Clef]:
        """The clef of each bar of a staff: the marked clefs, otherwise by instrument and range."""
        if self.part.is_drum:
            return [PERCUSSION] * len(self.bars)
        if self.part.staves == len(self.part.tracks):
            mine = [m for m in self.marks.clefs if m.track == self.part.tracks[staff]]
            if marked := marked_clefs(mine, self.edges):
                return marked
        shift = -self.part.transposition.semitones
        bars = [
            [n.pitch + shift for voice in self.voices[staff] for c in voice[i] for n in c.notes]
            for i in range(len(self.bars))
        ]
        if self.part.staves == 2:
            choice = [TREBLE, BASS] if staff == 0 else [BASS, TREBLE]
        else:
            choice = clefs_of(self.part.program, self.part.name, [p for bar in bars for p in bar])
        return clef_path(bars, choice)

    def _dynamics(self) -> None:
        if self.marks.has_dynamics:
            return
        loud = [
            [n.velocity for staff in self.voices for voice in staff for c in voice[i] for n in c.notes]
            for i in range(len(self.bars))
        ]
        for i, sign in printed_levels(loud).items():
            starts = [c.start for staff in self.voices for voice in staff for c in voice[i]]
            first = max(min(starts), self.bars[i].start)
            self.marks.add(first, f"<dynamics><{sign}/></dynamics>", "below")

    def _ottavas(self) -> None:
        """Octave lines over runs of bars far outside the staff."""
        if self.marks.has_shifts or self.part.is_drum:
            return
        shift = -self.part.transposition.semitones
        for staff, clefs in enumerate(self.clefs):
            octaves = [
                octave_shift(
                    [n.pitch + shift for voice in self.voices[staff] for c in voice[i] for n in c.notes],
                    clefs[i],
                )
                for i in range(len(self.bars))
            ]
            i = 0
            while i < len(octaves):
                run = i
                while run < len(octaves) and octaves[run] == octaves[i]:
                    run += 1
                if octaves[i]:
                    notes = [c for v in self.voices[staff] for bar in v[i:run] for c in bar]
                    first = max(min(c.start for c in notes), self.bars[i].start)
                    end = min(max(c.end for c in notes), self.bars[run - 1].end)
                    self.marks.shift(first, end, octaves[i], staff + 1, staff + 1)
                i = run

    def _tempos(self) -> None:
        if not self.lead:
            return
        for tempo in self.score.tempos:
            bar = self.bars[max(0, bisect_right(self.edges, tempo.tick) - 1) % len(self.bars)]
            kind, sound = metronome_xml(tempo.bpm, bar.metre)
            if words := self.marks.tempo_words.pop(tempo.tick, ""):
                kind = f"{words}</direction-type><direction-type>{kind}"
            self.marks.add(tempo.tick, kind, "above", sound)
        for tick, words in self.marks.tempo_words.items():
            self.marks.add(tick, words, "above")

    # Measures ---------------------------------------------------------------------------------

    def measures(self) -> list[str]:
        """The part's measures as lines of XML."""
        out: list[str] = []
        rests = self._long_rests() if self.alone else {}
        for i, bar in enumerate(self.bars):
            implicit = ' implicit="yes"' if bar.lead else ""
            out.append(f'<measure number="{bar.number}"{implicit}>')
            last = i + 1 == len(self.bars)
            left, right = barlines(self.form, bar.start, bar.end, first=not i, last=last)
            out += [left] if left else []
            out += self._attributes(i, rests.get(i, 0))
            out += self._music(i)
            out += [right] if right else []
            out.append("</measure>")
        return out

    def _empty(self, i: int) -> bool:
        return not any(voice[i] for staff in self.voices for voice in staff)

    def _long_rests(self) -> dict[int, int]:
        """Runs of bars without a note or a sign: first bar to length."""
        signs = {d.tick for d in self.marks.directions}
        found: dict[int, int] = {}
        i = 0
        while i < len(self.bars):
            run = i
            while (
                run < len(self.bars) and self._empty(run) and (run == i or not self._starts_new(run, signs))
            ):
                run += 1
            if run - i > 1:
                found[i] = run - i
            i = max(run, i + 1)
        return found

    def _starts_new(self, i: int, signs: set[int]) -> bool:
        bar, before = self.bars[i], self.bars[i - 1]
        left, right = barlines(self.form, bar.start, bar.end, first=False, last=i + 1 == len(self.bars))
        changed = bar.metre != before.metre or bar.key != before.key
        shown = any(bar.start <= tick < bar.end for tick in signs)
        before_lines = barlines(self.form, before.start, before.end, first=False, last=False)
        return bool(changed or shown or left or before_lines[1] or (right and i + 1 < len(self.bars)))

    def _attributes(self, i: int, rest: int) -> list[str]:
        bar, before = self.bars[i], self.bars[i - 1] if i else None
        items: list[str] = []
        if before is None:
            items.append(f"<divisions>{QUARTER // self.unit}</divisions>")
        if before is None or bar.key[1:] != before.key[1:]:
            items += self._key(self.keys[i][0])
        if before is None or bar.metre[1:] != before.metre[1:]:
            items.append(time_xml(bar))
        if before is None and self.part.staves > 1:
            items.append(f"<staves>{self.part.staves}</staves>")
        for staff, clefs in enumerate(self.clefs):
            if before is None or clefs[i] != clefs[i - 1]:
                items.append(clef_xml(clefs[i], staff + 1 if self.part.staves > 1 else 0))
        if before is None or self.keys[i][1] != self.keys[i - 1][1]:
            items += transpose_xml(self.keys[i][1])
        if rest:
            items.append(f"<measure-style><multiple-rest>{rest}</multiple-rest></measure-style>")
        return [f"<attributes>{''.join(items)}</attributes>"] if items else []

    def _key(self, key: Key) -> list[str]:
        hidden = ""
        if self.part.is_drum:
            # A drum staff has no signature; one that must tell the key of the piece hides it.
            if not (self.part.index == 0 and all(t.is_drum for t in self.score.tracks)):
                return []
            hidden = ' print-object="no"'
        return [f"<key{hidden}><fifths>{key.fifths}</fifths><mode>{key.mode}</mode></key>"]

    def _music(self, i: int) -> list[str]:
        bar = self.bars[i]
        out: list[str] = []
        number = 0
        for staff, voices in enumerate(self.voices):
            number = max(number, 4 * staff)
            sounding = sum(1 for voice in voices if voice[i])
            lines: list[tuple[int, list[Written]]] = []
            for v, voice in enumerate(voices):
                number += 1
                if v and not voice[i]:
                    continue
                lines.append((number, self._voice(bar, voice[i], secondary=v > 0 and bool(voices[0][i]))))
            key = self.keys[i][0]
            shift = -self.part.transposition.semitones
            if not self.part.is_drum:
                self.accidentals[staff].bar([w for _, line in lines for w in line], key, shift)
            for rank, (voice_number, line) in enumerate(lines):
                if out:
                    out.append(f"<backup><duration>{(bar.end - bar.start) // self.unit}</duration></backup>")
                stem = ("up", "down")[rank] if sounding > 1 and rank < 2 else ""
                if self.part.is_drum:
                    stem = "down" if line and any(w.chord and _foot(w) for w in line) else "up"
                place = NotePlace(
                    self.part.id,
                    voice_number,
                    staff + 1 if self.part.staves > 1 else 0,
                    stem,
                    self.part.is_drum,
                    key,
                    shift,
                    self.plain,
                    self.unit,
                )
                out += self._line(bar, line, place, first=not staff and not rank)
        return out

    def _voice(
        self, bar: WrittenMeasure, chords: Sequence[WrittenChord], *, secondary: bool
    ) -> list[Written]:
        """The written values of one voice in one bar, rests included."""
        spans: list[tuple[int, int, WrittenChord | None]] = []
        time = bar.start
        for chord in chords:
            if chord.start > time:
                spans.append((time, chord.start, None))
            spans.append((max(chord.start, bar.start), min(chord.end, bar.end), chord))
            time = chord.end
        if time < bar.end:
            spans.append((time, bar.end, None))
        places = {bar.place(t) for start, end, _ in spans for t in (start, end)}
        regions = tuplet_regions(places, bar.pulse.bar)
        out: list[Written] = []
        for n, (start, end, held) in enumerate(spans):
            hidden = secondary and held is None and n in (0, len(spans) - 1)
            parts = values(bar.place(start), bar.place(end), bar.pulse, regions, held is not None)
            for k, value in enumerate(parts):
                out.append(
                    Written(
                        value.start + bar.start - bar.lead,
                        value,
                        held,
                        held is not None and (held.start < bar.start or k > 0),
                        held is not None and (held.end > bar.end or k + 1 < len(parts)),
                        hidden=hidden and value.region is None,
                    )
                )
        for written, beams in zip(
            out, beam_marks([(w.value, w.chord is not None) for w in out], bar.pulse), strict=True
        ):
            written.beams = beams
        mark_tuplets(out)
        return out

    def _line(
        self, bar: WrittenMeasure, line: Sequence[Written], place: NotePlace, *, first: bool
    ) -> list[str]:
        if first and not any(w.chord for w in line):
            # Whatever stands in a bar of rest is put before it.
            out = self._directions(bar.start, bar.end, bar.start)
            whole = Written(bar.start, line[0].value, None)
            whole.value.length = bar.end - bar.start
            held = self.marks.rest_fermata(bar.start)
            return [*out, rest_xml(whole, place, whole_bar=True, notations=held)]
        if not any(w.chord for w in line):
            line[0].value.length = bar.end - bar.start
            return [rest_xml(line[0], place, whole_bar=True)]
        out = []
        for n, item in enumerate(line):
            if first:
                until = line[n + 1].start if n + 1 < len(line) else bar.end
                out += self._directions(item.start, until, item.start)
            if item.chord is None:
                held = self.marks.rest_fermata(item.start) if first else ""
                out.append(rest_xml(item, place, whole_bar=False, notations=held))
            else:
                out += self._chord(item, place)
        return out

    def _directions(self, start: int, until: int, at: int) -> list[str]:
        """What stands before tick `until` and was not written yet."""
        found = self.marks.directions
        out: list[str] = []
        last = until == self.edges[-1]
        while self._next < len(found) and (found[self._next].tick < until or last):
            item = found[self._next]
            out.append(harmony_or_direction(item, max(0, item.tick - at) // self.unit, self.part.staves))
            self._next += 1
        return [x for x in out if x]

    def _chord(self, item: Written, place: NotePlace) -> list[str]:
        chord = item.chord
        assert chord is not None
        notations: list[str] = []
        tracks: set[int] = set()
        for note in chord.notes:
            lead = note.track not in tracks
            tracks.add(note.track)
            notations.append(
                self.marks.notations(
                    note.track,
                    chord.start,
                    note.pitch,
                    lead=lead,
                    opens=not item.tied_back,
                    closes=not item.tied_on,
                )
            )
        lyrics = graces = ""
        if not item.tied_back:
            for track in sorted(tracks):
                if (track, chord.start) in self.marks.on_notes and (track, chord.start) not in self._said:
                    self._said.add((track, chord.start))
                    lyrics += self.marks.lyrics(track, chord.start)
                    found = self.marks.graces(track, chord.start)
                    if found and not place.is_drum:
                        graces += grace_xml([m.pitch for m in found], bool(found[0].value), place)
        return chord_xml(item, place, notations, lyrics, graces)


def _foot(item: Written) -> bool:
    return item.chord is not None and drum_of(item.chord.notes[0].pitch).foot
