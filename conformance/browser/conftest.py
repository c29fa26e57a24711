"""How the browser's tests run: on each backend, deselected unless asked for with ``-m browser``."""

from __future__ import annotations

import pytest

from conformance import running
from conformance.browser.chromium import find_chromium
from conformance.targets import Peers


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    running.parametrise(metafunc)


def pytest_runtest_setup(item: pytest.Item) -> None:
    running.check_requirements(item)
    if find_chromium() is None:
        pytest.skip("Chromium is not installed: apt-get install chromium, or make test-browser")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    return running.run_coroutine_test(pyfuncitem) or None


@pytest.fixture
def peers() -> Peers:
    """Create connections that are closed when the test ends."""
    return Peers()
