"""One process in which the suite meets one backend: a mutant, or the control."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from conformance.meta.catalogue import Mutant
from conformance.meta.naming import NAME
from conformance.meta.plugin import short_name
from conformance.plugin import DEFAULT_SEED

LIMIT: Final = 300
"""Seconds for one process: a bound for what hangs."""
TEST_LIMIT: Final = 30
SUITE: Final = "conformance.suite"


@dataclass(frozen=True, slots=True)
class Meeting:
    """What came of it.

    :param failed: a message for each test that failed.
    :param skipped: a reason for each test that was skipped, by its short name.
    :param passed: how many tests passed.
    :param said: the end of the output.
    """

    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    passed: int = 0
    said: str = ""


def meet(
    mutant: Mutant, tests: Iterable[str], failing: Iterable[str], *, first: str | None = None, stop: bool
) -> Meeting:
    """Run tests of the suite against a mutant in another process.

    :param tests: files, or single tests.
    :param failing: tests that are left out.
    :param first: the test to begin with.
    :param stop: at the first failure.
    """
    with TemporaryDirectory() as folder:
        verdict = Path(folder) / "verdict.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conformance.meta.plugin"]
        command += ["--mutant", mutant.name, "--mutant-base", mutant.base, "--mutant-verdict", str(verdict)]
        command += ["--backend", NAME, "--pairs", "same", "--conformance-seed", str(DEFAULT_SEED)]
        command += ["-o", f"timeout={TEST_LIMIT}", "-m", "not slow", *(["-x"] if stop else [])]
        command += [f"--deselect={test}" for test in failing] + ([f"--mutant-first={first}"] if first else [])
        command += ["--pyargs", *map(_importable, tests)]
        said = _output(command)
        result = json.loads(verdict.read_text()) if verdict.exists() else {}
    return Meeting(**result, said=said)


def _importable(test: str) -> str:
    """Return a test as pytest finds it in an installed package."""
    file, mark, function = short_name(test).partition("::")
    return f"{SUITE}.{file.removesuffix('.py')}{mark}{function}"


def _output(command: list[str]) -> str:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return f"the process did not end within {LIMIT} s"
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    return lines[-1] if lines else ""
