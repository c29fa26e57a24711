"""The command: ``python -m benchmarks``, ``shim bench``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import markdown, page, results, table
from benchmarks.compare import Change, compare
from benchmarks.metric import Effort
from benchmarks.registry import UnknownMetricError, all_metrics, chosen
from benchmarks.runner import Chosen, Progress, Runner
from benchmarks.subjects import QUICK_SUBJECTS, TITLES

if TYPE_CHECKING:
    from rich.console import Console


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and report. Returns the exit status: 0, or 2 if it cannot be done as asked, 130 after Ctrl-C.

    :param arguments: without the program's name; `None` for those of the process.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.list:
            return _list(options)
        return _run(options)
    except (UnknownMetricError, results.SchemaError, OSError) as exc:
        print(f"shim bench: {exc}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shim bench", description="Measure the engines against each other, in turn.")
    add = parser.add_argument
    add("--only", metavar="NAME", default="", help="metrics, groups or beginnings of names, separated by commas")
    quick = ",".join(QUICK_SUBJECTS)
    usual = f"all of them; {quick} if quick, and those whom a target names"
    add("--subjects", metavar="NAMES", help=f"of {','.join(TITLES)} [default: {usual}]")
    add("--quick", action="store_true", help="less than a minute: fewer metrics, fewer and shorter rounds")
    add("--json", metavar="FILE", type=Path, help="write all rounds")
    add("--html", metavar="FILE", type=Path, help="write one page with plots")
    add("--markdown", metavar="FILE", type=Path, help="write the targets as a table in Markdown")
    add("--compare", metavar="OLD.json", type=Path, help="tell what changed beyond noise since that run")
    add("--from", metavar="FILE.json", dest="source", type=Path, help="report an earlier run instead of measuring")
    add("--list", action="store_true", help="list what can be measured")
    return parser


def _list(options: argparse.Namespace) -> int:
    for name, (_, metric) in chosen(_names(options.only)).items():
        print(f"{name:16} {metric.group:12} {metric.title}")
    return 0


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    # Mistakes should show before ten minutes of measuring.
    earlier = results.read(options.compare) if options.compare else None
    run = results.read(options.source) if options.source else _measure(options, console)
    if options.json:
        results.write(run, options.json)
    changes: list[Change] | None = compare(earlier, run) if earlier else None
    table.show(run, console)
    if changes is not None:
        table.show_changes(changes, console)
    if options.markdown:
        options.markdown.write_text(markdown.targets(run), encoding="utf-8")
    if options.html:
        page.write(run, changes, options.html)
        console.print(f"page: {options.html}")
    return 0


def _measure(options: argparse.Namespace, console: Console) -> results.Run:
    subjects = _names(options.subjects) if options.subjects else list(QUICK_SUBJECTS if options.quick else TITLES)
    unknown = [name for name in subjects if name not in TITLES]
    if unknown:
        raise UnknownMetricError(f"no subject is called {unknown[0]!r}. There are: {', '.join(TITLES)}")
    metrics, effort = _wanted(options), Effort(quick=options.quick)
    with _progress(console) as progress:
        adds = options.quick and not options.subjects
        return Runner(subjects, effort, progress, adds=adds).run(metrics)


def _wanted(options: argparse.Namespace) -> Chosen:
    metrics = chosen(_names(options.only)) if options.only else all_metrics()
    left_out = [name for name, (_, metric) in metrics.items() if options.quick and not metric.quick_rounds]
    if options.only and len(left_out) == len(metrics):
        raise UnknownMetricError(f"{', '.join(left_out)}: not part of a quick run. Leave --quick out.")
    return metrics


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


class _LineAMetric:
    """Progress for a log: a line on standard error whenever another metric's turn comes."""

    def __init__(self) -> None:
        self._title = ""

    def __call__(self, what: str, part: float) -> None:
        title = what.rpartition(":")[0]
        if title != self._title:
            self._title = title
            print(f"{part:4.0%} {title}", file=sys.stderr, flush=True)


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    if not console.is_terminal:
        yield _LineAMetric()
        return
    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, part: bar.update(task, description=what, completed=part)
