"""Model cards: what a composer was trained on, how, and what it can and cannot do (Mitchell et al. 2019)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from troubadour.generation.loading import DOCUMENT, REPORT, load_composer
from troubadour.generation.protocols import n_weights
from troubadour.releases.store import Release

_FEW: Final = 10
"""Pieces below which a style is called little known."""


_TOLD: Final = ("width", "layers", "latent", "tokeniser", "version")
"""Of the shape, what a reader asks for."""


def card(folder: Path, release: Release | None = None) -> dict[str, Any]:
    """What lies beside a composer's weights, JSON-able; what nobody wrote down is `None`.

    Args:
        folder: the composer's.
        release: the one that it is a part of.

    Raises:
        ModelError: no composer can be read in the folder.
    """
    composer = load_composer(folder)
    document = json.loads((folder / DOCUMENT).read_text())
    report = json.loads((folder / REPORT).read_text()) if (folder / REPORT).is_file() else {}
    losses: Mapping[str, float] = report.get("valid_by_style", {})
    profiles: Mapping[str, Any] = document["profiles"]
    return {
        "name": document["name"],
        "family": document["kind"],
        "weights": n_weights(composer),
        "shape": {k: v for k, v in document["spec"].items() if isinstance(v, int | float)},
        "release": None if release is None else {"id": release.id, "created": release.created},
        "data": report.get("data"),
        "training": {k: report[k] for k in ("step", "best_step", "tokens", "seconds") if k in report} or None,
        "valid_loss": report.get("valid_loss"),
        "verdict": report.get("verdict", {}).get("words"),
        "styles": [
            {
                "style": name,
                "pieces": profiles[name]["pieces"],
                "voices": _voices(profiles[name]),
                "nats": losses.get(name),
            }
            for name in sorted({*profiles} - {""})
        ],
        "others": {name: loss for name, loss in losses.items() if name and name not in profiles},
    }


def _voices(profile: Mapping[str, Any]) -> int:
    usual = max(profile["programs"], key=profile["programs"].get)
    return sum(int(part.split(":")[1]) for part in usual.split())


def markdown(facts: Mapping[str, Any]) -> str:
    """A card for people."""
    shape, training, release = facts["shape"], facts["training"], facts["release"]
    untold = "not told beside the weights"
    data = licences = untold
    if facts["data"]:
        data = ", ".join(f"{row['collection']} ({row['pieces']} pieces)" for row in facts["data"])
        licences = "; ".join(sorted({row["licence"] for row in facts["data"]}))
    trained = untold
    if training:
        trained = f"{training['step']:,} steps, {training['tokens']:,} tokens, {training['seconds'] / 60:.0f} minutes; "
        trained += f"kept: step {training['best_step']:,}"
    made = "none"
    if release:
        made = f"{release['id']}, {time.strftime('%Y-%m-%d', time.gmtime(release['created']))}"
    lines = [
        f"# Model card: {facts['name']}",
        "",
        f"A composer of the family `{facts['family']}`: {facts['weights'] / 1e6:.2f} million weights, "
        + ", ".join(f"{name} {shape[name]}" for name in _TOLD if name in shape)
        + ".",
        "",
        "| | |",
        "|---|---|",
        f"| Release | {made} |",
        f"| Data | {data} |",
        f"| Licence of the data | {licences} |",
        f"| Training | {trained} |",
        f"| Held out | {untold if facts['valid_loss'] is None else format(facts['valid_loss'], '.4f') + ' nats a token'} |",
        f"| Verdict | {facts['verdict'] or untold} |",
        "",
        "## By style",
        "",
        "Pieces of a style in the training music, and nats a token on held-out ones (lower is better; those of styles in",
        "one voice and in several are not comparable).",
        "",
        "| style | pieces | voices | nats |",
        "|---|---:|---:|---:|",
    ]
    for row in facts["styles"]:
        nats = "" if row["nats"] is None else f"{row['nats']:.3f}"
        lines.append(f"| {row['style']} | {row['pieces']} | {row['voices']} | {nats} |")
    if facts["others"]:
        rest = ", ".join(f"{name} {loss:.3f}" for name, loss in facts["others"].items())
        lines += ["", f"Held out besides, nats a token: {rest}."]
    few = [row["style"] for row in facts["styles"] if row["pieces"] < _FEW]
    lines += [
        "",
        "## Limits",
        "",
        "- It knows these styles and no others, and of each what its pieces show.",
        *([f"- Fewer than {_FEW} pieces stand behind: {', '.join(few)}."] if few else []),
        "- Controls hold by construction; that what is composed is good does not.",
        "- Every piece is labelled as generated, with its longest passage in common with the catalogue.",
        "",
    ]
    return "\n".join(lines)
