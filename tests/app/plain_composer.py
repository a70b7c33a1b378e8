"""A plugin that has nothing but the documented members of `Composer`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from troubadour.core.errors import InputError
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Metre, Score, Tempo, Track

SCALE = (0, 2, 4, 5, 7, 9, 11)


class PlainComposer:
    """Walks along the scale, one note a beat, and ends on the tonic."""

    name = "plain walk"
    styles = ("jig", "reel")

    def complete(self, brief: Brief, rng: np.random.Generator) -> Brief:
        if brief.style is not None and brief.style not in self.styles:
            raise InputError(f"style is '{brief.style}'; allowed: {', '.join(self.styles)}")
        return replace(
            brief,
            metre=brief.metre or (4, 4),
            key=brief.key or (int(rng.integers(-3, 4)), "major"),
            bars=brief.bars or 8,
            tempo_bpm=brief.tempo_bpm or 120.0,
            voices=1,
        )

    def compose(
        self, brief: Brief, rng: np.random.Generator, candidates: int = 1, corpus: Corpus | None = None
    ) -> list[Score]:
        return [self._walk(self.complete(brief, rng), one) for one in rng.spawn(candidates)]

    @classmethod
    def load(cls, folder: Path, threads: int = 1, precision: str = "fp32") -> Self:
        assert (folder / "composer.json").is_file()
        return cls()

    def _walk(self, brief: Brief, rng: np.random.Generator) -> Score:
        assert brief.metre is not None
        assert brief.key is not None
        assert brief.bars is not None
        tonic, (top, bottom) = 60 + Key(0, *brief.key).tonic, brief.metre
        beat = 96 // bottom
        steps = np.cumsum(rng.integers(-1, 2, size=brief.bars * top)) % len(SCALE)
        steps[-1] = 0
        rows = [(i * beat, beat, tonic + SCALE[step], 80, 0) for i, step in enumerate(steps)]
        return quantise(
            Score.from_notes(
                rows,
                ticks_per_quarter=24,
                tracks=(Track(73),),
                tempos=(Tempo(0, brief.tempo_bpm or 120.0),),
                metres=(Metre(0, top, bottom),),
                keys=(Key(0, *brief.key),),
            )
        )
