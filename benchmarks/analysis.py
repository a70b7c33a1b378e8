"""Key and style compared with notated keys and labels: prints Markdown tables. Chords: `chords.py`.

    python benchmarks/analysis.py [--home FOLDER] [--ship FILE]

Without a home the built-in collections are imported into a temporary one. Keys and styles are learnt
and evaluated in five folds by work, so that no variant of a tune is on both sides. music21's key analysis
(Krumhansl-Schmuckler) runs on the same notes. `--ship` writes the key weights, learnt
from the training split, to a file.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from troubadour.analysis.beats import pitched
from troubadour.analysis.key import KEY_MODES, KeyModel, fit_keys, key_of, key_parts
from troubadour.analysis.style import StyleModel
from troubadour.app import importing
from troubadour.catalogue.store import PieceRow, Store
from troubadour.core.threads import one_thread
from troubadour.music.score import Key, Score

_FOLDS = 5
_PEER = 150
"""Pieces of a collection that music21 analyses; all chorales."""
_GROUPS = {
    "quicksteps counted as marches (they are quick marches)": {"quickstep": "march"},
    "and hornpipes as reels (editors call a tune the one or the other)": {
        "quickstep": "march",
        "hornpipe": "reel",
    },
    "and slip jigs as jigs": {"quickstep": "march", "hornpipe": "reel", "slip jig": "jig"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--ship", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Store.open(options.home or Path(folder)) as store:
        if not store.counts()["pieces"]:
            importing.import_builtin(store)
        rows = store.pieces(generated=False)
        scores = store.scores([r.id for r in rows])
    print(f"Command: `python benchmarks/analysis.py`; {datetime.date.today()}; {machine()}\n")
    folds = np.array([int(hashlib.sha256(r.work.encode()).hexdigest()[:6], 16) % _FOLDS for r in rows])
    with one_thread():
        keys(rows, scores, folds, options.ship)
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
        "| collection | pieces | tonic and mode as the file notates them | with old signatures read as such "
        "| tonic alone | music21: pieces | as notated | read as such | tonic alone |\n" + "|---" * 9 + "|"
    )
    for name in ("chorales", "oneills", "ryans", "airds", "folk"):
        own = [i for i in found if rows[i].collection == name]
        strict = np.mean([found[i] == (notated[i].tonic, notated[i].mode) for i in own])
        old = np.mean([found[i] == (read[i].tonic, read[i].mode) for i in own])
        tonic = np.mean([found[i][0] == read[i].tonic for i in own])
        print(
            f"| {name} | {len(own)} | {strict:.3f} | {old:.3f} | {tonic:.3f} | "
            f"{music21_keys([i for i in own if name == 'chorales'] or own[:_PEER], scores, notated, read)} |",
            flush=True,
        )
    own = [i for i in found if rows[i].collection == "chorales"]
    closes = [i for i in own if int(np.argmax(parts[i, 1])) == read[i].tonic]
    agree = np.mean([found[i] == (read[i].tonic, read[i].mode) for i in closes])
    wrong = [i for i in own if found[i] != (read[i].tonic, read[i].mode)]
    sided = sum(int(np.argmax(parts[i, 1])) == found[i][0] for i in wrong)
    print(
        f"\nChorales whose last bass note is the notated tonic: {len(closes)}, agreement {agree:.3f}. Of the "
        f"{len(wrong)} that disagree in the second column, the last bass note is the estimated tonic in {sided}: "
        + ", ".join(
            f"{rows[i].title} ({notated[i].name} notated, {key_of(*found[i]).name} found)" for i in wrong[:12]
        )
        + " ..."
    )
    held_out(rows, parts, notated, read, np.flatnonzero(usable).tolist())
    old_signatures(rows, parts, notated, read, own)
    if ship:
        learn = np.array([i for i in np.flatnonzero(usable).tolist() if rows[i].split == "train"])
        model = fit_keys(parts[learn], [read[i] for i in learn], 1e-4)
        arrays = {"weights": model.weights, "prior": model.prior, "profiles": model.profiles}
        ship.write_text(json.dumps({n: np.round(a, 4).tolist() for n, a in arrays.items()}))


def music21_keys(own: list[int], scores: list[Score], notated: list[Key], read: list[Key]) -> str:
    from music21 import note, stream

    right = np.zeros(3)
    for i in own:
        line = stream.Stream()
        part = pitched(scores[i])
        for pitch, duration in zip(part.pitch.tolist(), part.duration.tolist(), strict=True):
            line.append(note.Note(pitch, quarterLength=duration / 24))
        key = line.analyze("key")
        said = (key.tonic.pitchClass, key.mode)
        tonic = said[0] == read[i].tonic
        right += [said == (notated[i].tonic, notated[i].mode), said == (read[i].tonic, read[i].mode), tonic]
    return f"{len(own)} | " + " | ".join(f"{r / len(own):.3f}" for r in right)


def held_out(
    rows: list[PieceRow], parts: Any, notated: list[Key], read: list[Key], usable: list[int]
) -> None:
    """Shipped weights on held-out chorales."""
    model = KeyModel.shipped()
    own = [i for i in usable if rows[i].collection == "chorales" and rows[i].split != "train"]
    found = [divmod(int(np.argmax(model.scores(parts[i]))), len(KEY_MODES)) for i in own]
    said = [(t, KEY_MODES[m]) for t, m in found]
    strict = np.mean([f == (notated[i].tonic, notated[i].mode) for f, i in zip(said, own, strict=True)])
    old = np.mean([f == (read[i].tonic, read[i].mode) for f, i in zip(said, own, strict=True)])
    print(
        f"\nThe shipped weights, on the {len(own)} chorales of the validation and test splits: {strict:.3f} as "
        f"notated, {old:.3f} with old signatures interpreted."
    )


def old_signatures(
    rows: list[PieceRow], parts: Any, notated: list[Key], read: list[Key], own: list[int]
) -> None:
    """Chorales in minor with one flat too few, and differences between harmonisations of one tune."""
    old = [i for i in own if read[i] != notated[i]]
    plain = Counter(read[i].name for i in own if read[i].mode == "minor" and read[i] == notated[i])
    which = Counter(read[i].name for i in old)
    close = Counter((int(np.argmax(parts[i, 1])) - read[i].tonic) % 12 == 7 for i in own)
    said = ", ".join(f"{k} {n} of {n + plain[k]}" for k, n in which.most_common())
    print(
        f"\n{len(old)} of the {sum(read[i].mode == 'minor' for i in own)} chorales in minor have the old signature: {said}. "
        f"{close[True]} chorales end on the dominant of the interpreted key."
    )
    pairs = [
        (a, b)
        for _, group in sorted(by_work(rows, own).items())
        for a, b in combinations(group, 2)
        # The same last note of the melody, the same tune: what it is of the key should agree.
    ]
    degree = [(int(np.argmax(parts[i, 2])) - notated[i].tonic) % 12 for i in range(len(rows))]
    differ = sum((degree[a], notated[a].mode) != (degree[b], notated[b].mode) for a, b in pairs)
    print(
        f"\nOf {len(pairs)} pairs of chorales on one tune, {differ} have notated keys that put the tune's last note "
        "on another degree, or another mode. This bounds the consistency of the labels."
    )


def by_work(rows: list[PieceRow], own: list[int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for i in own:
        found.setdefault(rows[i].work, []).append(i)
    return found


def as_read(row: PieceRow, key: Key, parts: Any) -> Key:
    """Key as a musician reads it: minor with the Dorian signature has its tonic a fourth higher."""
    last = int(np.argmax(parts[1]))
    if row.collection == "chorales" and key.mode == "minor" and (last - key.tonic) % 12 == 5:
        return key_of(last, "minor")
    return key


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
    print(f"| **macro** | {len(gold)} | | **{np.mean(list(scored.values())):.3f}** |")
    for what, name_of in _GROUPS.items():
        one, other = ([name_of.get(n, n) for n in side] for side in (gold, found))
        print(f"| macro, {what} | | | {np.mean([f1(one, other, n) for n in set(one)]):.3f} |")
    print(f"| accuracy | | | {right.mean():.3f} |")
    print(f"| calibration error (10 bins) | | | {calibration(right, np.array(sure)):.3f} |")
    print("\n| given with | pieces | right |\n|---|---|---|")
    for low in np.arange(0.2, 1.0, 0.1):
        some = (np.array(sure) >= low) & (np.array(sure) < low + 0.1 + (low > 0.85))
        if some.any():
            print(f"| {low:.0%} to {low + 0.1:.0%} | {some.sum()} | {right[some].mean():.0%} |")
    print("\nLabelled (rows) and found (columns):\n")
    print(f"| | {' | '.join(names)} |\n" + "|---" * (len(names) + 1) + "|")
    counts = Counter(zip(gold, found, strict=True))
    for a in names:
        print(f"| {a} | {' | '.join(str(counts[a, b]) for b in names)} |")
    label_noise(rows, names)
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


def calibration(right: Any, sure: Any) -> float:
    bins = np.minimum((sure * 10).astype(int), 9)
    return sum(
        abs(right[bins == b].mean() - sure[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist())
    )


def label_noise(rows: list[PieceRow], names: list[str]) -> None:
    """Agreement of the labels of tunes that occur in two collections."""
    labelled = [i for i, r in enumerate(rows) if r.style in names]
    pairs = [
        tuple(sorted((rows[a].style, rows[b].style)))
        for group in by_work(rows, labelled).values()
        for a, b in combinations(group, 2)
        if rows[a].collection != rows[b].collection
    ]
    differ = Counter(p for p in pairs if p[0] != p[1])
    said = ", ".join(f"{a} and {b} {n}" for (a, b), n in differ.most_common())
    print(
        f"\nLabel noise: of {len(pairs)} pairs of variants of one tune in two collections, {sum(differ.values())} "
        f"({sum(differ.values()) / max(len(pairs), 1):.0%}) bear two labels: {said}."
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
