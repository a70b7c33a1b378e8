"""Compose to random combinations of controls, and check each on the files that come out.

    python benchmarks/validity.py --home HOME --folder BATCHES [--pieces 10000] [--seed 1]
    python benchmarks/validity.py --folder BATCHES --table > docs/benchmarks/validity.md

About a third of all controls is asked for at once, at random. What clashes has to be refused before composing
starts, with the controls that clash named; all else has to hold in what mido and an XML parser read from
the files (`held.py`). Temperatures run from 0.5 to 1.5. `HOME` holds the built-in collections; they are
imported if it is empty. Each batch of a hundred is a file in `BATCHES` with a seed of its own, and is not
composed again: what was stopped goes on, and `--part 1/2` and `--part 2/2` share the work.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from held import CHORDS, Note, Passages, checks, read, top_line
from troubadour import __version__
from troubadour.app import jobs
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError, TroubadourError
from troubadour.formats.midi import read_midi, write_midi
from troubadour.formats.musicxml import read_musicxml, write_musicxml
from troubadour.generation.autoregressive import WEIGHTS, AutoregressiveComposer
from troubadour.generation.cadence import cadence_strength
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief, GivenNote
from troubadour.models.transformer.composer import TransformerComposer
from troubadour.music.quantise import quantise
from troubadour.music.score import MODES, Score
from troubadour.tokens.tokenizer import decode, encode

_BATCH = 100
_EACH = 8
"""Pieces composed to one brief."""
_METRES = {
    "jig": (6, 8),
    "slip jig": (9, 8),
    "waltz": (3, 4),
    "march": (4, 4),
    "hornpipe": (2, 2),
    "reel": (2, 2),
}
_ANY_METRE = ((4, 4), (3, 4), (6, 8), (2, 4), (9, 8), (5, 8), (7, 8), (3, 2))
_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_PROGRESSIONS = (
    "0 5 7.7 0", "0 9.m 5 7", "0.m 5.m 7.7 0.m", "0 | 5 7.7 | 0 | 0", "0.m 8 3 0.m", "0 2.m7 7.7 0.maj7",
    "0 | 0/4 5.6 | 7.sus4 | 0", "0 11.dim", "0",
)  # fmt: skip
_LIMITS = (8, 10, 14)
"""Of notes in common; one a batch, since the passages of the whole catalogue are kept for one at a time."""
_VOICES = {1: ((57, 84),), 4: ((60, 81), (53, 74), (47, 69), (36, 64))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pieces", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--part", default="1/1")
    parser.add_argument("--table", action="store_true", help="print what is there, and compose nothing")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if not options.table:
        part, parts = (int(n) for n in options.part.split("/"))
        for number in range(part - 1, -(-options.pieces // _BATCH), parts):
            path = options.folder / f"batch-{options.seed}-{number:03}.json"
            if not path.exists():
                found = batch(world(options.home), np.random.default_rng([options.seed, number]))
                path.with_suffix(".tmp").write_text(json.dumps(found, indent=1))
                path.with_suffix(".tmp").rename(path)
    print_page(options.folder)


class World:
    """The composer that ships, and the music that its pieces are compared with."""

    def __init__(self, store: Store) -> None:
        with as_file(files("troubadour") / "data" / "models" / "composer") as folder:
            self.composer: AutoregressiveComposer = TransformerComposer.load(folder, 1, "int8")
            self.weights = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()[:16]
        rows = store.pieces(generated=False)
        scores = list(store.scores([p.id for p in rows]))
        self.corpus = Corpus.of(zip([p.id for p in rows], scores, strict=True))
        self._lines = [line for score in scores for line in _lines(score)]

    @cache  # noqa: B019  (one world a process)
    def passages(self, notes: int) -> Passages:
        return Passages(self._lines, notes)


@cache
def world(home: Path) -> World:
    store = Store.open(home)
    if not store.counts()["pieces"]:
        jobs.import_builtin(store)
    return World(store)


def _lines(score: Score) -> list[list[Note]]:
    voices: dict[int, list[Note]] = defaultdict(list)
    for onset, length, pitch, _, track in score.notes().tolist():
        voices[track].append((onset, onset + length, pitch))
    return [top_line(voice) for voice in voices.values()]


def batch(there: World, rng: np.random.Generator) -> dict[str, Any]:
    """A hundred pieces, and what held of them."""
    asked: Counter[str] = Counter()
    held: Counter[str] = Counter()
    together: Counter[int] = Counter()
    refused: list[str] = []
    failed: list[str] = []
    closes: dict[str, list[float]] = {"one voice": [], "four voices": []}
    limit = int(rng.choice(_LIMITS))
    started, pieces = time.perf_counter(), 0
    while pieces < _BATCH:
        brief = random_brief(there.composer.styles, limit, rng)
        try:
            scores = there.composer.compose(brief, rng, _EACH, there.corpus)
        except InputError as error:
            refused.append(str(error))
            continue
        except TroubadourError as error:
            asked["a piece comes of what is not refused"] += 1
            failed.append(f"{error}: {brief}")
            continue
        asked["a piece comes of what is not refused"] += 1
        held["a piece comes of what is not refused"] += 1
        for number, score in enumerate(scores):
            known = there.passages(brief.max_common) if brief.max_common else None
            found = valid(score, foreign=not pieces and not number) | checks(
                brief, read(write_midi(score), write_musicxml(score, title="Check")), known
            )
            for name, kept in found.items():
                asked[name] += 1
                held[name] += kept
                failed += [] if kept else [f"{name}: {brief}"]
            together[len(found) - 3] += 1
            closes["one voice" if len(score.tracks) == 1 else "four voices"].append(cadence_strength(score))
        pieces += len(scores)
    return {
        "weights": there.weights,
        "pieces": pieces, "seconds": time.perf_counter() - started, "asked": asked, "held": held,
        "controls": together, "refused": refused, "failed": failed,
        "closes": {k: [len(v), float(np.sum(v))] for k, v in closes.items()},
    }  # fmt: skip


def random_brief(styles: Sequence[str], limit: int, rng: np.random.Generator) -> Brief:
    """About a third of all controls, which may well clash."""

    def maybe(value: Any, chance: float = 0.3) -> Any:
        return value if rng.random() < chance else None

    style = str(rng.choice(styles)) if rng.random() < 0.7 else "chorale"
    voices = 4 if style == "chorale" else 1
    metre = _METRES.get(style, (4, 4)) if rng.random() < 0.6 else _ANY_METRE[rng.integers(len(_ANY_METRE))]
    bars = int(rng.choice([2, 4, 4, 8, 8, 12, 16]))
    key = (int(rng.integers(-4, 5)), MODES[rng.integers(len(MODES))] if rng.random() < 0.5 else "major")
    key = maybe(key, 0.6)
    notes = random_notes(voices, bars, metre, rng) if rng.random() < 0.25 else ()
    programs = (40, 0, 73, 71) if voices == 1 else (40, 41, 42, 70, 52)
    low = int(rng.integers(45, 65))
    return Brief(
        style=style,
        metre=metre if notes else maybe(metre, 0.6),
        key=key,
        bars=bars,
        tempo_bpm=maybe(float(rng.choice([72, 96, 120, 160]))),
        upbeat=maybe(bool(rng.random() < 0.5)),
        density=maybe(int(rng.integers(0, 8)) if rng.random() < 0.5 else int(rng.integers(1, 4))),
        strict=bool(rng.random() < 0.5),
        chords=maybe(random_chords(key, rng), 0.25),
        instruments=maybe(tuple(int(p) for p in rng.choice(programs, voices)), 0.2),
        ranges=maybe(tuple((a + int(s), b + int(s)) for (a, b), s in zip(_VOICES[voices], rng.integers(-4, 5, voices), strict=True)), 0.2),
        lowest=maybe(low if voices == 1 else low - 15, 0.2),
        highest=maybe(int(rng.integers(74, 90)), 0.2),
        cadence=maybe(True),
        notes=notes,
        parallels=voices == 1 or bool(rng.random() < 0.5),
        max_common=maybe(limit),
        guidance=float(rng.choice([1.0] * 9 + [2.0])),
        temperature=float(rng.uniform(0.5, 1.5)),
    )  # fmt: skip


def random_chords(key: tuple[int, str] | None, rng: np.random.Generator) -> str:
    """A progression in the key that is asked for, or in any."""
    root = int(rng.integers(12))
    if key is not None and rng.random() < 0.8:
        modes = {
            "major": 0,
            "lydian": -1,
            "mixolydian": 1,
            "dorian": 2,
            "minor": 3,
            "phrygian": 4,
            "locrian": 5,
        }
        root = 7 * (key[0] + modes[key[1]]) % 12
    words = []
    for word in str(rng.choice(_PROGRESSIONS)).split():
        if word == "|":
            words.append(word)
            continue
        upper, _, lower = word.partition("/")
        step, _, kind = upper.partition(".")
        assert kind in CHORDS
        words.append(
            _NAMES[(root + int(step)) % 12] + kind + (f"/{_NAMES[(root + int(lower)) % 12]}" if lower else "")
        )
    return " ".join(words)


def random_notes(
    voices: int, bars: int, metre: tuple[int, int], rng: np.random.Generator
) -> tuple[GivenNote, ...]:
    """Up to eight notes anywhere in one voice or several."""
    end, notes = bars * metre[0] * 96 // metre[1], []
    for voice in rng.choice(voices, int(rng.integers(1, voices + 1)), replace=False).tolist():
        tick = int(rng.integers(0, end // 12)) * 12
        low, high = _VOICES[voices][voice]
        for _ in range(int(rng.integers(1, 9))):
            length = int(rng.choice([6, 12, 12, 24, 36]))
            if tick + length > end:
                break
            notes.append(GivenNote(voice + 1, tick, length, int(rng.integers(low + 4, high - 3))))
            tick += length + int(rng.choice([0, 0, 0, 12]))
    return tuple(notes)


def valid(score: Score, foreign: bool) -> dict[str, bool]:
    """What holds of every piece."""
    midi, written = write_midi(score), write_musicxml(score, title="Check")
    found = {
        "quantised, and equal after encoding and decoding": quantise(score) == score == decode(encode(score)),
        "equal after MIDI": quantise(read_midi(midi, "check").score) == score,
        "equal after MusicXML": quantise(read_musicxml(written.encode(), "check").score) == score,
    }
    if foreign:
        from music21 import converter

        # Not by `stripTies`, which leaves a chain of ties in two where it follows on another.
        notes = converter.parseData(written, format="musicxml").flatten().notes
        begun = sum(len(n.pitches) for n in notes if n.tie is None or n.tie.type == "start")
        found["opens in music21, same notes"] = begun == len(score)
    return found


def print_page(folder: Path) -> None:
    found = [json.loads(p.read_text()) for p in sorted(folder.glob("batch-*.json"))]
    asked, held, together = (
        sum((Counter(b[k]) for b in found), Counter()) for k in ("asked", "held", "controls")
    )
    refused, failed = ([text for b in found for text in b[k]] for k in ("refused", "failed"))
    pieces, seconds = (sum(b[k] for b in found) for k in ("pieces", "seconds"))
    seeds = sorted({p.name.split("-")[1] for p in folder.glob("batch-*.json")})
    weights = ", ".join(sorted({b["weights"] for b in found}))
    usual = sum(int(n) * count for n, count in together.items()) / max(pieces, 1)
    print(f"""# What is promised of every composed piece

