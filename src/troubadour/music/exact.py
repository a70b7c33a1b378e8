"""Conversion between exact scores, as files hold them, and scores on the composing grid."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.music.marks import Mark
from troubadour.music.quantise import METRONOME, TICKS_PER_QUARTER, grid_bars, nearest, quantise, snap
from troubadour.music.score import Score, Tempo

_FINE: Final = 20
"""Factor by which the ticks of a score at 24 a quarter are refined for storage if it is off the grid."""


def on_grid(score: Score) -> Score:
    """The score on the composing grid; a score that is on it already is returned unchanged.

    A score at 24 ticks a quarter counts as on the grid; `kept_exact` stores no other score at 24.
    """
    if score.ticks_per_quarter == TICKS_PER_QUARTER and all(t.bpm in METRONOME for t in score.tempos):
        return score
    return quantise(score)


def at_exact_tempo(grid: Score, score: Score) -> Score:
    """A quantised score with the exact tempos of its source, where the quantised ones are those rounded."""
    if grid is score:
        return grid
    ticks = np.array([t.tick for t in score.tempos]) * (grid.ticks_per_quarter / score.ticks_per_quarter)
    slack = grid.ticks_per_quarter / TICKS_PER_QUARTER
    tempos = []
    for tempo in grid.tempos:
        exact = score.tempos[max(int(np.searchsorted(ticks, tempo.tick + slack, side="right")) - 1, 0)]
        rounded = nearest(np.array([exact.bpm]), METRONOME)[0]
        tempos.append(tempo._replace(bpm=exact.bpm) if rounded == tempo.bpm else tempo)
    return grid.replace(tempos=tuple(tempos))


def at_tempo(score: Score, bpm: float | None) -> Score:
    """A score on the grid with the requested tempo, if its own tempo is that one rounded.

    Args:
        bpm: requested tempo in quarters a minute; None changes nothing.
    """
    if bpm is None or len(score.tempos) > 1 or nearest(np.array([bpm]), METRONOME)[0] != score.tempos[0].bpm:
        return score
    return score.replace(tempos=(Tempo(0, float(bpm)),))


def kept_exact(score: Score) -> Score:
    """The score in the form for storage: a score that is off the grid gets finer ticks than 24 a quarter."""
    if score.ticks_per_quarter != TICKS_PER_QUARTER:
        return score
    grid = quantise(score, marks=())
    # `on_grid` recognises tempos that are not on the metronome.
    same = grid == score or (grid == score.replace(tempos=grid.tempos) and score.tempos != grid.tempos)
    return score if same else rescaled(score, _FINE)


def rescaled(score: Score, times: int) -> Score:
    """The same music with `times` as many ticks a quarter."""
    return score.replace(
        ticks_per_quarter=score.ticks_per_quarter * times,
        onset=score.onset * times,
        duration=score.duration * times,
        tempos=tuple(t._replace(tick=t.tick * times) for t in score.tempos),
        metres=tuple(m._replace(tick=m.tick * times) for m in score.metres),
        keys=tuple(k._replace(tick=k.tick * times) for k in score.keys),
        upbeat_ticks=score.upbeat_ticks * times,
        marks=tuple(_at_unit(m, times) for m in score.marks),
    )


def same_music(one: Score, other: Score) -> bool:
    """Whether notes, maps, tracks and marks of two scores are equal, at any two resolutions."""
    a, b = other.ticks_per_quarter, one.ticks_per_quarter
    if len(one) != len(other) or len(one.marks) != len(other.marks) or one.tracks != other.tracks:
        return False
    if one.upbeat_ticks * a != other.upbeat_ticks * b:
        return False
    mine, others = (
        score.notes().astype(np.int64) * [times, times, 1, 1, 1] for score, times in ((one, a), (other, b))
    )
    if not np.array_equal(mine, others):
        return False
    for name in ("tempos", "metres", "keys"):
        if [(m.tick * a, *m[1:]) for m in getattr(one, name)] != [
            (m.tick * b, *m[1:]) for m in getattr(other, name)
        ]:
            return False
    return Counter(_at_unit(m, a) for m in one.marks) == Counter(_at_unit(m, b) for m in other.marks)


def _at_unit(mark: Mark, times: int) -> Mark:
    return mark._replace(tick=mark.tick * times, end=mark.end * times if mark.end >= 0 else -1)


def note_places(score: Score) -> NDArray[np.int64]:
    """Onset, pitch and track of each note in `quantise(score)`, shape (n_notes, 3)."""
    onset = snap(score.onset * (TICKS_PER_QUARTER / score.ticks_per_quarter), grid_bars(score))
    track = np.searchsorted(np.unique(score.track), score.track)
    return np.stack([onset, score.pitch, track], axis=1).astype(np.int64)


def losses(score: Score, quantised: Score) -> tuple[str, ...]:
    """What quantising a score has lost, one short sentence each; merged doubled notes do not count."""
    told = []
    lost = len(score) - len(quantised)
    if lost:
        place = (score.track.astype(np.int64) * 128 + score.pitch << 31) + score.onset
        lost = len(np.unique(place)) - len(quantised)
    if lost:
        told.append(f"{lost} notes lost: the grid cannot hold them")
    if len(score.tempos) > 1:
        starts = score.bar_starts()
        within = sum(t.tick not in starts for t in score.tempos if t.tick < score.end_ticks)
        if within:
            told.append(
                f"{within} tempo changes within bars evened out: each bar keeps its length, "
                f"{score.seconds:.1f} s became {quantised.seconds:.1f} s"
            )
    return tuple(told)
