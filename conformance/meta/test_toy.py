"""The toy backend of the README passes the tier that it declares, with no change to the suite."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.meta.plugin import PATH_VARIABLE, describe

LIMIT = 280
"""Seconds: a bound for what hangs; on idle cores it is half a minute."""
TOY = Path(__file__).parents[2] / "examples" / "toy_backend"


@pytest.mark.timeout(LIMIT + 20)
@pytest.mark.skipif(not TOY.is_dir(), reason="the examples are not installed")
def test_toy_passes_the_tier_it_declares(tmp_path: Path) -> None:
    describe(tmp_path, "toy", "shim_toy")
    paths = [str(tmp_path), str(TOY), *filter(None, [os.environ.get(PATH_VARIABLE)])]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--require-backend", "toy"]
    command += ["--backend", "toy", "--pairs", "same", "-m", "not slow", "-n", "2", "--pyargs", "conformance.suite"]
    environment = {**os.environ, PATH_VARIABLE: os.pathsep.join(paths)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert ended.returncode == 0, ended.stdout[-3000:]
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert passed is not None
    assert int(passed[1]) > 250
