"""The backends of `examples/`, each a distribution of its own, pass what they declare, with no change to the suite."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from conformance.meta.plugin import PATH_VARIABLE, describe

EXAMPLES = Path(__file__).parents[2] / "examples"
LIMIT = 280
"""Seconds: a bound for what hangs; on idle cores it is half a minute."""
LONG_LIMIT = 900
"""Seconds; on idle cores it is under two minutes."""

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples are not installed")


def _run_suite(site: Path, folder: Path, limit: int, *options: str) -> int:
    """Run the fast tests of the suite with an example installed; return how many passed, and that none failed.

    :param site: where the example is described as an installed distribution.
    :param folder: of the example.
    """
    paths = [str(site), str(folder), *filter(None, [os.environ.get(PATH_VARIABLE)])]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *options]
    environment = {**os.environ, PATH_VARIABLE: os.pathsep.join(paths)}
    ended = subprocess.run(
        [*command, "--pyargs", "conformance.suite"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:]
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert passed is not None
    return int(passed[1])


@pytest.mark.timeout(LIMIT + 20)
def test_toy_passes_the_tier_it_declares(tmp_path: Path) -> None:
    describe(tmp_path, "toy", "shim_toy")
    chosen = ("--require-backend", "toy", "--backend", "toy", "--pairs", "same", "-n", "2")
    assert _run_suite(tmp_path, EXAMPLES / "toy_backend", LIMIT, *chosen) > 250


@pytest.mark.slow
@pytest.mark.timeout(LONG_LIMIT + 20)
@pytest.mark.skipif(find_spec("webrtc") is None, reason="wrtc is not installed: pip install wrtc")
@pytest.mark.parametrize("other", ["native", "legacy"])
def test_libwebrtc_of_another_distribution_is_like_ours(tmp_path: Path, other: str) -> None:
    describe(tmp_path, "wrtc", "shim_wrtc.plugin", "webrtc_shim_wrtc")
    chosen = ("--require-backend", "wrtc", "--require-backend", other, "--backend", "wrtc", "--backend", other)
    passed = _run_suite(tmp_path, EXAMPLES / "wrtc_backend", LONG_LIMIT, *chosen, "--pairs", "cross", "-n", "4")
    assert passed > 1000
