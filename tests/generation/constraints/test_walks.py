"""Random walks through the grammar under random controls: each walk ends and all controls hold."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from troubadour.core.errors import InputError
from troubadour.generation.constraints.base import ConstrainedDecoder
from troubadour.generation.constraints.build import InstrumentDefaults, compile_constraints
from troubadour.generation.constraints.chords import Harmony, parse_chords
from troubadour.generation.constraints.pitches import scale
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief, GivenNote
from troubadour.music.instruments import playable
from troubadour.music.quantise import quantise
from troubadour.music.score import MODES, Key, Score
from troubadour.tokens import vocabulary as vocab
from troubadour.tokens.prefix import density_level
from troubadour.tokens.tokenizer import decode, encode, score_of

DEFAULTS = {
    1: InstrumentDefaults(((40, 1),), ((60, 83),)),
    2: InstrumentDefaults(((40, 1), (42, 1)), ((60, 83), (40, 64))),
    4: InstrumentDefaults(((52, 1),) * 4, ((62, 79), (57, 72), (51, 67), (38, 62))),
}
METRES = ((6, 8), (3, 4), (4, 4), (2, 2), (9, 8), (2, 4), (5, 8), (7, 8), (3, 2))
CHORDS = (
    "C F",
    "G7",
    "Am",
    "C F G7 C",
    "G",
    "Am | Dm E7 | Am",
    "D A7 Bm F#m G D G A",
    "C/E F6 | G7",
    "Cm7b5 Fdim7",
    "Bbmaj7 Eb",
)
WALKS = 300
PARTS = 3
TROUBLE = np.zeros(vocab.N_TOKENS, dtype=bool)
TROUBLE[[vocab.DURATION + 11, vocab.DURATION + 23]] = True
TROUBLE[vocab.PITCH : vocab.PITCH + 128] = np.isin(np.arange(128) % 12, (0, 7))


def random_brief(rng: np.random.Generator) -> tuple[Brief, int]:
    """A complete brief with about half of the controls, which may contradict each other."""

    def maybe(value: object, chance: float = 0.4) -> object:
        return value if rng.random() < chance else None

    voices = int(rng.choice([1, 2, 4]))
    metre = METRES[int(rng.integers(len(METRES)))]
    bars = int(rng.integers(1, 9))
    bar = metre[0] * 96 // metre[1]
    low = int(rng.integers(40, 62))
    notes = []
    if rng.random() < 0.4:
        voice_spans = rng.choice(voices, int(rng.integers(1, voices + 1)), replace=False)
        for voice in voice_spans.tolist():
            tick = int(rng.integers(0, bars * bar // 12)) * 12
            lowest, highest = DEFAULTS[voices].ranges[voice]
            for _ in range(int(rng.integers(1, 9))):
                length = int(rng.choice([6, 12, 12, 24, 36]))
                if tick + length > bars * bar:
                    break
                notes.append(GivenNote(voice + 1, tick, length, int(rng.integers(lowest, highest + 1))))
                tick += length + int(rng.choice([0, 0, 0, 12]))
    brief = Brief(
        key=(int(rng.integers(-5, 6)), MODES[int(rng.integers(len(MODES)))]),
        metre=metre,
        bars=bars,
        tempo_bpm=120,
        density=maybe(int(rng.integers(0, 8))),
        strict=bool(rng.random() < 0.5),
        upbeat=maybe(bool(rng.random() < 0.5)) if bars > 1 and not notes else None,
        chords=maybe(str(rng.choice(CHORDS)), 0.5),
        instruments=maybe(tuple(rng.choice([0, 40, 42, 52, 73, 58], voices).tolist()), 0.2),
        ranges=maybe(tuple((low, low + int(rng.integers(7, 40))) for _ in range(voices)), 0.2),
        lowest=maybe(int(rng.integers(36, 58)), 0.2),
        highest=maybe(int(rng.integers(70, 90)), 0.2),
        cadence=maybe(bool(rng.random() < 0.7)),
        notes=tuple(notes),
        parallels=bool(rng.random() < 0.4),
        max_common=maybe(int(rng.integers(6, 14))),
    )  # type: ignore[arg-type]
    return brief, voices


def walk(decoder: ConstrainedDecoder, rng: np.random.Generator) -> Score | None:
    """Random choice among the allowed tokens; `None` at a dead end.

    Some walks are hostile: all voices move in eighths and quarters, in fifths and octaves.
    """
    tokens: list[int] = []
    hostile = rng.random() < 0.6
    while not decoder.done:
        mask = decoder.allowed()
        while True:
            choice = np.flatnonzero(mask)
            if hostile and rng.random() < 0.9 and mask[TROUBLE].any():
                choice = np.flatnonzero(mask & TROUBLE)
            if not len(choice):
                if decoder.fallback_mask is None:
                    return None
                mask, decoder.fallback_mask = decoder.fallback_mask, None
                continue
            token = int(rng.choice(choice))
            if decoder.take(token):
                break
            mask = mask.copy()
            mask[token] = False
        tokens.append(token)
        assert len(tokens) < 20_000, "the walk does not end"
    return score_of(decoder.automaton)


def folk_corpus() -> Corpus:
    """Tunes of small steps, which random walks often contain."""
    rng = np.random.default_rng(3)
    pieces = []
    for i in range(60):
        rows, tick, pitch = [], 0, 67
        for _ in range(300):
            pitch = int(np.clip(pitch + rng.integers(-4, 5), 55, 80))
            length = int(rng.choice([6, 12, 24]))
            rows.append((tick, length, pitch, 80, 0))
            tick += length
        pieces.append((f"p{i}", quantise(Score.from_notes(rows, ticks_per_quarter=24))))
    return Corpus.of(pieces)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return folk_corpus()


def sounding(score: Score, track: int, tick: int) -> list[int]:
    here = (score.track == track) & (score.onset <= tick) & (score.onset + score.duration > tick)
    return score.pitch[here].tolist()


def count_parallels(score: Score) -> int:
    """Parallel fifths, octaves and unisons, counted note by note."""
    found = 0
    lines = [
        sorted(zip(*(getattr(score, n)[score.track == t].tolist() for n in ("onset", "duration", "pitch")), strict=True))
        for t in range(len(score.tracks))
    ]  # fmt: skip
    moves = [
        {b[0]: (a[2], b[2]) for a, b in pairwise(line) if a[0] + a[1] == b[0] and a[2] != b[2]}
        for line in lines
    ]
    for i, upper in enumerate(moves):
        for lower in moves[i + 1 :]:
            for tick in upper.keys() & lower.keys():
                (a, b), (c, d) = upper[tick], lower[tick]
                found += abs(a - c) % 12 in (0, 7) and abs(a - c) % 12 == abs(b - d) % 12
    return found


def check(brief: Brief, voices: int, score: Score, corpus: Corpus) -> None:
    assert score.ticks_per_quarter == 24
    tracks = sorted(set(score.track.tolist()))
    if tracks == list(range(voices)):  # a voice of rests has no track after quantising
        assert quantise(score) == score
        assert decode(encode(score)) == score
    bar = brief.metre[0] * 96 // brief.metre[1]  # type: ignore[index]
    final = brief.bars * bar  # type: ignore[operator]
    assert score.n_bars == brief.bars
    assert score.end_ticks <= final
    assert [m[1:] for m in score.metres] == [brief.metre]
    assert [k[1:] for k in score.keys] == [brief.key]
    given = {(n.voice - 1, n.onset, n.duration, n.pitch) for n in brief.notes}
    rows = {(t, o, d, p) for o, d, p, _, t in score.notes().tolist()}
    assert given <= rows
    composed = rows - given
    if brief.upbeat is not None:
        assert bool(score.upbeat_ticks) == brief.upbeat or brief.notes or brief.metre == (1, 4)
    if brief.strict:
        assert all(p % 12 in scale(*brief.key) for _, _, _, p in rows)  # type: ignore[misc]
        if brief.density is not None and score.end_ticks == final:
            assert density_level(score.replace(tracks=score.tracks[:voices]), voices) == brief.density
    for voice, _, _, pitch in rows:
        assert brief.lowest is None or pitch >= brief.lowest
        assert brief.highest is None or pitch <= brief.highest
        if brief.ranges:
            assert brief.ranges[voice][0] <= pitch <= brief.ranges[voice][1]
        if brief.instruments:
            low, high = playable(brief.instruments[voice])
            assert low <= pitch <= high
    if brief.instruments:
        assert tuple(t.program for t in score.tracks) == brief.instruments
    if brief.chords:
        progression = parse_chords(brief.chords, brief.bars)
        harmony = Harmony.of(progression, brief.metre, score.upbeat_ticks, voices)  # type: ignore[arg-type]
        for i, tick in enumerate(harmony.places):
            for voice in range(voices):
                allowed = harmony.lowest[i] if voice == harmony.bass else harmony.inner[i]
                assert all(allowed[p] for p in sounding(score, voice, tick)), (tick, voice)
    if brief.cadence and not any(o + d > final - 30 for _, o, d, _ in given):
        tonic = Key(0, *brief.key).tonic  # type: ignore[misc]
        assert [p % 12 for p in sounding(score, voices - 1, final - 1)] == [tonic]
    if not brief.parallels:
        assert count_parallels(score) == 0
    if brief.max_common is not None:
        assert corpus.longest_match(score).notes <= brief.max_common
    assert composed or given


@pytest.mark.parametrize("part", range(PARTS))
def test_every_walk_ends_and_all_controls_hold(part: int, corpus: Corpus) -> None:
    rng = np.random.default_rng(part)
    passages = {n: corpus.windows(n - 1) for n in range(6, 14)}
    count: Counter[str] = Counter()
    unnamed: list[str] = []
    for _ in range(WALKS // PARTS):
        brief, voices = random_brief(rng)
        try:
            constraint_plan = compile_constraints(
                brief, DEFAULTS[voices], 30, passages=passages[brief.max_common] if brief.max_common else None
            )
        except InputError as error:
            count["refused"] += 1
            unnamed += [str(error)] if "clash" not in str(error) else []
            continue
        score = walk(constraint_plan.decoder(), rng)
        if score is None:
            # Only the lower bound of density may lead to a dead end; see `constraints`.
            assert brief.strict
            assert brief.density
            count["dead end"] += 1
            continue
        check(brief, voices, score, corpus)
        count["walked"] += 1
    assert not unnamed
    assert count["walked"] > WALKS // PARTS * 0.4, count
    assert count["dead end"] <= WALKS // PARTS * 0.01, count
