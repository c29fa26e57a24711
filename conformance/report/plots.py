"""Series as inline SVG, which scale, print, and follow the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

WIDTH: Final = 520
HEIGHT: Final = 150
_LETTERS: Final = 12
"""Height of a line of text."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 90, 14, 22


def line_plot(name: str, unit: str, values: Sequence[float]) -> Markup:
    """Plot values by their number, with the median and the 95th percentile, and those two in words for who cannot see.

    :param values: finite ones are drawn.
    """
    drawn = [value for value in values if math.isfinite(value)]
    if not drawn:
        return Markup("<p>{}: no values</p>").format(name)
    low, high = min(0.0, *drawn), max(drawn)
    high = high if high > low else low + 1
    marks = {"median": percentile(drawn, 50), "p95": percentile(drawn, 95)}
    told = f"{name}: {len(drawn)} values, " + ", ".join(f"{what} {value:.4g} {unit}" for what, value in marks.items())
    median, p95 = (_y(value, low, high) for value in marks.values())
    labels = (max(median, p95 + _LETTERS), p95)  # near each other they would be written over each other
    lines = [
        _level(y, label, f"{what} {value:.3g}")
        for (what, value), y, label in zip(marks.items(), (median, p95), labels, strict=True)
    ]
    return Markup(
        '<svg class="plot" viewBox="0 0 {w} {h}" role="img" aria-label="{told}"><title>{told}</title>{axes}'
        '<polyline class="line" points="{points}"/>{lines}</svg>'
    ).format(
        w=WIDTH,
        h=HEIGHT,
        told=told,
        axes=_axes(low, high, unit, len(drawn)),
        points=_points(drawn, low, high),
        lines=Markup("").join(lines),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` percent are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def _y(value: float, low: float, high: float) -> float:
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - (value - low) / (high - low))


def _points(values: Sequence[float], low: float, high: float) -> str:
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(values) - 1)
    return " ".join(f"{_LEFT + index * step:.1f},{_y(value, low, high):.1f}" for index, value in enumerate(values))


def _axes(low: float, high: float, unit: str, count: int) -> Markup:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    return Markup(
        '<path class="axis" d="M{left},{top}V{bottom}H{right}"/>'
        '<text x="{at}" y="{first}" text-anchor="end">{high:.4g} {unit}</text>'
        '<text x="{at}" y="{bottom}" text-anchor="end">{low:.4g}</text>'
        '<text x="{left}" y="{under}">1</text><text x="{right}" y="{under}" text-anchor="end">{count}</text>'
    ).format(
        left=_LEFT, top=_TOP, bottom=bottom, right=right, at=_LEFT - 5, first=_TOP + 9, high=high, unit=unit, low=low,
        under=HEIGHT - 6, count=count,
    )  # fmt: skip


def _level(y: float, label: float, told: str) -> Markup:
    return Markup(
        '<path class="level" d="M{left},{y:.1f}H{right}"/><text class="what" x="{at}" y="{label:.1f}">{told}</text>'
    ).format(left=_LEFT, right=WIDTH - _RIGHT, y=y, at=WIDTH - _RIGHT + 4, label=label + 4, told=told)
