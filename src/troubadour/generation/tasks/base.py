"""What a task is, and how one is carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import numpy as np

from troubadour.core.errors import InputError, TroubadourError
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.constraints.base import Span
from troubadour.generation.constraints.build import ConstraintPlan
from troubadour.generation.originality import Corpus, PassageIndex
from troubadour.generation.request import Brief
from troubadour.generation.tasks.splice import splice
from troubadour.music.marks import MarkKind
from troubadour.music.quantise import quantise
from troubadour.music.score import Key, Score, Tempo
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.grammar import Phase
from troubadour.tokens.visible import show

_LEAST_ROOM = 64
"""Tokens that have to be left for what is composed."""


@dataclass(frozen=True, slots=True)
class PreparedTask:
    """A task that is ready to be composed."""

    brief: Brief
    """Complete; what the network is told."""
    constraint_plan: ConstraintPlan
    opening: tuple[int, ...]
    """Tokens with which the piece begins, after BODY."""
    finish: Callable[[Score], Score]
    """Puts what was composed into the given piece."""
    context_guidance: float = 1.0
    """How much what is shown beforehand counts; see `AutoregressiveComposer.decode`."""
    tracks: tuple[int, ...] | None = None
    """Which given track each track of the finished piece is; see `splice`."""
    gone: frozenset[tuple[int, int, int]] = frozenset()
    """Given notes (onset, pitch, track) that have no place in the finished piece."""
    same_timing: bool = False
    """Whether a new note takes the exact onset, length and velocity of the one that it replaces."""


class Task(Protocol):
    """Something to be composed to a given piece."""

    @property
    def score(self) -> Score:
        """The given piece: as its file has it for `run_task`, quantised for `settle`."""
        ...

    def prepare(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """Decide what holds.

        Args:
            brief: style, temperature and constraints; what the given piece decides may be left open.
            corpus: other music, for `brief.max_common`.

        Raises:
            InputError: the piece does not allow the task, or two demands clash; the message says why.
        """
        ...


def run_task(
    composer: AutoregressiveComposer,
    task: Task,
    brief: Brief,
    rng: np.random.Generator,
    candidates: int = 1,
    corpus: Corpus | None = None,
) -> list[Score]:
    """Results of a task, those that the network finds most likely first; none twice, none as it was given.

    The given piece may be at any resolution. In the results all that was not asked for is as it was
    given, note by note and mark by mark, in the ticks of the given piece.

    Raises:
        InputError: as `Task.prepare`.
        TroubadourError: nothing came of it, or nothing but the given piece.
    """
    grid = quantise(task.score, marks=())
    # Tasks are frozen dataclasses with a field `score`.
    ready = cast("Task", replace(cast("Any", task), score=grid)).prepare(composer, brief, corpus)
    given = _as_told(task.score, brief)
    found: list[Score] = []
    for score in composer.decode(
        ready.brief, ready.constraint_plan, rng, candidates, ready.opening, ready.context_guidance
    ):
        made = ready.finish(score)
        done = splice(given, grid, made, ready.tracks, ready.gone, ready.same_timing)
        if done != given and done not in found:
            found.append(done)
    if not found:
        raise TroubadourError(
            "all that was composed is the piece as it was given; ask for more candidates or a higher temperature"
        )
    return found


def _as_told(score: Score, brief: Brief) -> Score:
    """The whole at the tempo and in the key that were asked for; without a word they stay as given."""
    implied = set()
    if brief.tempo_bpm is not None:
        score = score.replace(tempos=(Tempo(0, brief.tempo_bpm),))
        implied.add("tempo")
    if brief.key is not None:
        score = score.replace(keys=(Key(0, *brief.key),))
        implied.add("key")
    marks = tuple(m for m in score.marks if m.kind is not MarkKind.IMPLIED or m.text not in implied)
    return score.replace(marks=marks) if marks != score.marks else score


def opening(
    composer: AutoregressiveComposer,
    brief: Brief,
    constraint_plan: ConstraintPlan,
    shown: Sequence[Sequence[Span]] = (),
) -> tuple[int, ...]:
    """All that is decided before the first choice: header, what is shown, and given events up to there.

    Args:
        shown: of each voice, the events to show beforehand.

    Raises:
        InputError: it leaves no room in the model's context.
    """
    decoder = constraint_plan.decoder()
    for token in (vocab.START, vocab.BODY):
        decoder.advance(token)
    out: list[int] = []
    part = shown
    while not decoder.done:
        if any(part) and decoder.automaton.phase == Phase.EVENT:
            starts = _barlines(decoder.automaton.upbeat, decoder.automaton.bar_length, part)
            tokens, part = show(part, starts), ()
        else:
            choices = np.flatnonzero(decoder.allowed())
            if len(choices) != 1:
                break
            tokens = [int(choices[0])]
        for token in tokens:
            decoder.advance(token)
        out += tokens
    prompt, context = len(composer.prompt(brief)) + len(out), composer.spec.context
    if prompt + _LEAST_ROOM > context:
        raise InputError(
            f"the given piece takes {prompt} tokens of the model's {context}; give a shorter part of it"
        )
    return tuple(out)


def passages(composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None) -> PassageIndex | None:
    """What `brief.max_common` forbids."""
    if brief.max_common is None or corpus is None:
        return None
    return composer.passages(corpus, brief.max_common - 1)


def _barlines(upbeat: int, bar: int, spans: Sequence[Sequence[Span]]) -> list[int]:
    end = max(voice[-1].stop for voice in spans if voice)
    return [0, *range(upbeat or bar, end + 1, bar)]
