"""The runner: every metric of every subject, in turn (A B, B A, ...), so that what the machine does hits all "
"alike."""

from __future__ import annotations

import datetime
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from benchmarks import machine
from benchmarks.metric import Effort, Metric, UnsupportedError
from benchmarks.processes import Worker, WorkerError
from benchmarks.results import MetricResult, Run, as_result

PATIENCE: Final = 2
"""Rounds that may fail before a subject is given up, for one metric."""
Progress = Callable[[str, float], None]
"""Told what is being measured, and which part of everything is done."""
Chosen = Mapping[str, tuple[str, Metric]]


class Measurer(Protocol):
    """What the runner needs of a worker."""

    version: str

    @property
    def alive(self) -> bool: ...

    def measure(self, module: str, metric: Metric, effort: Effort) -> Mapping[str, float]: ...

    def close(self) -> None: ...


class _Job:
    """One metric, and who dropped out of it."""

    def __init__(self, module: str, metric: Metric) -> None:
        self.module, self.metric = module, metric
        self.missing: dict[str, str] = {}
        self._failures: Counter[str] = Counter()

    def wants(self, name: str) -> bool:
        """Tell whether this subject is still measured."""
        return name not in self.missing or 0 < self._failures[name] < PATIENCE

    def give_up(self, name: str, why: str) -> None:
        """Measure a subject no more."""
        self.missing[name], self._failures[name] = why, 0

    def note_failure(self, name: str, why: str) -> None:
        """Note that a round failed."""
        self._failures[name] += 1
        self.missing[name] = f"{self._failures[name]} rounds failed: {why}"


class Runner:
    """Measures.

    :param subjects: their names; those that are not there are reported as missing.
    :param adds: whether those whom a target of a metric names take part in it as well.
    :param effort: of each round.
    :param start: makes the worker of a subject.
    """

    def __init__(
        self,
        subjects: Iterable[str],
        effort: Effort,
        progress: Progress,
        start: Callable[[str], Measurer] = Worker,
        *,
        adds: bool = False,
    ) -> None:
        self._subjects = list(subjects)
        self._adds = adds
        self._effort = effort
        self._progress = progress
        self._start = start
        self._workers: dict[str, Measurer] = {}
        self._missing: dict[str, str] = {}
        self._versions: dict[str, str] = {}

    def run(self, chosen: Chosen) -> Run:
        """Measure everything that was chosen."""
        started, began, facts = datetime.datetime.now(datetime.UTC), time.monotonic(), machine.facts()
        results = []
        wanted = {name: one for name, one in chosen.items() if one[1].rounds_for(self._effort)}
        try:
            for place, (module, metric) in enumerate(wanted.values()):
                results.append(self._run_metric(module, metric, place / len(wanted), 1 / len(wanted)))
        finally:
            for worker in self._workers.values():
                worker.close()
        seconds = time.monotonic() - began
        stamp = started.isoformat(timespec="seconds")
        return Run(stamp, seconds, self._effort.quick, facts, self._versions | self._missing, tuple(results))

    def _run_metric(self, module: str, metric: Metric, done: float, share: float) -> MetricResult:
        subjects = [name for name in metric.subjects if name in self._subjects or name in self._added_for(metric)]
        found: dict[str, list[Mapping[str, float]]] = {name: [] for name in subjects}
        job = _Job(module, metric)
        if not (metric.isolated or metric.settles):
            for name in subjects:
                self._progress(f"{metric.title}: {name}, warming up", done)
                self._round(job, name, Effort(self._effort.quick, warm_up=True))
        rounds = metric.rounds_for(self._effort)
        for number in range(rounds):
            for name in subjects if number % 2 == 0 else reversed(subjects):
                self._progress(f"{metric.title}: {name}", done + share * number / rounds)
                found[name].append(self._round(job, name, self._effort))
        return as_result(metric, found, job.missing)

    def _added_for(self, metric: Metric) -> set[str]:
        """Return those whom the targets of a metric name, if nobody was chosen."""
        targets = [target for figure in metric.figures for target in figure.targets] if self._adds else []
        return {name for target in targets for name in (target.subject, target.over) if name}

    def _round(self, job: _Job, name: str, effort: Effort) -> Mapping[str, float]:
        """Return what a round gave. Who fails is tried again in the next round, until it has failed twice."""
        if not job.wants(name):
            return {}
        try:
            worker = self._worker(name, new=job.metric.isolated)
        except (UnsupportedError, WorkerError) as exc:
            self._missing[name] = str(exc)
            job.give_up(name, str(exc))
            return {}
        try:
            return worker.measure(job.module, job.metric, effort)
        except UnsupportedError as exc:
            job.give_up(name, str(exc))
        except WorkerError as exc:
            job.note_failure(name, str(exc))
        finally:
            if job.metric.isolated or not worker.alive:
                self._dismiss(name)
        return {}

    def _worker(self, name: str, *, new: bool) -> Measurer:
        if name in self._missing:
            raise UnsupportedError(self._missing[name])
        if new:
            self._dismiss(name)
        if name not in self._workers:
            self._workers[name] = self._start(name)
            self._versions[name] = self._workers[name].version
        return self._workers[name]

    def _dismiss(self, name: str) -> None:
        worker = self._workers.pop(name, None)
        if worker is not None:
            worker.close()
