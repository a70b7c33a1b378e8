"""Each task under random controls: the controls hold in the written files, or two of them are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from benchmarks.held import checks, read
from numpy.typing import NDArray
from tests.fixtures.networks import tune
from tests.generation.test_tasks import choir, jig

from troubadour.core.errors import InputError
from troubadour.formats.midi import write_midi
from troubadour.formats.musicxml import write_musicxml
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief
from troubadour.generation.style_statistics import style_statistics
from troubadour.generation.tasks import (
    Accompany,
    Continue,
    Harmonise,
    Infill,
    Reharmonise,
    Task,
    Vary,
    run_task,
)
from troubadour.models.transformer.composer import TransformerComposer
from troubadour.models.transformer.spec import TransformerSpec
from troubadour.music.quantise import quantise
from troubadour.music.score import MODES, Key, Metre, Score, Tempo, Track

Pieces = list[tuple[Score, str]]
CHORDS = ("D G A7 D", "Am | Dm E7 | Am | Am", "C G", "Dm C7", "D D6 | G Bm | A7 | D")


@pytest.fixture(scope="module")
def composer(
    spec: TransformerSpec, weights: dict[str, NDArray[np.float32]], pieces: Pieces
) -> TransformerComposer:
    known = TransformerSpec(**{**spec.to_dict(), "styles": (*spec.styles, "chorale")})
    return TransformerComposer(
        known, weights, style_statistics([*pieces, *[(choir(i), "chorale") for i in range(3)]])
    )


def waltz() -> Score:
    rows = [(24 * i, 24, (67, 71, 74)[i * 5 % 3], 80, 0) for i in range(12)]
    return quantise(
        Score.from_notes(
            rows,
            ticks_per_quarter=24,
            tracks=(Track(73),),
            metres=(Metre(0, 3, 4),),
            keys=(Key(0, 1, "major"),),
        )
    )


def tasks(rng: np.random.Generator) -> Iterator[tuple[str, Task, str | None]]:
    tuneful, choral = jig(int(rng.choice([0, 12])), 4), choir(int(rng.integers(9)))
    alone = quantise(choral.where(choral.track == 0))
    melody = (tuneful, tune(3, "march", 4), waltz())[rng.integers(3)]
    yield "continue", Continue(tuneful, 2), "jig"
    yield "infill", Infill(tuneful, (2, 3)), "jig"
    yield "infill voices", Infill(choral, (2, 3), (2, 3)), "chorale"
    yield "harmonise", Harmonise(alone), None
    yield "harmonise a bass", Harmonise(choral, (4,)), None
    yield "chords", Harmonise(melody, chords=True), None
    yield "accompany", Accompany(melody, figure="held" if rng.random() < 0.5 else "offbeat"), None
    yield "reharmonise", Reharmonise(choral), None
    yield "vary pitches", Vary(tuneful, "rhythm"), "jig"
    yield "vary some pitches", Vary(choral, "rhythm", (2, 3)), "chorale"
    yield "vary rhythm", Vary(tuneful, "pitch", (2, 3)), "jig"


def controls(rng: np.random.Generator) -> dict[str, Any]:
    def maybe(value: Any, chance: float = 0.15) -> Any:
        return value if rng.random() < chance else None

    return {
        "key": maybe((int(rng.integers(-2, 4)), MODES[rng.integers(3)]), 0.3),
        "tempo_bpm": maybe(100.0),
        "density": maybe(int(rng.integers(1, 7))),
        "strict": bool(rng.random() < 0.5),
        "chords": maybe(str(rng.choice(CHORDS))),
        "ranges": maybe(((50, 84),)),
        "lowest": maybe(int(rng.integers(36, 60))),
        "highest": maybe(int(rng.integers(74, 90))),
        "cadence": maybe(True),
        "parallels": bool(rng.random() < 0.85),
        "max_common": maybe(8),
    }


@pytest.mark.parametrize("part", range(4))
def test_a_control_holds_or_is_refused_with_the_one_it_contradicts(
    composer: TransformerComposer, part: int
) -> None:
    rng = np.random.default_rng(part)
    corpus = Corpus.of([("a", tune(1, "jig")), ("b", jig())])
    done: Counter[str] = Counter()
    refused: list[str] = []
    for _ in range(8):
        wishes = controls(rng)
        for name, task, style in tasks(rng):
            brief = Brief(style=style, **wishes)
            try:
                (made,) = run_task(composer, task, brief, rng, 1, corpus)
            except InputError as error:
                refused.append(str(error))
                continue
            done[name] += 1
            written = read(write_midi(made), write_musicxml(made, title="x"))
            complete = replace(brief, bars=made.n_bars)
            assert all(checks(complete, written, None).values()), (
                name,
                brief,
                checks(complete, written, None),
            )
            if brief.max_common:
                assert corpus.longest_match(made).notes <= brief.max_common
    assert not [text for text in refused if " clash" not in text]
    assert len(done) > 8, done


def test_a_given_piece_takes_on_the_tempo_and_key_that_are_asked_for(composer: TransformerComposer) -> None:
    for task in (Continue(jig(), 2), Harmonise(waltz(), chords=True), Vary(jig(), "rhythm")):
        rng = np.random.default_rng(0)
        (made,) = run_task(composer, task, Brief(tempo_bpm=100, key=(1, "mixolydian")), rng)
        assert made.tempos == (Tempo(0, 100.0),)
        assert made.keys == (Key(0, 1, "mixolydian"),)
        (left,) = run_task(composer, task, Brief(), rng)
        assert (left.tempos, left.keys) == (task.score.tempos, task.score.keys)


def test_chords_that_change_faster_than_the_beat_are_followed(composer: TransformerComposer) -> None:
    task = Accompany(waltz(), figure="held")
    (made,) = run_task(composer, task, Brief(chords="G D7 G | G | G | G"), np.random.default_rng(1))
    first_bar = sorted({n[0] for n in made.notes().tolist() if n[4] == 2 and n[0] < 72})
    assert first_bar == [0, 24, 48]


REFUSED: dict[str, tuple[Task, dict[str, Any], str]] = {
    "kept pitches and the lowest note": (Vary(jig(), "pitch"), {"lowest": 70}, "notes and lowest 70 clash"),
    "kept pitches and a scale": (
        Vary(jig(), "pitch"), {"key": (-4, "major"), "strict": True}, "notes and key Ab major as a scale clash",
    ),
    "bars that stay and the highest note": (
        Vary(jig(), "rhythm", (2, 3)), {"highest": 65}, "notes and highest 65 clash",
    ),
    "a melody that ends elsewhere and a cadence": (
        Harmonise(waltz()), {"cadence": True, "key": (-1, "major")},
        "notes and cadence clash: voice 1 does not end in the tonic's chord",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("task", "wishes", "message"), REFUSED.values(), ids=list(REFUSED))
def test_given_notes_are_checked_against_the_controls(
    composer: TransformerComposer, task: Task, wishes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        task.prepare(composer, Brief(**wishes))
