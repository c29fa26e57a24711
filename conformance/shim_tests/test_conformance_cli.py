"""``shim conformance`` as a command: what it prints, what it leaves, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.shim_tests.test_report import Small

ONE = "test_pranswer_then_answer or test_new_connection_has_the_states"
DYING = """
import os, signal

def pytest_runtest_call(item):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def shim_conformance(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SHIM_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "shim", "conformance", *arguments],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def document_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_a_run_prints_the_verdict_and_leaves_the_report(tmp_path: Path) -> None:
    done = shim_conformance(
        tmp_path, "run", "--backend=native", "--html=here", "--seed=5", "--", "-k", "test_jsep and rollback"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT PROVEN: nothing failed, but not everything ran (-k test_jsep and rollback" in done.stdout
    assert f"report: {Path('here/report.html')}" in done.stdout
    assert document_in(tmp_path / "here")["run"]["seed"] == 5
    assert {path.name for path in (tmp_path / "here").iterdir()} == {
        "journal.jsonl", "junit.xml", "pytest.log", "report.html", "report.json",
    }  # fmt: skip
    shown = shim_conformance(tmp_path, "show", "here")
    assert shown.returncode == 0
    assert "sdp.rollback" in shown.stdout
    assert shown.stdout.splitlines()[-1] == document_in(tmp_path / "here")["verdict"]["line"]


def test_settings_of_a_project_around_it_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    done = shim_conformance(tmp_path, "run", "--backend=native", "--pairs=same", "--", "-k", "test_glare_is_resolved")
    assert done.returncode == 0, done.stdout


def test_a_failure_is_told_with_the_command_that_repeats_it(tmp_path: Path) -> None:
    small = Small(tmp_path)
    site = str(small.folder / "site")
    done = shim_conformance(
        tmp_path, "run", "--backend=tiny", "--", "-k", "test_new_connection_has_statistics", PYTHONPATH=site
    )
    assert done.returncode == 1
    assert "✗ test_stats.py::test_new_connection_has_statistics[tiny]: " in done.stdout
    assert "repeat it with: python -m pytest --backend=tiny" in done.stdout
    assert "NOT ready: " in done.stdout
    assert shim_conformance(tmp_path, "show", "out/conformance/report.json").returncode == 1


def test_a_required_backend_that_is_missing_fails(tmp_path: Path) -> None:
    done = shim_conformance(tmp_path, "run", "--require-backend=tinny", "--backend=native")
    assert done.returncode == 2
    assert "backend tinny is required, but this machine lacks it: " in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_program_or_library_leaves_it_unproven(tmp_path: Path) -> None:
    (tmp_path / "without_wrtc.py").write_text("import sys\nsys.modules['webrtc'] = None\n")
    chosen = "test_data_goes_through_the_relay or test_options_are_understood_by_a_library"
    done = shim_conformance(
        tmp_path, "run", "--backend=native", "--pairs=same", "--", "-p", "without_wrtc", "-k", chosen,
        PYTHONPATH=str(tmp_path), PATH=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    document = document_in(tmp_path / "out" / "conformance")
    limits = document["run"]["limits"]
    assert "1 test of relay not proven: coturn is not installed: apt-get install coturn" in limits
    assert any(
        limit.startswith("2 tests of interop not proven: wrtc is not installed: pip install ") for limit in limits
    )
    assert (document["verdict"]["status"], document["verdict"]["counts"]["same"]) == ("incomplete", 2)
    log = (tmp_path / "out" / "conformance" / "pytest.log").read_text()
    assert "reference peer wrtc: missing: wrtc is not installed" in log
    assert "reference peer aiortc: 1." in log


def test_a_crash_is_charged_to_the_test_that_ran(tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    done = shim_conformance(
        tmp_path,
        "run",
        "--backend=native",
        "--",
        "-p",
        "dying",
        "-k",
        "test_glare_is_resolved",
        PYTHONPATH=str(tmp_path),
    )
    assert done.returncode == 1, done.stdout
    assert "pytest (signal 9) ended during this test" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "--pairs=some"), "--pairs is one of all, same, cross"),
        (("run", "--tier=fast"), "--tier is one of core, full"),
        (("run", "--", "--no-such-option"), "no-such-option"),
        (("run", "--backend=native", "--", "-k", "nothing_is_called_this"), "no CORE test ran"),
        (("show", "other.json"), "is no report of a conformance run"),
        (("show", "future.json"), "is no report of a version that this command reads"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "future.json").write_text('{"format": "webrtc-conformance-report", "version": 99}')
    done = shim_conformance(tmp_path, *arguments, COLUMNS="200")
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stdout + done.stderr
