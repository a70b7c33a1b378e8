"""The bars of a score as lines of text."""

from __future__ import annotations

from troubadour.music.score import Score
from troubadour.music.theory.names import note_name


def bars_text(score: Score, *, whole: bool = True) -> list[str]:
    """The notes that start in each bar, voices parted by ` / `; an upbeat is a bar of its own.

    Lengths are left to the files. The metre must not change.

    Args:
        whole: whether the score is complete; else a last bar that is not full is left out.
    """
    length = score.metres[0].bar_ticks(score.ticks_per_quarter)
    first = score.upbeat_ticks - length if score.upbeat_ticks else 0
    lines = []
    while first < score.end_ticks and (whole or first + length <= score.end_ticks):
        voices = []
        for track in range(len(score.tracks)):
            inside = (score.track == track) & (score.onset >= first) & (score.onset < first + length)
            voices.append(" ".join(note_name(p) for p in score.pitch[inside].tolist()) or "-")
        lines.append(" / ".join(voices))
        first += length
    return lines
