"""Round trips of all built-in pieces through tokens, MIDI and MusicXML: prints a Markdown table.

    python benchmarks/lossless.py

Quantises every piece, encodes and decodes it, and writes and reads it as MIDI and MusicXML.
"""

from __future__ import annotations

import datetime
import platform
import time
from collections import Counter

from troubadour.corpora.builtin import COLLECTIONS, DEFAULT, read_collection
from troubadour.formats.midi import read_midi, write_midi
from troubadour.formats.musicxml import read_musicxml, write_musicxml
from troubadour.music.piece import Unreadable
from troubadour.music.quantise import quantise
from troubadour.tokens.tokenizer import decode, encode


def main() -> None:
    print(f"{datetime.date.today()}, {platform.platform()}\n")
    print("| collection | read | unreadable | tokens | MIDI | MusicXML | tokens a note | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in DEFAULT:
        title = next(c.title for c in COLLECTIONS if c.name == name)
        started = time.perf_counter()
        count: Counter[str] = Counter()
        for item in read_collection(name):
            if isinstance(item, Unreadable):
                count["unreadable"] += 1
                continue
            count["read"] += 1
            score = quantise(item.score)
            tokens = encode(score)
            count["tokens"] += decode(tokens) == score
            count["midi"] += quantise(read_midi(write_midi(score), name).score) == score
            count["musicxml"] += quantise(read_musicxml(write_musicxml(score).encode(), name).score) == score
            count["length"] += len(tokens)
            count["notes"] += len(score)
        print(
            f"| {title} | {count['read']} | {count['unreadable']} | {count['tokens']} | {count['midi']} | "
            f"{count['musicxml']} | {count['length'] / count['notes']:.2f} | {time.perf_counter() - started:.0f} |"
        )


if __name__ == "__main__":
    main()
