"""Where the run is led: takes the reports of all tests, and writes the files when the run ends."""

from __future__ import annotations

import datetime
import platform
import shlex
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import pytest

from conformance.plugin import SUITE, backend_names, settings_of
from conformance.report.journal import Journal, document_of
from conformance.report.judging import facts_in, make_record, record_of, unknown
from conformance.report.schema import BackendRecord, ReportDocument, Run
from conformance.report.verdict import counted
from conformance.report.witness import SLOW, slow_among
from conformance.report.writing import HTML, write_files

PACKAGES: Final = ("webrtc-shim", "aiortc", "av", "wrtc", "livekit", "uvloop", "pytest", "hypothesis")


class Collector:
    """Journals each test as it ends, and makes the report of the journal.

    :param folder: where the files go; made if it is not there.
    """

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._journal = Journal(folder)
        self._phases: dict[str, list[pytest.TestReport]] = {}
        self._files: set[str] = set()
        self._collected = self._ended = 0
        self._slow = 0
        self._started = time.monotonic()
        self._document: ReportDocument | None = None

    # --- what pytest tells -------------------------------------------------------------------------------

    def pytest_sessionstart(self) -> None:
        self._journal.begin(_run_of(self._config), _backends(self._config))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:  # the process that leads the workers of pytest-xdist collects nothing itself
            self._note_collection(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._note_collection(len(ids))

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self._slow += slow_among(items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._slow = max(self._slow, getattr(node, "workeroutput", {}).get(SLOW, 0))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            facts = unknown(report.nodeid)
            text = str(report.longreprtext)
            record = make_record(facts, "failed", summary="the tests of this file cannot be collected", failure=text)
            self._journal.result(record, facts["column"])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        phases = self._phases.setdefault(report.nodeid, [])
        phases.append(report)
        if report.when == "setup":
            self._journal.start(facts_in(phases))
        elif report.when != "call":  # the end, or what pytest-xdist says of a worker that died
            self._end_test(self._phases.pop(report.nodeid))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        self._journal.end(round(time.monotonic() - self._started, 3), int(exitstatus), self._limits(exitstatus))
        self._document = document_of(self._folder)
        write_files(self._document, self._folder)
        if self._document["verdict"]["status"] == "not-ready" and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED  # an expected failure that nobody has registered

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._document is not None:
            terminalreporter.section("conformance")
            terminalreporter.line(self._document["verdict"]["line"])
            terminalreporter.line(f"report: {self._folder / HTML}")

    # --- what is made of it ------------------------------------------------------------------------------

    def _note_collection(self, count: int) -> None:
        if not self._collected:
            self._collected = count
            self._journal.collected(count)

    def _end_test(self, phases: list[pytest.TestReport]) -> None:
        facts = facts_in(phases)
        self._ended += 1
        if facts["of_suite"]:
            self._files.add(facts["file"])
        self._journal.result(record_of(phases), facts["column"])

    def _limits(self, exitstatus: int) -> list[str]:
        """Say what was left out of the tier that was asked for."""
        options = self._config.option
        asked = [f"-k {options.keyword}"] if options.keyword else []
        if self._slow and not options.keyword and options.conformance_tier == "full":
            asked.append(counted(self._slow, "slow test") + " left out")
        left_out = {path.name for path in SUITE.glob("test_*.py")} - self._files
        if left_out and not asked and options.conformance_tier == "full":
            asked.append(f"{len(self._files)} of {len(self._files | left_out)} files")
        if any("::" in argument for argument in self._config.args):
            asked.append("single tests")
        if options.pairs != "all":
            asked.append(f"{options.pairs} pairs only")
        if exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            asked.append("pytest itself failed")
        if self._ended < self._collected:
            asked.append(f"stopped after {self._ended} of {self._collected} tests")
        return asked


def _run_of(config: pytest.Config) -> Run:
    return Run(
        started=datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds"),
        duration=0.0,
        seed=config.option.conformance_seed,
        pairs=config.option.pairs,
        tier=config.option.conformance_tier,
        workers=int(getattr(config.option, "numprocesses", None) or 1),
        command=_command(config),
        platform=platform.platform(),
        python=platform.python_version(),
        packages={name: found for name in PACKAGES if (found := _version(name))},
        collected=0,
        exit_status=0,
        limits=[],
    )


def _command(config: pytest.Config) -> str:
    """Return the command that repeats the run, here or on another machine."""
    option = config.option
    words = [f"--backend={name}" for name in option.backend]
    words += [f"--require-backend={name}" for name in option.require_backend]
    words += [f"--pairs={option.pairs}", f"--conformance-tier={option.conformance_tier}"]
    words += [f"--conformance-seed={option.conformance_seed}", f"--conformance-report={option.conformance_report}"]
    words += ["-k", option.keyword] if option.keyword else []
    words += ["-m", option.markexpr] if option.markexpr else []
    words += ["-n", str(option.numprocesses)] if getattr(option, "numprocesses", None) else []
    words += settings_of(config)
    words += ["--pyargs"] if option.pyargs else []
    return shlex.join(["python", "-m", "pytest", *words, *config.args])


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _backends(config: pytest.Config) -> list[BackendRecord]:
    from shim._core.registry import get_registry

    asked = backend_names(config)
    known = [*asked, *(name for name in sorted(get_registry().known_names()) if name not in asked)]
    return [_backend(name, name in asked) for name in known]


def _backend(name: str, is_asked_for: bool) -> BackendRecord:
    from conformance.targets import Target
    from shim.spi.errors import ShimError

    target = Target(name)
    record = BackendRecord(
        name=name, version="", engine="", asked_for=is_asked_for, absence=target.absence(), capabilities=[]
    )
    try:
        info = target.info
    except ShimError:
        return record  # its absence says why
    record["version"], record["engine"] = info.version, info.engine
    record["capabilities"] = sorted(map(str, info.capabilities))
    return record
