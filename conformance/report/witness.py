"""Where tests run: says what each test is about, and hands over what it put on record."""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Final

import pytest

from conformance.divergence import COVERED, name_of
from conformance.plugin import is_of_suite, repeat_command, settings_of
from conformance.report.evidence import recorder_of
from conformance.report.schema import Column, EvidenceData, Excuse, Facts
from conformance.requirements import LACKED
from conformance.targets import Pair, ReferenceTarget, Target

ATTRIBUTE: Final = "conformance"
"""Of pytest's report objects. They travel between the processes of pytest-xdist with all their attributes."""
SLOW: Final = "conformance_slow"
"""In what a worker says at its end: how many slow tests it left out."""


class Witness:
    """Puts facts and evidence on each report, as JSON."""

    def __init__(self, config: pytest.Config) -> None:
        self._output: dict[str, Any] = getattr(config, "workeroutput", {})

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self._output[SLOW] = slow_among(items)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        evidence = _evidence(item, report) if report.when == "call" else None
        setattr(report, ATTRIBUTE, json.dumps({"facts": facts_of(item), "evidence": evidence}))
        return report


def slow_among(items: Iterable[pytest.Item]) -> int:
    """Return how many of the suite's tests are slow."""
    return sum(is_of_suite(item) and item.get_closest_marker("slow") is not None for item in items)


def facts_of(item: pytest.Item) -> Facts:
    """Say what a test is about."""
    facts = Facts(
        id=name_of(item),
        file=item.path.name,
        capabilities=_unique(str(arg.value) for mark in item.iter_markers("requires") for arg in mark.args),
        spec=_unique(section for mark in item.iter_markers("spec") for section in mark.args),
        column=column_of(item),
        command=_command(item),
        of_suite=is_of_suite(item),
    )
    if reason := item.stash.get(LACKED, None):
        facts["unsupported"] = reason
    if covered := item.stash.get(COVERED, None):
        backend, entry = covered
        facts["excuse"] = Excuse(
            backend=backend,
            id=entry.id,
            kind=entry.kind,
            reason=entry.reason,
            since=entry.since.isoformat(),
            expires=entry.expires.isoformat(),
        )
    return facts


def column_of(item: pytest.Item) -> Column:
    """Say who is tested."""
    callspec = getattr(item, "callspec", None)
    values = list(callspec.params.values()) if callspec is not None else []
    pair = next((value for value in values if isinstance(value, Pair)), None)
    if pair is not None:
        is_foreign = any(isinstance(target, ReferenceTarget) for target in (pair.offerer, pair.answerer))
        key = f"{pair.offerer}>{pair.answerer}"
        kind = "foreign" if is_foreign else "pair"
        return Column(key=key, kind=kind, offerer=pair.offerer.name, answerer=pair.answerer.name)  # type: ignore[typeddict-item]
    target = next((value for value in values if isinstance(value, Target)), None)
    if target is not None:
        return Column(key=target.name, kind="backend", offerer=target.name, answerer=target.name)
    return Column(key="-", kind="none", offerer="", answerer="")


def _command(item: pytest.Item) -> str:
    if is_of_suite(item):
        return repeat_command(item)
    options = [f"--conformance-seed={item.config.option.conformance_seed}", *settings_of(item.config)]
    return shlex.join(["python", "-m", "pytest", *options, item.nodeid])


def _evidence(item: pytest.Item, report: pytest.TestReport) -> EvidenceData | None:
    data = recorder_of(item).data(is_wanted_whole=report.outcome != "passed")
    for name, value in item.user_properties:
        if isinstance(value, int | float):
            data["figures"].append({"name": name, "unit": "", "value": value, "expected": None, "tolerance": None})
    return data if any(data.values()) else None


def _unique(values: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(values))
