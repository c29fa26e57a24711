"""The line that a release manager acts on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from conformance.report.schema import Column, Result, Run, State, Verdict
from conformance.requirements import is_for_want

BASELINE: Final = "legacy"
"""What others are to replace, where it was tested too."""
PASSED: Final[frozenset[State]] = frozenset({"same", "tolerance"})
RAN: Final[frozenset[State]] = frozenset({"same", "tolerance", "divergence", "failed"})
_NAMED: Final = 3
"""How many failures, or topics, the line names."""


def judge(tests: Sequence[Result], columns: Sequence[Column], run: Run) -> Verdict:
    """Say whether the backends may be trusted, and on what grounds."""
    counts: dict[State, int] = dict(Counter(test["state"] for test in tests))
    core = [test for test in tests if test["core"] and test["state"] in RAN]
    same = sum(test["state"] in PASSED for test in core)
    expiries = sorted(test["excuse"]["expires"] for test in tests if test["excuse"] and test["state"] == "divergence")
    verdict = Verdict(
        status="ready",
        line="",
        core_same=same,
        core_total=len(core),
        counts=counts,
        next_expiry=expiries[0] if expiries else None,
    )
    figures = _figures(verdict, tests)
    failures = [test for test in tests if test["state"] == "failed"]
    if failures:
        verdict["status"], verdict["line"] = "not-ready", f"NOT ready: {_failures(failures)}; {figures}"
    elif limits := [*run["limits"], *([] if core else ["no CORE test ran"])]:
        verdict["status"] = "incomplete"
        verdict["line"] = f"NOT PROVEN: nothing failed, but not everything ran ({'; '.join(limits)}): {figures}"
    else:
        verdict["line"] = f"{_claim(tests, columns, run)}: {figures}"
    return verdict


def _claim(tests: Sequence[Result], columns: Sequence[Column], run: Run) -> str:
    """Say what has been proved."""
    names = backends_that_ran(tests, columns)
    scope = " for CORE" if run["tier"] == "core" else ""
    candidates = [name for name in names if name != BASELINE]
    if BASELINE in names and candidates:
        each = " each" if len(candidates) > 1 else ""
        return f"{_and(candidates)} can{each} replace {BASELINE}{scope}"
    if len(names) > 1:
        return f"{_and(names)} conform and work with each other{scope}"
    return f"{_and(names)} conforms{scope}"


def unproven(tests: Iterable[Result]) -> list[str]:
    """Say what could not run for want of a program, a library or a backend, and how to get that."""
    wanting: dict[str, list[Result]] = {}
    for test in tests:
        if test["state"] == "not-run" and is_for_want(test["reason"]):
            wanting.setdefault(test["reason"], []).append(test)
    return [f"{_extent(lost)} not proven: {reason}" for reason, lost in wanting.items()]


def _extent(tests: Sequence[Result]) -> str:
    topics = sorted({test["file"].removeprefix("test_").removesuffix(".py").replace("_", " ") for test in tests})
    named = _and(topics) if len(topics) <= _NAMED else f"{len(topics)} topics"
    return f"{counted(len(tests), 'test')} of {named}"


def backends_that_ran(tests: Iterable[Result], columns: Iterable[Column]) -> list[str]:
    """Return the backends of which at least one test ran, in the order of the columns."""
    ran = {test["column"] for test in tests if test["state"] in RAN}
    alone = [column["offerer"] for column in columns if column["key"] in ran and column["kind"] == "backend"]
    paired = [
        name
        for column in columns
        if column["key"] in ran and column["kind"] == "pair"
        for name in (column["offerer"], column["answerer"])
    ]
    return list(dict.fromkeys([*alone, *paired]))


def _figures(verdict: Verdict, tests: Sequence[Result]) -> str:
    counts = verdict["counts"]
    parts = [f"CORE {verdict['core_same']}/{verdict['core_total']} same"]
    optional = [test for test in tests if not test["core"] and test["state"] in RAN]
    if optional:
        parts.append(f"optional {sum(test['state'] in PASSED for test in optional)}/{len(optional)} same")
    if counts.get("tolerance"):
        parts.append(f"{counts['tolerance']} of them within tolerance")
    entries = {(t["excuse"]["backend"], t["excuse"]["id"]) for t in tests if t["excuse"] and t["state"] == "divergence"}
    expiry = f", next expiry {verdict['next_expiry']}" if entries else ""
    parts.append(f"{counted(len(entries), 'registered divergence')}{expiry}")
    parts.append(f"{counts.get('unsupported', 0)} unsupported")
    if counts.get("not-run"):
        parts.append(f"{counts['not-run']} not run here")
    return "; ".join(parts)


def _failures(failures: Sequence[Result]) -> str:
    core = [test["id"] for test in failures if test["core"]]
    optional = [test["id"] for test in failures if not test["core"]]
    parts = [f"{counted(len(core), 'CORE failure')}: {_some(core)}"] if core else []
    if optional:
        parts.append(f"{counted(len(optional), 'failure')} of optional capabilities: {_some(optional)}")
    return "; ".join(parts)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def _and(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(count: int, noun: str) -> str:
    """Return e.g. ``"1 failure"`` or ``"2 failures"``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
