"""Render excerpts for training the sound encoder and evaluating timbre measures.

    nice -n 10 python benchmarks/sound_corpus.py HOME SHARED_DATA OUT.npz

HOME holds the built-in collections. Each excerpt lasts 20 s and is stored as MFCCs of its two halves, with
style or composer, instrument and work. `tunes`: 300 pieces of the eight most frequent styles, each on one of
twelve instruments drawn by seed. `plain`: the same with one instrument. `openscore`: quartets and songs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from troubadour.app.audio_library.score_features import opening
from troubadour.audio.dsp.spectrum import mel_spectrum, mfcc, power_spectrum
from troubadour.audio.sound import Sound
from troubadour.catalogue.store import Store
from troubadour.core.errors import TroubadourError
from troubadour.formats.musicxml import read_musicxml_file
from troubadour.formats.render import SAMPLE_RATE, MidiRenderer, play
from troubadour.music.quantise import quantise
from troubadour.music.score import Score

SECONDS = 20
PROGRAMS = (0, 6, 19, 21, 24, 40, 42, 56, 68, 71, 73, 105)
STYLES = 8
PIECES = 300
QUARTETS, SONGS = 90, 60


def frames(score: Score, renderer: MidiRenderer) -> list[np.ndarray]:
    """MFCCs of the first and the second ten seconds, each of shape (n, 20); None if it is shorter."""
    audio = play(opening(score, SECONDS), renderer)[: SECONDS * SAMPLE_RATE]
    half = len(audio) // 2
    if half < 5 * SAMPLE_RATE:
        return []
    return [
        mfcc(mel_spectrum(power_spectrum(Sound(a, SAMPLE_RATE).mono()))) for a in (audio[:half], audio[half:])
    ]


def on(score: Score, program: int) -> Score:
    tracks = tuple(t if t.is_drum else t._replace(program=program) for t in score.tracks)
    return score.replace(tracks=tracks)


def main() -> None:
    home, shared, out = (Path(a) for a in sys.argv[1:4])
    rng, renderer = np.random.default_rng(0), MidiRenderer()
    rows: list[tuple[str, str, str, str, str]] = []  # set, piece, label, instrument, work
    data: list[list[np.ndarray]] = []

    def add(name: str, piece: str, label: str, instrument: str, work: str, score: Score) -> None:
        try:
            found = frames(score, renderer)
        except TroubadourError as error:
            print(f"{piece}: {error}", file=sys.stderr)
            return
        if found:
            rows.append((name, piece, label, instrument, work))
            data.append(found)

    with Store.open(home) as store:
        pieces = [p for p in store.pieces(generated=False, medium="score") if p.style]
        styles, counts = np.unique([p.style for p in pieces], return_counts=True)
        common = set(styles[np.argsort(-counts)][:STYLES])
        chosen = [p for p in pieces if p.style in common]
        chosen = [chosen[i] for i in rng.permutation(len(chosen))[:PIECES]]
        for p, score in zip(chosen, store.scores([p.id for p in chosen]), strict=True):
            program = int(rng.choice(PROGRAMS))
            add("tunes", p.id, p.style, str(program), p.work, on(score, program))
            add("plain", p.id, p.style, "0", p.work, on(score, 0))
    for folder, count in (("openscore_quartets", QUARTETS), ("openscore_lieder", SONGS)):
        files = sorted((shared / folder / "scores").rglob("*.mxl"))
        for i in rng.permutation(len(files))[:count].tolist():
            composer, work = files[i].relative_to(shared / folder / "scores").parts[:2]
            try:
                score = quantise(read_musicxml_file(files[i]).score)
            except TroubadourError as error:
                print(f"{files[i].name}: {error}", file=sys.stderr)
                continue
            add("openscore", files[i].stem, f"{folder}/{composer}", folder, f"{composer}/{work}", score)
    lengths = np.array([[len(part) for part in pair] for pair in data])
    stacked = np.concatenate([part for pair in data for part in pair]).astype(np.float16)
    np.savez(out, allow_pickle=False, rows=np.array(rows), lengths=lengths, frames=stacked)
    print(f"{len(rows)} excerpts, {lengths.sum()} frames")


if __name__ == "__main__":
    main()
