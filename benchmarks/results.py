"""What a run found: values by round, from which everything that is printed follows. JSON with a version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import Summary, Verdict, judge, paired_ratio, summarize
from benchmarks.metric import Figure, Metric, Target

SCHEMA: Final = "webrtc-shim-benchmarks"
VERSION: Final = 1
"""Goes up when a reader of the old files could not read the new ones."""


class SchemaError(ValueError):
    """A file holds no results that this version can read."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A target, what was found, and whether it is met.

    :param found: the ratio, or the figure itself; `None` if there was nothing to judge.
    """

    target: Target
    found: Summary | None
    verdict: Verdict

    @property
    def remark(self) -> str:
        """The verdict in words, with the reason if nothing can be said."""
        if self.verdict != "untrusted":
            return self.verdict
        if self.found is None:
            return "not measured"
        return f"untrusted: spread {self.found.spread:.0%}, {self.found.count} rounds"


@dataclass(frozen=True, slots=True)
class FigureResult:
    """A figure of all subjects.

    :param values: subject -> value of each round, `None` where there is none.
    """

    figure: Figure
    values: Mapping[str, tuple[float | None, ...]]

    def known(self, subject: str) -> list[float]:
        """Return the values of a subject."""
        return [value for value in self.values.get(subject, ()) if value is not None]

    def summary(self, subject: str) -> Summary | None:
        """Return what the rounds of a subject come to."""
        return summarize(self.known(subject))

    def ratio(self, above: str, below: str) -> Summary | None:
        """Return the paired ratio of two subjects."""
        return paired_ratio(self.values.get(above, ()), self.values.get(below, ()))

    def judged(self) -> list[Judged]:
        """Return what became of each target."""
        return [self._judge(target) for target in self.figure.targets]

    def _judge(self, target: Target) -> Judged:
        found = self.ratio(target.subject, target.over) if target.over else self.summary(target.subject)
        verdict = judge(found, target.limit, at_most=target.at_most) if found else "untrusted"
        return Judged(target, found, verdict)


@dataclass(frozen=True, slots=True)
class MetricResult:
    """What a metric gave.

    :param missing: subject -> why there is nothing of it, or not of each round.
    """

    name: str
    title: str
    group: str
    about: str
    stacked: bool
    figures: tuple[FigureResult, ...]
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def subjects(self) -> list[str]:
        """Those of whom there is something, in order."""
        named = dict.fromkeys(name for result in self.figures for name in result.values)
        return [name for name in named if any(result.known(name) for result in self.figures)]


@dataclass(frozen=True, slots=True)
class Run:
    """Everything about a run.

    :param started: ISO 8601.
    :param seconds: how long it took.
    :param machine: facts, in words.
    :param versions: subject -> version of its engine, or why it is not there.
    """

    started: str
    seconds: float
    quick: bool
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    metrics: tuple[MetricResult, ...]

    def figures(self) -> Iterator[tuple[MetricResult, FigureResult]]:
        """Yield every figure of which there is something."""
        for metric in self.metrics:
            for result in metric.figures:
                if any(result.known(subject) for subject in result.values):
                    yield metric, result


def as_result(
    metric: Metric, rounds: Mapping[str, list[Mapping[str, float]]], missing: Mapping[str, str]
) -> MetricResult:
    """Return the result of a metric.

    :param rounds: subject -> what each round gave; empty where it failed.
    """
    figures = tuple(
        FigureResult(
            figure, {name: tuple(found.get(figure.key) for found in values) for name, values in rounds.items()}
        )
        for figure in metric.all_figures
    )
    return MetricResult(metric.name, metric.title, metric.group, metric.about, metric.stacked, figures, dict(missing))


def write(run: Run, path: Path) -> None:
    """Write a run as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_json(run), indent=1) + "\n")


def as_json(run: Run) -> dict[str, Any]:
    """Return a run as JSON values: the rounds, and for other readers what they come to."""
    metrics = []
    for metric in run.metrics:
        plain = {key: getattr(metric, key) for key in ("name", "title", "group", "about", "stacked")}
        plain |= {"missing": dict(metric.missing), "figures": [_figure_as_json(one) for one in metric.figures]}
        metrics.append(plain)
    head = {key: getattr(run, key) for key in ("started", "seconds", "quick")}
    facts = {"machine": dict(run.machine), "versions": dict(run.versions)}
    return {"schema": SCHEMA, "version": VERSION, **head, **facts, "metrics": metrics}


def _figure_as_json(result: FigureResult) -> dict[str, Any]:
    summaries = {name: found for name in result.values if (found := result.summary(name)) is not None}
    verdicts = [
        {"target": str(one.target), "verdict": one.verdict, "found": asdict(one.found) if one.found else None}
        for one in result.judged()
    ]
    return {
        **asdict(result.figure),
        "values": {name: list(values) for name, values in result.values.items()},
        "summary": {name: asdict(found) for name, found in summaries.items()},
        "verdicts": verdicts,
    }


def read(path: Path) -> Run:
    """Read a run.

    :raises SchemaError: the file is not of this kind, or of a later version.
    :raises OSError: it cannot be read.
    """
    try:
        found = json.loads(path.read_text())
    except ValueError as exc:
        raise SchemaError(f"{path} is not JSON: {exc}") from exc
    return from_json(found, str(path))


def from_json(found: Any, name: str = "it") -> Run:  # noqa: ANN401 - whatever the file holds
    """Return the run of which `as_json()` gave this.

    :raises SchemaError: it did not.
    """
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise SchemaError(f"{name} holds no benchmark results: its schema is not {SCHEMA!r}")
    if found.get("version") != VERSION:
        raise SchemaError(f"{name} has version {found.get('version')}, this program reads {VERSION}. Measure again.")
    try:
        metrics = tuple(_metric_from_json(one) for one in found["metrics"])
        head = {key: found[key] for key in ("started", "seconds", "quick", "machine", "versions")}
    except (KeyError, TypeError, AttributeError) as exc:
        raise SchemaError(f"{name} is damaged: {type(exc).__name__} {exc}") from exc
    return Run(metrics=metrics, **head)


def _metric_from_json(found: dict[str, Any]) -> MetricResult:
    plain = {key: found[key] for key in ("name", "title", "group", "about", "stacked", "missing")}
    return MetricResult(figures=tuple(_figure_from_json(one) for one in found["figures"]), **plain)


def _figure_from_json(found: dict[str, Any]) -> FigureResult:
    plain = {key: found[key] for key in ("key", "title", "unit", "better")}
    figure = Figure(targets=tuple(Target(**one) for one in found["targets"]), **plain)
    return FigureResult(figure, {name: tuple(values) for name, values in found["values"].items()})
