"""Model cards: training data, training, evaluation and limits of a composer (Mitchell et al. 2019)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from troubadour.core.markdown import table
from troubadour.generation.loading import DOCUMENT, REPORT, load_composer
from troubadour.generation.protocols import n_weights
from troubadour.releases.store import Release

_FEW: Final = 10
"""Styles with fewer training pieces are listed as sparsely covered."""


_SHAPE_FIELDS: Final = ("width", "layers", "latent", "tokeniser", "version")
"""Fields of the network's spec that a card shows."""


def card(folder: Path, release: Release | None = None) -> dict[str, Any]:
    """Facts of a model card, ready for JSON. A fact that no file records is `None`.

    Args:
        folder: folder of the composer's artefact.
        release: release that contains the composer.

    Raises:
        ModelError: the folder holds no readable composer.
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
    programs = max(profile["programs"], key=profile["programs"].get)
    return sum(int(part.split(":")[1]) for part in programs.split())


def markdown(facts: Mapping[str, Any]) -> str:
    """Model card as Markdown."""
    shape, training, release = facts["shape"], facts["training"], facts["release"]
    unknown = "not recorded beside the weights"
    data = licences = unknown
    if facts["data"]:
        data = ", ".join(f"{row['collection']} ({row['pieces']} pieces)" for row in facts["data"])
        licences = "; ".join(sorted({row["licence"] for row in facts["data"]}))
    trained = unknown
    if training:
        trained = f"{training['step']:,} steps, {training['tokens']:,} tokens, {training['seconds'] / 60:.0f} minutes; "
        trained += f"kept: step {training['best_step']:,}"
    made = "none"
    if release:
        made = f"{release['id']}, {time.strftime('%Y-%m-%d', time.gmtime(release['created']))}"
    held_out = unknown if facts["valid_loss"] is None else f"{facts['valid_loss']:.4f} nats per token"
    lines = [
        f"# Model card: {facts['name']}",
        "",
        f"A composer of the family `{facts['family']}`: {facts['weights'] / 1e6:.2f} million weights, "
        + ", ".join(f"{name} {shape[name]}" for name in _SHAPE_FIELDS if name in shape)
        + ".",
        "",
        *table(
            ["", ""],
            [
                ("Release", made),
                ("Data", data),
                ("Licence of the data", licences),
                ("Training", trained),
                ("Held out", held_out),
                ("Verdict", facts["verdict"] or unknown),
            ],
        ),
        "",
        "## By style",
        "",
        "Training pieces of each style, and nats per token on held-out pieces (lower is better; styles in one voice and",
        "styles in several voices are not comparable).",
        "",
        *table(
            ["style", "pieces", "voices", "nats"],
            [
                (
                    row["style"],
                    row["pieces"],
                    row["voices"],
                    "" if row["nats"] is None else f"{row['nats']:.3f}",
                )
                for row in facts["styles"]
            ],
            "lrrr",
        ),
    ]
    if facts["others"]:
        rest = ", ".join(f"{name} {loss:.3f}" for name, loss in facts["others"].items())
        lines += ["", f"Other held-out styles, nats per token: {rest}."]
    few = [row["style"] for row in facts["styles"] if row["pieces"] < _FEW]
    lines += [
        "",
        "## Limits",
        "",
        "- The composer supports only these styles, as far as the training pieces show them.",
        *([f"- Styles with fewer than {_FEW} training pieces: {', '.join(few)}."] if few else []),
        "- Constraints hold by construction; musical quality does not.",
        "- Every piece is labelled as generated and states its longest passage shared with the catalogue.",
        "",
    ]
    return "\n".join(lines)
