"""Columns of stacked bars, as the rectangles of an SVG."""

from collections.abc import Mapping, Sequence
from typing import Any

# The chart's own coordinates; the page stretches it.
WIDTH, HEIGHT = 480.0, 100.0


def stacked(columns: Sequence[tuple[str, Mapping[str, int]]]) -> list[dict[str, Any]]:
    """Rectangles for columns of a label and parts by kind, the first part at the bottom."""
    highest = max((sum(parts.values()) for _, parts in columns), default=0) or 1
    step = WIDTH / max(1, len(columns))
    gap = min(4.0, step / 4)
    bars = []
    for index, (label, parts) in enumerate(columns):
        top = HEIGHT
        for kind, number in parts.items():
            if number > 0:
                height = max(1.5, number / highest * HEIGHT)
                top -= height
                bars.append(
                    {
                        "kind": kind,
                        "x": f"{index * step + gap / 2:.2f}",
                        "y": f"{max(top, 0):.1f}",
                        "width": f"{step - gap:.2f}",
                        "height": f"{height:.1f}",
                        "label": label,
                    }
                )
    return bars
