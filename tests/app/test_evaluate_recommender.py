from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from troubadour.app.evaluate_recommender import measure, to_markdown
from troubadour.app.studio import Studio
from troubadour.cli import app
from troubadour.core.errors import InputError
from troubadour.interactions.events import Interactions, Kind
from troubadour.interactions.id_map import IdMap
from troubadour.recommenders.blend.choose import TuningBudget
from troubadour.recommenders.slate.item_info import ItemInfo

QUICK = TuningBudget(seconds=1000, trials=0, recipes=("ease", "rp3beta"))


def tribes(seed: int = 3) -> Interactions:
    """Eighty listeners in four groups with 15 pieces each, most of which they play more than once."""
    rng = np.random.default_rng(seed)
    n = 80 * 30
    who = np.repeat(np.arange(80), 30)
    what = np.where(
        rng.random(n) > 1 / 6, who % 4 * 15 + (15 * rng.beta(1, 2, n)).astype(int), rng.integers(0, 60, n)
    )
    return Interactions(
        who.astype(np.int32), what.astype(np.int32), np.full(n, Kind.PLAY, np.uint8), np.ones(n, np.float32),
        rng.integers(1, 100_000, n), IdMap(f"l{i}" for i in range(80)), IdMap(f"i{i}" for i in range(60)),
    )  # fmt: skip


INFOS = [ItemInfo(f"Tune {i}", f"w{i}", f"band {i // 5}", {"style": f"tribe {i // 15}"}) for i in range(60)]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return measure(tribes(), None, INFOS, k=5, effort=QUICK)


def test_what_was_chosen_beats_popularity_and_the_report_says_how_surely(report: dict[str, Any]) -> None:
    rows = report["discovery"]
    assert {"chosen", "chosen, with prices", "chosen, as shown", "popular", "ease", "rp3beta"} == rows.keys()
    assert rows["chosen"]["ndcg"][1] > rows["popular"]["ndcg"][2], "intervals apart"
    low, high = rows["popular"]["ndcg_against_chosen"][1:]
    assert low <= high < 0
    assert rows["popular"]["p"] < 0.01
    assert rows["chosen"]["ndcg_against_chosen"] == [0.0, 0.0, 0.0]
    assert rows["popular"]["coverage"] < rows["chosen"]["coverage"] <= 1
    # Each group likes one style: popularity is miscalibrated, the chosen recipe is not.
    assert rows["chosen"]["miscalibration"][0] < rows["popular"]["miscalibration"][0]


def test_repeats_and_discoveries_are_told_apart(report: dict[str, Any]) -> None:
    found = report["next_play"]
    assert 0 < found["repeats"] < 1
    own = found["models"]["personal most popular"]
    assert own["repeats"]["hit"][0] > own["discoveries"]["hit"][0]
    n = found["listeners"]
    for parts in found["models"].values():
        whole = (
            found["repeats"] * parts["repeats"]["hit"][0]
            + (1 - found["repeats"]) * parts["discoveries"]["hit"][0]
        )
        assert parts["all"]["hit"][0] == pytest.approx(whole, abs=1e-9), n


def test_without_times_nothing_is_said_of_the_next_play() -> None:
    log = tribes()
    timeless = dataclasses.replace(log, time=np.zeros(len(log), np.int64))
    report = measure(timeless, None, INFOS, k=5, effort=QUICK)
    assert report["next_play"] is None
    assert "without times" in report["split"]
    assert "without times" in to_markdown(report)


def test_measuring_cannot_see_the_test_when_it_chooses() -> None:
    log = tribes()
    cut = int(np.sort(log.time)[int(0.8 * len(log))])
    turned = dataclasses.replace(
        log, item=np.where(log.time >= cut, 59 - log.item, log.item).astype(np.int32)
    )
    one, other = (measure(x, None, INFOS, k=5, effort=QUICK)["choice"] for x in (log, turned))
    assert one["chosen"] == other["chosen"]
    assert [t["ndcg"] for t in one["trials"]] == [t["ndcg"] for t in other["trials"]]


def test_tables_hold_every_row_and_read_as_markdown(report: dict[str, Any]) -> None:
    text = to_markdown(json.loads(json.dumps(report)))
    tables = [line for line in text.splitlines() if line.startswith("|")]
    widths = {len(line.split("|")) for line in tables[: 2 + len(report["discovery"])]}
    assert len(widths) == 1, "every line of the table has as many cells"
    for name in (*report["discovery"], *report["next_play"]["models"]):
        assert any(f"| {name} |" in line for line in tables), name


def test_a_log_in_which_nobody_finds_anything_new_is_refused() -> None:
    log = tribes()
    same = dataclasses.replace(log, item=np.zeros(len(log), np.int32))
    with pytest.raises(InputError, match="record more plays"):
        measure(same, None, INFOS, effort=QUICK)


def test_a_home_is_measured_from_the_command_line(small_home: Path) -> None:
    run = CliRunner()
    result = run.invoke(
        app,
        ["evaluate", "recommender", "--home", str(small_home), "--k", "5", "--recipe", "rp3beta", "--json"],
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert {"chosen", "popular", "rp3beta"} <= report["discovery"].keys()
    assert report["k"] == 5
    assert report["events"]["test"] > 0
    result = run.invoke(app, ["evaluate", "recommender", "--home", str(small_home), "--recipe", "nobody"])
    assert result.exit_code != 0
    assert "'nobody' is not one of the recommenders" in str(result.exception)


def test_training_from_the_command_line_says_what_it_chose_and_keeps_the_report(
    small_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(small_home, home)
    result = CliRunner().invoke(app, ["train", "recommender", "--home", str(home), "--recipe", "rp3beta"])
    assert result.exit_code == 0, result.output
    with Studio(home) as studio:
        live = studio.releases.live()
        assert live is not None
        assert f"release {live.id} is live" in result.stdout
        report = (studio.releases.folder(live.parts["recommender"]) / "choice.md").read_text()
    choice = live.notes["choice"]
    assert choice["why"] in result.stdout
    assert choice["why"] in report
    assert {t["model"] for t in choice["trials"]} == {"popular", "rp3beta"}
    if choice["exposure"]["ndcg"]:
        assert "Exposure prices: strength" in report


def test_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "recommender", "--home", str(tmp_path / "none")])
    assert result.exit_code != 0
    assert "record more plays" in result.output + str(result.exception)
