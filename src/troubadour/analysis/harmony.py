"""Chord recognition with Roman numerals: template matching per beat and a Viterbi path.

Each beat is compared with triads and seventh chords on every root. The start of a beat counts double,
the bass supports the root, and the local key supports its diatonic chords. A chord change has a cost,
which is lower for a falling fifth (after Pardo & Birmingham 2002 and Temperley 2001, chapter 6).
Numerals refer to the local keys of `key`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from troubadour.analysis.beats import Beats, beats, pitched
from troubadour.analysis.key import KEY_MODES, KeyFinding, KeyModel, find_key, key_of, local_keys, viterbi
from troubadour.music.score import Key, Score
from troubadour.music.theory.keys import MINOR_MODES
from troubadour.music.theory.scales import degrees
from troubadour.music.theory.spelling import spell

QUALITIES: Final = ("major", "minor", "diminished", "augmented", "7", "maj7", "m7", "m7b5", "dim7")
_TONES: Final = {
    "major": (0, 4, 7), "minor": (0, 3, 7), "diminished": (0, 3, 6), "augmented": (0, 4, 8),
    "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "m7": (0, 3, 7, 10), "m7b5": (0, 3, 6, 10), "dim7": (0, 3, 6, 9),
}  # fmt: skip
_SUFFIX: Final = {
    "major": "", "minor": "m", "diminished": "dim", "augmented": "aug", "7": "7", "maj7": "maj7", "m7": "m7",
    "m7b5": "m7b5", "dim7": "dim7",
}  # fmt: skip
# Rarity of each quality relative to a triad, in nats.
_RARE: Final = {
    "major": 0.0, "minor": 0.0, "diminished": 0.5, "augmented": 1.6, "7": 0.35, "maj7": 0.9, "m7": 0.6,
    "m7b5": 0.6, "dim7": 0.7,
}  # fmt: skip
_IN: Final = 6.0  # nats for a beat that consists of chord tones only
_LACK: Final = (0.3, 0.9, 0.25, 0.45)  # cost of a missing chord tone: root, third, fifth, seventh
_BASS: Final = (1.0, 0.55, 0.1, 0.2)  # gain if the bass is the root, third, fifth, seventh
_FOREIGN: Final = 1.3  # cost of each chord tone outside the key
_CHANGE: Final = 0.7
_FIFTH: Final = 0.35
_MAIN: Final = {0: 0.9, 7: 0.6, 5: 0.4}
_PLAIN: Final = 0.6
_CLOSE: Final = 2.0
"""Gain in nats of the tonic chord as the last chord of a melody."""
_SCALES: Final = {
    # With the leading note, which is no note of the signature.
    mode: degrees(mode, raised=(7,) if mode in MINOR_MODES else ())
    for mode in KEY_MODES
}
_NUMERALS: Final = ("I", "bII", "II", "bIII", "III", "IV", "#IV", "V", "bVI", "VI", "bVII", "VII")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChordSpan:
    """Chord with its position and duration."""

    bar: int
    """Bar number, 1-based; 0 = upbeat."""
    beat: int
    """Position of the beat within the bar, 1-based."""
    beats: int
    symbol: str
    """Chord symbol such as `Dm7/F`; `-` = silence."""
    numeral: str
    """Roman numeral such as `ii65` or `V7/V`, in the local key; empty in silence."""
    key: str
    """Local key."""
    certainty: float
    """Share of the sounding duration that belongs to the chord, 0 to 1."""
    root: int
    """Pitch class of the root, -1 in silence."""
    quality: str
    inversion: int
    """0 = root in the bass, 1 = third, and so on."""


def find_chords(
    score: Score, key: KeyFinding | None = None, model: KeyModel | None = None
) -> tuple[ChordSpan, ...]:
    """Chords of a quantised score, in order; about 10 ms for a chorale.

    For a single melody the implied chords are returned, one per half bar or bar, without inversions;
    see `implied`.

    Args:
        score: quantised score.
        key: key from `find_key`. Default: computed.
        model: key model. Default: the installed one.
    """
    model = model or KeyModel.shipped()
    key = key or find_key(score, model)
    table = beats(score)
    if not len(table) or not key.key:
        return ()
    single = implied(score)
    if single:
        table = _wider(table)
    home = (key.tonic, KEY_MODES.index(key.mode))
    bars = np.unique(table.bar)
    local = local_keys(model, table, home)[np.searchsorted(bars, table.bar)]
    nats = chord_nats(table, local)
    if single:
        nats += _key_prior(local)
        nats[-1, home[0] * len(QUALITIES) : (home[0] + 1) * len(QUALITIES)] += _CLOSE
    path = viterbi(nats, _CHANGE, _bonus())
    return _joined(table, path, local)


def implied(score: Score) -> bool:
    """Whether a score is a single melody, whose chords are only implied."""
    tracks = np.unique(pitched(score).track)
    return len(tracks) == 1 and _mostly_single(pitched(score))


def _mostly_single(score: Score) -> bool:
    same = np.diff(score.onset) == 0
    return len(score) < 2 or float(same.mean()) < 0.1


def chord_nats(table: Beats, local: NDArray[np.int64]) -> Floats:
    """Evidence for each chord at each beat in nats, shape (n_beats, 12 * n_qualities).

    Args:
        table: beat grid.
        local: (tonic, mode) of each beat, shape (n_beats, 2).
    """
    total = table.chroma.sum(axis=1, keepdims=True)
    shares = table.chroma / np.maximum(total, 1e-9)
    present = shares > 0.04
    out = np.zeros((len(table), 12, len(QUALITIES)))
    outside = np.array([[(d not in _SCALES[mode]) for d in range(12)] for mode in KEY_MODES])
    bass = np.where(table.bass >= 0, table.bass % 12, -1)
    for root in range(12):
        degrees = (root - local[:, 0]) % 12
        for q, quality in enumerate(QUALITIES):
            tones = _TONES[quality]
            pcs = [(root + t) % 12 for t in tones]
            nats = _IN * shares[:, pcs].sum(axis=1) - _RARE[quality]
            for i, pc in enumerate(pcs):
                nats -= _LACK[i] * ~present[:, pc]
                nats += _BASS[i] * (bass == pc)
                foreign = outside[local[:, 1], (degrees + tones[i]) % 12]
                nats -= _FOREIGN * foreign
            out[:, root, q] = nats
    out[total[:, 0] <= 0] = 0.0
    flat: Floats = out.reshape(len(table), -1)
    return flat


def _key_prior(local: NDArray[np.int64]) -> Floats:
    """Prior for implied chords in nats: primary chords of the key are more likely; shape as `chord_nats`."""
    nats = np.zeros((len(local), 12, len(QUALITIES)))
    nats[:, :, 4:] -= _PLAIN
    for degree, more in _MAIN.items():
        nats[np.arange(len(local)), (local[:, 0] + degree) % 12] += more
    flat: Floats = nats.reshape(len(local), -1)
    return flat


def _bonus() -> Floats:
    """Gain of chord transitions in nats: falling fifths, and repetition of a root."""
    n = 12 * len(QUALITIES)
    root = np.arange(n) // len(QUALITIES)
    step = (root[None, :] - root[:, None]) % 12
    return np.where(step == 5, _FIFTH, np.where(step == 0, 0.2, 0.0))


def _wider(table: Beats) -> Beats:
    """Beat grid of a melody merged into half bars (or bars of up to three beats)."""
    per_bar = int(table.place.max())
    size = per_bar // 2 if per_bar >= 4 and per_bar % 2 == 0 else per_bar if per_bar <= 3 else 1
    group = table.bar * 64 + (table.place - 1) // max(size, 1)
    first = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    last = np.append(first[1:], len(table)) - 1
    return Beats(
        table.start[first],
        table.stop[last],
        table.bar[first],
        table.place[first],
        np.add.reduceat(table.chroma, first),
        np.add.reduceat(table.plain, first),
        np.full(len(first), -1),  # the lowest note of a melody is not a bass note
    )


def _joined(table: Beats, path: NDArray[np.int64], local: NDArray[np.int64]) -> tuple[ChordSpan, ...]:
    found: list[ChordSpan] = []
    before: tuple[object, ...] = ()
    for i, state in enumerate(path.tolist()):
        root, q = divmod(state, len(QUALITIES))
        quality = QUALITIES[q]
        tonic, mode = int(local[i, 0]), KEY_MODES[int(local[i, 1])]
        key = key_of(tonic, mode)
        silent = not table.plain[i].any()
        tones = [(root + t) % 12 for t in _TONES[quality]]
        bass = int(table.bass[i]) % 12 if table.bass[i] >= 0 else -1
        inversion = tones.index(bass) if bass in tones else 0
        same = (silent, root, quality, inversion, key.name)
        length = max(round((table.stop[i] - table.start[i]) / max(1, int(table.stop[0] - table.start[0]))), 1)
        if found and same == before and found[-1].bar == int(table.bar[i]):
            last = found[-1]
            found[-1] = ChordSpan(last.bar, last.beat, last.beats + length, *_names(last))
        else:
            share = float(table.plain[i][tones].sum() / max(table.plain[i].sum(), 1e-9))
            symbol = "-" if silent else symbol_of(root, quality, inversion, key)
            numeral = "" if silent else numeral_of(root, quality, inversion, key)
            found.append(
                ChordSpan(
                    int(table.bar[i]), int(table.place[i]), length, symbol, numeral, key.name,
                    0.0 if silent else round(share, 3), -1 if silent else root, quality, inversion,
                )
            )  # fmt: skip
        before = same
    return tuple(found)


def _names(chord: ChordSpan) -> tuple[str, str, str, float, int, str, int]:
    return (
        chord.symbol, chord.numeral, chord.key, chord.certainty, chord.root, chord.quality, chord.inversion,
    )  # fmt: skip


def symbol_of(root: int, quality: str, inversion: int, key: Key) -> str:
    """Chord symbol, spelt in a key: `F#m7b5`, `C/E`."""
    name = _letter(root, key) + _SUFFIX[quality]
    return name + (f"/{_letter((root + _TONES[quality][inversion]) % 12, key)}" if inversion else "")


def _letter(pc: int, key: Key) -> str:
    written = spell(60 + pc, key)
    return written.step + {-2: "bb", -1: "b", 0: "", 1: "#", 2: "##"}[written.alter]


def numeral_of(root: int, quality: str, inversion: int, key: Key) -> str:
    """Roman numeral of a chord in a key; applied dominants as `V7/V`.

    >>> numeral_of(2, "7", 1, Key(0, 0, "major")), numeral_of(5, "major", 0, Key(0, 0, "minor"))
    ('V65/V', 'VI')
    """
    degree = (root - key.tonic) % 12
    scale = _SCALES[key.mode]
    tones = [(degree + t) % 12 for t in _TONES[quality]]
    target = (degree + 5) % 12
    chromatic = any(t not in scale for t in tones)
    if quality in ("major", "7") and chromatic and target in scale[:7] and target:
        return "V" + _figure(quality, inversion) + "/" + _plain(target, key)
    if quality in ("diminished", "m7b5", "dim7") and chromatic and (degree + 1) % 12 in scale[:7]:
        goal = (degree + 1) % 12
        if goal:
            return _cased("VII", quality) + _figure(quality, inversion) + "/" + _plain(goal, key)
    return _cased(_degree(degree, key), quality) + _figure(quality, inversion)


def _degree(degree: int, key: Key) -> str:
    """Numeral of a degree; in minor, III, VI and VII are natural, and the raised seventh is the leading note."""
    name = _NUMERALS[degree]
    if key.mode in MINOR_MODES and name in ("bIII", "bVI", "bVII"):
        return name[1:]
    if key.mode == "mixolydian" and name == "bVII":
        return "VII"
    return name


def _plain(degree: int, key: Key) -> str:
    """Numeral of a degree's diatonic triad."""
    scale = _SCALES[key.mode]
    minor = (degree + 3) % 12 in scale and (degree + 4) % 12 not in scale
    name = _degree(degree, key)
    return name.lower() if minor or (degree + 7) % 12 not in scale else name


def _cased(name: str, quality: str) -> str:
    if quality in ("minor", "m7", "diminished", "m7b5", "dim7"):
        name = name.replace("I", "i").replace("V", "v")
    return name + {"diminished": "o", "dim7": "o", "m7b5": "%", "augmented": "+", "maj7": "M"}.get(
        quality, ""
    )


def _figure(quality: str, inversion: int) -> str:
    if len(_TONES[quality]) == 3:
        return ("", "6", "64")[inversion]
    return ("7", "65", "43", "42")[inversion]
