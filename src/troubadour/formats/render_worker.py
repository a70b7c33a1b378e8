"""The process in which midirenderer works: soundfont and MIDI on standard input, WAV on standard output.

Run by path, in isolation (`python -I render_worker.py SOUNDFONT_BYTES MEMORY_BYTES`), so that nothing
of Troubadour is loaded: a start costs about 0.05 s.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Read, render, write; a failure is an exception's last line on standard error."""
    font_bytes, memory_bytes = int(sys.argv[1]), int(sys.argv[2])
    try:
        import resource
    except ImportError:  # Windows has no such limits; the caller's time limit still holds
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    import midirenderer

    data = sys.stdin.buffer.read()
    sys.stdout.buffer.write(midirenderer.render_wave_from(data[:font_bytes], data[font_bytes:]))


if __name__ == "__main__":
    main()
