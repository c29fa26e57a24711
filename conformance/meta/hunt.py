"""The hunt: the suite meets each mutant in a process of its own, until a test fails."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.meta.catalogue import CONTROL, Mutant, mutant_named
from conformance.meta.meeting import Meeting, meet
from conformance.meta.plugin import short_name
from conformance.targets import Target

HINTS: Final = Path(__file__).with_name("hints.json")
"""Mutant -> the test that caught it last: asked first, so that a hunt is short. The others follow if it passes."""
Base = str
Failing = Mapping[Base, Sequence[str]]
"""Tests that fail without any mutation, for each good backend."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the suite said of one mutant.

    :param caught_by: the first test that failed; `None` if it survived.
    :param message: what that test said.
    :param passed: how many tests passed before.
    :param skipped: why it could not be run here, if so.
    :param died: the last words of a process that gave no verdict.
    """

    mutant: str
    topic: str
    description: str
    base: Base
    caught_by: str | None = None
    message: str = ""
    passed: int = 0
    seconds: float = 0.0
    skipped: str = ""
    died: str = ""

    @property
    def survived(self) -> bool:
        """Whether no test failed; one whose process died without a verdict counts as a survivor."""
        return self.caught_by is None and not self.skipped

    @property
    def outcome(self) -> str:
        """The catching test, or what else came of it."""
        if self.skipped:
            return f"not run: {self.skipped}"
        if self.caught_by is not None:
            return short_name(self.caught_by)
        return f"NO VERDICT: {self.died}" if self.died else "SURVIVED"


@dataclass
class Hunt:
    """Runs the suite against some mutants, and the tests that caught them against the good backends.

    :param jobs: how many processes at the same time.
    :param hints: which test to ask first, by the name of the mutant.
    """

    mutants: Sequence[Mutant]
    jobs: int = 2
    console: Console = field(default_factory=Console)
    hints: Mapping[str, str] = field(default_factory=dict)

    def run(self, report: Path | None = None) -> int:
        """Run, print the table, write the report; return 1 if a mutant survived."""
        started = time.monotonic()
        with ThreadPoolExecutor(self.jobs) as pool:
            verdicts = self._judge(pool, self.mutants, {})
            failing = self._false_witnesses(pool, verdicts)
            again = [
                mutant for mutant, verdict in verdicts.items() if verdict.caught_by in failing.get(mutant.base, ())
            ]
            verdicts.update(self._judge(pool, again, failing))
        self._report(list(verdicts.values()), failing, time.monotonic() - started, report)
        return 1 if any(verdict.survived for verdict in verdicts.values()) else 0

    def _report(self, verdicts: Sequence[Verdict], failing: Failing, seconds: float, report: Path | None) -> None:
        self.console.print(_table(verdicts))
        self.console.print(_summary(verdicts, failing, seconds), soft_wrap=True, markup=False)
        if report is not None:
            _write(report, verdicts, failing)

    def _judge(self, pool: ThreadPoolExecutor, mutants: Iterable[Mutant], failing: Failing) -> dict[Mutant, Verdict]:
        def one(mutant: Mutant) -> Verdict:
            return self._told(judge(mutant, failing.get(mutant.base, ()), self.hints.get(mutant.name)))

        chosen = list(mutants)
        return dict(zip(chosen, pool.map(one, chosen), strict=True))

    def _false_witnesses(self, pool: ThreadPoolExecutor, verdicts: Mapping[Mutant, Verdict]) -> Failing:
        """Return which tests cannot tell a mutant from a good backend, in files where one of them caught something.

        Those that caught something run without any mutation. If one fails then too, all tests of its file run so.
        """
        caught: dict[tuple[Base, str], set[str]] = defaultdict(set)
        for mutant, verdict in verdicts.items():
            if verdict.caught_by is not None:
                caught[mutant.base, _file_of(verdict.caught_by)].add(verdict.caught_by)
        self.console.print(f"{sum(map(len, caught.values()))} tests against the proxies with nothing wrong in them")
        results = pool.map(lambda place: _control(place[0], caught[place]), caught)
        doubtful = [place for place, result in zip(caught, results, strict=True) if result.failed or not result.passed]
        whole = list(pool.map(lambda place: _control(place[0], [place[1]]), doubtful))
        failing: dict[Base, list[str]] = defaultdict(list)
        for (base, _), result in zip(doubtful, whole, strict=True):
            failing[base] += sorted(result.failed)
        return failing

    def _told(self, verdict: Verdict) -> Verdict:
        line = f"{verdict.mutant} ({verdict.seconds:.1f} s): {verdict.outcome}"
        self.console.print(line, soft_wrap=True, markup=False, highlight=False)
        return verdict


def judge(mutant: Mutant, failing: Iterable[str], hint: str | None = None) -> Verdict:
    """Run the suite's files against one mutant until a test fails.

    :param failing: tests that are not asked, because they fail without any mutation.
    :param hint: the test to begin with.
    """
    started = time.monotonic()
    verdict = Verdict(mutant.name, mutant.topic, mutant.description, mutant.base)
    if absence := Target(mutant.base).absence():
        return replace(verdict, skipped=absence)
    result = meet(mutant, mutant.files, failing, first=hint, stop=True)
    verdict = replace(verdict, passed=result.passed, seconds=round(time.monotonic() - started, 1))
    if result.failed:
        test, message = next(iter(result.failed.items()))
        return replace(verdict, caught_by=test, message=message)
    if hint in result.skipped:  # what would catch it cannot run here: that is no proof against the suite
        return replace(verdict, skipped=result.skipped[hint])
    return verdict if result.passed else replace(verdict, died=result.said)


def read_hints() -> dict[str, str]:
    """Return which test caught each mutant when the hints were written."""
    return dict(json.loads(HINTS.read_text(encoding="utf-8"))) if HINTS.exists() else {}


def write_hints(report: Path) -> None:
    """Keep what a hunt found for the next one, and what is known of mutants that it did not meet.

    :param report: the results of the hunt.
    """
    verdicts = json.loads(report.read_text(encoding="utf-8"))["verdicts"]
    found = {verdict["mutant"]: short_name(verdict["caught_by"]) for verdict in verdicts if verdict["caught_by"]}
    hints = dict(sorted({**read_hints(), **found}.items()))
    HINTS.write_text(json.dumps(hints, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _control(base: Base, tests: Iterable[str]) -> Meeting:
    return meet(mutant_named(CONTROL, base), tests, (), stop=False)


def _file_of(test: str) -> str:
    return short_name(test).partition("::")[0]


def _write(report: Path, verdicts: Sequence[Verdict], failing: Failing) -> None:
    report.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"verdicts": [asdict(verdict) for verdict in verdicts], "not_asked": dict(failing)}
    report.write_text(json.dumps(found, indent=2) + "\n")


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = Table(title="mutants")
    for heading in ("mutant", "topic", "caught by", "seconds"):
        table.add_column(heading, overflow="fold")
    for verdict in verdicts:
        style = "red" if verdict.survived else "yellow" if verdict.skipped else ""
        cells = (verdict.mutant, verdict.topic, Text(verdict.outcome, style), f"{verdict.seconds:.1f}")
        table.add_row(*cells)
    return table


def _summary(verdicts: Sequence[Verdict], failing: Failing, seconds: float) -> str:
    survivors = [verdict.mutant for verdict in verdicts if verdict.survived]
    skipped = [verdict.mutant for verdict in verdicts if verdict.skipped]
    lines = [f"{len(verdicts) - len(survivors) - len(skipped)} of {len(verdicts)} mutants caught in {seconds:.0f} s"]
    lines += [f"SURVIVED: {', '.join(survivors)}"] if survivors else []
    lines += [f"not run: {', '.join(skipped)}"] if skipped else []
    for base, tests in failing.items():
        lines += [f"not asked of {base}, because it fails without any mutation: {test}" for test in tests]
    return "\n".join(lines)
