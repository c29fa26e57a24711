"""A plugin of pytest, of `make asan`: loads the library that checks its memory in place of the usual one."""

from __future__ import annotations

import importlib

import pytest

import backends.legacy
from backends.legacy import ffi
from backends.legacy.tests.sanitized import FOLDER


def pytest_configure() -> None:
    """Find the compiled module in its own folder first.

    :raises UsageError: it is not there.
    """
    backends.legacy.__path__.insert(0, str(FOLDER))
    found = importlib.import_module(ffi.MODULE).__file__
    if found is None or not found.startswith(str(FOLDER)):
        raise pytest.UsageError(f"the library of {found} is in use, and not that of {FOLDER}: build it first")
