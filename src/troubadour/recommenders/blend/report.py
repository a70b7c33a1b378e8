"""Markdown report of a model selection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from troubadour.core.markdown import table


def to_markdown(choice: Mapping[str, Any]) -> str:
    """Formats `Choice.to_dict` as Markdown: selected blend, reason, trials, gain and price of exposure."""
    parts = choice["chosen"]["parts"]
    chosen = [f"- {p['model']}: {_role(p['weight'])}{_options(p['options'])}" for p in parts]
    if choice["chosen"]["popularity"]:
        chosen.append(f"- popularity: weight {choice['chosen']['popularity']:g}")
    lines = [
        "# Model selection of the recommender",
        "",
        f"{choice['why']}.",
        "",
        "## Chosen",
        "",
        *chosen,
        "",
        f"Validation: {choice['listeners']} listeners; {choice['split']}.",
        f"Measure: {choice['measure']}. The choice took {choice['seconds']:.1f} s of processor time.",
    ]
    fair = choice.get("exposure", {})
    if fair.get("ndcg"):
        figures = ", ".join(f"{figure:.4f} at {strength}" for strength, figure in fair["ndcg"].items())
        lines += [
            "",
            f"Exposure prices: strength {fair['strength']:g}, the largest "
            f"that costs at most 3% of NDCG@20 ({figures}).",
        ]
    if choice["trials"]:
        rows = sorted(choice["trials"], key=lambda t: -float(t["ndcg"][0]))
        lines += [
            "",
            "## Trials",
            "",
            *table(
                ["recommender", "options", "NDCG@20", "95% interval", "s"],
                (
                    [
                        t["model"],
                        _options(t["options"], ""),
                        f"{t['ndcg'][0]:.4f}",
                        f"{t['ndcg'][1]:.4f} to {t['ndcg'][2]:.4f}",
                        f"{t['seconds']:.2f}",
                    ]
                    for t in rows
                ),
            ),
            "",
            "The value of the best of many trials is biased upwards by the selection. "
            "`troubadour evaluate recommender` repeats the selection without the latest events and tests on them.",
        ]
    if choice["left_out"]:
        lines += ["", "## Skipped", "", *(f"- {text}" for text in choice["left_out"])]
    return "\n".join(lines) + "\n"


def _role(weight: float) -> str:
    return f"weight {weight:g}" if weight else "substitute for pieces that no weighted part knows"


def _options(options: Mapping[str, Any], before: str = ", ") -> str:
    text = ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in options.items())
    return f"{before}{text}" if text else ""
