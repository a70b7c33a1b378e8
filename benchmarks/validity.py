"""Compose to random briefs and check every promise on what comes out: prints a Markdown table.

    python benchmarks/validity.py [--pieces 300] [--seed 1]

Each piece is decoded, written as MIDI and MusicXML, read back and compared; a few are opened with
mido and music21. Temperatures run from 0.5 to 1.5.
"""

from __future__ import annotations

import argparse
import datetime
import io
import platform
import time
from collections import Counter
from importlib.resources import as_file, files

import mido
import numpy as np

from troubadour.composers.base import Brief
from troubadour.composers.cadence import cadence_strength
from troubadour.composers.transformer import TransformerComposer
from troubadour.music.midi import read_midi, write_midi
from troubadour.music.musicxml import read_musicxml, write_musicxml
from troubadour.music.quantise import quantise
from troubadour.music.score import Score
from troubadour.music.tokens import decode, encode

_METRES = {
    "jig": (6, 8),
    "slip jig": (9, 8),
    "waltz": (3, 4),
    "march": (4, 4),
    "hornpipe": (2, 2),
    "reel": (2, 2),
}
_MODES = (("major", 0), ("minor", -3), ("dorian", -2), ("mixolydian", -1))
_FOREIGN = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pieces", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with as_file(files("troubadour") / "data" / "models" / "composer") as folder:
        composer = TransformerComposer.load(folder, threads=1)
    held: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    closes: dict[str, list[float]] = {"one voice": [], "four voices": []}
    started = time.perf_counter()
    for number in range(options.pieces):
        brief = random_brief(composer.styles, rng)
        score = composer.compose(brief, rng)[0]
        for name, kept in checks(brief, score, foreign=number < _FOREIGN).items():
            asked[name] += 1
            held[name] += kept
        closes["one voice" if len(score.tracks) == 1 else "four voices"].append(cadence_strength(score))
    spent = time.perf_counter() - started
    print(f"{datetime.date.today()}, {platform.platform()}: {options.pieces} pieces, seed {options.seed}, "
          f"{spent / options.pieces:.2f} s each\n")  # fmt: skip
    print("| check | held | of |\n| --- | --- | --- |")
    for name in asked:
        print(f"| {name} | {held[name]} | {asked[name]} |")
    for name, found in closes.items():
        if found:
            print(f"| strength of the close, {name} (mean, first candidate) | {np.mean(found):.2f} | 1 |")


def random_brief(styles: tuple[str, ...], rng: np.random.Generator) -> Brief:
    style = str(rng.choice(styles)) if rng.random() < 0.8 else "chorale"
    mode, shift = _MODES[int(rng.integers(len(_MODES)))]
    fifths = int(np.clip(rng.integers(-3, 5) + shift, -7, 7))
    metre = _METRES.get(style, (4, 4)) if rng.random() < 0.7 else (3, 4)
    return Brief(
        style=style,
        metre=metre if rng.random() < 0.8 else None,
        key=(fifths, mode) if rng.random() < 0.8 else None,
        bars=int(rng.choice([4, 8, 12, 16])),
        tempo_bpm=float(rng.choice([72, 96, 120, 160])) if rng.random() < 0.3 else None,
        upbeat=False if rng.random() < 0.2 else None,
        temperature=float(rng.uniform(0.5, 1.5)),
    )


def checks(brief: Brief, score: Score, foreign: bool) -> dict[str, bool]:
    midi, written = write_midi(score), write_musicxml(score, title="Check")
    found = {
        "quantised, and equal after encoding and decoding": quantise(score) == score
        and decode(encode(score)) == score,
        "equal after MIDI": quantise(read_midi(midi, "check").score) == score,
        "equal after MusicXML": quantise(read_musicxml(written.encode(), "check").score) == score,
        "number of bars": score.n_bars == brief.bars,
        "ends on the tonic (bass)": score.pitch[score.track == len(score.tracks) - 1][-1] % 12
        == score.keys[0].tonic,
    }
    if brief.metre:
        found["metre asked for"] = len(score.metres) == 1 and score.metres[0][1:] == brief.metre
    if brief.key:
        found["key asked for"] = len(score.keys) == 1 and score.keys[0][1:] == brief.key
    if brief.tempo_bpm:
        found["tempo asked for"] = score.tempos[0].bpm == brief.tempo_bpm
    if brief.upbeat is False:
        found["no upbeat where none was wanted"] = score.upbeat_ticks == 0
    if foreign:
        found["opens in mido, same length"] = (
            abs(mido.MidiFile(file=io.BytesIO(midi)).length - score.seconds) < 0.2
        )
        found["opens in music21, same notes"] = music21_notes(written) == len(score)
    return found


def music21_notes(written: str) -> int:
    from music21 import converter

    stream = converter.parseData(written, format="musicxml").stripTies()
    return sum(len(n.pitches) for n in stream.flatten().notes)


if __name__ == "__main__":
    main()
