"""Compose with the Transformer: a brief becomes a plan and a prompt, tokens become scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from troubadour.composers.base import Brief
from troubadour.composers.engine import Engine
from troubadour.composers.profiles import Profile, draw
from troubadour.composers.sample import sample
from troubadour.composers.spec import TransformerSpec
from troubadour.errors import InputError, ModelError, TroubadourError
from troubadour.music import lexicon as lx
from troubadour.music.grammar import Automaton, Phase, Plan
from troubadour.music.quantise import METRONOME, nearest
from troubadour.music.score import MODES, Key, Score
from troubadour.music.tokens import encode, features, score_of

WEIGHTS: Final = "composer.safetensors"
DOCUMENT: Final = "composer.json"
_TRIES: Final = 4
_EMBED_TOKENS: Final = 256


@dataclass(frozen=True, slots=True)
class _Guide:
    """An automaton, as the sampler sees it."""

    automaton: Automaton

    @property
    def done(self) -> bool:
        return self.automaton.phase == Phase.DONE

    def advance(self, token: int) -> None:
        self.automaton.advance(token)

    def allowed(self) -> NDArray[np.bool_]:
        return self.automaton.allowed()

    def features(self) -> tuple[int, ...]:
        return self.automaton.features()


class TransformerComposer:
    """Composes and embeds with one set of weights.

    Args:
        spec: shape of the network.
        weights: arrays by name.
        profiles: what each style is usually like; the empty name stands for any melody.
        name: names the vector space of `embed`.
        threads: CPU threads.
    """

    def __init__(
        self,
        spec: TransformerSpec,
        weights: Mapping[str, NDArray[Any]],
        profiles: Mapping[str, Profile],
        name: str = "transformer",
        threads: int = 1,
    ) -> None:
        self.spec, self.name = spec, name
        self._weights, self._profiles = dict(weights), dict(profiles)
        self._engine = Engine(spec, weights, threads)

    # Composing --------------------------------------------------------------------------------

    @property
    def styles(self) -> tuple[str, ...]:
        """Styles that a brief may ask for: those with music behind them."""
        return tuple(s for s in self.spec.styles if s in self._profiles)

    def compose(self, brief: Brief, rng: np.random.Generator, candidates: int = 1) -> list[Score]:
        """New pieces for one brief, those that the network finds most likely first.

        What the brief leaves open is drawn from the style's profile.

        Costs about half a second for a 16-bar tune on one core.

        Raises:
            InputError: the brief names an unknown style, or voices that the style has not.
        """
        brief = self.complete(brief, rng)
        plan = self.plan(brief)
        prompt = self.prompt(brief)
        length = self._room(brief)
        found: list[tuple[float, int, Score]] = []
        for _ in range(_TRIES):
            missing = candidates - len(found)
            guides = [_Guide(Automaton(plan)) for _ in range(missing)]
            stream = self._engine.start(missing, length)
            grown = sample(
                stream,
                guides,
                [prompt] * missing,
                rng,
                temperature=brief.temperature,
                top_p=brief.top_p,
            )
            found += [
                (t.surprise, len(found) + i, score_of(g.automaton))
                for i, (g, t) in enumerate(zip(guides, grown, strict=True))
                if t is not None
            ]
            if len(found) >= candidates:
                break
        if not found:
            raise TroubadourError(
                f"no piece of {brief.bars} bars came to an end within {length} tokens; ask for fewer bars"
            )
        return [score for _, _, score in sorted(found, key=lambda f: f[:2])]

    def complete(self, brief: Brief, rng: np.random.Generator) -> Brief:
        """The brief with every open matter decided, but for density and upbeat.

        Raises:
            InputError: the style is unknown, or has not as many voices as asked for.
        """
        profile = self._profile(brief)
        metre = brief.metre
        if metre is None:
            top, bottom = draw(profile.metres, rng).split("/")
            metre = (int(top), int(bottom))
        key = brief.key
        if key is None:
            fifths, mode = draw(profile.keys, rng).split()
            key = (int(fifths), mode)
        bars = brief.bars or int(draw(_usual_bars(profile.bars), rng))
        tempo = brief.tempo_bpm
        if tempo is None:
            name = f"{metre[0]}/{metre[1]} "
            fitting = {k: n for k, n in profile.tempos.items() if k.startswith(name)} or profile.tempos
            tempo = float(draw(fitting, rng).split()[1])
        voices = sum(n for _, n in _parse_programs(_usual(profile.programs)))
        return replace(brief, metre=metre, key=key, bars=bars, tempo_bpm=tempo, voices=voices)

    def plan(self, brief: Brief) -> Plan:
        """The constraints that a complete brief puts on the automaton."""
        profile = self._profile(brief)
        programs = _parse_programs(_usual(profile.programs))
        tempo = None
        if brief.tempo_bpm is not None:
            tempo = METRONOME.index(int(nearest(np.array([brief.tempo_bpm]), METRONOME)[0]))
        return Plan(
            bars=brief.bars,
            programs=programs,
            metre=brief.metre,
            key=brief.key,
            tempo_index=tempo,
            upbeat=0 if brief.upbeat is False or brief.bars == 1 else None,
            early=bool(brief.upbeat),
            ranges=profile.ranges,
            endings=_endings(brief, len(profile.ranges)),
            last=12 if len(profile.ranges) == 1 else 24,
        )

    def prompt(self, brief: Brief) -> list[int]:
        """`START prefix BODY` for a complete brief."""
        style = self.spec.style_token(brief.style) if brief.style else None
        prefix = [] if style is None else [style]
        if brief.bars is not None:
            prefix.append(lx.BARS + brief.bars - 1)
        if brief.voices is not None:
            prefix.append(lx.VOICES + brief.voices - 1)
        if brief.metre is not None:
            prefix.append(lx.NUMERATOR + brief.metre[0] - 1)
            prefix.append(lx.DENOMINATOR + lx.DENOMINATORS.index(brief.metre[1]))
        if brief.key is not None:
            prefix.append(lx.key_token(*brief.key))
        if brief.density is not None:
            prefix.append(lx.DENSITY + brief.density)
        return [lx.START, *prefix, lx.BODY]

    def _profile(self, brief: Brief) -> Profile:
        if brief.style is not None and brief.style not in self.styles:
            raise InputError(f"style is '{brief.style}'; allowed: {', '.join(self.styles)}")
        name = brief.style or ""
        if brief.style is None and brief.voices is not None:
            name = self._style_of_voices(brief.voices)
        profile = self._profiles[name]
        voices = sum(n for _, n in _parse_programs(_usual(profile.programs)))
        if brief.voices is not None and brief.voices != voices:
            raise InputError(
                f"style '{brief.style}' is composed in {voices} voices; asked for {brief.voices}"
            )
        return profile

    def _style_of_voices(self, voices: int) -> str:
        by_voices: dict[int, str] = {}
        for name in ("", *self.styles):
            count = sum(n for _, n in _parse_programs(_usual(self._profiles[name].programs)))
            by_voices.setdefault(count, name)
        if voices not in by_voices:
            allowed = ", ".join(str(n) for n in sorted(by_voices))
            raise InputError(f"voices is {voices}; this composer has learnt: {allowed}")
        return by_voices[voices]

    def _room(self, brief: Brief) -> int:
        """Tokens to make room for: twice what a lively piece of that length takes."""
        numerator, denominator = brief.metre or (4, 4)
        quarters = (brief.bars or 16) * numerator * 4 / denominator
        return min(self.spec.context, 96 + int(quarters * (brief.voices or 1) * 10))

    # Embedding --------------------------------------------------------------------------------

    def embed(self, scores: list[Score]) -> NDArray[np.float32]:
        """Mean hidden state of each quantised score's first 256 tokens in C, unit length, (n, width).

        Costs about 10 ms a piece.
        """
        rows = [_sequence(score) for score in scores]
        out = np.zeros((len(rows), self.spec.width), dtype=np.float32)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
        for start in range(0, len(order), 16):
            chunk = order[start : start + 16]
            time = max(len(rows[i][0]) for i in chunk)
            tokens = np.zeros((len(chunk), time), dtype=np.int64)
            places = np.zeros((len(chunk), time, len(self.spec.features)), dtype=np.int64)
            for row, i in enumerate(chunk):
                tokens[row, : len(rows[i][0])] = rows[i][0]
                places[row, : len(rows[i][0])] = rows[i][1]
            hidden = self._engine.embed(tokens, places)
            for row, i in enumerate(chunk):
                out[i] = hidden[row, 2 : len(rows[i][0])].mean(axis=0)
        unit: NDArray[np.float32] = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
        return unit

    # Storing ----------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write weights (fp16 safetensors) and everything else (JSON) into a folder."""
        half = {k: np.asarray(v).astype(np.float16) for k, v in self._weights.items()}
        (folder / WEIGHTS).write_bytes(save(half))
        document = {
            "kind": "transformer",
            "name": self.name,
            "spec": self.spec.to_dict(),
            "profiles": {k: v.to_dict() for k, v in self._profiles.items()},
        }
        (folder / DOCUMENT).write_text(json.dumps(document, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: a file is missing, damaged, or of another version.
        """
        try:
            document = cast(dict[str, Any], json.loads((folder / DOCUMENT).read_text()))
            weights = load((folder / WEIGHTS).read_bytes())
            spec = TransformerSpec.from_dict(document["spec"])
            profiles = {k: Profile.from_dict(v) for k, v in document["profiles"].items()}
            return cls(spec, weights, profiles, document["name"], threads)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"{folder}: no composer can be read there: {error}") from error


def _usual(counts: Mapping[str, int]) -> str:
    return max(counts, key=lambda name: (counts[name], name))


def _usual_bars(counts: Mapping[str, int]) -> dict[str, int]:
    """Lengths that make a tune of phrases: 8 to 32 bars, multiples of four where there are any."""
    phrases = {k: n for k, n in counts.items() if 8 <= int(k) <= 32 and int(k) % 4 == 0}
    return phrases or dict(counts)


def _parse_programs(text: str) -> tuple[tuple[int, int], ...]:
    pairs = (part.split(":") for part in text.split())
    return tuple((int(program), int(voices)) for program, voices in pairs)


def _endings(brief: Brief, voices: int) -> tuple[frozenset[int], ...]:
    """A melody ends on the tonic; in a choir the bass does, and the others within its chord."""
    if brief.key is None:
        return ()
    tonic = Key(0, *brief.key).tonic
    if voices == 1:
        return (frozenset({tonic}),)
    # Both thirds: a piece in minor may end in major.
    chord = frozenset((tonic + i) % 12 for i in (0, 3, 4, 7))
    if brief.key[1] not in ("minor", "dorian", "phrygian", "locrian"):
        chord -= {(tonic + 3) % 12}
    return (*[chord] * (voices - 1), frozenset({tonic}))


def _sequence(score: Score) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """Tokens and places of a score brought to C (or A minor and so on), so that keys do not count."""
    tonic = (score.keys[0].fifths * 7) % 12
    shift = -tonic if tonic <= 6 else 12 - tonic
    pitched = score.pitch[~np.array([t.is_drum for t in score.tracks], dtype=bool)[score.track]]
    if len(pitched) and pitched.min() + shift >= 0 and pitched.max() + shift <= 127:
        score = score.transpose(shift)
    tokens = encode(score)
    cut = tokens[:_EMBED_TOKENS]
    return cut, features(cut)


__all__ = ["DOCUMENT", "MODES", "WEIGHTS", "TransformerComposer"]
