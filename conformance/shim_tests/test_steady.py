"""Several runs of the suite under load, compared: what must be found, and what the load leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.shim_tests.test_report import Small
from conformance.steady import busy, states_in, unsteady

LIMIT = 300
"""Seconds for one command: a bound for what hangs."""
pytestmark = pytest.mark.timeout(LIMIT + 20)


def steady(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SHIM_", "PYTEST_"))}
    command = [sys.executable, "-m", "conformance.steady", "--burners=1", *arguments]
    return subprocess.run(
        command, cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=LIMIT, check=False
    )


def test_runs_with_other_seeds_come_out_alike(tmp_path: Path) -> None:
    done = steady(
        tmp_path, "--seeds", "1", "2", "--", "--backend=native", "--pairs=same", "--", "-k", "test_glare_is_resolved"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seeds 1, 2: all came out alike" in done.stdout
    for seed in (1, 2):
        document = json.loads((tmp_path / "out" / "steady" / f"seed-{seed}" / "report.json").read_text())
        assert document["run"]["seed"] == seed


def test_failure_is_told_and_fails_the_run(tmp_path: Path) -> None:
    site = str(Small(tmp_path).folder / "site")
    name = "test_new_connection_has_statistics"
    done = steady(tmp_path, "--seeds", "3", "--", "--backend=tiny", "--", "-k", name, PYTHONPATH=site)
    assert done.returncode == 1
    assert f"test_stats.py::{name}[tiny]: failed (seed 3)" in done.stdout


def test_run_that_cannot_be_made_is_no_success(tmp_path: Path) -> None:
    assert steady(tmp_path, "--", "--require-backend=absent").returncode == 1


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"a": "same"}, {"a": "same"}, []),
        ({"a": "unsupported", "b": "divergence"}, {"a": "unsupported", "b": "divergence"}, []),
        ({"a": "same"}, {"a": "not-run"}, ["a: same (seed 1), not-run (seed 2)"]),
        ({"a": "same"}, {}, ["a: same (seed 1), absent (seed 2)"]),
        ({"a": "failed"}, {"a": "failed"}, ["a: failed (seed 1), failed (seed 2)"]),
    ],
)
def test_what_differs_or_failed_is_found(first: dict[str, str], second: dict[str, str], expected: list[str]) -> None:
    assert unsteady({1: first, 2: second}) == expected


def test_near_enough_is_as_good_as_exact(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"tests": [{"id": "a", "state": "tolerance"}, {"id": "b", "state": "failed"}]}))
    assert states_in(report) == {"a": "same", "b": "failed"}


def test_burners_end_with_the_block() -> None:
    with busy(2, 60) as burners:
        assert [burner.poll() for burner in burners] == [None, None]
    assert all(burner.returncode is not None for burner in burners)


def test_burner_ends_with_whoever_started_it() -> None:
    with busy(1, 60) as (burner,):
        assert burner.stdin is not None
        burner.stdin.close()
        assert burner.wait(30) == 0


def test_burner_ends_in_time() -> None:
    with busy(1, 0.1) as (burner,):
        assert burner.wait(30) == 0
