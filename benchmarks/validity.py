"""Compose under random combinations of controls, and check the written files.

    python benchmarks/validity.py --home HOME --folder BATCHES [--pieces 10000] [--seed 1] [--precision fp32]
    python benchmarks/validity.py --folder BATCHES --table

Every field of a request is drawn, about a third of them at once. Contradictory requests must be
refused before composing starts, with the conflicting controls named. All other requests must hold in the files, read
by mido and an XML parser (`held.py`). Temperatures run from 0.5 to 1.5 and `top_p` from 0.5 to 1.
`HOME` holds the built-in collections; they are imported if it is empty. Each batch of forty pieces is a file
in `BATCHES` with its own seed and is not composed again: a stopped run resumes, and `--part
1/2` and `--part 2/2` divide the work. The page counts pieces by weights and precision.
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
from scipy.stats import beta

from held import CHORDS, Note, Passages, checks, read, top_line
from troubadour import __version__
from troubadour.app import importing
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError, TroubadourError
from troubadour.core.files import write_file
from troubadour.formats.midi import read_midi, write_midi
from troubadour.formats.musicxml import read_musicxml, write_musicxml
from troubadour.generation.autoregressive import WEIGHTS, AutoregressiveComposer
from troubadour.generation.cadence import cadence_strength
from troubadour.generation.network_spec import FULL, PRECISIONS, Precision
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief, GivenNote
from troubadour.models.transformer.composer import TransformerComposer
from troubadour.music.quantise import quantise
from troubadour.music.score import MODES, Score
from troubadour.tokens.tokenizer import decode, encode

_BATCH = 40
_EACH = 4
"""Pieces composed for one request."""
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
"""Values of max_common; one per batch, because memory holds the passages of the catalogue for one value."""
_VOICES = {1: ((57, 84),), 4: ((60, 81), (53, 74), (47, 69), (36, 64))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pieces", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--precision", choices=PRECISIONS, default=FULL)
    parser.add_argument("--part", default="1/1")
    parser.add_argument("--table", action="store_true", help="print the table only")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if not options.table:
        part, parts = (int(n) for n in options.part.split("/"))
        for number in range(part - 1, -(-options.pieces // _BATCH), parts):
            path = options.folder / f"batch-{options.seed}-{options.precision}-{number:03}.json"
            if not path.exists():
                there = world(options.home, options.precision)
                found = batch(there, np.random.default_rng([options.seed, number]))
                write_file(path, json.dumps(found, indent=1))
    print_page(options.folder)


class World:
    """The shipped composer, and the music for its comparison."""

    def __init__(self, store: Store, precision: Precision) -> None:
        self.precision = precision
        with as_file(files("troubadour") / "data" / "models" / "composer") as folder:
            self.composer: AutoregressiveComposer = TransformerComposer.load(folder, 1, precision)
            self.weights = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()[:16]
        rows = store.pieces(generated=False)
        scores = list(store.scores([p.id for p in rows]))
        self.corpus = Corpus.of(zip([p.id for p in rows], scores, strict=True))
        self._lines = [line for score in scores for line in _lines(score)]

    @cache  # noqa: B019  (one world a process)
    def passages(self, notes: int) -> Passages:
        return Passages(self._lines, notes)


@cache
def world(home: Path, precision: Precision) -> World:
    store = Store.open(home)
    if not store.counts()["pieces"]:
        importing.import_builtin(store)
    return World(store, precision)


def _lines(score: Score) -> list[list[Note]]:
    voices: dict[int, list[Note]] = defaultdict(list)
    for onset, length, pitch, _, track in score.notes().tolist():
        voices[track].append((onset, onset + length, pitch))
    return [top_line(voice) for voice in voices.values()]


def batch(there: World, rng: np.random.Generator) -> dict[str, Any]:
    """Compose forty pieces and check them."""
    asked: Counter[str] = Counter()
    held: Counter[str] = Counter()
    together: Counter[int] = Counter()
    refused: list[str] = []
    failed: list[str] = []
    closes: dict[str, list[float]] = {"one voice": [], "four voices": []}
    limit = int(rng.choice(_LIMITS))
    started, pieces = time.perf_counter(), 0
    whole = faulty = 0
    while pieces < _BATCH:
        brief = random_brief(there.composer.styles, limit, rng)
        try:
            scores = there.composer.compose(brief, rng, _EACH, there.corpus)
        except InputError as error:
            refused.append(str(error))
            continue
        except TroubadourError as error:
            asked["accepted requests give a piece"] += 1
            faulty += 1
            failed.append(f"{error}: {brief}")
            continue
        asked["accepted requests give a piece"] += 1
        held["accepted requests give a piece"] += 1
        kept_of = []
        for number, score in enumerate(scores):
            known = there.passages(brief.max_common) if brief.max_common else None
            found = valid(score, foreign=not pieces and not number) | checks(
                brief, read(write_midi(score), write_musicxml(score, title="Check")), known
            )
            for name, kept in found.items():
                asked[name] += 1
                held[name] += kept
                failed += [] if kept else [f"{name}: {brief}"]
            kept_of.append(all(found.values()))
            together[len(found) - 3] += 1
            closes["one voice" if len(score.tracks) == 1 else "four voices"].append(cadence_strength(score))
        pieces += len(scores)
        whole += sum(kept_of)
        faulty += not all(kept_of)
    return {
        "weights": there.weights, "precision": there.precision,
        "pieces": pieces, "whole": whole, "faulty": faulty, "seconds": time.perf_counter() - started, "asked": asked, "held": held,
        "controls": together, "refused": refused, "failed": failed,
        "closes": {k: [len(v), float(np.sum(v))] for k, v in closes.items()},
    }  # fmt: skip


def random_brief(styles: Sequence[str], limit: int, rng: np.random.Generator) -> Brief:
    """A request with about a third of all fields; the fields may conflict."""

    def maybe(value: Any, chance: float = 0.3) -> Any:
        return value if rng.random() < chance else None

    style = str(rng.choice(styles)) if rng.random() < 0.7 else "chorale"
    voices = 4 if style == "chorale" else 1
    asked = maybe(voices, 0.4)
    if rng.random() < 0.1:
        # No style: `voices` alone tells a tune from four parts.
        style, asked = None, voices if voices > 1 else asked
    elif rng.random() < 0.04:
        asked = int(rng.integers(1, 9))
    metre = (
        _METRES.get(style or "", (4, 4)) if rng.random() < 0.6 else _ANY_METRE[rng.integers(len(_ANY_METRE))]
    )
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
        voices=asked,
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
        parallels=maybe(voices == 1 or bool(rng.random() < 0.4), 0.8),
        max_common=maybe(limit),
        guidance=float(rng.choice([1.0] * 9 + [2.0])),
        temperature=float(rng.uniform(0.5, 1.5)),
        top_p=float(rng.uniform(0.5, 1.0)) if rng.random() < 0.6 else 0.97,
    )  # fmt: skip


def random_chords(key: tuple[int, str] | None, rng: np.random.Generator) -> str:
    """A progression in the requested key, or in any."""
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
    """Checks of every piece."""
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
    paths = sorted(folder.glob("batch-*.json"))
    found = [json.loads(p.read_text()) for p in paths]
    kinds = sorted({(b["weights"], b["precision"]) for b in found})
    seeds = sorted({p.name.split("-")[1] for p in paths})
    pieces, seconds = (sum(b[k] for b in found) for k in ("pieces", "seconds"))
    together = sum((Counter(b["controls"]) for b in found), Counter())
    usual = sum(int(n) * count for n, count in together.items()) / max(pieces, 1)
    refused, failed = ([text for b in found for text in b[k]] for k in ("refused", "failed"))
    days = sorted({datetime.date.fromtimestamp(p.stat().st_mtime).isoformat() for p in paths})
    print(f"""# Validity of generated pieces under random constraints

