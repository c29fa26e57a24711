"""The report in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks import words
from benchmarks.compare import Change
from benchmarks.results import FigureResult, MetricResult, Run
from benchmarks.subjects import TITLES

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

STYLES = {"met": "green", "missed": "bold red", "untrusted": "yellow"}


def show(run: Run, console: Console) -> None:
    """Print everything."""
    from rich.console import Console as Wide

    console.print(", ".join(f"{key} {value}" for key, value in run.machine.items()), style="dim")
    console.print(", ".join(f"{key}: {value}" for key, value in run.versions.items()), style="dim")
    for _, metrics in groupby(run.metrics, key=lambda metric: metric.group):
        table = _table(list(metrics))
        # Figures cut off are worth nothing: a narrow terminal wraps the lines.
        needed = console.measure(table, options=console.options.update(width=1000)).maximum
        Wide(file=console.file, highlight=False, markup=False, width=max(console.width, needed)).print(table)
    console.print(words.LEGEND, style="dim")
    for line in missing(run):
        console.print(line, style="dim")
    console.print(words.headline(run), style="bold")


def show_changes(changes: list[Change], console: Console) -> None:
    """Print what changed since an earlier run."""
    if not changes:
        console.print("compared with the earlier run: nothing changed beyond noise")
    for relative, lines in groupby(changes, key=lambda change: change.relative):
        console.print(
            "changed beyond noise, against another in the same run:"
            if relative
            else "changed beyond noise by itself (the machine may be another, or busier):",
            style="bold",
        )
        for change in lines:
            console.print(f"  {change}", style="red" if change.kind == "worse" else None)


def missing(run: Run) -> Iterator[str]:
    """Yield a line for each that could not be measured."""
    for metric in run.metrics:
        for subject, why in metric.missing.items():
            yield f"{metric.title}: no {TITLES.get(subject, subject)}: {why}"


def _table(metrics: list[MetricResult]) -> Table:
    from rich import box
    from rich.table import Table

    subjects = [name for name in TITLES if any(name in metric.subjects for metric in metrics)]
    table = Table(box=box.SIMPLE_HEAD, title=metrics[0].group, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in subjects:
        table.add_column(TITLES[name], justify="right", no_wrap=True)
    for title in ("native/legacy", "target", "found", "verdict"):
        table.add_column(title, no_wrap=True)
    for metric in metrics:
        table.add_row(metric.title, style="bold")
        for result in metric.figures:
            table.add_row(*_cells(result, subjects))
    return table


def _cells(result: FigureResult, subjects: Iterable[str]) -> list[str | Text]:
    from rich.text import Text

    figure, judged = result.figure, result.judged()
    verdicts = Text("\n").join(Text(words.verdict(one), STYLES[one.verdict]) for one in judged)
    return [
        f"  {figure.title}, {figure.unit}",
        *(words.cell(result.summary(name)) for name in subjects),
        words.ratio(result.ratio("native", "legacy")),
        "\n".join(words.target(one.target, figure) for one in judged),
        "\n".join(words.ratio(one.found) for one in judged),
        verdicts,
    ]
