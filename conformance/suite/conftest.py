"""Fixtures of the suite, and the hooks that hold for it alone."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from conformance import running
from conformance.divergence import COVERED, name_of, tell_otherwise
from conformance.leaks import Census, leaks_since
from conformance.plugin import is_of_suite
from conformance.report.evidence import Evidence
from conformance.targets import Peers, Target

_PASSED = pytest.StashKey[bool]()
_warmed: set[Target] = set()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    running.parametrise(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    running.apply_registers(config, items)
    running.leave_out_slow(config, items)


def pytest_runtest_setup(item: pytest.Item) -> None:
    running.check_requirements(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report: pytest.TestReport = yield
    if report.failed and call.excinfo is not None and COVERED in item.stash and not item.config.option.runxfail:
        tell_otherwise(item, report)
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    limit = running.SLOW_LIMIT if pyfuncitem.get_closest_marker("slow") else running.LIMIT
    return (is_of_suite(pyfuncitem) and running.run_coroutine_test(pyfuncitem, limit)) or None


@pytest.fixture
def peers(evidence: Evidence) -> Peers:
    """Create connections that are closed when the test ends."""
    return Peers(evidence.connection)


@pytest.fixture
def loop_errors() -> running.LoopErrors:
    """Collect what the loop's exception handler is told, which otherwise fails the test."""
    return running.LoopErrors()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Make random choices that the run's seed repeats."""
    return running.seeded(request.config, name_of(request.node))


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread or a file descriptor; of one that failed anyway it is told as a consequence."""
    for target in (*running.targets_of(request.node), *running.references_of(request.node)):
        if target not in _warmed:
            _warmed.add(target)
            running.warm_up(target)
    before = Census.take()
    yield
    if not (leaks := leaks_since(before)):
        return
    told = f"left behind: {'; '.join(leaks)}"
    assert not request.node.stash.get(_PASSED, False), told
    request.node.add_report_section("teardown", "consequence", told)
