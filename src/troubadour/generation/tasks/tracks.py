"""Which tracks of a given piece a task composes, and which it sees."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from troubadour.core.errors import InputError
from troubadour.music.instruments import NAMES
from troubadour.music.quantise import TICKS_PER_QUARTER
from troubadour.music.score import Score
from troubadour.music.voices import split_voices

_MOST_VOICES: Final = 8
OVERLAP: Final = 0.25
"""Share of a note's length by which it may run into the next one of a line or end before it, or the notes of
a chord may differ."""
GAP: Final = 5
"""Ticks of the longest gap that is no rest: less than a sixteenth."""


def simplified(score: Score) -> Score:
    """A quantised score as composers see it: notes that last until the next one, chords that end together.

    Played notes overlap a little, or leave a gap that nobody would write as a rest.

    Onsets, pitches and tracks are those of the score.
    """
    length = score.duration.copy()
    for track in range(len(score.tracks)):
        mine = np.flatnonzero(score.track == track)
        starts, place = np.unique(score.onset[mine], return_inverse=True)
        last = int((score.onset[mine] + length[mine]).max(initial=0))
        # The beat that the last note fills.
        full = -(-(last - score.upbeat_ticks) // TICKS_PER_QUARTER) * TICKS_PER_QUARTER + score.upbeat_ticks
        following = np.append(starts[1:], full)[place]
        longest = np.zeros(len(starts), dtype=np.int32)
        np.maximum.at(longest, place, length[mine])
        together = length[mine] >= (1 - OVERLAP) * longest[place]
        length[mine] = np.where(together, longest[place], length[mine])
        over = score.onset[mine] + length[mine] - following
        small = (np.abs(over) <= OVERLAP * length[mine]) & (over >= -GAP)
        length[mine] -= np.where(small, over, 0)
    return score if bool((length == score.duration).all()) else score.replace(duration=length)


def numbered(score: Score, tracks: Sequence[int]) -> set[int]:
    """Tracks by their numbers from 1; all, if none is named.

    Raises:
        InputError: there is no such track.
    """
    bad = [t for t in tracks if not 1 <= t <= len(score.tracks)]
    if bad:
        raise InputError(f"tracks are {list(tracks)}; allowed: {_listed(score, range(len(score.tracks)))}")
    return {t - 1 for t in tracks} or set(range(len(score.tracks)))


def refuse_kinds(score: Score, tracks: Collection[int], *, lines_only: bool) -> None:
    """Refuse tracks of a kind that cannot be composed.

    Args:
        score: as `simplified` has it.
        lines_only: chords are refused as well as drums.

    Raises:
        InputError: a track is a drum part or plays chords; the message names it and those that can be composed.
    """
    kinds = [_kind(score, t, lines_only) for t in range(len(score.tracks))]
    bad = [t for t in sorted(tracks) if kinds[t]]
    if not bad:
        return
    able = [t for t, kind in enumerate(kinds) if not kind]
    advice = f"choose from --tracks {_listed(score, able)}" if able else "there is no other track"
    told = ", ".join(f"track {t + 1} '{_name(score, t)}' {kinds[t]}" for t in bad)
    raise InputError(f"{told}: that cannot be composed; {advice}")


def view(score: Score, tracks: Collection[int], around: bool = False) -> tuple[Score, tuple[int, ...]]:
    """Some tracks of a quantised score as a score of its own, and their numbers in the whole.

    Args:
        around: with the other pitched tracks, as many as eight voices in all allow.
    """
    shown = set(tracks)
    if around:
        room = _MOST_VOICES - sum(len(split_voices(score, t)) for t in shown)
        for track in range(len(score.tracks)):
            needed = len(split_voices(score, track))
            if track not in shown and not score.tracks[track].is_drum and 0 < needed <= room:
                shown.add(track)
                room -= needed
    order = tuple(sorted(shown))
    if order == tuple(range(len(score.tracks))):
        return score, order
    part = score.replace(marks=()).where(np.isin(score.track, order))
    index = np.searchsorted(order, part.track).astype(np.int32)
    return part.replace(track=index, tracks=tuple(score.tracks[t] for t in order)), order


def _kind(score: Score, track: int, lines_only: bool) -> str:
    """Why a track cannot be composed; empty if it can."""
    if score.tracks[track].is_drum:
        return "is a drum part"
    if not lines_only:
        return ""
    voices = split_voices(score, track)
    if any(len(pitches) > 1 for voice in voices for _, _, pitches in voice):
        return "plays chords"
    if len(voices) > 1 and len(score.tracks) > 1:
        onsets = score.onset[score.track == track]
        if len(np.unique(onsets)) <= len(onsets) / 2:
            return "plays chords"
    return ""


def _name(score: Score, track: int) -> str:
    found = score.tracks[track]
    return found.name or ("Drums" if found.is_drum else NAMES[found.program].capitalize())


def _listed(score: Score, tracks: Collection[int]) -> str:
    return ", ".join(f"{t + 1} ({_name(score, t)})" for t in tracks)
