"""Read MusicXML, partwise or timewise, plain or compressed.

Each staff of a part becomes a track, and each further instrument of it another one; voices within
a staff are merged. Repeats are not expanded, and of several endings only the last is kept. Grace
and cue notes are left out. Keys and pitches are those that sound.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from troubadour.core.errors import InputError, UnreadableFileError
from troubadour.formats.barlines import WrittenBar, lay_out
from troubadour.formats.musicxml.archive import MAX_BYTES, xml_in
from troubadour.formats.musicxml.credits import composer_of, credit_marks, title_of
from troubadour.formats.musicxml.loudness import Dynamics
from troubadour.formats.musicxml.maps import keys_of, metres_by_measure, tempos_of
from troubadour.formats.musicxml.marks import placed
from troubadour.formats.musicxml.measures import TICKS_PER_QUARTER, Note, PartReader
from troubadour.formats.musicxml.parts import PartHead, heads_of, label, staves_of_tracks, text
from troubadour.formats.musicxml.repeats import Sections
from troubadour.formats.musicxml.tree import cells, parse, part_ids
from troubadour.music.marks import WHOLE, Mark, MarkKind
from troubadour.music.piece import Piece
from troubadour.music.score import Score, Track

MAX_PARTS: Final = 64
MAX_NOTES: Final = 200_000
MAX_MEASURES: Final = 10_000
MAX_DIRECTIONS: Final = 50_000
"""Most directions and chord symbols of all parts; the largest known score has a tenth of them."""
_ROUNDING: Final = 2
"""Ticks by which the ends of tied notes may differ."""

Element = Any
Row = list[int]


def read_musicxml_file(path: Path, *, all_endings: bool = False) -> Piece:
    """The piece in a `.musicxml`, `.xml` or `.mxl` file; `all_endings` as in `read_musicxml`.

    Raises:
        UnreadableFileError: it cannot be opened or is no MusicXML; names the file and the cause.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFileError(
                str(path), f"larger than {MAX_BYTES // 1_000_000} MB; split the piece, or leave out pictures"
            )
        return read_musicxml(path.read_bytes(), path.name, all_endings=all_endings)
    except OSError as error:
        raise UnreadableFileError(str(path), error.strerror or str(error)) from error


def read_musicxml(data: bytes, name: str, *, all_endings: bool = False) -> Piece:
    """The piece in MusicXML bytes. Costs about 6 ms for a chorale.

    Args:
        data: the file.
        name: how errors and an untitled piece call it.
        all_endings: keep first endings in the order of the page, with marks that say which they are.
            Otherwise the music goes from what is repeated straight to its last ending, and `Piece.page`
            has all of them.

    Raises:
        UnreadableFileError: damaged, hostile, too large, or not MusicXML.
    """
    try:
        xml, remarks = xml_in(data)
        return _Reader(xml, name, remarks).piece(all_endings)
    except (InputError, ValueError, OverflowError, RecursionError) as error:
        raise UnreadableFileError(name, str(error)) from error