```sh
python benchmarks/validity.py --home HOME --folder BATCHES --pieces {pieces}
python benchmarks/validity.py --folder BATCHES --table > docs/benchmarks/validity.md
```

{datetime.date.today()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()},
Troubadour {__version__}, seed {", ".join(seeds)}: {pieces:,} pieces to {asked["a piece comes of what is not refused"]:,} random combinations of
controls, {usual:.1f} controls of a piece at the mean (most: {max(map(int, together), default=0)}), {seconds / max(pieces, 1):.2f} s a piece with its
checks on a busy machine. The controls are read from the MIDI file by mido and from the MusicXML file by an XML
parser, and checked by code of the benchmark's own ([held.py](../../benchmarks/held.py)), not by the automaton that
kept to them. They hold by construction, whatever the weights; these are shipped ones, in 8 bits,
whose `composer.safetensors` has the SHA-256 {weights}...

| check | held | of |
| --- | ---: | ---: |""")
    for name in sorted(asked, key=lambda n: (-asked[n], n)):
        print(f"| {name} | {held[name]:,} | {asked[name]:,} |")
    for name in ("one voice", "four voices"):
        n, total = (sum(b["closes"][name][i] for b in found) for i in (0, 1))
        if n:
            print(
                f"| strength of the close, {name} (mean, candidates not chosen among) | {total / n:.2f} | 1 |"
            )
    unnamed = [text for text in refused if " clash" not in text]
    print(f"""
{len(refused):,} further combinations contradict themselves and were refused before composing started, all but {len(unnamed)} with
the controls that clash named:

| refused because of | times |
| --- | ---: |""")
    kinds = Counter(_kind(text) for text in refused)
    for kind, times in kinds.most_common(25):
        print(f"| {kind} | {times:,} |")
    if len(kinds) > 25:
        print(
            f"| {len(kinds) - 25} other pairs | {sum(kinds.values()) - sum(n for _, n in kinds.most_common(25)):,} |"
        )
    print("\nWhat failed:\n" + "\n".join(f"- {text}" for text in failed) if failed else "\nNothing failed.")


def _kind(text: str) -> str:
    """A refusal without its figures."""
    names = text.partition(" clash")[0]
    for pattern, word in (
        (r"chords [^&]*?(?= and |$)", "chords"), (r"key \S+ \S+ as a scale", "key as a scale"), (r"key .*? as a scale", "key as a scale"),
        (r"instrument [^(]* \(.*?\)", "instrument"), (r"instrument .*?\)", "instrument"), (r"range \d+ to \d+", "range"),
        (r"(lowest|highest|max_common) \d+", r"\1"), (r"cadence on the tonic", "cadence"),
    ):  # fmt: skip
        names = re.sub(pattern, word, names)
    return " and ".join(sorted(set(names.split(" and "))))


if __name__ == "__main__":
    main()
