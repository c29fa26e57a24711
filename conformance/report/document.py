"""``report.json``, put together from what was collected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from conformance.report.schema import (
    FORMAT,
    VERSION,
    BackendRecord,
    Cell,
    Column,
    ReportDocument,
    Result,
    Row,
    Run,
    State,
)
from conformance.report.verdict import judge, unproven

WORST_FIRST: Final[tuple[State, ...]] = ("failed", "divergence", "tolerance", "same", "unsupported", "not-run")
"""A cell is what its first state in this order says."""
_KINDS: Final = ("backend", "pair", "foreign", "none")
_ACRONYMS: Final = {"sdp", "ice", "dtls", "jsep"}


def make_document(
    tests: Sequence[Result], columns: Sequence[Column], run: Run, backends: Sequence[BackendRecord]
) -> ReportDocument:
    """Judge the tests and lay them out; what could not run here for want of something is a limit of the run."""
    tests = sorted(tests, key=lambda test: test["id"])
    run = run.copy()
    run["limits"] = [*run["limits"], *unproven(tests)]
    seen = {column["key"]: column for column in columns}
    ordered = sorted(
        seen.values(), key=lambda column: (_KINDS.index(column["kind"]), column["offerer"], column["answerer"])
    )
    rows = _rows(tests)
    return ReportDocument(
        format=FORMAT,
        version=VERSION,
        run=run,
        verdict=judge(tests, ordered, run),
        backends=list(backends),
        rows=rows,
        columns=ordered,
        cells=_cells(tests),
        tests=tests,
    )


def worst(states: Iterable[State]) -> State:
    """Return the state that a cell with these shows."""
    return min(states, key=WORST_FIRST.index)


def _rows(tests: Iterable[Result]) -> list[Row]:
    keys = sorted({key for test in tests for key in test["rows"]}, key=lambda key: (not key.startswith("core/"), key))
    return [_row(key) for key in keys]


def _row(key: str) -> Row:
    group, slash, topic = key.partition("/")
    if group != "core" or not slash:
        return Row(key=key, group="optional", label=key)
    words = (word.upper() if word in _ACRONYMS else word for word in topic.split("_"))
    return Row(key=key, group="core", label=" ".join(words))


def _cells(tests: Iterable[Result]) -> list[Cell]:
    states: dict[tuple[str, str], Counter[State]] = {}
    for test in tests:
        for row in test["rows"]:
            states.setdefault((row, test["column"]), Counter())[test["state"]] += 1
    return [
        Cell(row=row, column=column, state=worst(counts), counts=dict(counts))
        for (row, column), counts in sorted(states.items())
    ]
