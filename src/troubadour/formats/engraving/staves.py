"""How the tracks of a score become parts on paper: names, staves, groups and transposition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.formats.engraving.hands import needs_two_staves, right_hand
from troubadour.formats.engraving.staff_names import (
    CHOIR,
    DRUMS,
    INSTRUMENT_NAMES,
    InstrumentName,
    abbreviate,
)
from troubadour.formats.engraving.transposing import CONCERT, Transposition, transposition_of
from troubadour.music.score import Score, Track

VOICES: Final = (52, 53, 54)
_TWO_STAVES: Final = (*range(9), *range(16, 21), 46)
"""Programs with a grand staff: pianos, other keyboards, organs and harp."""
_FAMILIES: Final = (
    ("woodwind", (*range(64, 74), 74)), ("brass", tuple(range(56, 64))), ("choir", VOICES),
    ("strings", tuple(range(40, 46))),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class PartLayout:
    """One part as a musician gets it."""

    index: int
    """From 0, in the order of the score."""
    tracks: tuple[int, ...]
    """Indices of its tracks: one, or the two hands of a keyboard."""
    staves: int
    name: str
    abbreviation: str
    program: int
    is_drum: bool
    transposition: Transposition
    family: str
    """`strings`, `choir` ...; empty where no bracket joins it to its neighbours."""
    lower: int
    """Track of the left hand, where it has one of its own; else -1."""
    staff: NDArray[np.int64]
    """Staff, from 1, of every note of the score, shape (n_notes,); 0 for notes of other parts."""

    @property
    def reads_chords(self) -> bool:
        """Whether its player reads chord symbols: keyboards, guitars and basses."""
        return not self.is_drum and self.program < 40

    @property
    def id(self) -> str:
        """Its id in a document."""
        return f"P{self.index + 1}"


def part_layouts(score: Score) -> list[PartLayout]:
    """The parts of a score, in the order of its tracks."""
    groups = _track_groups(score)
    names = _names(score, groups)
    out: list[PartLayout] = []
    for index, tracks in enumerate(groups):
        track = score.tracks[tracks[0]]
        staff = np.zeros(len(score), dtype=np.int64)
        mine = np.isin(score.track, tracks)
        staff[mine] = 1
        lower = _lower(score, tracks) if len(tracks) == 2 else -1
        if lower >= 0:
            staff[score.track == lower] = 2
        elif _keyboard(track) and needs_two_staves(score.pitch[mine], score.onset[mine]):
            staff[mine] = np.where(right_hand(score.onset[mine], score.pitch[mine]), 1, 2)
        mean = float(score.pitch[mine].mean()) if mine.any() else 60.0
        family = next((f for f, programs in _FAMILIES if track.program in programs), "")
        out.append(
            PartLayout(
                index,
                tracks,
                int(max(staff.max(initial=1), 1)),
                *names[index],
                track.program,
                track.is_drum,
                CONCERT if track.is_drum else transposition_of(track.program, mean),
                "" if track.is_drum else family,
                lower,
                staff,
            )
        )
    return out


def chord_part(parts: Sequence[PartLayout]) -> int:
    """The part over which chord symbols stand: the tune of a lead sheet, the rhythm section of a band."""
    pitched = [p for p in parts if not p.is_drum] or list(parts)
    if len(pitched) > 3:
        return next((p.index for p in pitched if p.reads_chords), pitched[0].index)
    return pitched[0].index


def part_names(score: Score) -> list[str]:
    """A name for each track: its own, or its instrument's."""
    names = _names(score, [(i,) for i in range(len(score.tracks))])
    return [name.name for name in names]


def tracks_note(layouts: list[PartLayout]) -> str:
    """Which staves hold each track, for readers that want the tracks back: `P1.1+P1.2 P2.1`.

    Empty where every staff is one track and they come in order.
    """
    plain = all(len(part.tracks) == part.staves for part in layouts)
    words: dict[int, str] = {}
    for part in layouts:
        if len(part.tracks) == 1:
            words[part.tracks[0]] = "+".join(f"{part.id}.{s + 1}" for s in range(part.staves))
            continue
        for place, track in enumerate(part.tracks):
            staff = 2 if track == part.lower else 1
            plain = plain and staff == place + 1
            words[track] = f"{part.id}.{staff}"
    return "" if plain else " ".join(words[i] for i in sorted(words))


def _keyboard(track: Track) -> bool:
    return not track.is_drum and track.program in _TWO_STAVES


def _track_groups(score: Score) -> list[tuple[int, ...]]:
    """Tracks that share a part: two neighbours that are the hands of one keyboard."""
    groups: list[tuple[int, ...]] = []
    i = 0
    while i < len(score.tracks):
        run = i
        while run < len(score.tracks) and _same_keyboard(score.tracks[i], score.tracks[run]):
            run += 1
        if run - i == 2 and _are_hands(score, i, i + 1):
            groups.append((i, i + 1))
        else:
            run = max(run, i + 1)
            groups += [(k,) for k in range(i, run)]
        i = run
    return groups


def _same_keyboard(one: Track, other: Track) -> bool:
    return _keyboard(one) and _keyboard(other) and one.program == other.program


def _are_hands(score: Score, one: int, other: int) -> bool:
    """Whether one of two tracks lies about an octave below the other, under middle C."""
    means = sorted(float(score.pitch[score.track == t].mean()) for t in (one, other))
    return means[0] < 60 and means[1] - means[0] >= 7


def _lower(score: Score, tracks: tuple[int, ...]) -> int:
    return min(tracks, key=lambda t: float(score.pitch[score.track == t].mean()))


def _names(score: Score, groups: list[tuple[int, ...]]) -> list[InstrumentName]:
    """Names of parts: the tracks' own, else their instruments', counted where they repeat."""
    tracks = [score.tracks[g[0]] for g in groups]
    choir = len(tracks) == 4 and all(t.program in VOICES and not t.is_drum for t in tracks)
    found: list[InstrumentName] = []
    for i, (track, group) in enumerate(zip(tracks, groups, strict=True)):
        if track.name and len(group) == 1:
            found.append(InstrumentName(track.name, abbreviate(track.name)))
        elif choir:
            found.append(CHOIR[i])
        else:
            found.append(DRUMS if track.is_drum else INSTRUMENT_NAMES[track.program])
    own = [bool(t.name) and len(g) == 1 for t, g in zip(tracks, groups, strict=True)]
    many = Counter(f for f, given in zip(found, own, strict=True) if not given)
    seen: Counter[InstrumentName] = Counter()
    out: list[InstrumentName] = []
    for name, given in zip(found, own, strict=True):
        if given or many[name] == 1:
            out.append(name)
            continue
        seen[name] += 1
        out.append(InstrumentName(f"{name.name} {seen[name]}", f"{name.abbreviation} {seen[name]}"))
    return out
