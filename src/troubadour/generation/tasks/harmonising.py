"""Harmonisation: voices or chords to a given voice, accompaniment, and a new harmony for a piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from troubadour.core.errors import InputError
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.constraints.base import Span, of_classes
from troubadour.generation.constraints.build import ConstraintPlan
from troubadour.generation.constraints.chords import Chord, parse_chords
from troubadour.generation.constraints.pitches import Pitches
from troubadour.generation.constraints.rhythm import Rhythm
from troubadour.generation.originality import Corpus
from troubadour.generation.request import Brief
from troubadour.generation.tasks.base import PreparedTask, opening
from troubadour.generation.tasks.infilling import after_gap
from troubadour.generation.tasks.source import describe, end_of, refuse_parts, voice_spans, voice_tracks
from troubadour.generation.tasks.splice import KEPT, NEW
from troubadour.generation.tasks.tracks import refuse_kinds, simplified
from troubadour.music.quantise import TICKS_PER_QUARTER, quantise
from troubadour.music.score import Key, Metre, Score, Track
from troubadour.music.theory.keys import MINOR_MODES

Figure = Literal["held", "offbeat"]
CHORAL: Final = "chorale"
"""Default style: harmony in four parts."""
_VOICES: Final = 8
"""Largest number of voices in a prompt."""
_PIANO, _GUITAR, _DOUBLE_BASS = 0, 24, 43
_SHORTEST: Final = 12
"""Shortest last chord in ticks; a shorter one is merged with the chord before it."""


@dataclass(frozen=True, slots=True)
class Harmonise:
    """Harmony for a given voice: further voices, or chords in a steady rhythm."""

    score: Score
    """The given piece. Its first voice is the melody by default."""
    keep: tuple[int, ...] = (1,)
    """Given voices to keep, 1-based. If piece and style have the same number of voices, each keeps its
    position. Otherwise one voice is kept and becomes the highest."""
    chords: bool = False
    """Whether the other voices are chords of three notes in one track, instead of separate voices."""

    def prepare(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """See `Task.prepare`; the style of the brief (default: chorale) decides the number of voices.

        Raises:
            InputError: `keep` is out of range or names all voices, or two controls contradict each other.
        """
        if not self.chords:
            return _in_parts(composer, self.score, self.keep, brief, corpus, lambda new: new)
        track = _track(self.score, self.keep[0] if self.keep else 1)

        def finish(new: Score) -> Score:
            rows = [(on, length, pitch, 80, min(t, 1)) for on, length, pitch, _, t in new.notes().tolist()]
            return quantise(_with_rows(new, rows, (track, Track(_PIANO, False, "Chords"))))

        return _in_parts(composer, self.score, self.keep, brief, corpus, finish, chords=True)


@dataclass(frozen=True, slots=True)
class Reharmonise:
    """A new harmony for the kept voices of a piece."""

    score: Score
    """The given piece with two voices or more. Drums are kept."""
    keep: tuple[int, ...] = (1,)
    """See `Harmonise.keep`."""

    def prepare(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """See `Harmonise.prepare`.

        Raises:
            InputError: as `Harmonise.prepare`, or the piece has a single voice.
        """
        if len(voice_spans(self.score)) < 2:
            raise InputError("the given piece has one voice and no harmony yet; harmonise it")
        return _in_parts(composer, self.score, self.keep, brief, corpus, lambda new: new, replaces=True)


@dataclass(frozen=True, slots=True)
class Accompany:
    """Chords and a bass for a melody, on two further instruments."""

    score: Score
    """The given piece; all of its notes are kept."""
    voice: int = 1
    """Voice of the melody, 1-based."""
    instruments: tuple[int, int] = (_GUITAR, _DOUBLE_BASS)
    """General MIDI programs of chords and bass."""
    figure: Figure = "offbeat"
    """`offbeat`: chords after the bass. `held`: chords together with the bass."""

    def prepare(
        self, composer: AutoregressiveComposer, brief: Brief, corpus: Corpus | None = None
    ) -> PreparedTask:
        """See `Harmonise.prepare`.

        Raises:
            InputError: as `Harmonise.prepare`, or a General MIDI program is out of range.
        """
        Brief(instruments=self.instruments)
        track = _track(self.score, self.voice)
        chords, bass = (Track(p, False, n) for p, n in zip(self.instruments, ("Chords", "Bass"), strict=True))

        def finish(new: Score) -> Score:
            rows: list[tuple[int, int, int, int, int]] = []
            for onset, length, pitch, _, voice in new.notes().tolist():
                if voice == 0:
                    rows.append((onset, length, pitch, 80, 0))
                else:
                    part = 2 if voice == len(new.tracks) - 1 else 1
                    figured = [(onset, length)]
                    if self.figure == "offbeat":
                        figured = _figured(onset, length, new.metres[0], bass=part == 2)
                    rows += [(o, n, pitch, 64, part) for o, n in figured]
            return quantise(_with_rows(new, rows, (track, chords, bass)))

        return _in_parts(composer, self.score, (self.voice,), brief, corpus, finish, chords=True)


def _in_parts(
    composer: AutoregressiveComposer,
    score: Score,
    keep: tuple[int, ...],
    brief: Brief,
    corpus: Corpus | None,
    finish: Callable[[Score], Score],
    *,
    chords: bool = False,
    replaces: bool = False,
) -> PreparedTask:
    """Compile a harmonisation.

    Args:
        composer: the composer that will run the task.
        score: the quantised given piece.
        keep: voices to keep, 1-based.
        brief: style and controls.
        corpus: other music, for `brief.max_common`.
        finish: arranges the composed voices.
        chords: whether the new voices share a steady rhythm.
        replaces: whether the other given voices are removed.
    """
    refuse_parts(brief)
    style = brief.style or CHORAL
    whole = simplified(score)
    score, voices = whole, voice_spans(whole)
    track_of = voice_tracks(whole)
    lines = not any(t.is_drum for t in whole.tracks) and all(len(s.pitches) < 2 for v in voices for s in v)
    if not (lines and len(voices) <= _VOICES) and len(keep) == 1 <= keep[0] <= len(voices):
        # The prompt cannot describe drums, chords or many voices: it describes the melody alone.
        score = _line(whole, voices[keep[0] - 1], track_of[keep[0] - 1])
    complete = describe(score, replace(brief, style=style))
    complete = replace(complete, density=brief.density, bars=whole.n_bars)
    end = end_of(whole)
    defaults = composer.instrument_defaults(replace(complete, voices=None))
    wanted = sum(n for _, n in defaults.programs)
    if wanted < 2:
        raise InputError(f"style '{style}' has one voice; harmony needs a style in several, such as {CHORAL}")
    in_parts = lines and len(voices) == wanted
    _check_keep(keep, len(voices), wanted, style, in_parts)
    refuse_kinds(whole, {track_of[v - 1] for v in keep}, lines_only=False)
    spans: list[list[Span]] = [[] for _ in range(wanted)]
    for voice in keep:
        line = [Span(s.start, s.stop, s.pitches[-1:]) for s in voices[voice - 1]]
        spans[voice - 1 if in_parts and not chords else 0] = line
    complete = replace(complete, voices=wanted, parallels=True if chords else complete.parallels)
    constraint_plan = composer.constraint_plan(
        complete, corpus, spans=spans, upbeat=score.upbeat_ticks, ticks=end
    )
    if chords:
        _check_chord_controls(brief)
        constraint_plan = _steady(constraint_plan, whole, complete, wanted)

    def done(new: Score) -> Score:
        return finish(new.replace(tempos=score.tempos, keys=score.keys))

    start = opening(composer, complete, constraint_plan, after_gap(spans))
    kept = {v - 1 for v in keep}
    if not in_parts or chords:
        others = set(range(len(voices))) - kept if replaces else set()
        removed = _places(whole, voices, track_of, others) - _places(whole, voices, track_of, kept)
        # The first track is a copy of the melody. `splice` ignores surplus entries.
        return PreparedTask(
            complete, constraint_plan, start, done, tracks=(KEPT, *[NEW] * wanted), removed=removed
        )
    # A voice with its own track is composed in that track, any other voice in a new track.
    alone = [track_of.count(track) == 1 for track in track_of]
    mixed = {i for i in range(wanted) if not alone[i]} - kept
    removed = _places(whole, voices, track_of, mixed) - _places(whole, voices, track_of, kept)
    tracks = [KEPT if i in kept else track_of[i] if alone[i] else NEW for i in range(wanted)]
    return PreparedTask(complete, constraint_plan, start, done, tracks=tuple(tracks), removed=removed)


def _check_keep(keep: tuple[int, ...], voices: int, wanted: int, style: str, in_parts: bool) -> None:
    """Refuse voices to keep that the piece lacks, or that leave no voice to compose.

    Args:
        keep: voices to keep, 1-based.
        voices: number of voices of the given piece.
        wanted: number of voices of the style.
        style: name of the style.
        in_parts: whether piece and style have the same number of voices.
    """
    bad = [v for v in keep if not 1 <= v <= voices]
    if bad or not keep:
        raise InputError(f"keep is {list(keep)}; allowed: voices 1 to {voices} of the given piece")
    if not in_parts and voices > 1 and len(keep) > 1:
        raise InputError(
            f"keep has {len(keep)} voices of a piece in {voices}; style '{style}' has {wanted}: keep one"
        )
    if in_parts and wanted == len(set(keep)):
        raise InputError(f"keep names all {wanted} voices: none is left to compose")


def _check_chord_controls(brief: Brief) -> None:
    """Refuse controls that the steady rhythm of chords may contradict."""
    used = {
        "parallels: none": brief.parallels is False,
        "max_common": brief.max_common is not None,
        "density": brief.strict and brief.density is not None,
    }
    for name, is_used in used.items():
        if is_used:
            raise InputError(
                f"{name} and chords clash: the rhythm of the chords is given and may leave no note that fits; "
                f"leave {name} out"
            )


def _line(score: Score, voice: Sequence[Span], track: int) -> Score:
    """One voice of a piece as a separate piece."""
    rows = [(s.start, s.stop - s.start, s.pitches[-1], 80, 0) for s in voice if s.pitches]
    return _with_rows(score, rows, (score.tracks[track],))


def _places(
    score: Score, voices: Sequence[Sequence[Span]], track_of: Sequence[int], which: Iterable[int]
) -> frozenset[tuple[int, int, int]]:
    """Notes (onset, pitch, track) of some voices, without drums."""
    return frozenset(
        (span.start, pitch, track_of[i])
        for i in which
        if not score.tracks[track_of[i]].is_drum
        for span in voices[i]
        for pitch in span.pitches
    )


def _steady(constraint_plan: ConstraintPlan, score: Score, complete: Brief, voices: int) -> ConstraintPlan:
    """The constraints with a common steady rhythm for all voices except the first."""
    assert complete.key is not None
    tonic, mode = Key(0, *complete.key).tonic, complete.key[1]
    home = {tonic, (tonic + (3 if mode in MINOR_MODES else 4)) % 12, (tonic + 7) % 12}
    places = _pulse(score, parse_chords(complete.chords, complete.bars) if complete.chords else ())
    spans = [Span(a, b, (60,)) for a, b in places]
    if places[0][0]:
        spans.insert(0, Span(0, places[0][0], ()))
    uppers, bass = of_classes(home), of_classes({tonic})
    if complete.cadence:
        # The voices share one track, so the tonic has to be the lowest note of all, not only of the bass.
        sets = next(c.sets[-1] for c in constraint_plan.constraints if isinstance(c, Pitches))
        below = int(np.flatnonzero(sets & bass)[0])
        uppers, bass = uppers & (np.arange(128) > below), np.arange(128) == below
    lasts = [uppers] * (voices - 1) + [bass]
    rhythm = Rhythm([[], *[spans] * (voices - 1)], lasts)
    # The rhythm fixes the last note and prefers the tonic there.
    plan = replace(constraint_plan.plan, endings=(), closing=False)
    return ConstraintPlan(plan, (*constraint_plan.constraints, rhythm), constraint_plan.given)


def _pulse(score: Score, progression: Sequence[Sequence[Chord]]) -> list[tuple[int, int]]:
    """Start and stop of each chord in ticks: half bars, dotted beats or, in triple metre, whole bars.

    Chords of a progression have further starts.
    """
    metre, end = score.metres[0], end_of(score)
    bar = metre.bar_ticks(TICKS_PER_QUARTER)
    if metre.compound:
        unit = metre.beat_ticks(TICKS_PER_QUARTER)
    elif metre.numerator % 2 == 0 and bar > 48:
        unit = bar // 2
    else:
        unit = bar
    wanted = {
        score.upbeat_ticks + number * bar + i * bar // len(chords)
        for number, chords in enumerate(progression)
        for i in range(len(chords))
    }
    starts = sorted({*range(score.upbeat_ticks, end, unit), *(t for t in wanted if t < end)})
    if len(starts) > 1 and end - starts[-1] < _SHORTEST and starts[-1] not in wanted:
        starts.pop()
    return list(zip(starts, [*starts[1:], end], strict=True))


def _figured(onset: int, length: int, metre: Metre, bass: bool) -> list[tuple[int, int]]:
    """Onsets and lengths of a figure: the bass on the first beat, the chord on the beats after it."""
    beat = metre.unit_ticks(TICKS_PER_QUARTER)
    while beat < 12:
        beat *= 2
    first = min(2 * beat if metre.compound else beat, length)
    if length <= first:
        return [(onset, length)]
    if bass:
        return [(onset, first)]
    return [(o, min(beat, onset + length - o)) for o in range(onset + first, onset + length, beat)]


def _track(score: Score, voice: int) -> Track:
    """Track of a 1-based voice."""
    tracks = voice_tracks(score)
    if not 1 <= voice <= len(tracks):
        raise InputError(f"voice is {voice}; allowed: 1 to {len(tracks)} of the given piece")
    return score.tracks[tracks[voice - 1]]


def _with_rows(
    score: Score, rows: Iterable[tuple[int, int, int, int, int]], tracks: tuple[Track, ...]
) -> Score:
    """Rows (onset, duration, pitch, velocity, track) as a score with the maps of another one."""
    return Score.from_notes(
        list(rows),
        ticks_per_quarter=TICKS_PER_QUARTER,
        tracks=tracks,
        tempos=score.tempos,
        metres=score.metres,
        keys=score.keys,
        upbeat_ticks=score.upbeat_ticks,
    )
