"""Curves over training steps as a small SVG, for the pages of the benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 56, 620, 20, 314
COLOURS = ("#1f6feb", "#8250df", "#1a7f37", "#cf222e")


def curves(
    lines: Mapping[str, Sequence[tuple[float, float]]], marks: Mapping[str, float], axis: str, high: float
) -> str:
    """Lines of (step, value), and named heights across; what is above `high` is left out."""
    values = [v for points in lines.values() for _, v in points if v <= high] + list(marks.values())
    low, last = min(values), max(s for points in lines.values() for s, _ in points)

    def place(step: float, value: float) -> tuple[float, float]:
        x = LEFT + (RIGHT - LEFT) * step / last
        return x, BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{WIDTH / 2}" y="352" text-anchor="middle">{axis}</text>',
    ]
    for i in range(6):
        value = low + (high - low) * i / 5
        x, y = place(last * i / 5, value)
        drawn += [
            f'<path d="M{LEFT} {y:.1f}H{RIGHT}" stroke="#ddd"/>',
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.3f}</text>',
            f'<text x="{x:.1f}" y="332" text-anchor="middle">{last * i / 5:.0f}</text>',
        ]
    for name, value in marks.items():
        y = place(0, value)[1]
        drawn.append(f'<path d="M{LEFT} {y:.1f}H{RIGHT}" stroke="#888" stroke-dasharray="4 4"/>')
        drawn.append(f'<text x="{LEFT + 6}" y="{y - 5:.1f}" fill="#666">{name} {value:.4f}</text>')
    for i, (name, points) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        spots = " ".join("{:.1f},{:.1f}".format(*place(s, v)) for s, v in points if v <= high)
        drawn.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{spots}"/>')
        drawn.append(f'<text x="{RIGHT - 170}" y="{TOP + 16 + 16 * i}" fill="{colour}">{name}</text>')
    return "\n".join([*drawn, "</svg>\n"])
