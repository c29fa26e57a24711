"""The pytest plugin that lets the suite meet a mutant.

``pytest -p conformance.meta.plugin --mutant NAME --backend mutant --pairs same --pyargs conformance.suite``.
The mutant is installed as any backend is, by an entry point of a distribution, so that the processes
that tests start find it too.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from conformance.meta.backend import BASE_VARIABLE, MUTANT_VARIABLE
from conformance.meta.catalogue import GOOD_BACKEND, mutant_named
from conformance.meta.naming import NAME
from shim.spi.hookspecs import ENTRY_POINT_GROUP

PATH_VARIABLE: Final = "PYTHONPATH"
_VERDICT: Final = "mutant-verdict"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("webrtc-conformance")
    group.addoption("--mutant", metavar="NAME", help="which one the backend 'mutant' is")
    group.addoption("--mutant-base", metavar="NAME", default=GOOD_BACKEND, help="the backend inside the control")
    group.addoption("--mutant-first", metavar="TEST", help="run this one (or tests whose names begin so) first")
    group.addoption("--mutant-verdict", metavar="FILE", help="write the tests that failed to this file, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.mutant is None:
        return
    mutant = mutant_named(config.option.mutant, config.option.mutant_base)
    site = TemporaryDirectory(prefix="mutant-")
    config.add_cleanup(site.cleanup)
    describe(Path(site.name), NAME, "conformance.meta.backend")
    sys.path.insert(0, site.name)
    paths = [site.name, *filter(None, [os.environ.get(PATH_VARIABLE)])]
    os.environ.update({PATH_VARIABLE: os.pathsep.join(paths), MUTANT_VARIABLE: mutant.name, BASE_VARIABLE: mutant.base})
    if config.option.mutant_verdict:
        config.pluginmanager.register(Verdict(Path(config.option.mutant_verdict)), _VERDICT)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if wanted := config.option.mutant_first:
        items.sort(key=lambda item: not short_name(item.nodeid).startswith(wanted))


def short_name(test: str) -> str:
    """Return the name of a test, or of a file of tests, without folders."""
    file, mark, function = test.partition("::")
    return f"{Path(file).name}{mark}{function}"


def describe(site: Path, name: str, module: str, distribution: str | None = None) -> None:
    """Write what an installed distribution with one backend looks like, to be found on a path.

    :param site: a folder.
    :param module: the backend's plugin.
    :param distribution: its name, if it is another than the backend's.
    """
    distribution = distribution or name
    described = site / f"{distribution}-0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0\n")
    (described / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{name} = {module}\n")


class Verdict:
    """Writes down which tests failed, which were skipped and why, and how many passed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failed: dict[str, str] = {}
        self._skipped: dict[str, str] = {}
        self._passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the result of one phase of a test."""
        if report.failed:
            self._failed.setdefault(report.nodeid, _last_line(report))
        elif report.skipped:
            self._skipped[short_name(report.nodeid)] = _last_line(report)
        elif report.when == "call":
            self._passed += 1

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        self._path.write_text(json.dumps({"failed": self._failed, "skipped": self._skipped, "passed": self._passed}))


def _last_line(report: pytest.TestReport) -> str:
    """Return what pytest would say in its summary."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2]
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash is not None else report.longreprtext).strip().splitlines()
    return lines[0][:300] if lines else ""
