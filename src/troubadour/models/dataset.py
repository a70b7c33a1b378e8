"""Token sequences for training: encoded once, augmented by transposition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from troubadour.core.errors import InputError
from troubadour.models.objectives import ONLY_NEXT, choose, part
from troubadour.music.score import MODES, Score
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.position import COLUMN, N_FEATURES, RESTING
from troubadour.tokens.prefix import FIELDS, prefix_of
from troubadour.tokens.tokenizer import encode, features
from troubadour.tokens.visible import parse_tokens, show

_BARS, _NUMERATOR = FIELDS.index("bars"), FIELDS.index("numerator")
LOWEST, HIGHEST = 33, 96


@dataclass(frozen=True, slots=True)
class Example:
    """One piece ready for the network."""

    tokens: NDArray[np.int16]
    """`START BODY ... END`, shape (n,)."""
    features: NDArray[np.uint8]
    """Musical positions after each token, shape (n, N_FEATURES)."""
    prefix: NDArray[np.int16]
    """One token for each of `FIELDS`, or -1."""
    style: str
    piece: str
    """Id of the piece, for reports."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded sequences."""

    tokens: NDArray[np.int64]
    """(batch, time + 1): inputs are `[:, :-1]`, targets `[:, 1:]`."""
    features: NDArray[np.int64]
    """(batch, time, N_FEATURES), for the inputs."""
    weight: NDArray[np.float32]
    """(batch, time): 1 where a target counts: after BODY or the visible context, and before padding."""


def example(score: Score, style: str, piece: str, styles: Sequence[str]) -> Example:
    """Encode one quantised score."""
    tokens = encode(score)
    prefix = prefix_of(score, style, styles)
    described = np.insert(tokens, 1, prefix[_BARS]) if prefix[_BARS] >= 0 else tokens
    places = features(described)
    if prefix[_BARS] >= 0:
        places = np.delete(places, 1, axis=0)
    return Example(tokens.astype(np.int16), places.astype(np.uint8), prefix, style, piece)


class TrainingSequence(NamedTuple):
    """One training sequence."""

    tokens: NDArray[np.int64]
    """(time,)."""
    positions: NDArray[np.int64]
    """(time, N_FEATURES): where the token after each stands."""
    start: int
    """First place whose target counts."""


def augment(
    item: Example, rng: np.random.Generator, cond_keep_prob: float, transpose: bool
) -> TrainingSequence:
    """One training sequence, with a part of the prefix and in some key.

    A fifth of the sequences has no prefix (for the unconditional branch of classifier-free guidance), a
    fifth has all of it, and the rest a part.

    Args:
        cond_keep_prob: probability of each field to be in that part, 0 to 1.
        transpose: whether to transpose the piece by up to six semitones.
    """
    kept = item.prefix >= 0
    kind = rng.random()
    if kind < 0.2:
        kept &= False
    elif kind > 0.4:
        kept &= rng.random(len(kept)) < cond_keep_prob
    return build(item, kept, _shift(item.tokens, rng) if transpose else 0)


def with_visible_context(
    sequence: TrainingSequence, objective: str, rng: np.random.Generator, context: int
) -> TrainingSequence:
    """A sequence with a part of it as visible context before its body.

    Unchanged if the piece is too short for the objective, or if the visible context would fill `context`
    tokens alone. All targets after the visible context count, those that it holds too: the network has to
    find them there.
    """
    tokens, places, start = sequence
    body = [vocab.START, *tokens[start:].tolist()]
    reading = parse_tokens(body)
    events = part(objective, reading, rng)
    if not any(events):
        return sequence
    opening = reading.opening + start - 1
    shown = show(events, reading.bars, reading.changes)
    if opening + len(shown) >= context:
        return sequence
    whole = np.concatenate([tokens[:opening], np.array(shown, dtype=np.int64), tokens[opening:]])
    described = features(whole[: opening + len(shown)])
    # After the visible context, bars left are as in the whole sequence, with or without them in its prefix.
    return TrainingSequence(whole, np.concatenate([described, places[opening:]]), opening + len(shown) - 1)


def build(item: Example, kept: NDArray[np.bool_], shift: int = 0) -> TrainingSequence:
    """A piece with the `kept` fields of its prefix (shape (len(FIELDS),)), shifted in semitones."""
    tokens, places, prefix = (a.astype(np.int64) for a in (item.tokens, item.features, item.prefix))
    kept = kept & (prefix >= 0)
    # Numerator and denominator are kept together.
    kept[_NUMERATOR : _NUMERATOR + 2] = kept[_NUMERATOR : _NUMERATOR + 2].all()
    if shift:
        _transpose(tokens, places, prefix, shift)
    if not kept[_BARS]:
        places[:, COLUMN.bars_left] = 0
    prefix = prefix[kept]
    tokens = np.concatenate([tokens[:1], prefix, tokens[1:]])
    places = np.concatenate([np.repeat(places[:1], len(prefix) + 1, axis=0), places[1:]])
    return TrainingSequence(tokens, places, len(prefix) + 1)


