"""Full analysis of a score in one value, with evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from troubadour.analysis.difficulty import Difficulty, find_difficulty
from troubadour.analysis.form import Form, find_form
from troubadour.analysis.harmony import ChordSpan, find_chords, implied
from troubadour.analysis.key import KeyFinding, find_key
from troubadour.analysis.mood import Mood, find_mood
from troubadour.analysis.style import StyleFinding, StyleModel
from troubadour.core.errors import InputError
from troubadour.music.features import attributes
from troubadour.music.score import Score

_COUNTED: Final = (
    "bars", "notes", "seconds", "voices", "lowest", "highest", "range_semitones", "notes_per_bar",
    "notes_per_second", "polyphony", "syncopation", "steps", "leaps", "repeats",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Analysis:
    """Analysis of a score."""

    key: KeyFinding
    metre: str
    """Notated metre with the longest duration."""
    metre_changes: tuple[tuple[int, str], ...]
    """Pairs of bar and metre, in order."""
    chords: tuple[ChordSpan, ...]
    chords_implied: bool
    """Whether the chords are implied by a single melody."""
    form: Form
    style: StyleFinding
    mood: Mood | None
    """None for a score without pitched notes."""
    difficulty: Difficulty | None
    counts: dict[str, float]
    """Range, density, syncopation and others, from `features.attributes`."""

    def to_dict(self) -> dict[str, Any]:
        """Analysis for JSON; parts that do not apply are null."""
        key, mood, hard = self.key, self.mood, self.difficulty
        return {
            "key": {
                "name": key.key,
                "probability": round(key.probability, 4),
                "notated": key.notated,
                "others": [{"name": n, "probability": round(p, 4)} for n, p in key.others],
                "evidence": [{"what": r.what, "weight": r.weight} for r in key.reasons],
                "regions": [{"key": r.key, "bars": list(r.bars)} for r in key.regions],
            }
            if key.key
            else None,
            "metre": self.metre,
            "metres": [{"bar": bar, "metre": name} for bar, name in self.metre_changes],
            "chords": [
                {
                    "bar": c.bar, "beat": c.beat, "beats": c.beats, "chord": c.symbol, "numeral": c.numeral,
                    "key": c.key, "certainty": c.certainty,
                }
                for c in self.chords
            ],
            "chords_implied": self.chords_implied,
            "form": self.form.letters,
            "phrases": [
                {
                    "bars": list(p.bars), "letter": p.letter, "likeness": p.likeness, "cadence": p.cadence,
                    "chords": list(p.chords),
                }
                for p in self.form.phrases
            ],
            "style": {
                "name": self.style.style,
                "probability": round(self.style.probability, 4),
                "others": [{"name": n, "probability": round(p, 4)} for n, p in self.style.others],
                "evidence": [{"what": n, "weight": w} for n, w in self.style.reasons],
                **({"why_not": self.style.why_not} if self.style.why_not else {}),
            },
            "valence": mood.valence if mood else None,
            "arousal": mood.arousal if mood else None,
            "mood": {
                "word": mood.word,
                "evidence": [
                    {
                        "what": c.name, "heard": c.value, "unit": c.unit, "level": c.level,
                        "valence": c.valence, "arousal": c.arousal,
                    }
                    for c in mood.cues
                ],
            }
            if mood
            else None,
            "difficulty": {
                "level": hard.level,
                "word": hard.word,
                "evidence": [{"what": w, "heard": v, "adds": a} for w, v, a in hard.parts],
            }
            if hard
            else None,
            "counts": self.counts,
        }  # fmt: skip


def analyse(score: Score, styles: StyleModel | None = None) -> Analysis:
    """Analyse a quantised score; about 15 ms per tune.

    A score of drums only has no key, chords, form or mood; these parts are empty. No number is NaN.

    Args:
        score: quantised score.
        styles: style model; without it the style is empty.

    Raises:
        InputError: the score has no notes.
    """
    if not len(score):
        raise InputError("the score has no notes; there is nothing to analyse")
    found = attributes(score)
    key = find_key(score)
    chords = find_chords(score, key)
    nothing = StyleFinding(
        "", 0.0, (), (), "there is no style model: the catalogue has too few labelled pieces"
    )
    starts = score.bar_starts()
    first = 0 if score.upbeat_ticks else 1
    return Analysis(
        key,
        str(found["metre"]),
        tuple((int((starts < m.tick).sum()) + first, m.name) for m in score.metres),
        chords,
        bool(chords) and implied(score),
        find_form(score, chords),
        styles.find(score) if styles else nothing,
        find_mood(score, key.mode, key.probability) if key.key else None,
        find_difficulty(score, found),
        {name: round(float(found[name]), 4) for name in _COUNTED},
    )
