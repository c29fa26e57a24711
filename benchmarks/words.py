"""Figures as text, the same in the terminal and on the page."""

from __future__ import annotations

from benchmarks.figures import Summary, Verdict
from benchmarks.metric import Figure, Target
from benchmarks.results import Judged, Run

MARKS: dict[Verdict, str] = {"met": "✓", "missed": "✗", "untrusted": "?"}
LEGEND = (
    "Medians of the rounds; beside them the spread: the distance of the quartiles as a share of the median, "
    "with '?' where it "
    "is above 30 % or there were fewer than three rounds, so that the figure by itself cannot be trusted. "
    "Ratios are those of "
    "rounds measured in turn, with a 95 % bootstrap interval; of fewer than six rounds it is their whole range, in "
    "which the median lies with 94 % (five), 88 % (four) or 75 % (three). A target is met or missed when the whole "
    "interval is on one side."
)


def number(value: float) -> str:
    """Return a value with three significant digits."""
    if value == 0:
        return "0"
    size = abs(value)
    return (
        f"{value:.0f}"
        if size >= 100
        else f"{value:.1f}"
        if size >= 10
        else f"{value:.2f}"
        if size >= 0.1
        else f"{value:.2g}"
    )


def spread(found: Summary) -> str:
    """Return how far the rounds were apart."""
    shown = f"{found.spread:.0%}" if found.spread < 10 else "very wide"
    return f"{'' if found.trusted else '?'}{shown}"


def cell(found: Summary | None) -> str:
    """Return a median and its spread."""
    return f"{number(found.median)} ({spread(found)})" if found else "-"


def ratio(found: Summary | None) -> str:
    """Return a ratio and its interval."""
    return f"{number(found.median)} [{number(found.low)}, {number(found.high)}]" if found else "-"


def verdict(judged: Judged) -> str:
    """Return a verdict with its mark."""
    return f"{MARKS[judged.verdict]} {judged.remark}"


def target(wanted: Target, figure: Figure) -> str:
    """Return what a figure should be."""
    return f"{wanted} {figure.unit}" if wanted.over is None else str(wanted)


def tally(run: Run) -> dict[Verdict, int]:
    """Return how many targets are met, missed, and neither."""
    counts: dict[Verdict, int] = {"met": 0, "missed": 0, "untrusted": 0}
    for metric in run.metrics:
        for result in metric.figures:
            for judged in result.judged():
                counts[judged.verdict] += 1
    return counts


def headline(run: Run) -> str:
    """Return the outcome in one line."""
    counts = ", ".join(f"{count} {MARKS[name]} {name}" for name, count in tally(run).items())
    kind = "quick run" if run.quick else "full run"
    return f"targets: {counts} ({kind}, {run.seconds:.0f} s)"
