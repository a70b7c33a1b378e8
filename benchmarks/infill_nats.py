"""Value of the context after a gap, in nats a choice of the gap: prints a Markdown table.

    python benchmarks/infill_nats.py [--pieces 30] [--split valid] [--home HOME] [--seed 1]

The true notes of the gap are scored as choices of `infill` (among allowed tokens, temperature 1),
without given notes; weight 0 = from the left, 1 = without guidance, above 1 = `Infill.context_guidance`. One pass
a piece, no sampling. Transformers only: their output layer is the token table.
"""

from __future__ import annotations

import argparse
import datetime
import platform
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infill import KINDS, fits, places, read
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.request import Brief
from troubadour.generation.tasks import Infill
from troubadour.generation.tasks.infilling import around
from troubadour.generation.tasks.source import bar_span
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.tokenizer import encode, features

WEIGHTS = (0.0, 0.5, 1.0, 1.25, 1.5, 2.0, 2.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pieces", type=int, default=30, help="most pieces of each kind")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--composer", type=Path, help="folder; default: the shipped composer")
    parser.add_argument("--home", type=Path, help="a catalogue of the built-in collections; made if missing")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    composer, pieces = read(options.composer, options.home, options.split)
    print(f"{datetime.date.today()}, {platform.platform()}, seed {options.seed}, split `{options.split}`.\n")
    print("| left out | pieces | choices | " + " | ".join(f"weight {w:g}" for w in WEIGHTS) + " |")
    print("| --- " + "| ---: " * (len(WEIGHTS) + 2) + "|")
    for kind in KINDS:
        chosen = [(s, style) for s, style in pieces[kind.of] if fits(s, kind)]
        rows = np.random.default_rng(options.seed).permutation(len(chosen))[: options.pieces].tolist()
        found = []
        for i in rows:
            score, style = chosen[i]
            first = places(score, kind, options.seed + i)[0]
            task = Infill(score, (first, first + kind.bars - 1), kind.voices)
            found.append(nats(composer, task, Brief(style=style)))
        choices = np.concatenate(found)
        cells = " | ".join(f"{n:.3f}" for n in choices.mean(axis=0))
        print(f"| {kind.name} | {len(found)} | {len(choices)} | {cells} |", flush=True)


def nats(composer: AutoregressiveComposer, task: Infill, brief: Brief) -> NDArray[np.float64]:
    """-log p of each true choice of the gap, shape (choices, weights)."""
    ready = task.prepare(composer, brief)
    place = bar_span(task.score, task.bars)
    part = around(task.score, *place)
    prefix, opening = composer.prompt(ready.brief), list(ready.opening)
    marks = [i for i, t in enumerate(opening) if t == vocab.FILL]
    plain = opening[: marks[0]] + opening[marks[-1] + 1 :]
    whole = encode(part.score).tolist()
    body = whole[whole.index(vocab.BODY) + 1 :]
    assert body[: len(plain)] == plain, "the piece begins with the given notes"
    decoder = ready.constraint_plan.decoder()
    for token in (*prefix, *opening):
        decoder.advance(token)
    true: list[int] = []
    masks: list[NDArray[np.bool_] | None] = []
    for token in body[len(plain) :]:
        if decoder.automaton.time >= place[1] - part.offset:
            break
        mask = decoder.allowed()
        masks.append(mask.copy() if mask[token] and mask.sum() > 1 and not decoder.forced else None)
        true.append(token)
        decoder.advance(token)
    conditional = logits(composer, [*prefix, *opening], true)
    unconditional = logits(composer, [*prefix, *plain], true)
    out = []
    for row, (token, mask) in enumerate(zip(true, masks, strict=True)):
        if mask is not None:
            x = np.array(
                [unconditional[row] + w * (conditional[row] - unconditional[row]) for w in WEIGHTS],
                dtype=np.float64,
            )
            top = x[:, mask].max(axis=1)
            out.append(top + np.log(np.exp(x[:, mask] - top[:, None]).sum(axis=1)) - x[:, token])
    return np.array(out).reshape(-1, len(WEIGHTS))


def logits(composer: AutoregressiveComposer, before: list[int], tokens: list[int]) -> NDArray[np.float32]:
    """Logits after each of `tokens`, given `before`; shape (tokens, vocabulary)."""
    sequence = np.array([*before, *tokens], dtype=np.int32)
    hidden = composer.engine.embed(sequence[None].astype(np.int64), features(sequence)[None].astype(np.int64))
    table = np.asarray(composer.weights["token.weight"], dtype=np.float32)
    out: NDArray[np.float32] = hidden[0, len(before) - 1 : -1] @ table.T
    return out


if __name__ == "__main__":
    main()
