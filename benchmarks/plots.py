"""Drawings as inline SVG: narrow enough for a phone, told apart by shape and label and not by colour alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Final

from benchmarks import words
from benchmarks.figures import Verdict
from benchmarks.results import FigureResult, Judged, MetricResult
from benchmarks.subjects import TITLES

COLOURS: Final = {
    "native": "#0072b2",
    "legacy": "#d55e00",
    "aiortc": "#00795c",
    "wrtc": "#a3477f",
    "bare": "#5a5a5a",
}
"""After Okabe and Ito, darker where text has that colour."""
_FACES: Final = {"met": "#0072b2", "missed": "#d55e00", "untrusted": "#6b6b6b"}
_WIDTH: Final = 360
_LEFT, _RIGHT = 92, 74
_ROW: Final = 26
_LOG_FROM: Final = 15.0
"""Largest value over smallest from which an axis is logarithmic."""
Scale = Callable[[float], float]


def strips(result: FigureResult) -> str:
    """Return a drawing of one figure: a row per subject, a dot per round, a bar between the quartiles."""
    rows = [(name, result.known(name)) for name in TITLES if result.known(name)]
    limits = [one.target.limit for one in result.judged() if one.target.over is None]
    values = [value for _, known in rows for value in known] + limits
    scale, ticks, log = _axis(values)
    height = _ROW * len(rows) + 34
    parts = list(_grid(scale, ticks, _ROW * len(rows)))
    for limit in limits:
        x = scale(limit)
        parts.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_ROW * len(rows) + 4}"/>')
        parts.append(_text(x, height - 2, f"target {words.number(limit)}", "middle", "small"))
    for place, (name, known) in enumerate(rows):
        parts += _strip(name, known, result, scale, place * _ROW + _ROW / 2)
    title = f"{result.figure.title}, {result.figure.unit}{', logarithmic' if log else ''}"
    return _svg(height, parts, title)


def _strip(name: str, known: list[float], result: FigureResult, scale: Scale, y: float) -> Iterator[str]:
    found = result.summary(name)
    assert found is not None
    colour, middle = COLOURS.get(name, "#333"), scale(found.median)
    yield _text(0, y + 4, TITLES.get(name, name), "start", "label", colour)
    ordered = sorted(known)
    low, high = (scale(ordered[round(share * (len(ordered) - 1))]) for share in (0.25, 0.75))
    yield _line(low, max(high, low + 1), y, f'stroke="{colour}" stroke-width="10" opacity=".25"')
    for value in known:
        yield _marker(name, scale(value), y, colour)
    yield f'<path d="M{middle:.1f} {y - 9:.1f}v18" stroke="{colour}" stroke-width="2.5"/>'
    yield _text(_WIDTH, y + 4, words.cell(found), "end", "value")


def _marker(name: str, x: float, y: float, colour: str) -> str:
    style = f'fill="none" stroke="{colour}" stroke-width="1.2"'
    if name == "legacy":
        return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" {style}/>'
    if name == "aiortc":
        return f'<path d="M{x:.1f} {y - 4:.1f}l4 7h-8z" {style}/>'
    if name == "wrtc":
        return f'<path d="M{x:.1f} {y - 4.5:.1f}l4.5 4.5l-4.5 4.5l-4.5 -4.5z" {style}/>'
    if name == "bare":
        return f'<path d="M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6" {style}/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" {style}/>'


def _axis(values: Sequence[float]) -> tuple[Scale, list[float], bool]:
    """Return where a value lies, the values of grid lines, and whether it is logarithmic."""
    span, least, most = _WIDTH - _LEFT - _RIGHT, min(values), max(values)
    if least > 0 and most / least > _LOG_FROM:
        low, high = math.log10(least) - 0.1, math.log10(most) + 0.05
        ticks = [10.0**power for power in range(math.ceil(low), math.floor(high) + 1)]
        return lambda value: _LEFT + span * (math.log10(value) - low) / (high - low), ticks, True
    # From zero, which may be the upper end: levels in decibels are below it.
    low, high = min(0.0, least), max(0.0, most)
    reach = high - low or 1.0
    step = _step(reach)
    ticks = [step * place for place in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return lambda value: _LEFT + span * (value - low) / reach, ticks, False


def _step(reach: float) -> float:
    rough = reach / 3
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def _grid(scale: Scale, ticks: list[float], height: float) -> Iterator[str]:
    for tick in ticks:
        x = scale(tick)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}"/>'
        yield _text(x, height + 14, f"{tick:g}", "middle", "small")


def targets(judged: Sequence[tuple[str, Judged]]) -> str:
    """Return a drawing of all targets: how far each is from its limit, on a logarithmic axis.

    :param judged: title and outcome of each.
    """
    row, found = 48, [(title, one) for title, one in judged if one.found is not None and one.found.median > 0]
    span, reach = _WIDTH - 20, math.log(8)

    def place(value: float) -> float:
        return 10 + span * (0.5 + max(-0.5, min(0.5, math.log(value) / (2 * reach))))

    height, parts = row * len(found) + 36, []
    for factor, label in ((0.125, "8x inside or more"), (0.5, "2x"), (1.0, "limit"), (2.0, "2x"), (8.0, "8x outside")):
        kind = "limit" if factor == 1 else "grid"
        x, anchor = place(factor), {0.125: "start", 8.0: "end"}.get(factor, "middle")
        parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="16" y2="{height - 4}"/>')
        parts.append(_text(x, 11, label, anchor, "small"))
    for number, (title, one) in enumerate(found):
        parts += _target(title, one, place, 16 + row * number)
    return _svg(height, parts, "targets, and how far what was found is from them")


def _target(title: str, one: Judged, place: Scale, top: float) -> Iterator[str]:
    found, limit = one.found, one.target.limit
    assert found is not None
    ends = [max(value, 1e-9) / limit for value in (found.low, found.median, found.high)]
    low, middle, high = sorted(place(end if one.target.at_most else 1 / end) for end in ends)
    y, colour = top + 38, _FACES[one.verdict]
    yield _text(0, top + 14, title, "start", "label")
    yield _text(0, top + 27, str(one.target), "start", "small")
    yield _text(
        _WIDTH,
        top + 14,
        f"{words.number(found.median)} {words.MARKS[one.verdict]} {one.verdict}",
        "end",
        "value",
        colour,
    )
    yield _line(low, max(high, low + 1), y, f'stroke="{colour}" stroke-width="4" opacity=".45"')
    yield _verdict_marker(one.verdict, middle, y, colour)


def _verdict_marker(verdict: Verdict, x: float, y: float, colour: str) -> str:
    if verdict == "missed":
        return f'<path d="M{x - 5:.1f} {y - 5}l10 10m0 -10l-10 10" stroke="{colour}" stroke-width="2.5"/>'
    fill = colour if verdict == "met" else "#fff"
    return f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{fill}" stroke="{colour}" stroke-width="2"/>'


def stack(metric: MetricResult) -> str:
    """Return a drawing of a metric whose figures are parts of a whole: a bar, and its parts by number."""
    subject = metric.subjects[0]
    figures = [one for one in metric.figures if one.figure.better != "neither"]
    parts = [(one, found.median) for one in figures if (found := one.summary(subject)) is not None]
    whole, left, drawn = sum(max(0.0, value) for _, value in parts) or 1.0, 0.0, []
    for number, (one, value) in enumerate(parts, 1):
        width, shade = _WIDTH * max(0.0, value) / whole, "#0072b2" if number % 2 else "#8fc1e0"
        drawn.append(f'<rect x="{left:.1f}" y="0" width="{width:.1f}" height="26" fill="{shade}" stroke="#fff"/>')
        if width > 14:
            drawn.append(_text(left + width / 2, 18, str(number), "middle", "value", "#fff" if number % 2 else "#000"))
        y = 44 + 18 * (number - 1)
        drawn.append(_text(0, y, f"{number}  {one.figure.title}", "start", "label"))
        drawn.append(_text(200, y, f"{words.number(value)} {one.figure.unit}", "end", "value"))
        drawn.append(_text(260, y, f"{value / whole:.0%}", "end", "value"))
        left += width
    y = 44 + 18 * len(parts)
    drawn.append(_text(0, y, "sum of the medians", "start", "label"))
    drawn.append(_text(200, y, f"{words.number(whole)} {parts[0][0].figure.unit if parts else ''}", "end", "value"))
    return _svg(y + 8, drawn, metric.title)


def _line(left: float, right: float, y: float, style: str) -> str:
    return f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" {style}/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str, colour: str = "#222") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place} fill="{colour}">{escape(text)}</text>'


def _svg(height: float, parts: Sequence[str], title: str) -> str:
    body = "".join(parts)
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img"><title>{escape(title)}</title>{body}</svg>'