class _Reader:
    """One document."""

    def __init__(self, xml: bytes, name: str, remarks: list[str]) -> None:
        self._name = name
        self._repairs = remarks
        self._counts: Counter[str] = Counter()
        self._sections = Sections()
        self._root = parse(xml)
        ids = part_ids(self._root)
        if len(ids) > MAX_PARTS:
            raise InputError(f"{len(ids)} parts; allowed: {MAX_PARTS}; leave some out")
        heads = heads_of(self._root)
        self._parts = [PartReader(heads.get(name) or PartHead(), self._counts) for name in ids]
        notes = directions = 0
        for number, measure, cell in cells(self._root):
            if measure >= MAX_MEASURES:
                raise InputError(f"more than {MAX_MEASURES} measures; split the piece")
            part = self._parts[number]
            # A timewise document need not name every part in each measure.
            part.lengths += [0] * (measure - len(part.lengths))
            before = len(part.notes)
            directions += len(cell.findall("direction")) + len(cell.findall("harmony"))
            if directions > MAX_DIRECTIONS:
                raise InputError(f"more than {MAX_DIRECTIONS} directions and chord symbols; split the piece")
            if notes + len(cell.findall("note")) > 2 * MAX_NOTES:
                raise InputError(f"more than {2 * MAX_NOTES} notes and rests; split the piece")
            part.read(cell, measure)
            notes += len(part.notes) - before
            if notes > MAX_NOTES:
                raise InputError(f"more than {MAX_NOTES} notes; split the piece")
            for line in cell.findall("barline"):
                self._sections.add(number, measure, line)

    def piece(self, all_endings: bool) -> Piece:
        page = None
        if not all_endings:
            counts = self._counts.copy()
            score, irregular, bars, left_out = self._score(False)
            if left_out:
                told = self._counts.copy()
                self._counts.clear()
                self._counts.update(counts)
                page = self._score(True)[0]
                self._counts.clear()
                self._counts.update(told)
                self._counts["measures of first endings left out"] = left_out
        else:
            score, irregular, bars, _ = self._score(True)
        return self._described(score, irregular, bars, page)

    def _score(self, all_endings: bool) -> tuple[Score, int, int, int]:
        """The score, and the numbers of irregular bars, of all bars, and of measures left out."""
        if not self._parts:
            raise InputError("no parts; export the score again with its music")
        n_measures = max(len(p.lengths) for p in self._parts)
        if not n_measures:
            raise InputError("no measures; export the score again with its music")
        lengths = [
            max((p.lengths[i] for p in self._parts if i < len(p.lengths)), default=0)
            for i in range(n_measures)
        ]
        maps = [p.maps for p in self._parts]
        kept, ends = self._sections.laid_out(n_measures, all_endings)
        metre_at = metres_by_measure(maps, lengths, TICKS_PER_QUARTER)
        written = [WrittenBar(lengths[i], metre_at[i], ends[i]) for i in kept]
        grid = lay_out(written, TICKS_PER_QUARTER)
        starts = dict(zip(kept, grid.starts, strict=True))
        stops = dict(zip(kept, (*grid.starts[1:], grid.starts[-1] + lengths[kept[-1]]), strict=True))
        tracks, rows, marks = self._tracks(starts, stops)
        if not rows:
            raise InputError("no notes; nothing to import")
        score = Score.from_notes(
            rows,
            ticks_per_quarter=TICKS_PER_QUARTER,
            tracks=tuple(tracks),
            tempos=tempos_of(maps, starts, TICKS_PER_QUARTER),
            metres=tuple(grid.metres),
            keys=keys_of(maps, starts, self._counts),
            upbeat_ticks=grid.upbeat_ticks,
            marks=credit_marks(self._root) + _form_of_kept(marks, kept, n_measures),
        )
        return score, grid.irregular, len(written), n_measures - len(kept)

    def _tracks(
        self, starts: dict[int, int], stops: dict[int, int]
    ) -> tuple[list[Track], list[Row], list[Mark]]:
        """Tracks, rows (onset, duration, pitch, velocity, track) and marks."""
        tracks: list[Track] = []
        marks: list[Mark] = []
        rows: list[Row] = []
        told = staves_of_tracks(self._root)
        places: list[int] = []
        for part_id, part in zip(part_ids(self._root), self._parts, strict=True):
            dynamics = Dynamics(part.loudness, part.wedges, starts, TICKS_PER_QUARTER)
            groups: dict[tuple[int, bool, int], list[Row]] = defaultdict(list)
            for note, row in _joined(part.notes, starts):
                row[3] = note.velocity or dynamics.at(row[0])
                staff = told.get((part_id, note.staff), (0, note.staff))[1]
                groups[staff, note.is_drum, note.program].append(row)
            self._drop_tablature(part, groups)
            staves = {staff for staff, _, _ in groups}
            name = label(part.head)
            by_staff: dict[int, int] = {}
            for staff, is_drum, program in sorted(groups, key=lambda k: k[0]):  # instruments as they enter
                by_staff.setdefault(staff, len(tracks))
                by_staff.setdefault(0, len(tracks))
                for row in groups[staff, is_drum, program]:
                    row[4] = len(tracks)
                    rows.append(row)
                shown = f"{name} {staff}".strip() if len(staves) > 1 else name
                if part.head.abbreviation:
                    marks.append(Mark(0, len(tracks), MarkKind.ABBREVIATION, part.head.abbreviation))
                tracks.append(Track(program, is_drum, shown))
                places.append(told.get((part_id, staff), (len(told), 0))[0])
            for (told_id, staff), (_, home) in told.items():
                if told_id == part_id and home in by_staff:
                    by_staff.setdefault(staff, by_staff[home])
            marks += placed(part.marks.found, starts, stops, by_staff)
        order = sorted(range(len(tracks)), key=lambda i: places[i])
        moved = {old: new for new, old in enumerate(order)}
        for row in rows:
            row[4] = moved[row[4]]
        marks = [m._replace(track=moved.get(m.track, m.track)) for m in marks]
        return [tracks[i] for i in order], rows, marks

    def _drop_tablature(self, part: PartReader, groups: dict[tuple[int, bool, int], list[Row]]) -> None:
        """Drop tablature that repeats the notes of another staff."""
        for key in [k for k in groups if k[0] in part.tablatures]:
            others = {(r[0], r[2]) for k, g in groups.items() if k[0] not in part.tablatures for r in g}
            mine = groups[key]
            if others and all((r[0], r[2]) in others for r in mine):
                self._counts["notes of tablature that repeat another staff left out"] += len(mine)
                dropped = {id(row) for row in groups.pop(key)}
                for note in part.notes:
                    if id(note.row) in dropped:
                        note.row = None

    def _described(self, score: Score, irregular: int, bars: int, page: Score | None) -> Piece:
        root = self._root
        repairs = self._repairs + [f"{count} {what}" for what, count in self._counts.items()]
        if irregular:
            repairs.append(f"irregular bars: {irregular} of {bars}")
        return Piece(
            score,
            (title_of(root) or self._name)[:200],
            composer=composer_of(root)[:200],
            source=self._name,
            licence=text(root, "identification/rights")[:200],
            repairs=tuple(repairs),
            irregular_share=irregular / bars if bars else 0.0,
            page=page,
        )


