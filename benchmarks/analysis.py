"""Key, chords and style beside what people notated: prints Markdown tables.

    python benchmarks/analysis.py [--home FOLDER] [--ship FILE]

Without a home the built-in collections are imported into a temporary one. Keys and styles are learnt
and judged in five folds by work, so that no variant of a tune is on both sides. Chords are compared with
the twenty analyses of chorales (A. Jones, D. Tymoczko and others) that music21 carries. `--ship` writes
the weights of keys, learnt from the training split, to a file.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import tempfile
import warnings
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from troubadour import jobs
from troubadour.analysis.beats import beats
from troubadour.analysis.harmony import find_chords
from troubadour.analysis.key import KEY_MODES, fit_keys, key_of, key_parts
from troubadour.analysis.style import StyleModel
from troubadour.blas import one_thread
from troubadour.catalogue.store import PieceRow, Store
from troubadour.music.score import Key, Score

_FOLDS = 5
_TRIAD = {"major": "major", "7": "major", "maj7": "major", "minor": "minor", "m7": "minor",
          "diminished": "diminished", "m7b5": "diminished", "dim7": "diminished", "augmented": "augmented"}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--ship", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Store.open(options.home or Path(folder)) as store:
        if not store.counts()["pieces"]:
            jobs.import_builtin(store)
        rows = store.pieces(generated=False)
        scores = store.scores([r.id for r in rows])
    print(f"Command: `python benchmarks/analysis.py`; {datetime.date.today()}; {machine()}\n")
    folds = np.array([int(hashlib.sha256(r.work.encode()).hexdigest()[:6], 16) % _FOLDS for r in rows])
    with one_thread():
        keys(rows, scores, folds, options.ship)
        chords(rows, scores)
        styles(rows, scores, folds)


def keys(rows: list[PieceRow], scores: list[Score], folds: Any, ship: Path | None) -> None:
    parts = np.stack([key_parts(s) for s in scores])
    notated = [s.keys[0] for s in scores]
    read = [as_read(r, k, p) for r, k, p in zip(rows, notated, parts, strict=True)]
    usable = np.array([len(s.keys) == 1 and k.mode in KEY_MODES for s, k in zip(scores, read, strict=True)])
    found: dict[int, tuple[int, str]] = {}
    for fold in range(_FOLDS):
        learn = np.flatnonzero(usable & (folds != fold))
        model = fit_keys(parts[learn], [read[i] for i in learn], 1e-4)
        for i in np.flatnonzero(usable & (folds == fold)).tolist():
            tonic, mode = divmod(int(np.argmax(model.scores(parts[i]))), len(KEY_MODES))
            found[i] = (tonic, KEY_MODES[mode])
    print("## Key, five folds by work\n")
    print(
        "| collection | pieces | tonic and mode as the file notates them | with old signatures read as such | tonic alone |"
    )
    print("|---|---|---|---|---|")
    for name in ("chorales", "oneills", "ryans", "airds", "folk"):
        own = [i for i in found if rows[i].collection == name]
        strict = np.mean([found[i] == (notated[i].tonic, notated[i].mode) for i in own])
        old = np.mean([found[i] == (read[i].tonic, read[i].mode) for i in own])
        tonic = np.mean([found[i][0] == read[i].tonic for i in own])
        print(f"| {name} | {len(own)} | {strict:.3f} | {old:.3f} | {tonic:.3f} |")
    own = [i for i in found if rows[i].collection == "chorales"]
    closes = [i for i in own if int(np.argmax(parts[i, 1])) == read[i].tonic]
    agree = np.mean([found[i] == (read[i].tonic, read[i].mode) for i in closes])
    wrong = [i for i in own if found[i] != (read[i].tonic, read[i].mode)]
    sided = sum(int(np.argmax(parts[i, 1])) == found[i][0] for i in wrong)
    print(
        f"\nChorales whose last bass note is the tonic that is read: {len(closes)}, agreement {agree:.3f}. Of the "
        f"{len(wrong)} that disagree in the second column, the last bass note is the tonic found here in {sided}: "
        + ", ".join(
            f"{rows[i].title} ({notated[i].name} notated, {key_of(*found[i]).name} found)" for i in wrong[:12]
        )
        + " ..."
    )
    if ship:
        learn = np.array([i for i in np.flatnonzero(usable).tolist() if rows[i].split == "train"])
        model = fit_keys(parts[learn], [read[i] for i in learn], 1e-4)
        arrays = {"weights": model.weights, "prior": model.prior, "profiles": model.profiles}
        ship.write_text(json.dumps({n: np.round(a, 4).tolist() for n, a in arrays.items()}))


def as_read(row: PieceRow, key: Key, parts: Any) -> Key:
    """The key that a reader of the page sees: minor written with the dorian signature ends a fourth up."""
    last = int(np.argmax(parts[1]))
    if row.collection == "chorales" and key.mode == "minor" and (last - key.tonic) % 12 == 5:
        return key_of(last, "minor")
    return key


def chords(rows: list[PieceRow], scores: list[Score]) -> None:
    warnings.simplefilter("ignore")
    from music21 import converter

    spec = find_spec("music21")
    assert spec is not None
    folder = Path(next(iter(spec.submodule_search_locations or []))) / "corpus" / "bach" / "choraleAnalyses"
    by_number = {r.number: s for r, s in zip(rows, scores, strict=True) if r.collection == "chorales"}
    totals: Counter[str] = Counter()
    differ: Counter[tuple[str, str]] = Counter()
    left_out: list[str] = []
    used = 0
    for path in sorted(folder.glob("*.rntxt")):
        bwv = re.search(r"BWV:\s*(\S+)", path.read_text())
        score = by_number.get(bwv[1]) if bwv else None
        theirs = [
            (float(r.getOffsetInHierarchy(s)), float(r.quarterLength), r)
            for s in (converter.parse(str(path), format="romantext"),)
            for r in s.flatten().getElementsByClass("RomanNumeral")
        ]
        if score is None:
            left_out.append(f"BWV {bwv[1] if bwv else path.stem} (not among the scores)")
            continue
        pairs = at_beats(score, theirs)
        shifts = [sum((o.root - r.root().pitchClass) % 12 == shift for o, r in pairs) for shift in range(12)]
        if int(np.argmax(shifts)) or abs(theirs[-1][0] + theirs[-1][1] - score.end_ticks / 24) > 1.5:
            left_out.append(f"BWV {bwv[1] if bwv else ''} (another key or length)")
            continue
        used += 1
        for ours, their in pairs:
            root = ours.root == their.root().pitchClass
            triad = root and _TRIAD[ours.quality] == their.quality
            totals["beats"] += 1
            totals["root"] += root
            totals["root and triad"] += triad
            totals["root, triad and inversion"] += triad and ours.inversion == their.inversion()
            same_key = ours.key == key_of(their.key.tonic.pitchClass, their.key.mode).name
            totals["local key"] += same_key
            totals["root, triad and local key"] += triad and same_key
            if not triad:
                differ[(their.figure, ours.numeral)] += 1
    print(f"\n## Chords beside people's Roman numerals, {used} chorales, {totals['beats']} beats\n")
    print("| what agrees, beat by beat | share |\n|---|---|")
    for what, count in totals.items():
        if what != "beats":
            print(f"| {what} | {count / totals['beats']:.3f} |")
    common = ", ".join(f"{a} / {b or '-'} ({n})" for (a, b), n in differ.most_common(14))
    print(f"\nCommonest disagreements (theirs / ours): {common}.\nLeft out: {', '.join(left_out)}.")


def at_beats(score: Score, theirs: list[tuple[float, float, Any]]) -> list[tuple[Any, Any]]:
    """Our chord and theirs at each beat."""
    table = beats(score)
    starts = {(int(b), int(p)): int(t) for b, p, t in zip(table.bar, table.place, table.start, strict=True)}
    ours = sorted(((starts[c.bar, c.beat], c) for c in find_chords(score)), key=lambda pair: pair[0])
    ticks = [t for t, _ in ours]
    pairs: list[tuple[Any, Any]] = []
    for start in table.start.tolist():
        mine = ours[int(np.searchsorted(ticks, start, side="right")) - 1][1]
        now = [r for offset, length, r in theirs if offset * 24 <= start + 0.01 < (offset + length) * 24]
        if now and mine.root >= 0:
            pairs.append((mine, now[-1]))
    return pairs


def styles(rows: list[PieceRow], scores: list[Score], folds: Any) -> None:
    gold: list[str] = []
    found: list[str] = []
    sure: list[float] = []
    for fold in range(_FOLDS):
        learn, judge = np.flatnonzero(folds != fold).tolist(), np.flatnonzero(folds == fold).tolist()
        model = fitted(rows, scores, learn)
        judge = [i for i in judge if rows[i].style in model.styles]
        table = model.probabilities([scores[i] for i in judge])
        gold += [rows[i].style for i in judge]
        found += [model.styles[k] for k in table.argmax(axis=1)]
        sure += table.max(axis=1).tolist()
    print("\n## Style, five folds by work\n")
    names = sorted(set(gold))
    scored = {n: f1(gold, found, n) for n in names}
    print("| style | pieces | by collection | F1 |\n|---|---|---|---|")
    for name in names:
        where = Counter(r.collection for r in rows if r.style == name)
        print(
            f"| {name} | {gold.count(name)} | {', '.join(f'{c} {n}' for c, n in where.most_common())} | {scored[name]:.3f} |"
        )
    right = np.array([a == b for a, b in zip(gold, found, strict=True)])
    merged = [["march" if s == "quickstep" else s for s in side] for side in (gold, found)]
    family = np.mean([f1(merged[0], merged[1], n) for n in set(merged[0])])
    print(f"| **macro** | {len(gold)} | | **{np.mean(list(scored.values())):.3f}** |")
    print(f"| macro, quicksteps counted as marches (they are quick marches) | | | {family:.3f} |")
    print(f"| accuracy | | | {right.mean():.3f} |")
    bins = np.minimum((np.array(sure) * 10).astype(int), 9)
    gaps = [
        abs(right[bins == b].mean() - np.array(sure)[bins == b].mean()) * (bins == b).mean()
        for b in set(bins.tolist())
    ]
    print(f"| calibration error (10 bins) | | | {sum(gaps):.3f} |")
    print("\nCollections kept apart (learnt from all but one, judged on that one):\n")
    print("| judged on | styles | pieces | accuracy | macro-F1 |\n|---|---|---|---|---|")
    for name in ("ryans", "oneills", "airds"):
        model = fitted(rows, scores, [i for i, r in enumerate(rows) if r.collection != name])
        judge = [i for i, r in enumerate(rows) if r.collection == name and r.style in model.styles]
        table = model.probabilities([scores[i] for i in judge])
        said = [model.styles[k] for k in table.argmax(axis=1)]
        true = [rows[i].style for i in judge]
        some = [n for n in sorted(set(true)) if true.count(n) >= 15]
        accuracy = np.mean([a == b for a, b in zip(true, said, strict=True)])
        print(
            f"| {name} | {', '.join(some)} | {len(judge)} | {accuracy:.3f} | {np.mean([f1(true, said, n) for n in some]):.3f} |"
        )


def fitted(rows: list[PieceRow], scores: list[Score], learn: list[int]) -> StyleModel:
    return StyleModel.fit(
        [scores[i] for i in learn],
        [rows[i].style for i in learn],
        [rows[i].work for i in learn],
        np.random.default_rng(0),
    )


def f1(gold: list[str], found: list[str], name: str) -> float:
    both = sum(a == b == name for a, b in zip(gold, found, strict=True))
    return 2 * both / max(gold.count(name) + found.count(name), 1)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
