"""A chart of steps as SVG, without any library: the same figures give the same file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["step_chart"]

WIDTH, HEIGHT = 760, 340
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 20, 50
COLOURS = ("#0072b2", "#d55e00", "#cc79a7", "#e69f00", "#009e73", "#56b4e9", "#999999")
"""Okabe and Ito's, which people who see few colours can tell apart."""

HEAD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
    'font-family="sans-serif" font-size="12">'
)
STYLE = (
    "<style>text{fill:#222}line{stroke:#ccc}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}line{stroke:#555}}</style>"
)


def step_chart(x: Sequence[int], lines: Mapping[str, Sequence[int]], *, x_title: str, y_title: str) -> str:
    """Draw counts over time as steps, with a legend; light and dark follow the reader's setting."""
    most_x = max(max(x, default=0) + 1, 1)
    most_y = _round_up(max((max(counts, default=0) for counts in lines.values()), default=0))
    across = (WIDTH - LEFT - RIGHT) / most_x
    up = (HEIGHT - TOP - BOTTOM) / most_y
    floor = HEIGHT - BOTTOM
    parts = [HEAD, STYLE]
    for tick in range(5):
        value = most_y * tick // 4
        y = floor - value * up
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,}</text>')
        second = most_x * tick // 4
        parts.append(
            f'<text x="{LEFT + second * across:.1f}" y="{floor + 18}" text-anchor="middle">{second}</text>'
        )
    for at, (name, counts) in enumerate(lines.items()):
        colour = COLOURS[at % len(COLOURS)]
        path = _steps(x, counts, across, up, floor)
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        y = TOP + 14 + at * 18
        parts.append(f'<rect x="{WIDTH - RIGHT + 16}" y="{y - 8}" width="12" height="3" fill="{colour}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 34}" y="{y}">{name}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{x_title}</text>')
    side = (TOP + floor) / 2
    parts.append(
        f'<text transform="rotate(-90 16 {side})" x="16" y="{side}" text-anchor="middle">{y_title}</text>'
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _steps(x: Sequence[int], counts: Sequence[int], across: float, up: float, floor: float) -> str:
    """Give a path that is at each second's count for a second, and at zero where a second is missing."""
    points: list[str] = []
    behind = 0
    for second, count in zip(x, counts, strict=True):
        left, right, y = LEFT + second * across, LEFT + (second + 1) * across, floor - count * up
        if second != behind:
            points += [f"L{LEFT + behind * across:.1f} {floor:.1f}", f"L{left:.1f} {floor:.1f}"]
        points += [f"L{left:.1f} {y:.1f}", f"L{right:.1f} {y:.1f}"]
        behind = second + 1
    return "M" + " ".join(points).removeprefix("L") if points else f"M{LEFT} {floor}"


def _round_up(value: int) -> int:
    """Give the next number that four ticks divide well."""
    step = 4
    while step < value:
        for factor in (2, 5, 10):
            if step * factor >= value:
                return step * factor
        step *= 10
    return step
