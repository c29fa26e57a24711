"""The journal of a run: one line of JSON for each thing that happens, so that a process that dies leaves a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, TextIO

from conformance.report.document import make_document
from conformance.report.judging import make_record
from conformance.report.schema import BackendRecord, Column, Facts, ReportDocument, Result, Run

FILE_NAME: Final = "journal.jsonl"


class Journal:
    """Writes it. Each line is in the file when the method returns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = (folder / FILE_NAME).open("w", encoding="utf-8", buffering=1)

    def begin(self, run: Run, backends: list[BackendRecord]) -> None:
        """Note what is about to run."""
        self._write("run", run=run, backends=backends)

    def collected(self, count: int) -> None:
        """Note how many tests there are."""
        self._write("collected", count=count)

    def start(self, facts: Facts) -> None:
        """Note a test that has been set up."""
        self._write("start", facts=facts)

    def result(self, record: Result, column: Column) -> None:
        """Note a test that has ended."""
        self._write("result", record=record, column=column)

    def end(self, duration: float, exit_status: int, limits: list[str]) -> None:
        """Note the end, and what was left out."""
        self._write("end", duration=duration, exit_status=exit_status, limits=limits)
        self._file.close()

    def _write(self, kind: str, **facts: Any) -> None:
        self._file.write(json.dumps({"kind": kind, **facts}) + "\n")


def document_of(folder: Path, death: str = "the process that ran the tests") -> ReportDocument:
    """Make the report of what a journal has; tests that were running when it ends have failed.

    :param death: what ended, for their failure text.
    :raises OSError: there is no journal.
    :raises ValueError: it does not say what ran.
    """
    entries = _entries(folder / FILE_NAME)
    opening = next((entry for entry in entries if entry["kind"] == "run"), None)
    if opening is None:
        raise ValueError(f"{folder / FILE_NAME} does not say what ran")
    run: Run = opening["run"]
    results = {entry["record"]["id"]: entry for entry in entries if entry["kind"] == "result"}
    tests = [entry["record"] for entry in results.values()]
    columns = [entry["column"] for entry in results.values()]
    run["collected"] = next((entry["count"] for entry in entries if entry["kind"] == "collected"), len(tests))
    end = next((entry for entry in entries if entry["kind"] == "end"), None)
    if end is not None:
        run["duration"], run["exit_status"], run["limits"] = end["duration"], end["exit_status"], end["limits"]
    else:
        started = {entry["facts"]["id"]: entry["facts"] for entry in entries if entry["kind"] == "start"}
        lost = [facts for name, facts in started.items() if name not in results]
        tests += [make_record(facts, "failed", summary=f"{death} ended during this test") for facts in lost]
        columns += [facts["column"] for facts in lost]
        run["duration"] = sum(test["duration"] for test in tests)
        run["limits"] = [f"{death} ended after {len(tests)} of {run['collected']} tests"]
    return make_document(tests, columns, run, opening["backends"])


def _entries(path: Path) -> list[dict[str, Any]]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break  # the process died while it wrote this line
    return found
