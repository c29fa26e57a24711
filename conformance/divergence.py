"""Known divergences, applied to collected tests: strict expected failures, and what is wrong with the register."""

from __future__ import annotations

import datetime
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from shim.spi.divergence import FILE_NAME, Divergence, load_divergences
from shim.spi.hookspecs import ENTRY_POINT_GROUP

if TYPE_CHECKING:
    from conformance.targets import Target

COVERED: Final = pytest.StashKey[tuple[str, Divergence]]()
"""On a test that is expected to fail: the backend, and the entry of its register."""
OTHERWISE: Final = "failed otherwise than registered"
"""Said of a test that is expected to fail, and does, but not with what its entry shows."""


@dataclass(frozen=True, slots=True)
class Register:
    """The divergences of one backend.

    :param path: the file; it need not exist.
    """

    backend: str
    path: Path
    entries: tuple[Divergence, ...]

    def covering(self, test: str, today: datetime.date) -> Divergence | None:
        """Return the entry that holds for a test now."""
        alive = (entry for entry in self.entries if not entry.is_expired(today))
        return next((entry for entry in alive if any(matches(pattern, test) for pattern in entry.tests)), None)

    def problems(self, collected: Sequence[str], selection: Selection, today: datetime.date) -> list[str]:
        """Say what is wrong: expired entries, and patterns that match no test where they could have."""
        found = [
            f"{self.path}: {entry.id} expired on {entry.expires}: fix it, or register it again with a new reason"
            for entry in self.entries
            if entry.is_expired(today)
        ]
        return found + [
            f"{self.path}: {entry.id} is stale: no test matches {pattern!r}"
            for entry in self.entries
            for pattern in entry.tests
            if selection.could_match(pattern) and not any(matches(pattern, test) for test in collected)
        ]


@dataclass(frozen=True, slots=True)
class Selection:
    """What was collected: without this, a test that was not asked for looks like one that is gone.

    :param files: names of the test files that were collected as a whole.
    :param backends: the backends under test.
    :param known: every backend there is.
    :param is_paired: whether all ordered pairs are run.
    """

    files: frozenset[str]
    backends: frozenset[str]
    known: frozenset[str]
    is_paired: bool

    def could_match(self, pattern: str) -> bool:
        """Tell whether a pattern must match something in this collection."""
        file, _, test = pattern.partition("::")
        if not any(fnmatchcase(name, file) for name in self.files):
            return False
        _, bracket, parameters = test.partition("[")
        named = set(re.split(r"[^a-z0-9_]+", parameters)) & self.known
        return not bracket or (self.is_paired and named <= self.backends)


def matches(pattern: str, test: str) -> bool:
    """Tell whether a pattern covers a test: by file name and test, with parameters only if the pattern has some."""
    covered = test if "[" in pattern else test.partition("[")[0]
    return fnmatchcase(covered, pattern.replace("[", "[[]"))


def name_of(item: pytest.Item) -> str:
    """Return ``file::test[parameters]``, which does not depend on where the suite is installed or called from."""
    return f"{item.path.name}::{item.nodeid.partition('::')[2]}"


def register_of(backend: str) -> Register:
    """Find and read the register beside a backend's plugin module."""
    path = _home(backend) / FILE_NAME
    return Register(backend, path, load_divergences(path))


def expect_failure(item: pytest.Item, targets: Iterable[Target], registers: dict[str, Register]) -> None:
    """Mark a test as a strict expected failure, if one of its backends has it registered."""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    found = [(target.name, registers[target.name].covering(name_of(item), today)) for target in targets]
    covering = [(backend, entry) for backend, entry in found if entry is not None]
    if covering:
        reason = "; ".join(f"{backend}: {entry.id} ({entry.kind}): {entry.reason}" for backend, entry in covering)
        registered = pytest.RaisesExc(check=lambda error: _is_registered(item, covering, error))
        item.add_marker(pytest.mark.xfail(reason=reason, strict=True, raises=registered))
        item.stash[COVERED] = covering[0]


def tell_otherwise(item: pytest.Item, report: pytest.TestReport) -> None:
    """Say of a test that failed with something else than registered that it did."""
    backend, entry = item.stash[COVERED]
    told = f"{OTHERWISE} ({backend}: {entry.id} shows {entry.shows!r})"
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        report.longrepr = f"{told}: {report.longrepr}"
    else:
        crash.message = f"{told}: {crash.message}"
        report.sections.append(("register", told))


def failure_text(error: BaseException, file: Path) -> str:
    """Return what a failure shows: the lines of a test's file that led there, and the exceptions.

    :param error: of a group, its members are shown too.
    """
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.line or "" for frame in frames if Path(frame.filename) == file]
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    said = [line.rstrip() for line in traceback.format_exception_only(error)]
    return "\n".join([*lines, *said, *(failure_text(member, file) for member in members)])


def _is_registered(item: pytest.Item, covering: list[tuple[str, Divergence]], error: BaseException) -> bool:
    """Tell whether a failure is one of those registered, and note which."""
    text = failure_text(error, item.path)
    for backend, entry in covering:
        if entry.shows is None or re.search(entry.shows, text):
            item.stash[COVERED] = (backend, entry)
            return True
    return False


def _home(backend: str) -> Path:
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    for point in entry_points(group=ENTRY_POINT_GROUP, name=backend):
        module = sys.modules.get(point.module)
        origin = module.__file__ if module is not None else getattr(find_spec(point.module), "origin", None)
        if origin:
            return Path(origin).parent
    return Path(f"<{backend} is registered by hand>")
