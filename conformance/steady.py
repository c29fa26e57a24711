"""``python -m conformance.steady``: the suite with several seeds while no core is idle; every test must come out alike.

A test that passes on one seed and fails on another has found something, or is flaky: both are to be mended. What
follows ``--`` is passed on to ``shim conformance run``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from conformance.report.verdict import PASSED, counted
from conformance.report.writing import JSON

SEEDS: Final = (11, 22, 33)
LONGEST: Final = 3600.0
"""Seconds after which a burner ends by itself."""
_BURNER: Final = """
import os, sys, threading, time

# Whoever started it holds the other end: a burner does not outlive him.
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    pass
"""


@contextmanager
def busy(count: int, longest: float = LONGEST) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keep cores busy, one process for each.

    :param longest: seconds after which they end by themselves.
    """
    command = [sys.executable, "-c", _BURNER, str(longest)]
    with ExitStack() as stack:
        burners = [stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE)) for _ in range(count)]
        try:
            yield burners
        finally:
            for burner in burners:
                burner.kill()


def unsteady(runs: Mapping[int, Mapping[str, str]]) -> list[str]:
    """Return a line for each test that failed, or did not come out alike.

    :param runs: the state of each test by its name, for each seed.
    """
    lines = []
    for name in sorted(set().union(*runs.values())):
        came_out = {seed: states.get(name, "absent") for seed, states in runs.items()}
        if len(set(came_out.values())) > 1 or "failed" in came_out.values():
            lines.append(f"{name}: {', '.join(f'{state} (seed {seed})' for seed, state in came_out.items())}")
    return lines


def states_in(report: Path) -> dict[str, str]:
    """Return the state of each test of a report; a figure as near as its test asks is as good as an exact one."""
    tests = json.loads(report.read_text(encoding="utf-8"))["tests"]
    return {test["id"]: "same" if test["state"] in PASSED else test["state"] for test in tests}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite with each seed and compare; exit status 1 if a test failed or did not come out alike, or none ran.

    :param arguments: of the command line; `None` for those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    split = given.index("--") if "--" in given else len(given)
    options = _options(given[:split])
    runs: dict[int, dict[str, str]] = {}
    for seed in options.seeds:
        print(f"seed {seed}, {counted(options.burners, 'core')} kept busy", flush=True)
        report = _run(seed, options.out / f"seed-{seed}", options.burners, given[split + 1 :])
        if report is None:
            print(f"the run with seed {seed} came to nothing that could be compared")
            return 1
        runs[seed] = states_in(report)
    return _tell(runs)


def _options(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance.steady", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, metavar="N", help="one run for each")
    parser.add_argument("--burners", type=int, default=os.cpu_count() or 1, metavar="N", help="cores to keep busy")
    parser.add_argument("--out", type=Path, default=Path("out/steady"), metavar="DIR", help="where reports go")
    return parser.parse_args(given)


def _run(seed: int, folder: Path, burners: int, passed_on: Sequence[str]) -> Path | None:
    """Run the suite once; return its report, or `None` if it came to none."""
    report = folder / JSON
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "shim", "conformance", "run", f"--html={folder}", f"--seed={seed}", *passed_on]
    with busy(burners):
        status = subprocess.run(command, check=False).returncode
    # Failures are told of all runs together; without a report, or after Ctrl-C, there is nothing to compare.
    return report if status in {0, 1} and report.exists() else None


def _tell(runs: Mapping[int, Mapping[str, str]]) -> int:
    lines = unsteady(runs)
    tests = len(set().union(*runs.values()))
    for line in lines:
        print(line)
    alike = (
        f"{len(lines)} of {counted(tests, 'test')} failed or did not come out alike" if lines else "all came out alike"
    )
    print(f"{counted(len(runs), 'run')} of {counted(tests, 'test')}, seeds {', '.join(map(str, runs))}: {alike}")
    return 1 if lines or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
