"""The hunt: the suite meets each mutant in a process of its own, until a test fails."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.meta.catalogue import CONTROL, Mutant, mutant_named
from conformance.meta.proxies import NAME
from conformance.targets import Target

LIMIT: Final = 300
"""Seconds for one process: a bound for what hangs."""
TEST_LIMIT: Final = 30
SEED: Final = 1
SUITE: Final = "conformance.suite"


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
    base: str
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
        return self.caught_by or (f"NO VERDICT: {self.died}" if self.died else "SURVIVED")


@dataclass
class Hunt:
    """Runs the suite against some mutants.

    :param jobs: how many processes at the same time.
    """

    mutants: Sequence[Mutant]
    jobs: int = 2
    console: Console = field(default_factory=Console)

    def run(self, report: Path | None = None) -> int:
        """Run, print the table, write the report; return 1 if a mutant survived."""
        started = time.monotonic()
        with ThreadPoolExecutor(self.jobs) as pool:
            controls = self._judge_control(pool)
            if mute := [f"{file}: {result['said']}" for file, result in controls.items() if not result["passed"]]:
                self.console.print("no test passes without any mutation:", *mute, sep="\n", markup=False)
                return 1
            failing = sorted({test for result in controls.values() for test in result["failed"]})
            verdicts = list(pool.map(lambda mutant: self._told(judge(mutant, failing)), self.mutants))
        self.console.print(_table(verdicts))
        self.console.print(_summary(verdicts, failing, time.monotonic() - started), soft_wrap=True, markup=False)
        if report is not None:
            _write(report, verdicts, failing)
        return 1 if any(verdict.survived for verdict in verdicts) else 0

    def _judge_control(self, pool: ThreadPoolExecutor) -> dict[str, dict[str, Any]]:
        """Run the files without any mutation: tests that fail then cannot tell a mutant from a good backend."""
        present = [mutant for mutant in self.mutants if Target(mutant.base).absence() is None]
        wanted = sorted({(file, mutant.base) for mutant in present for file in mutant.files})
        self.console.print(f"control: {len(wanted)} files against the proxies with nothing wrong in them")
        results = pool.map(lambda one: meet(mutant_named(CONTROL, one[1]), [one[0]], (), stop=False), wanted)
        return {f"{file} of {base}": result for (file, base), result in zip(wanted, results, strict=True)}

    def _told(self, verdict: Verdict) -> Verdict:
        line = f"{verdict.mutant} ({verdict.seconds:.1f} s): {verdict.outcome}"
        self.console.print(line, soft_wrap=True, markup=False, highlight=False)
        return verdict


def judge(mutant: Mutant, failing: Iterable[str]) -> Verdict:
    """Run the suite's files against one mutant until a test fails.

    :param failing: tests that are not asked, because they fail without any mutation.
    """
    started = time.monotonic()
    verdict = Verdict(mutant.name, mutant.topic, mutant.description, mutant.base)
    if absence := Target(mutant.base).absence():
        return replace(verdict, skipped=absence)
    result = meet(mutant, mutant.files, failing, stop=True)
    found: dict[str, Any] = {"passed": result["passed"], "seconds": round(time.monotonic() - started, 1)}
    if result["failed"]:
        test, message = next(iter(result["failed"].items()))
        file, _, function = test.partition("::")
        found.update(caught_by=f"{Path(file).name}::{function}", message=message)
    elif not result["passed"]:
        found.update(died=result["said"])
    return replace(verdict, **found)


def meet(mutant: Mutant, files: Iterable[str], failing: Iterable[str], *, stop: bool) -> dict[str, Any]:
    """Run files of the suite against a mutant in another process.

    :param stop: at the first failure.
    :returns: ``failed``, a message per test; ``passed``, how many; ``said``, the end of the output.
    """
    with TemporaryDirectory() as folder:
        verdict = Path(folder) / "verdict.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conformance.meta.plugin"]
        command += ["--mutant", mutant.name, "--mutant-base", mutant.base, "--mutant-verdict", str(verdict)]
        command += ["--backend", NAME, "--pairs", "same", "--conformance-seed", str(SEED)]
        command += ["-o", f"timeout={TEST_LIMIT}", "-m", "not slow", *(["-x"] if stop else [])]
        command += [f"--deselect={test}" for test in failing]
        command += ["--pyargs", *(f"{SUITE}.{file.removesuffix('.py')}" for file in files)]
        said = _output(command)
        result = json.loads(verdict.read_text()) if verdict.exists() else {"failed": {}, "passed": 0}
    return {**result, "said": said}


def _output(command: list[str]) -> str:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return f"the process did not end within {LIMIT} s"
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    return lines[-1] if lines else ""


def _write(report: Path, verdicts: Sequence[Verdict], failing: Sequence[str]) -> None:
    report.parent.mkdir(parents=True, exist_ok=True)
    found = {"verdicts": [asdict(verdict) for verdict in verdicts], "not_asked": list(failing)}
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


def _summary(verdicts: Sequence[Verdict], failing: Iterable[str], seconds: float) -> str:
    survivors = [verdict.mutant for verdict in verdicts if verdict.survived]
    skipped = [verdict.mutant for verdict in verdicts if verdict.skipped]
    lines = [f"{len(verdicts) - len(survivors) - len(skipped)} of {len(verdicts)} mutants caught in {seconds:.0f} s"]
    lines += [f"SURVIVED: {', '.join(survivors)}"] if survivors else []
    lines += [f"not run: {', '.join(skipped)}"] if skipped else []
    lines += [f"not asked, because it fails without any mutation: {test}" for test in sorted(failing)]
    return "\n".join(lines)
