"""The colours that all pictures share."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

INK, MUTED, RULE = "#1f2933", "#6b7785", "#d9dee3"
RED, GREEN, LIMIT = "#c81e1e", "#1a7f4b", "#111827"
NAMED_COLORS = (
    "#2f6db5", "#e08a1e", "#3a9b6f", "#b5548e", "#6f63b8", "#c9b51f",
    "#4fb3c8", "#a8643a", "#7d9b32", "#d9748a", "#8394a8", "#1d4f5c",
)  # fmt: skip
MOST_NAMED = len(NAMED_COLORS)
EVERY_SECOND = 0.88
"""Darkens every second of many bands, so that neighbours can be told apart."""


def colors(count: int) -> list[str]:
    """One colour for each of `count` bands: easily told apart while there are few, along a scale when there are many."""
    if count <= MOST_NAMED:
        return list(NAMED_COLORS[:count])
    scale = colormaps["viridis"](np.linspace(0.05, 0.95, count))[:, :3]
    scale[1::2] *= EVERY_SECOND
    return [to_hex(color) for color in scale]
