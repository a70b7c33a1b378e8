"""The report of a choice, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def to_markdown(choice: Mapping[str, Any]) -> str:
    """`Choice.to_dict` as Markdown: what was chosen, why, what was tried and what it costs."""
    parts = choice["chosen"]["parts"]
    chosen = [f"- {p['model']}: {_role(p['weight'])}{_options(p['options'])}" for p in parts]
    if choice["chosen"]["popularity"]:
        chosen.append(f"- popularity: weight {choice['chosen']['popularity']:g}")
    lines = [
        "# How the recommender was chosen",
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
        told = ", ".join(f"{figure:.4f} at {strength}" for strength, figure in fair["ndcg"].items())
        lines += [
            "",
            f"Prices that keep the same few pieces from filling all lists: strength {fair['strength']:g}, the most "
            f"that costs no more than 3% of NDCG@20 ({told}).",
        ]
    if choice["trials"]:
        rows = sorted(choice["trials"], key=lambda t: -float(t["ndcg"][0]))
        lines += [
            "",
            "## Tried",
            "",
            "| recommender | options | NDCG@20 | 95% interval | s |",
            "|---|---|---|---|---|",
            *(
                f"| {t['model']} | {_options(t['options'], '')} | {t['ndcg'][0]:.4f} | "
                f"{t['ndcg'][1]:.4f} to {t['ndcg'][2]:.4f} | {t['seconds']:.2f} |"
                for t in rows
            ),
            "",
            "The best of many is flattered by having been picked: its figure here is no promise. "
            "`troubadour evaluate recommender` chooses anew without the latest events, and judges on them.",
        ]
    if choice["left_out"]:
        lines += ["", "## Not tried", "", *(f"- {text}" for text in choice["left_out"])]
    return "\n".join(lines) + "\n"


def _role(weight: float) -> str:
    return f"weight {weight:g}" if weight else "only for pieces that no other knows"


def _options(options: Mapping[str, Any], before: str = ", ") -> str:
    told = ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in options.items())
    return f"{before}{told}" if told else ""
