"""What composing does once: the brief is completed, the ranker extended, the files written from memory."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from troubadour.app.studio import Studio
from troubadour.catalogue.store import Store
from troubadour.formats.midi import read_midi
from troubadour.generation.autoregressive import AutoregressiveComposer
from troubadour.generation.request import Brief
from troubadour.music.quantise import quantise
from troubadour.recommenders.slate.ranker import Ranker


@pytest.fixture
def studio(small_home: Path, tmp_path: Path) -> Iterator[Studio]:
    home = tmp_path / "home"
    shutil.copytree(small_home, home)
    with Studio(home) as opened:
        opened.models()
        yield opened


@pytest.fixture
def calls(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often some methods were called."""
    counted: Counter[str] = Counter()
    for owner, name in ((AutoregressiveComposer, "complete"), (Ranker, "with_items"), (Store, "score")):
        whole = getattr(owner, name)

        def counting(*args: Any, _whole: Any = whole, _name: str = name, **words: Any) -> Any:
            counted[_name] += 1
            return _whole(*args, **words)

        monkeypatch.setattr(owner, name, counting)
    return counted


def test_a_brief_is_completed_and_the_ranker_extended_once(
    studio: Studio, calls: Counter[str], tmp_path: Path
) -> None:
    made = studio.compose(Brief(style="jig", bars=4), seed=1, candidates=4)
    files = studio.write_files(made, tmp_path)
    assert calls == {"complete": 1, "with_items": 1}
    written = Path(files["midi"]).read_bytes()
    assert quantise(read_midi(written, "check").score) == made.score
    assert written == studio.midi(made.id)
    assert Path(files["musicxml"]).read_text() == studio.musicxml(made.id)
    assert made.id in studio.models().ranker.items


def test_a_stream_completes_and_extends_once(studio: Studio, calls: Counter[str]) -> None:
    *_, made = studio.stream(Brief(style="jig", bars=4), seed=2)
    assert calls == {"complete": 1, "with_items": 1}
    assert studio.models().ranker.items.id(len(studio.models().ranker.items) - 1) == getattr(made, "id", "")


def test_a_piece_that_was_composed_meanwhile_stays_recommendable(studio: Studio) -> None:
    growing = studio.stream(Brief(style="jig", bars=4), seed=3)
    next(growing)
    other = studio.compose(Brief(style="jig", bars=4), seed=4, candidates=1)
    *_, made = growing
    assert {other.id, getattr(made, "id", "")} <= set(studio.models().ranker.items.ids)