def _joined(notes: list[Note], starts: dict[int, int]) -> list[tuple[Note, Row]]:
    """Notes with absolute onsets, ties joined within a part, across staves too."""
    placed = sorted(
        ((starts[n.measure] + n.start, n) for n in notes if n.measure in starts), key=lambda p: p[0]
    )
    rows: list[tuple[Note, Row]] = []
    sounding: dict[tuple[int, bool], list[tuple[Note, Row]]] = defaultdict(list)
    released: list[tuple[Row, int]] = []
    for onset, note in placed:
        tied = sounding[note.pitch, note.is_drum]
        found = None
        if note.tie_stop:
            ready = [t for t in tied if abs(t[1][0] + t[1][1] - onset) <= _ROUNDING]
            found = next((t for t in ready if t[0].voice == note.voice), ready[0] if ready else None)
        if found is not None:
            found[1][1] = onset + note.length - found[1][0]
            tied.remove(found)
        else:
            found = (note, [onset, note.length, note.pitch, 0, 0])
            rows.append(found)
        note.row = found[1]
        if note.tie_start:
            tied.append(found)
        if note.release:
            released.append((found[1], note.release))
    for row, release in released:
        row[1] = max(1, row[1] + release)
    return rows


def _form_of_kept(marks: list[Mark], kept: list[int], n_measures: int) -> list[Mark]:
    """Marks without doubles, which several parts give for the whole piece, nor repeats that lost their end.

    A repeat sign stands at the end of a first ending, so where those were left out no start may stay.
    """
    once = list(dict.fromkeys(m for m in marks if m.track == WHOLE))
    if len(kept) < n_measures:
        ends = sorted(m.tick for m in once if m.kind is MarkKind.REPEAT_END)
        opened = sorted(m.tick for m in once if m.kind is MarkKind.REPEAT_START)
        lost = {
            tick
            for tick, following in pairwise([*opened, 2**31])
            if not any(tick < end <= following for end in ends)
        }
        once = [
            m
            for m in once
            if m.kind is not MarkKind.ENDING and not (m.kind is MarkKind.REPEAT_START and m.tick in lost)
        ]
    return [m for m in marks if m.track != WHOLE] + once
