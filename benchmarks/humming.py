"""Search for tunes hummed, whistled or sung by a synthetic singer: a Markdown table.

    OMP_NUM_THREADS=1 python benchmarks/humming.py HOME [--queries 40] [--seed 2] [--split test]

HOME holds the built-in collections. Queries are 16 to 32 notes of tunes of one split, from the start of a
bar, sung by `tests/audio/singer.py` in a key of the singer's own, or played by the renderer on an instrument.
All pieces of the catalogue are candidates. A query counts as found if a piece of the same work, or with
the same melody note for note, is found. Settings were chosen on the split `valid`.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.melody_search import machine
from tests.audio.singer import GOOD, POOR, RATE, USUAL, Singer, in_voice

from troubadour.app.audio_library.humming import HummedQuery
from troubadour.app.search import MelodySearch
from troubadour.audio.dsp.sung_notes import sung_notes
from troubadour.audio.sound import Sound
from troubadour.catalogue.store import Store
from troubadour.core.errors import InputError
from troubadour.formats.render import SAMPLE_RATE, MidiRenderer, play
from troubadour.music.score import Score
from troubadour.similarity.melody_search.lines import Skyline, query_skyline

_NOTES = (16, 32)
_SHORTEST = 0.25
"""Seconds of the middle note at least: four a second."""
_INSTRUMENTS = {"piano": 0, "violin": 40, "flute": 73, "guitar": 24}
_CENTRES = {"hum": 55.0, "la": 57.0, "oo": 62.0, "whistle": 86.0}
"""MIDI pitch about which each voice sings."""

Make = Callable[[Score, Skyline, np.random.Generator], tuple[NDArray[np.float32], int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--split", default="test")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    levels: list[tuple[str, Make]] = [
        ("exactly as written, hummed", sung(Singer(), ("hum",))),
        ("a good singer, hummed", sung(GOOD, ("hum",))),
        ("a usual singer, hummed", sung(USUAL, ("hum",))),
        ("a usual singer, whistled", sung(USUAL, ("whistle",))),
        ("a poor singer, hummed", sung(POOR, ("hum",))),
        ("a poor singer, whistled", sung(POOR, ("whistle",))),
        *((f"played on a {name}", played(program)) for name, program in _INSTRUMENTS.items()),
    ]
    command = f"python benchmarks/humming.py HOME --queries {options.queries} --seed {options.seed} --split {options.split}"
    print(f"Command: `{command}`; {datetime.date.today()}; {machine()}\n")
    print(
        "| query | queries | notes sung | notes heard | found first | recall@1 | its 95% interval | recall@10 | MRR "
        "| unanswered | ms listening | ms searching |\n" + "|---" * 12 + "|"
    )
    with Store.open(options.home) as store:
        pieces = [p for p in store.pieces(generated=False, medium="score") if p.split == options.split]
        works = {k[0]: k[1] for k in store.works()}
        finding = MelodySearch(store)
        finding.melodies()
        for name, make in levels:
            if options.only in name:
                print(row(name, make, store, finding, pieces, works, options), flush=True)


def row(name, make, store, finding, pieces, works, options) -> str:
    rng = np.random.default_rng(options.seed)
    order = rng.permutation(len(pieces))
    ranks: list[float] = []
    sung_count, heard_count, unanswered = 0, 0, 0
    listening: list[float] = []
    searching: list[float] = []
    for i in order.tolist():
        if len(ranks) == options.queries:
            break
        piece = pieces[i]
        score = store.score(piece.id)
        part = passage(score, rng)
        if part is None:
            continue
        samples, rate = make(score, part, rng)
        started = time.perf_counter()
        notes = sung_notes(Sound(np.asarray(samples, dtype=np.float32).reshape(len(samples), -1), rate))
        listening.append(time.perf_counter() - started)
        sung_count, heard_count = sung_count + len(part), heard_count + len(notes)
        started = time.perf_counter()
        try:
            found = finding.search(HummedQuery(notes, len(samples) / rate, ()).queries(), 10)
        except InputError:
            found, unanswered = [], unanswered + 1
        searching.append(time.perf_counter() - started)
        same = {h.piece.id for h in finding.search(part, 10) if h.match.score > 0.9999}
        hits = [works[h.piece.id] == piece.work or h.piece.id in same for h in found]
        ranks.append(1 / (hits.index(True) + 1) if any(hits) else 0.0)
    got, n = np.array(ranks), len(ranks)
    return (
        f"| {name} | {n} | {sung_count / n:.1f} | {heard_count / n:.1f} | {(got == 1).sum()} | {(got == 1).mean():.3f} | "
        f"{wilson(int((got == 1).sum()), n)} | "
        f"{(got > 0).mean():.2f} | {got.mean():.3f} | {unanswered} | {1e3 * np.median(listening):.0f} | "
        f"{1e3 * np.median(searching):.0f} |"
    )


def wilson(hits: int, n: int, z: float = 1.96) -> str:
    """Wilson's 95% interval of a share."""
    share, spread = hits / n, z**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return f"{max(0.0, centre - half):.2f} to {min(1.0, centre + half):.2f}"


