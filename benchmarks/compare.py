"""What changed between two runs beyond noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from benchmarks.figures import FEWEST, Summary, unpaired_ratio
from benchmarks.results import FigureResult, MetricResult, Run

LEAST: Final = 0.05
"""A change smaller than this is not worth a line, however sure it is."""
REFERENCES: Final = ("legacy", "aiortc", "wrtc")
"""A figure of one subject also changes when the machine does; its ratio to one of these does not."""

Kind = Literal["better", "worse", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is not what it was.

    :param what: a subject, or two as in ``native/legacy``.
    :param factor: new over old.
    :param relative: whether it is a ratio measured within each run, which no change of the machine explains.
    """

    metric: str
    figure: str
    what: str
    old: float
    new: float
    factor: Summary
    kind: Kind
    relative: bool

    def __str__(self) -> str:
        return (
            f"{self.metric}, {self.figure}, {self.what}: {self.old:.3g} -> {self.new:.3g}, {self.kind} by "
            f"{abs(self.factor.median - 1):.0%} ({self.factor.low - 1:+.0%} to {self.factor.high - 1:+.0%})"
        )


def compare(old: Run, new: Run) -> list[Change]:
    """Return what changed beyond noise, changes that the machine cannot explain first."""
    before = {(metric.name, result.figure.key): result for metric, result in old.figures()}
    changes = [
        change
        for metric, result in new.figures()
        if (earlier := before.get((metric.name, result.figure.key))) is not None
        for change in _changes(metric, earlier, result)
    ]
    return sorted(changes, key=lambda change: not change.relative)


def _changes(metric: MetricResult, old: FigureResult, new: FigureResult) -> Iterator[Change]:
    for subject in new.values:
        yield from _change(metric, new, subject, old.known(subject), new.known(subject), relative=False)
    for reference in REFERENCES:
        if reference in new.values and reference in old.values and "native" in new.values:
            pair = _ratios(old, reference), _ratios(new, reference)
            yield from _change(metric, new, f"native/{reference}", *pair, relative=True)


def _ratios(result: FigureResult, reference: str) -> list[float]:
    both = zip(result.values.get("native", ()), result.values.get(reference, ()), strict=False)
    return [a / b for a, b in both if a is not None and b is not None and b]


def _change(
    metric: MetricResult, result: FigureResult, what: str, old: list[float], new: list[float], *, relative: bool
) -> Iterator[Change]:
    factor = unpaired_ratio(new, old)
    if factor is None or factor.count < FEWEST or factor.low <= 1 <= factor.high or abs(factor.median - 1) < LEAST:
        return
    kind: Kind = "changed"
    if result.figure.better != "neither":
        kind = "better" if (factor.median < 1) == (result.figure.better == "lower") else "worse"
    before, after = sorted(old)[len(old) // 2], sorted(new)[len(new) // 2]
    yield Change(metric.title, result.figure.title, what, before, after, factor, kind, relative)