```sh
python benchmarks/validity.py --home HOME --folder BATCHES --seed SEED --precision int8   # and fp32
python benchmarks/validity.py --folder BATCHES --table
```

{" to ".join(sorted({*days[:1], *days[-1:]}))}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, \
Troubadour {__version__}, seeds {", ".join(seeds)}: {usual:.1f} controls
per piece at the mean (at most {max(map(int, together), default=0)}), {seconds / max(pieces, 1):.2f} s a piece with its checks under other load.
Every field of a request is drawn: style, metre, key, bars, voices, tempo, density, upbeat, strict, chords, instruments, ranges, lowest,
highest, cadence, notes, parallels, max_common, guidance (1 or 2), temperature (.5 to 1.5) and top_p (.5 to 1). mido reads the
controls from the MIDI file and an XML parser from the MusicXML file. The benchmark checks them by its own code
([held.py](../../benchmarks/held.py)), not by the automaton that enforces them. {_EACH} pieces are composed for each combination.

| weights (SHA-256 of `composer.safetensors`) | precision | pieces | combinations | pieces in which all held | combinations with a fault: 95% upper bound |
| --- | --- | ---: | ---: | ---: | ---: |""")
    name = "accepted requests give a piece"
    for weights, precision in kinds:
        some = [b for b in found if (b["weights"], b["precision"]) == (weights, precision)]
        count, whole, faults = (sum(b[k] for b in some) for k in ("pieces", "whole", "faulty"))
        briefs = sum(b["asked"][name] for b in some)
        bound = f"{upper_bound(faults, briefs):.2%}"
        print(f"| {weights}... | {precision} | {count:,} | {briefs:,} | {whole:,} | {bound} |")
    columns = [[b for b in found if (b["weights"], b["precision"]) == kind] for kind in kinds]
    asked, held = (
        [sum((Counter(b[k]) for b in some), Counter()) for some in columns] for k in ("asked", "held")
    )
    every = sum(asked, Counter())
    print(
        "\n| check: held of asked | " + " | ".join(f"{w[:6]}, {precision}" for w, precision in kinds) + " |"
    )
    print("| --- |" + " ---: |" * len(kinds))
    for name in sorted(every, key=lambda n: (-every[n], n)):
        cells = [f"{h[name]:,} of {a[name]:,}" for a, h in zip(asked, held, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")
    for name in ("one voice", "four voices"):
        n, total = (sum(b["closes"][name][i] for b in found) for i in (0, 1))
        if n:
            print(
                f"\nMean cadence strength, {name}, without choosing among candidates: {total / n:.2f} of 1 (n {n:,})."
            )
    unnamed = [text for text in refused if not _named(text)]
    print(f"""
{len(refused):,} further combinations are contradictory and were refused before composing started, all but {len(unnamed)} with
the conflicting controls named:

| refused because of | times |
| --- | ---: |""")
    reasons = Counter(_kind(text) for text in refused)
    for reason, times in reasons.most_common(25):
        print(f"| {reason} | {times:,} |")
    if len(reasons) > 25:
        print(f"| {len(reasons) - 25} others | {sum(n for _, n in reasons.most_common()[25:]):,} |")
    print(
        "\nFailed checks:\n" + "\n".join(f"- {text}" for text in failed) if failed else "\nNo check failed."
    )


def upper_bound(faults: int, trials: int) -> float:
    """Clopper-Pearson's one-sided 95% bound of a share; of 0 faults about 3 in `trials`."""
    return float(beta.ppf(0.95, faults + 1, trials - faults)) if faults < trials else 1.0


def _named(text: str) -> bool:
    return any(word in text for word in (" clash", "asked for", "has learnt"))


def _kind(text: str) -> str:
    """Text of a refusal without its figures."""
    if "asked for" in text or "has learnt" in text:
        return "style and voices" if text.startswith("style") else "voices"
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