def passage(score: Score, rng: np.random.Generator) -> Skyline | None:
    """16 to 32 notes of a score's melody from the start of a bar; None if it has fewer.

    Its onsets are seconds rather than quarters.
    """
    try:
        line = query_skyline(score)
    except InputError:
        return None
    seconds = score.seconds_at(np.rint(line.onset * score.ticks_per_quarter))
    line = Skyline(line.pitch, np.asarray(seconds, dtype=np.float64), line.bar, line.track)
    count = int(rng.integers(_NOTES[0], _NOTES[1] + 1))
    starts = np.flatnonzero(np.append(True, np.diff(line.bar) > 0))
    starts = starts[starts + count <= len(line)]
    if not len(starts):
        return None
    first = int(rng.choice(starts))
    return line[first : first + count]


def sung(singer: Singer, voices: tuple[str, ...]) -> Make:
    """Sung with a random key, tempo and deviation from 440 Hz."""

    def make(_: Score, part: Skyline, rng: np.random.Generator) -> tuple[NDArray[np.float32], int]:
        voice = str(rng.choice(voices))
        one = in_voice(singer, voice)
        seconds = np.diff(part.onset, append=part.onset[-1] + 0.5)
        # Nobody hums a reel at the speed of a fiddle.
        slower = max(rng.uniform(0.8, 1.25), _SHORTEST / float(np.median(seconds)))
        seconds = seconds * slower
        centre = _CENTRES[voice] + rng.uniform(-4, 4)
        pitch = part.pitch + round(centre - float(np.median(part.pitch))) + rng.uniform(-0.5, 0.5)
        return one.sing(pitch, np.minimum(seconds, 3.0), rng), RATE

    return make


def played(program: int) -> Make:
    """Rendered: the melody alone, as written."""
    renderer = MidiRenderer()

    def make(score: Score, part: Skyline, _: np.random.Generator) -> tuple[NDArray[np.float32], int]:
        seconds = score.seconds_at(score.onset)
        inside = (seconds >= part.onset[0] - 1e-6) & (seconds <= part.onset[-1] + 1e-6)
        alone = score.where(inside & (score.track == part.track))
        # The top line alone, from the start.
        top = np.append(alone.onset[1:] != alone.onset[:-1], True)
        alone = alone.where(top)
        tracks = tuple(t._replace(program=program) for t in alone.tracks)
        sound = play(alone.replace(tracks=tracks), renderer)
        first = round(float(part.onset[0]) * SAMPLE_RATE)
        return sound[max(0, first - SAMPLE_RATE // 4) :], SAMPLE_RATE

    return make


if __name__ == "__main__":
    main()
