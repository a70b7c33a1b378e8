"""Protocol of generation tasks, and the function that runs a prepared task."""

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
"""Smallest number of tokens that has to remain for new events."""


@dataclass(frozen=True, slots=True)
class PreparedTask:
    """A task compiled for one composer."""

    brief: Brief
    """Complete brief, from which the prompt is built."""
    constraint_plan: ConstraintPlan
    """Constraints, given events included."""
    opening: tuple[int, ...]
    """Tokens with which the piece begins, after BODY."""
    finish: Callable[[Score], Score]
    """Puts the composed score into the quantised given piece."""
    context_guidance: float = 1.0
    """Guidance weight of the visible context; see `AutoregressiveComposer.decode`."""
    tracks: tuple[int, ...] | None = None
    """Given track of each track of the finished piece; see `splice`."""
    removed: frozenset[tuple[int, int, int]] = frozenset()
    """Given notes (onset, pitch, track) that the finished piece does not contain."""
    same_timing: bool = False
    """Whether a new note takes the exact onset, length and velocity of the note that it replaces."""


class Task(Protocol):
    """A request for new music in or around a given piece."""

    @property
    def score(self) -> Score:
        """The given piece: at any resolution for `run_task`, quantised for `prepare`."""
        ...

    def prepare(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """Compile the task for a composer.

        Args:
            composer: the composer that will run the task.
            brief: style, temperature and controls; the given piece decides open ones.
            corpus: other music, for `brief.max_common`.

        Raises:
            InputError: the piece does not allow the task, or two controls contradict each other.
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
    """Distinct results of a task, in order of their mean likelihood; none equals the given piece.

    Everything outside the request stays as given, note by note and mark by mark, in the ticks of the given
    piece.

    Args:
        composer: a composer with prompt and decoder.
        task: with a given piece at any resolution.
        brief: style, temperature and controls.
        rng: source of randomness.
        candidates: largest number of results.
        corpus: other music, for `brief.max_common`.

    Raises:
        InputError: as `Task.prepare`.
        TroubadourError: no candidate ended, or all of them equal the given piece.
    """
    grid = quantise(task.score, marks=())
    # Tasks are frozen dataclasses with a field `score`.
    prepared = cast("Task", replace(cast("Any", task), score=grid)).prepare(composer, brief, corpus)
    given = _with_tempo_and_key(task.score, brief)
    found: list[Score] = []
    for score in composer.decode(
        prepared.brief, prepared.constraint_plan, rng, candidates, prepared.opening, prepared.context_guidance
    ):
        composed = prepared.finish(score)
        result = splice(given, grid, composed, prepared.tracks, prepared.removed, prepared.same_timing)
        if result != given and result not in found:
            found.append(result)
    if not found:
        raise TroubadourError(
            f"{candidates} candidates equal the given piece; ask for more candidates or a higher temperature"
        )
    return found


def _with_tempo_and_key(score: Score, brief: Brief) -> Score:
    """The score with the tempo and the key signature of a brief, where it has them."""
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
    visible: Sequence[Sequence[Span]] = (),
) -> tuple[int, ...]:
    """Forced tokens before the first free one: header, visible context and given events.

    Args:
        composer: its context limits the length.
        brief: a complete brief.
        constraint_plan: constraints, given events included.
        visible: events of each voice for the visible context.

    Raises:
        InputError: fewer than 64 tokens of the model's context remain.
    """
    decoder = constraint_plan.decoder()
    for token in (vocab.START, vocab.BODY):
        decoder.advance(token)
    out: list[int] = []
    rest = visible
    while not decoder.done:
        if any(rest) and decoder.automaton.phase == Phase.EVENT:
            starts = _barlines(decoder.automaton.upbeat, decoder.automaton.bar_length, rest)
            tokens, rest = show(rest, starts), ()
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
    """Passages that `brief.max_common` forbids; `None` without a limit or without other music."""
    if brief.max_common is None or corpus is None:
        return None
    return composer.passages(corpus, brief.max_common - 1)


def _barlines(upbeat: int, bar: int, spans: Sequence[Sequence[Span]]) -> list[int]:
    """Ticks of the barlines up to the end of the spans."""
    end = max(voice[-1].stop for voice in spans if voice)
    return [0, *range(upbeat or bar, end + 1, bar)]