def _shift(tokens: NDArray[np.int16], rng: np.random.Generator) -> int:
    pitches = tokens[(tokens >= vocab.PITCH) & (tokens < vocab.SPARE)] - vocab.PITCH
    drums = (tokens == vocab.PROGRAM + vocab.DRUMS).any()
    # The keys that people write in stay the most frequent ones.
    if drums or not len(pitches) or rng.random() < 0.3:
        return 0
    low = max(-6, min(0, LOWEST - int(pitches.min())))
    high = min(6, max(0, HIGHEST - int(pitches.max())))
    return int(rng.integers(low, high + 1))


def _transpose(
    tokens: NDArray[np.int64], places: NDArray[np.int64], prefix: NDArray[np.int64], shift: int
) -> None:
    tokens[(tokens >= vocab.PITCH) & (tokens < vocab.SPARE)] += shift
    _shift_keys(tokens, shift)
    _shift_keys(prefix, shift)
    pitches = places[:, COLUMN.pitch_1 :]
    pitches[pitches < RESTING] += shift


def _shift_keys(tokens: NDArray[np.int64], shift: int) -> None:
    keys = (tokens >= vocab.KEY) & (tokens < vocab.TEMPO)
    fifths, mode = np.divmod(tokens[keys] - vocab.KEY, len(MODES))
    shifted = (fifths - 7 + 7 * shift + 6) % 12 - 6
    shifted = np.where((shifted == -6) & (fifths - 7 > 0), 6, shifted)
    tokens[keys] = vocab.KEY + (shifted + 7) * len(MODES) + mode


def batches(
    examples: Sequence[Example],
    seed: int,
    tokens_a_batch: int,
    *,
    context: int,
    cond_keep_prob: float = 0.75,
    transpose: bool = True,
    first: int = 0,
    objectives: Mapping[str, float] = ONLY_NEXT,
) -> Iterator[Batch]:
    """Endless batches of about `tokens_a_batch` tokens, sequences of like length together.

    Visible context comes on top of that. Batch number n depends on `seed` and n alone, so that a run
    resumed at batch `first` gets what an uninterrupted one gets.

    Raises:
        InputError: there is no example.
    """
    if not examples:
        raise InputError("no usable piece to train on; import music first, or check its quality report")
    lengths = np.array([min(len(e.tokens) + 4, context) for e in examples])
    number, epoch = 0, 0
    while True:
        plan = _epoch(lengths, np.random.default_rng([seed, epoch]), tokens_a_batch)
        for rows in plan:
            if number >= first:
                rng = np.random.default_rng([seed, 1, number])
                sequences = [augment(examples[i], rng, cond_keep_prob, transpose) for i in rows]
                # One objective for the batch, so that its sequences stay of like length.
                objective = choose(objectives, rng)
                if objective != "next":
                    sequences = [with_visible_context(d, objective, rng, context) for d in sequences]
                yield collate(sequences, context)
            number += 1
        epoch += 1


def _epoch(
    lengths: NDArray[np.int64], rng: np.random.Generator, tokens_a_batch: int
) -> list[NDArray[np.int64]]:
    order = rng.permutation(len(lengths))
    plan: list[NDArray[np.int64]] = []
    for pool in np.array_split(order, max(1, len(order) // 256)):
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        start = 0
        for stop in range(1, len(pool) + 1):
            full = (stop + 1 - start) * lengths[pool[min(stop, len(pool) - 1)]] > tokens_a_batch
            if stop == len(pool) or full:
                plan.append(pool[start:stop])
                start = stop
    return [plan[i] for i in rng.permutation(len(plan))]


def collate(sequences: Iterable[TrainingSequence], context: int) -> Batch:
    """Pad sequences on the right and cut them at `context`."""
    cut = [(t[: context + 1], f[:context], s) for t, f, s in sequences]
    time = max(len(t) for t, _, _ in cut) - 1
    tokens = np.zeros((len(cut), time + 1), dtype=np.int64)
    places = np.zeros((len(cut), time, N_FEATURES), dtype=np.int64)
    weight = np.zeros((len(cut), time), dtype=np.float32)
    for row, (t, f, start) in enumerate(cut):
        tokens[row, : len(t)] = t
        places[row, : len(t) - 1] = f[: len(t) - 1]
        weight[row, start : len(t) - 1] = 1.0
    return Batch(tokens, places, weight)


def save(path: Path, examples: Sequence[Example]) -> None:
    """Write encoded examples to one `.npz`, for quick restarts."""
    np.savez_compressed(
        path,
        tokens=np.concatenate([e.tokens for e in examples]),
        features=np.concatenate([e.features for e in examples]),
        lengths=np.array([len(e.tokens) for e in examples]),
        prefix=np.stack([e.prefix for e in examples]),
        style=np.array([e.style for e in examples]),
        piece=np.array([e.piece for e in examples]),
        version=vocab.VERSION,
    )


def load(path: Path) -> list[Example]:
    """Read what `save` wrote.

    Raises:
        InputError: the file is of another tokeniser version.
    """
    with np.load(path) as data:
        if int(data["version"]) != vocab.VERSION:
            raise InputError(f"{path.name} is of tokeniser version {data['version']}; encode again")
        cuts = np.cumsum(data["lengths"])[:-1]
        return [
            Example(t, f, p, str(s), str(i))
            for t, f, p, s, i in zip(
                np.split(data["tokens"], cuts),
                np.split(data["features"], cuts),
                data["prefix"],
                data["style"],
                data["piece"],
                strict=True,
            )
        ]
