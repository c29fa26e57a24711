"""The targets of a run as a table in Markdown, for documents."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import words
from benchmarks.results import FigureResult, Judged, MetricResult, Run


def targets(run: Run) -> str:
    """Return a row for each target of a run: what was demanded, what was found, and whether that is enough."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    yield "| | native | legacy | target | found | |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for metric, result in run.figures():
        for judged in result.judged():
            yield _row(metric, result, judged)
    facts = ", ".join(f"{key} {run.machine[key]}" for key in ("processor", "cores", "load") if key in run.machine)
    yield ""
    yield f"{words.headline(run)}; {run.started[:10]}, {facts}."


def _row(metric: MetricResult, result: FigureResult, judged: Judged) -> str:
    figure = result.figure
    cells = [f"{metric.title}: {figure.title}, {figure.unit}"]
    cells += [words.cell(result.summary(name)) for name in ("native", "legacy")]
    cells += [words.target(judged.target, figure), words.ratio(judged.found), words.verdict(judged)]
    return "| " + " | ".join(cells) + " |"
