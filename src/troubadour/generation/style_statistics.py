"""Style statistics: counts over the training music, from which open controls of a brief are drawn."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from troubadour.core.errors import ModelError
from troubadour.music.score import Score
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.tokenizer import encode


@dataclass(frozen=True, slots=True)
class StyleStatistics:
    """Counts of one style. Values are texts, as in JSON: `6/8`, `2 dorian`, `40:1`."""

    pieces: int
    """Number of pieces with notes."""
    bars: Mapping[str, int]
    """Number of pieces by number of bars, 1 to 64."""
    metres: Mapping[str, int]
    """By first metre: `6/8`."""
    keys: Mapping[str, int]
    """By first key, fifths and mode: `2 dorian`."""
    tempos: Mapping[str, int]
    """By metre and tempo in quarter notes a minute: `6/8 176`."""
    programs: Mapping[str, int]
    """By instrumentation, `program:voices` of each track, separated by blanks."""
    ranges: tuple[tuple[int, int], ...]
    """Lowest and highest MIDI pitch of each voice: percentiles 0.5 and 99.5."""

    def to_dict(self) -> dict[str, Any]:
        """The counts as JSON values."""
        return {
            "pieces": self.pieces,
            "bars": dict(self.bars),
            "metres": dict(self.metres),
            "keys": dict(self.keys),
            "tempos": dict(self.tempos),
            "programs": dict(self.programs),
            "ranges": [list(r) for r in self.ranges],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Statistics from the JSON values of `to_dict`.

        Raises:
            ModelError: a field is missing, unknown or malformed.
        """
        try:
            ranges = tuple((int(a), int(b)) for a, b in values["ranges"])
            return cls(**{**values, "ranges": ranges})
        except (TypeError, KeyError, ValueError) as error:
            raise ModelError(f"not a style profile: {error}") from error


def style_statistics(pieces: Iterable[tuple[Score, str]]) -> dict[str, StyleStatistics]:
    """Count quantised scores by style.

    Args:
        pieces: scores with their style; pieces without notes are skipped.

    Returns:
        Statistics by style; the empty name has those of all pieces with a single track.
    """
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    pitches: dict[str, list[list[np.ndarray[Any, Any]]]] = defaultdict(list)
    sizes: Counter[str] = Counter()
    for score, style in pieces:
        if not len(score):
            continue
        programs = _programs(score)
        single = len(score.tracks) == 1
        for name in {style, ""} if single else {style} - {""}:
            sizes[name] += 1
            metre = score.metres[0].name
            entry = counts[name]
            if score.n_bars <= vocab.MAX_BARS:
                entry["bars"][str(score.n_bars)] += 1
            entry["metres"][metre] += 1
            entry["keys"][f"{score.keys[0].fifths} {score.keys[0].mode}"] += 1
            entry["tempos"][f"{metre} {score.tempos[0].bpm:g}"] += 1
            entry["programs"][programs] += 1
            voices = pitches[name]
            for track in range(len(score.tracks)):
                if track == len(voices):
                    voices.append([])
                voices[track].append(score.pitch[score.track == track])
    found: dict[str, StyleStatistics] = {}
    for name, entry in counts.items():
        most_common = entry["programs"].most_common(1)[0][0]
        n_tracks = len(most_common.split())
        ranges = [
            (int(np.percentile(p, 0.5)), int(np.percentile(p, 99.5)))
            for p in (np.concatenate(v) for v in pitches[name][:n_tracks])
        ]
        counted: dict[str, Any] = {field: dict(entry[field]) for field in _FIELDS}
        found[name] = StyleStatistics(pieces=sizes[name], ranges=tuple(ranges), **counted)
    return found


_FIELDS = ("bars", "metres", "keys", "tempos", "programs")


def _programs(score: Score) -> str:
    tokens = encode(score)
    out: list[list[int]] = []
    for token in tokens[: int(np.argmax(tokens >= vocab.PITCH))].tolist():
        if vocab.PROGRAM <= token < vocab.NUMERATOR:
            out.append([token - vocab.PROGRAM, 0])
        elif token == vocab.VOICE:
            out[-1][1] += 1
    return " ".join(f"{p}:{v}" for p, v in out)


def draw(counts: Mapping[str, int], rng: np.random.Generator) -> str:
    """Draw one of the counted values in proportion to its count."""
    names = sorted(counts)
    weights = np.array([counts[n] for n in names], dtype=np.float64)
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]
