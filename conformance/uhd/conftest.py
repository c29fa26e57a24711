"""How the tests in 4K run: on the native backend, where wrtc is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

import pytest

from conformance import running
from conformance.targets import Peers, Target

LIMIT: Final = 150.0
"""Seconds for one test: a machine with two busy cores takes its time over pictures of this size."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    running.check_requirements(item)
    if find_spec("webrtc") is None:
        pytest.skip("wrtc is not installed: pip install 'webrtc-shim[bench]', or make test-uhd")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    return running.run_coroutine_test(pyfuncitem, LIMIT) or None


@pytest.fixture
def peers() -> Peers:
    """Create connections that are closed when the test ends."""
    return Peers()


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Target:
    """Return the backend under test; wrtc looks at the variable when it is imported."""
    monkeypatch.setenv("WRTC_ALLOW_LOOPBACK", "1")
    return Target("native")
