"""Token sequences for training: encoded once, augmented by transposition as they are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    """(batch, time): 1 where a target counts: after BODY, or after what is shown, and before padding."""


def example(score: Score, style: str, piece: str, styles: Sequence[str]) -> Example:
    """Encode one quantised score."""
    tokens = encode(score)
    told = prefix_of(score, style, styles)
    described = np.insert(tokens, 1, told[_BARS]) if told[_BARS] >= 0 else tokens
    places = features(described)
    if told[_BARS] >= 0:
        places = np.delete(places, 1, axis=0)
    return Example(tokens.astype(np.int16), places.astype(np.uint8), told, style, piece)


Drawn = tuple[NDArray[np.int64], NDArray[np.int64], int]
"""Tokens, musical positions, and the place from which targets count."""


def draw(item: Example, rng: np.random.Generator, keep: float, transpose: bool) -> Drawn:
    """One training sequence, with a part of the prefix and in some key.

    Args:
        keep: chance that a field of the prefix is told; of all sequences a fifth tells nothing
            and a fifth everything.
        transpose: whether to shift the piece to another key.
    """
    kept = item.prefix >= 0
    kind = rng.random()
    if kind < 0.2:
        kept &= False
    elif kind > 0.4:
        kept &= rng.random(len(kept)) < keep
    return assemble(item, kept, _shift(item.tokens, rng) if transpose else 0)


def with_part_shown(drawn: Drawn, objective: str, rng: np.random.Generator, context: int) -> Drawn:
    """A sequence with a part of it shown before it is written; as it was, if there is too little of it, or if
    what is shown would fill `context` tokens alone.

    All that comes after what is shown counts, what was shown too: the network has to find it there.
    """
    tokens, places, start = drawn
    body = [vocab.START, *tokens[start:].tolist()]
    reading = parse_tokens(body)
    events = part(objective, reading, rng)
    if not any(events):
        return drawn
    opening = reading.opening + start - 1
    shown = show(events, reading.bars, reading.changes)
    if opening + len(shown) >= context:
        return drawn
    whole = np.concatenate([tokens[:opening], np.array(shown, dtype=np.int64), tokens[opening:]])
    described = features(whole[: opening + len(shown)])
    # Bars left are told as they are in the whole sequence, whether its prefix says how many there are or not.
    return whole, np.concatenate([described, places[opening:]]), opening + len(shown) - 1


def assemble(item: Example, kept: NDArray[np.bool_], shift: int = 0) -> Drawn:
    """A piece with the `kept` fields of its prefix (shape (len(FIELDS),)), shifted in semitones."""
    tokens, places, told = (a.astype(np.int64) for a in (item.tokens, item.features, item.prefix))
    kept = kept & (told >= 0)
    # A metre is told whole or not at all.
    kept[_NUMERATOR : _NUMERATOR + 2] = kept[_NUMERATOR : _NUMERATOR + 2].all()
    if shift:
        _transpose(tokens, places, told, shift)
    if not kept[_BARS]:
        places[:, COLUMN.bars_left] = 0
    prefix = told[kept]
    tokens = np.concatenate([tokens[:1], prefix, tokens[1:]])
    places = np.concatenate([np.repeat(places[:1], len(prefix) + 1, axis=0), places[1:]])
    return tokens, places, len(prefix) + 1


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
    tokens: NDArray[np.int64], places: NDArray[np.int64], told: NDArray[np.int64], shift: int
) -> None:
    tokens[(tokens >= vocab.PITCH) & (tokens < vocab.SPARE)] += shift
    _shift_keys(tokens, shift)
    _shift_keys(told, shift)
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
    keep: float = 0.75,
    transpose: bool = True,
    first: int = 0,
    objectives: Mapping[str, float] = ONLY_NEXT,
) -> Iterator[Batch]:
    """Endless batches of about `tokens_a_batch` tokens, sequences of like length together.

    What is shown of a piece comes on top of that. The n-th batch depends on `seed` and n alone, so that a run resumed at batch `first` sees
    what an uninterrupted one would have seen.

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
                drawn = [draw(examples[i], rng, keep, transpose) for i in rows]
                # One objective for the batch, so that its sequences stay of like length.
                objective = choose(objectives, rng)
                if objective != "next":
                    drawn = [with_part_shown(d, objective, rng, context) for d in drawn]
                yield collate(drawn, context)
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


def collate(sequences: Iterable[Drawn], context: int) -> Batch:
    """Pad sequences on the right and cut them at `context`."""
    drawn = [(t[: context + 1], f[:context], s) for t, f, s in sequences]
    time = max(len(t) for t, _, _ in drawn) - 1
    tokens = np.zeros((len(drawn), time + 1), dtype=np.int64)
    places = np.zeros((len(drawn), time, N_FEATURES), dtype=np.int64)
    weight = np.zeros((len(drawn), time), dtype=np.float32)
    for row, (t, f, start) in enumerate(drawn):
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
