"""Tracks of a given piece: those that a task composes, and those in its visible context."""

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
"""Share of a note's length that counts as articulation: overlap with the next note or gap before it, or
difference between the lengths of the notes of a chord."""
GAP: Final = 5
"""Longest gap in ticks that is not a rest: less than a sixteenth."""


def simplified(score: Score) -> Score:
    """A quantised score with notated lengths: notes last until the next one, notes of a chord end together.

    Performed notes overlap slightly or leave gaps that are not written as rests. Onsets, pitches and tracks
    do not change.
    """
    length = score.duration.copy()
    for track in range(len(score.tracks)):
        mine = np.flatnonzero(score.track == track)
        starts, place = np.unique(score.onset[mine], return_inverse=True)
        last = int((score.onset[mine] + length[mine]).max(initial=0))
        # End of the quarter in which the last note ends.
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
    """0-based tracks of 1-based numbers; without numbers all tracks.

    Raises:
        InputError: there is no such track.
    """
    bad = [t for t in tracks if not 1 <= t <= len(score.tracks)]
    if bad:
        raise InputError(f"tracks are {list(tracks)}; allowed: {_listed(score, range(len(score.tracks)))}")
    return {t - 1 for t in tracks} or set(range(len(score.tracks)))


def refuse_kinds(score: Score, tracks: Collection[int], *, lines_only: bool) -> None:
    """Refuse tracks with drums, and on request tracks with chords.

    Args:
        score: a score with notated lengths; see `simplified`.
        tracks: 0-based tracks to check.
        lines_only: whether chords are refused too.

    Raises:
        InputError: a track is refused; the message names it and the tracks that are allowed.
    """
    kinds = [_kind(score, t, lines_only) for t in range(len(score.tracks))]
    bad = [t for t in sorted(tracks) if kinds[t]]
    if not bad:
        return
    allowed = [t for t, kind in enumerate(kinds) if not kind]
    advice = f"choose from --tracks {_listed(score, allowed)}" if allowed else "there is no other track"
    refused = ", ".join(f"track {t + 1} '{_name(score, t)}' {kinds[t]}" for t in bad)
    raise InputError(f"{refused}: that cannot be composed; {advice}")


def view(score: Score, tracks: Collection[int], around: bool = False) -> tuple[Score, tuple[int, ...]]:
    """Some tracks of a quantised score as a score of their own, and their 0-based numbers in the whole.

    Args:
        score: a quantised score.
        tracks: 0-based tracks.
        around: whether to include other pitched tracks, up to eight voices in all.
    """
    visible = set(tracks)
    if around:
        room = _MOST_VOICES - sum(len(split_voices(score, t)) for t in visible)
        for track in range(len(score.tracks)):
            needed = len(split_voices(score, track))
            if track not in visible and not score.tracks[track].is_drum and 0 < needed <= room:
                visible.add(track)
                room -= needed
    order = tuple(sorted(visible))
    if order == tuple(range(len(score.tracks))):
        return score, order
    part = score.replace(marks=()).where(np.isin(score.track, order))
    index = np.searchsorted(order, part.track).astype(np.int32)
    return part.replace(track=index, tracks=tuple(score.tracks[t] for t in order)), order


def _kind(score: Score, track: int, lines_only: bool) -> str:
    """Reason for which a track is refused; empty if it is allowed."""
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
