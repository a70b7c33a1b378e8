"""Evaluate a composer: nats on held-out works and melodies, validity, originality, descriptors."""

from __future__ import annotations

import datetime
import itertools
import json
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from troubadour.app.originality import catalogue_overlap
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError
from troubadour.core.progress import Progress
from troubadour.core.svg_plots import bars
from troubadour.formats.midi import read_midi, write_midi
from troubadour.formats.musicxml import read_musicxml, write_musicxml
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.evaluation.descriptors import DURATIONS, INTERVALS, durations, intervals, overlaps
from troubadour.generation.evaluation.voice_leading import VoiceLeading, check
from troubadour.generation.originality import Corpus
from troubadour.generation.protocols import Composer, Scorable, family_name, n_weights
from troubadour.generation.request import Brief
from troubadour.models.dataset import example
from troubadour.models.scoring import bar_nats, scored
from troubadour.models.vae.passages import Passage, passages
from troubadour.music.quality import QualityFlag
from troubadour.music.quantise import quantise
from troubadour.music.score import Score
from troubadour.tokens.tokenizer import decode, encode

_SPLITS: Final = ("valid", "test")
_PARTS: Final = 4
"""Voices of a chorale."""
_BATCH: Final = 10
"""Pieces that are composed together."""
_MELODY: Final = 16
"""Bars of the melodies that all families are compared on."""
_FEWEST: Final = 5
"""Works of a style from which on its descriptors are compared."""


@dataclass(frozen=True, slots=True)
class Held:
    """A held-out piece."""

    id: str
    style: str
    score: Score


