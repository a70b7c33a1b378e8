"""Autoregressive composers: a brief becomes a prompt and constraints, sampled tokens become scores.

Base class of the families whose networks predict the next token; a family adds the shape of its network
(`spec_type`) and its runtime.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from troubadour.core.errors import ModelError, TroubadourError
from troubadour.generation.constraints.base import ConstrainedDecoder
from troubadour.generation.constraints.build import ConstraintPlan, InstrumentDefaults, compile_constraints
from troubadour.generation.embedding import embed_scores
from troubadour.generation.loading import DOCUMENT, REPORT, WEIGHTS, load_composer, read_document
from troubadour.generation.nats import melody_nats
from troubadour.generation.network_spec import FULL, Precision, Spec
from troubadour.generation.originality import Corpus, PassageIndex
from troubadour.generation.protocols import Melody
from troubadour.generation.request import Brief
from troubadour.generation.sampling import BatchedDecoding, DecoderState, GuidanceBranch, GuidedDecoder
from troubadour.generation.style_defaults import StyleDefaults
from troubadour.generation.style_statistics import StyleStatistics
from troubadour.music.quantise import METRONOME, nearest
from troubadour.music.score import Score
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.tokenizer import score_of

if TYPE_CHECKING:
    from troubadour.generation.tasks.base import Task

_TRIES: Final = 4


class Runtime(Protocol):
    """Inference of one set of weights, without torch."""

    def start(self, batch: int, length: int) -> DecoderState:
        """State without tokens, for `batch` sequences of up to `length` tokens each."""
        ...

    def embed(self, tokens: NDArray[np.int64], features: NDArray[np.int64]) -> NDArray[np.float32]:
        """Last hidden states of whole sequences.

        Args:
            tokens: shape (batch, time), int64.
            features: shape (batch, time, n_features), int64.

        Returns:
            Shape (batch, time, width), float32.
        """
        ...


class AutoregressiveComposer(ABC):
    """Composer and encoder with one set of weights.

    Args:
        spec: shape of the network.
        weights: arrays by name.
        profiles: statistics by style; the empty name has those of all melodies.
        name: name of the vector space of `embed`; default: the name of the family.
        threads: number of CPU threads.
        precision: of the weights at run time; `int8` is faster and slightly less accurate.
    """

    kind: ClassVar[str]
    """Name under which the family is registered."""
    spec_type: ClassVar[type[Spec]]

    def __init__(
        self,
        spec: Spec,
        weights: Mapping[str, NDArray[Any]],
        profiles: Mapping[str, StyleStatistics],
        name: str = "",
        threads: int = 1,
        precision: Precision = FULL,
    ) -> None:
        self.spec, self.name = spec, name or self.kind
        self._weights, self._defaults = dict(weights), StyleDefaults(profiles, spec.styles)
        self.engine: Runtime = self.runtime(spec, weights, threads, precision)
        self._passages: tuple[Corpus, PassageIndex] | None = None

    @staticmethod
    @abstractmethod
    def runtime(
        spec: Any, weights: Mapping[str, NDArray[Any]], threads: int, precision: Precision
    ) -> Runtime:
        """Runtime of this family.

        Raises:
            ModelError: a weight is missing, of a wrong shape or not finite.
        """

    # Composing --------------------------------------------------------------------------------

    @property
    def styles(self) -> tuple[str, ...]:
        """Styles that a brief may name: those with statistics."""
        return self._defaults.styles

    @property
    def weights(self) -> Mapping[str, NDArray[Any]]:
        """Arrays by name, as passed to the constructor."""
        return self._weights

    @property
    def profiles(self) -> Mapping[str, StyleStatistics]:
        """Statistics by style; the empty name has those of all melodies."""
        return self._defaults.profiles

    def compose(
        self, brief: Brief, rng: np.random.Generator, candidates: int = 1, corpus: Corpus | None = None
    ) -> list[Score]:
        """New pieces for one brief, in order of their mean likelihood.

        Open controls are drawn from the style's statistics.

        Costs about a third of a second for each candidate of a 16-bar tune on one slow core.

        Args:
            brief: controls; those that are `None` are open.
            rng: source of randomness.
            candidates: number of pieces.
            corpus: other music, for `brief.max_common`.

        Raises:
            InputError: the style is unknown, or two controls contradict each other.
            TroubadourError: no piece ended.
        """
        if not brief.is_complete:
            brief = self.complete(brief, rng)
        return self.decode(brief, self.constraint_plan(brief, corpus), rng, candidates)

    def stream(self, brief: Brief, rng: np.random.Generator, corpus: Corpus | None = None) -> Iterator[Score]:
        """Compose one piece and yield the score so far at each barline, and the whole score at the end.

        Closing the iterator ends the generation.

        Raises:
            InputError: as `compose`, before the first bar.
            TroubadourError: the piece did not end.
        """
        if not brief.is_complete:
            brief = self.complete(brief, rng)
        decoder = self.constraint_plan(brief, corpus).decoder()
        return self._bars(brief, decoder, rng)

    def _bars(self, brief: Brief, decoder: ConstrainedDecoder, rng: np.random.Generator) -> Iterator[Score]:
        prompt = self.prompt(brief)
        decoding = self._batched_decoding(brief, [decoder], prompt, rng)
        bar = 1
        for _ in decoding.steps():
            if decoder.automaton.bar_number > bar and decoder.automaton.events and not decoder.done:
                bar = decoder.automaton.bar_number
                yield score_of(decoder.automaton)
        if not decoder.done:
            raise TroubadourError(
                "the piece did not end within the context of the model; compose again with another seed"
            )
        yield score_of(decoder.automaton)

    def run_task(
        self,
        task: Task,
        brief: Brief,
        rng: np.random.Generator,
        candidates: int = 1,
        corpus: Corpus | None = None,
    ) -> list[Score]:
        """See `TaskComposer.run_task`."""
        from troubadour.generation.tasks.base import run_task  # tasks are written against this class

        return run_task(self, task, brief, rng, candidates, corpus)

    def constraint_plan(self, brief: Brief, corpus: Corpus | None = None, **given: Any) -> ConstraintPlan:
        """Constraints of a complete brief.

        Args:
            brief: a complete brief; see `complete`.
            corpus: other music, for `brief.max_common`.
            given: `spans`, `upbeat` and `ticks` of `compile_constraints`.

        Raises:
            InputError: two controls contradict each other; the message names them.
        """
        defaults = self.instrument_defaults(brief)
        tempo = None
        if brief.tempo_bpm is not None:
            tempo = METRONOME.index(int(nearest(np.array([brief.tempo_bpm]), METRONOME)[0]))
        passages = None
        if brief.max_common is not None and corpus is not None:
            passages = self.passages(corpus, brief.max_common - 1)
        return compile_constraints(brief, defaults, tempo, passages=passages, **given)

    def instrument_defaults(self, brief: Brief) -> InstrumentDefaults:
        """See `StyleDefaults.instrument_defaults`."""
        return self._defaults.instrument_defaults(brief)

    def decode(
        self,
        brief: Brief,
        constraint_plan: ConstraintPlan,
        rng: np.random.Generator,
        candidates: int = 1,
        opening: Sequence[int] = (),
        context_guidance: float = 1.0,
    ) -> list[Score]:
        """Pieces under constraints, in order of their mean likelihood.

        Args:
            brief: a complete brief, from which the prompt is built.
            constraint_plan: compiled constraints.
            rng: source of randomness.
            candidates: number of pieces.
            opening: tokens with which the piece begins, after BODY.
            context_guidance: guidance weight of the visible context in `opening`, 1 or more; above 1 the
                network runs twice.

        Raises:
            TroubadourError: no piece ended.
        """
        prompt = [*self.prompt(brief), *opening]
        found: list[tuple[float, int, Score]] = []
        dead_ends = 0
        for _ in range(_TRIES):
            decoders = [constraint_plan.decoder() for _ in range(candidates - len(found))]
            decoding = self._batched_decoding(brief, decoders, prompt, rng, context_guidance)
            for _ in decoding.steps():
                pass
            dead_ends += decoding.n_dead_ends
            found += [
                (t.mean_nll, len(found) + i, score_of(g.automaton))
                for i, (g, t) in enumerate(zip(decoders, decoding.finished(), strict=True))
                if t is not None
            ]
            if len(found) >= candidates:
                break
        if not found and dead_ends:
            raise TroubadourError(
                f"density {brief.density} could not be reached under the other controls in {dead_ends} of "
                f"{_TRIES * candidates} attempts; ask for a lower density or for fewer controls"
            )
        if not found:
            raise TroubadourError(
                f"no piece of {brief.bars} bars ended within {self._room(brief)} tokens; ask for fewer bars"
            )
        return [score for _, _, score in sorted(found, key=lambda f: f[:2])]

    def _batched_decoding(
        self,
        brief: Brief,
        decoders: list[ConstrainedDecoder],
        prompt: list[int],
        rng: np.random.Generator,
        context_guidance: float = 1.0,
    ) -> BatchedDecoding:
        n, room = len(decoders), min(len(prompt) + self._room(brief), self.spec.context)
        network: DecoderState = self.engine.start(n, room)
        style = None if brief.style is None else self.spec.style_token(brief.style)
        parts = ((np.array(prompt) == style, brief.guidance), (_visible(prompt), context_guidance))
        branches = [
            GuidanceBranch(self.engine.start(n, room), ~part, weight)
            for part, weight in parts
            if weight != 1.0 and part.any()
        ]
        if branches:
            network = GuidedDecoder(network, branches)
        return BatchedDecoding(
            network, decoders, [prompt] * n, rng, temperature=brief.temperature, top_p=brief.top_p
        )

    def passages(self, corpus: Corpus, length: int) -> PassageIndex:
        """Index of all passages of a corpus with `length` steps; cached until the corpus or the length changes."""
        cached = self._passages
        if cached is None or cached[0] is not corpus or cached[1].length != length:
            cached = (corpus, corpus.windows(length))
            self._passages = cached
        return cached[1]

    def complete(self, brief: Brief, rng: np.random.Generator) -> Brief:
        """See `StyleDefaults.complete`."""
        return self._defaults.complete(brief, rng)

    def prompt(self, brief: Brief) -> list[int]:
        """Tokens `START prefix BODY` for a complete brief."""
        style = self.spec.style_token(brief.style) if brief.style else None
        prefix = [] if style is None else [style]
        if brief.bars is not None:
            prefix.append(vocab.BARS + brief.bars - 1)
        if brief.voices is not None:
            prefix.append(vocab.VOICES + brief.voices - 1)
        if brief.metre is not None:
            prefix.append(vocab.NUMERATOR + brief.metre[0] - 1)
            prefix.append(vocab.DENOMINATOR + vocab.DENOMINATORS.index(brief.metre[1]))
        if brief.key is not None:
            prefix.append(vocab.key_token(*brief.key))
        if brief.density is not None:
            prefix.append(vocab.DENSITY + brief.density)
        return [vocab.START, *prefix, vocab.BODY]

    def _room(self, brief: Brief) -> int:
        """Largest number of tokens of a piece: twice that of a dense piece of the same length."""
        numerator, denominator = brief.metre or (4, 4)
        quarters = (brief.bars or 16) * numerator * 4 / denominator
        return min(self.spec.context, 96 + int(quarters * (brief.voices or 1) * 10))

    # Scoring and embedding --------------------------------------------------------------------

    exact_nats: ClassVar[bool] = True

    def bar_nats(self, melodies: Sequence[Melody], rng: np.random.Generator) -> NDArray[np.float64]:
        """See `Scorable.bar_nats`; key and tempo, which precede the first barline, are given too."""
        return melody_nats(self.engine, melodies)

    def embed(self, scores: list[Score]) -> NDArray[np.float32]:
        """Embeddings of quantised scores: mean last hidden state of the first 256 tokens, scaled to unit length.

        Scores are transposed to C and set to one tempo first. Costs about 10 ms a piece.

        Args:
            scores: n quantised scores.

        Returns:
            Shape (n, width), float32.
        """
        return embed_scores(self.engine, scores, self.spec.width, len(self.spec.features))

    # Storing ----------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the weights (fp16 safetensors) and a JSON document with all else into a folder."""
        half = {k: np.asarray(v).astype(np.float16) for k, v in self._weights.items()}
        (folder / WEIGHTS).write_bytes(save(half))
        document = {
            "kind": self.kind,
            "name": self.name,
            "spec": self.spec.to_dict(),
            "profiles": {k: v.to_dict() for k, v in self._defaults.profiles.items()},
        }
        (folder / DOCUMENT).write_text(json.dumps(document, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path, threads: int = 1, precision: Precision = FULL) -> Self:
        """Composer from a folder that `save` wrote.

        Args:
            folder: with weights and document.
            threads: number of CPU threads.
            precision: of the weights at run time.

        Raises:
            ModelError: a file is missing, damaged, of another version or of another family.
        """
        try:
            document = read_document(folder, cls.kind)
            weights = load((folder / WEIGHTS).read_bytes())
            spec = cls.spec_type.from_dict(document["spec"])
            profiles = {k: StyleStatistics.from_dict(v) for k, v in document["profiles"].items()}
            return cls(spec, weights, profiles, document["name"], threads, precision)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"{folder}: no composer can be read there: {error}") from error


def _visible(prompt: Sequence[int]) -> NDArray[np.bool_]:
    """Mask of the visible context of a prompt, shape (prompt,): all tokens from FILL to FILL."""
    marks = np.array(prompt) == vocab.FILL
    inside: NDArray[np.bool_] = marks | (np.cumsum(marks) % 2 == 1)
    return inside


__all__ = ["DOCUMENT", "REPORT", "WEIGHTS", "AutoregressiveComposer", "load_composer"]
