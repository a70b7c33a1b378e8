"""Worker process that decodes and measures audio, one request after another.

Reads one JSON request per line on standard input and answers one per line on standard output; ends
with its input. Run as `python -m troubadour.app.audio_library.worker`. Native decoders may crash or hang;
this costs one process and one file (`pool.py`).
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

Measure = Callable[[Any, dict[str, Any]], dict[str, Any]]
_MEMORY_BYTES: Final = 3 << 30
_EXCERPT_SECONDS: Final = 25.0


def main() -> None:
    """Answer requests until the input ends."""
    # Decoders print messages of their own: they get the null device, the answers the real pipe.
    answers = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    _limit_memory()
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Measure the audio of one request: `path` (a recording) or `midi` (base64, rendered first).

    With `melody`, the answer holds the notes of a monophonic recording; with `frames`, only the MFCCs for
    training an encoder. `encoder` names the folder of the home's own encoder.

    Returns:
        Features and facts, or notes; or `cause` if there are none.
    """
    from troubadour.core.errors import TroubadourError

    try:
        if "melody" in request:
            return _melody(Path(request["melody"]))
        measure = partial(_measured, request)
        if "path" in request:
            return _recording(Path(request["path"]), measure)
        return _score(base64.b64decode(request["midi"]), request.get("soundfont"), measure)
    except TroubadourError as error:
        return {"cause": getattr(error, "cause", "") or str(error)}
    except (MemoryError, OSError, ValueError, ArithmeticError) as error:
        return {"cause": f"cannot be measured: {type(error).__name__}: {error}"}


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; the caller's time limit still applies
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


def _recording(path: Path, measure: Measure) -> dict[str, Any]:
    from dataclasses import asdict

    from troubadour.audio.read import read_recording
    from troubadour.audio.tags import read_tags

    found = read_recording(path)
    facts = {
        "encoding": found.encoding,
        "rate": found.sound.rate,
        "channels": int(found.sound.samples.shape[1]),
        "start_seconds": round(found.start_seconds, 2),
        "measured_seconds": round(found.sound.seconds, 2),
    }
    tags = asdict(read_tags(path))
    return {
        **measure(found.sound, facts),
        "seconds": found.seconds,
        "warnings": found.warnings,
        "tags": tags,
    }


def _melody(path: Path) -> dict[str, Any]:
    from troubadour.app.audio_library.humming import LONGEST_SECONDS
    from troubadour.audio.dsp.sung_notes import sung_notes
    from troubadour.audio.read import read_recording

    found = read_recording(path, LONGEST_SECONDS)
    notes = sung_notes(found.sound)
    columns = {name: getattr(notes, name).tolist() for name in ("pitch", "onset", "seconds")}
    return {"notes": columns, "seconds": found.seconds, "warnings": found.warnings}


def _score(midi: bytes, soundfont: str | None, measure: Measure) -> dict[str, Any]:
    from troubadour.audio.sound import Sound
    from troubadour.formats.render import SAMPLE_RATE, MidiRenderer, level

    audio = level(MidiRenderer(Path(soundfont) if soundfont else None).render(midi))
    sound = Sound(audio[: round(_EXCERPT_SECONDS * SAMPLE_RATE)], SAMPLE_RATE)
    return measure(sound, {"measured_seconds": round(sound.seconds, 2)})


def _measured(request: dict[str, Any], sound: Any, facts: dict[str, Any]) -> dict[str, Any]:
    from troubadour.analysis.recording import analyse_recording
    from troubadour.audio.describe import VERSION, describe
    from troubadour.similarity.encoder import SoundEncoder

    features = describe(sound)
    if "frames" in request:
        return {"frames": _packed(features.frames), "coefficients": features.frames.shape[1]}
    analysis = analyse_recording(features)
    encoder = SoundEncoder.found(Path(request["encoder"]) if "encoder" in request else None)
    return {
        "version": VERSION,
        "statistics": _packed(features.statistics),
        "timbre_mean": _packed(features.timbre_mean),
        "timbre_covariance": _packed(features.timbre_covariance),
        "embedding": _packed(encoder.embed(features.frames)) if encoder else "",
        "encoder": encoder.name if encoder else "",
        "attributes": analysis.attributes(),
        "facts": {**facts, **analysis.to_dict()},
    }


def _packed(values: Any) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


if __name__ == "__main__":
    main()