def evaluate_composer(
    store: Store,
    composer: Composer,
    *,
    pieces: int = 200,
    most: int = 400,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Likelihood, validity, originality and descriptors of a composer on the catalogue, JSON-able.

    Works of the validation and the test split are scored apart: the first 16 bars of their melodies by every
    composer that gives a likelihood, whole pieces by autoregressive composers. Pieces are composed in the styles of the
    test works, as often as these occur, at the default temperature.

    Args:
        pieces: how many to compose.
        most: of each split at most as many works are scored, evenly spread.

    Raises:
        InputError: the catalogue holds no test works that the composer has styles for.
    """
    report: dict[str, Any] = {"composer": composer.name, "family": family_name(composer), "seed": seed}
    report |= {"nats": {}, "melodies": {}}
    report["weights"] = n_weights(composer)
    report["exact"] = composer.exact_nats if isinstance(composer, Scorable) else None
    test: list[Held] = []
    for split in _SPLITS:
        held = _held(store, split, most)
        if not held:
            raise InputError(f"the catalogue holds no works in its {split} split; import music first")
        if progress:
            progress(f"score {split}", 0, len(held))
        report["melodies"][split] = (
            _melodies(composer, held, seed) if isinstance(composer, Scorable) else None
        )
        if isinstance(composer, AutoregressiveComposer):
            found = scored(composer, [example(h.score, h.style, h.id, composer.spec.styles) for h in held])
            report["nats"][split] = {
                "works": len(held),
                "tokens": found.tokens,
                "all": found.nats,
                "by_style": found.by_style,
                "counts": Counter(h.style for h in held),
            }
        test = held
    # The empty style stands for any melody.
    known = [h for h in test if h.style in ("", *composer.styles)]
    if not known:
        raise InputError(f"no test work has a style of this composer ({', '.join(composer.styles)})")
    composed = _compose(composer, known, pieces, seed, progress)
    report["validity"] = _validity(composed)
    report["originality"] = _originality(store, [s for _, s in composed], progress)
    report["voice leading"] = {
        who: led
        for who, scores in (
            ("composed", [s for _, s in composed]),
            ("human", [h.score for h in known]),
        )
        if (led := _voice_leading(scores))
    }
    report["descriptors"] = {}
    for style in ("tunes", "chorale"):
        ours = [s for name, s in composed if (name == "chorale") == (style == "chorale")]
        theirs = [h.score for h in known if (h.style == "chorale") == (style == "chorale")]
        if min(len(ours), len(theirs)) >= _FEWEST:
            report["descriptors"][style] = {
                "composed": len(ours),
                "human": len(theirs),
                "overlap": overlaps(ours, theirs),
                "intervals": [intervals(ours).tolist(), intervals(theirs).tolist()],
                "durations": [durations(ours).tolist(), durations(theirs).tolist()],
            }
    return report


def _held(store: Store, split: str, most: int) -> list[Held]:
    rows = [
        p
        for p in store.pieces(generated=False, split=split, medium="score")
        if QualityFlag.UNRELIABLE_BARLINES not in p.flags
    ]
    rows = rows[:: max(1, -(-len(rows) // most))]
    scores = store.scores([p.id for p in rows])
    return [
        Held(p.id, p.style, s) for p, s in zip(rows, scores, strict=True) if len(s) and len(s.metres) == 1
    ]


def _melodies(composer: Composer, held: Sequence[Held], seed: int) -> dict[str, float | int] | None:
    """Nats a bar of the melodies' first 16 bars, with the half-width of a 95% interval; `None` without any."""
    cut: list[Passage] = []
    for one in held:
        cut += itertools.islice(passages(one.score, _MELODY), 1)
    if not cut:
        return None
    nats = bar_nats(composer, cut, np.random.default_rng(seed))
    half = 1.96 * float(nats.std()) / len(nats) ** 0.5
    return {"melodies": len(cut), "nats a bar": float(nats.mean()), "95%": half}


def _compose(
    composer: Composer,
    known: Sequence[Held],
    pieces: int,
    seed: int,
    progress: Progress | None,
) -> list[tuple[str, Score]]:
    rng = np.random.default_rng(seed)
    styles = Counter(known[i].style for i in rng.integers(len(known), size=pieces).tolist())
    out: list[tuple[str, Score]] = []
    for style, count in sorted(styles.items()):
        for start in range(0, count, _BATCH):
            found = composer.compose(
                Brief(style=style or None, parallels=True), rng, min(_BATCH, count - start)
            )
            out += [(style, s) for s in found]
            if progress:
                progress("compose", len(out), pieces)
    return out


def _validity(composed: Sequence[tuple[str, Score]]) -> dict[str, int]:
    held: Counter[str] = Counter(pieces=len(composed))
    for _, score in composed:
        held["equal after tokens"] += quantise(score) == score == decode(encode(score))
        held["equal after MIDI"] += quantise(read_midi(write_midi(score), "check").score) == score
        written = write_musicxml(score, title="check").encode()
        held["equal after MusicXML"] += quantise(read_musicxml(written, "check").score) == score
    return dict(held)


def _voice_leading(scores: Sequence[Score]) -> dict[str, float | int] | None:
    """Parallels and crossings of the pieces in four parts, on a grid of sixteenths; `None` without any."""
    pieces = [_frames(s) for s in scores if len(s.tracks) == _PARTS]
    if not pieces:
        return None
    led: VoiceLeading = check(pieces)
    return {
        "pieces": len(pieces),
        "vertical changes": led.changes,
        "fifths per 100": led.fifths_per_100,
        "octaves per 100": led.octaves_per_100,
        "crossed": led.crossed_share,
    }


def _frames(score: Score) -> NDArray[np.int64]:
    """Pitches that sound in each sixteenth, shape (time, voices), 0 where a voice rests."""
    step = score.ticks_per_quarter // 4
    grid = np.zeros((-(-score.end_ticks // step), len(score.tracks)), dtype=np.int64)
    for onset, duration, pitch, _, voice in score.notes().tolist():
        grid[-(-onset // step) : -(-(onset + duration) // step), voice] = pitch
    return grid


def _originality(store: Store, composed: Sequence[Score], progress: Progress | None) -> dict[str, Any]:
    """Longest passages shared with human music, beside what human works share with each other."""
    human = [p.id for p in store.pieces(generated=False, medium="score")]
    corpus = Corpus.of(zip(human, store.scores(human), strict=True))
    own = catalogue_overlap(corpus, store)
    lengths = []
    for i, score in enumerate(composed):
        lengths.append(corpus.longest_match(score).notes)
        if progress:
            progress("originality", i + 1, len(composed))
    return {
        "median": float(np.median(lengths)),
        "95%": float(np.percentile(lengths, 95)),
        "human median": own.median,
        "human 95%": own.high,
        "within the human 95%": float(np.mean(np.array(lengths) <= own.high)),
    }


def write_evaluation(folder: Path, report: Mapping[str, Any]) -> Path:
    """`composer.json`, `composer.md` and pictures; the Markdown file."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"composer-{report['family']}"
    (folder / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    own, valid = report["originality"], report["validity"]
    text = [f"# {report['composer']} ({report['family']}, {report['weights']:,} weights)", ""]
    text += [
        f"Written by `troubadour evaluate composer`; {datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores.",
        "",
        *_nats(report),
    ]
    text += [
        f"**Validity**: of {valid['pieces']} pieces composed (seed {report['seed']}) "
        + ", ".join(f"{n} {what}" for what, n in valid.items() if what != "pieces")
        + ".",
        "",
        f"**Originality**: the longest passage shared with a human piece has {own['median']:.0f} notes at the median and "
        f"{own['95%']:.0f} at 95%; between human works {own['human median']:.0f} and {own['human 95%']:.0f}. "
        f"{own['within the human 95%']:.1%} of the composed pieces lie within the human 95%.",
    ]
    led = report["voice leading"]
    if led:
        text += [
            "",
            "**Voice-leading in four parts**, on a grid of sixteenths, nothing forbidden:",
            "",
            "| | pieces | vertical changes | parallel fifths per 100 | octaves per 100 | frames with a crossing |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *(
                f"| {who} | {f['pieces']} | {f['vertical changes']} | {f['fifths per 100']:.3f} "
                f"| {f['octaves per 100']:.3f} | {f['crossed']:.2%} |"
                for who, f in led.items()
            ),
        ]
    for style, found in report["descriptors"].items():
        text += [
            "",
            f"**Descriptors, {style}** ({found['composed']} composed, {found['human']} human works of the test split), "
            "overlapping area from 0 to 1 (Yang & Lerch 2018):",
            "",
            "| descriptor | overlap |",
            "| --- | ---: |",
            *(f"| {what} | {area:.3f} |" for what, area in found["overlap"].items()),
            "",
        ]
        labels = {
            "intervals": [str(i) for i in range(-INTERVALS, INTERVALS + 1)],
            "durations": [f"{d / 24:.2g}" for d in DURATIONS] + ["more"],
        }
        for kind, ticks in labels.items():
            picture = f"{name}-{style}-{kind}.svg"
            groups = [("composed", found[kind][0]), ("human", found[kind][1])]
            (folder / picture).write_text(bars(f"{style}: {kind}", ticks, groups))
            text.append(f"![{kind}]({picture})")
    written = folder / f"{name}.md"
    written.write_text("\n".join(text) + "\n")
    return written


def _nats(report: Mapping[str, Any]) -> list[str]:
    """What held-out music costs, as Markdown."""
    text: list[str] = []
    nats = report["nats"]
    if nats:
        text += [
            "Nats a token on works that training never saw, the prefix told, scored by what composing runs. Tokens of "
            "styles with several voices are not comparable with those of tunes.",
            "",
            "| style | valid | works | test | works |",
            "| --- | ---: | ---: | ---: | ---: |",
            _row("**all**", [nats[s]["all"] for s in _SPLITS], [nats[s]["works"] for s in _SPLITS]),
        ]
        for style in sorted({name for s in _SPLITS for name in nats[s]["by_style"]}):
            losses = [nats[s]["by_style"].get(style) for s in _SPLITS]
            text.append(_row(style or "-", losses, [nats[s]["counts"].get(style, 0) for s in _SPLITS]))
        text.append("")
    found = {s: m for s, m in report["melodies"].items() if m}
    if found:
        bound = "" if report["exact"] else ", an upper bound (ELBO)"
        text += [
            f"**Melodies of {_MELODY} bars** from the same works, one each, in nats a bar{bound}, metre and length told: "
            + "; ".join(
                f"{split} {m['nats a bar']:.2f} ± {m['95%']:.2f} ({m['melodies']} melodies)"
                for split, m in found.items()
            )
            + ".",
            "",
        ]
    return text


def _row(name: str, losses: Sequence[float | None], works: Sequence[int]) -> str:
    cells = [
        f"{'-' if loss is None else format(loss, '.3f')} | {n}" for loss, n in zip(losses, works, strict=True)
    ]
    return f"| {name} | {' | '.join(cells)} |"
