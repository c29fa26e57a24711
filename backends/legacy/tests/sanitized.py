"""Builds the library with AddressSanitizer and runs the tests of the components on it: ``make asan``.

The code of this package is instrumented, libwebrtc's archive is not: of that, what it copies and frees is seen.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parent
BUILD: Final = TESTS.parent / "libwebrtc" / "build.py"
FOLDER: Final = TESTS.parent / "libwebrtc" / "build" / "sanitized" / "out"
ROOT: Final = TESTS.parents[2]
RUNS: Final = (
    ("backends/legacy/tests/test_bad_input_abi.py", "backends/legacy/tests/test_engine_codec.py"),
    ("backends/legacy/tests/test_processing_abi.py", "backends/legacy/tests/test_transform_abi.py"),
    ("backends/legacy/tests/test_abi.py",),
    ("conformance/suite/test_video_codec.py", "-k", "legacy"),
    ("conformance/suite/test_video_convert.py", "conformance/suite/test_video_arrays.py", "-k", "legacy"),
    ("conformance/suite/test_audio_resample.py", "-k", "legacy"),
    ("conformance/suite/test_audio_process.py", "-k", "legacy"),
)
"""What pytest is told, each time in a process of its own."""
OPTIONS: Final = "detect_leaks=0:detect_container_overflow=0:abort_on_error=1"
"""Python leaves memory behind on purpose; vectors are shared with code that is not instrumented."""


def environment() -> dict[str, str]:
    """Return the environment in which Python can load the library: libasan before everything else."""
    # With libstdc++, else exceptions are thrown before anybody has looked for the one to intercept.
    found = [
        subprocess.run([tool, f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        for tool, name in (("gcc", "libasan.so"), ("g++", "libstdc++.so"))
    ]
    return {**os.environ, "LD_PRELOAD": " ".join(found), "ASAN_OPTIONS": OPTIONS}


def main() -> int:
    """Build and test; returns the exit status."""
    started = time.monotonic()
    subprocess.run([sys.executable, BUILD, "--sanitize", "--out", FOLDER], check=True)
    print(f"built in {time.monotonic() - started:.0f} s", flush=True)
    pytest = [sys.executable, "-m", "pytest", "-q", "--timeout", "300", *sys.argv[1:]]
    for tests in RUNS:
        command = [*pytest, "-p", "backends.legacy.tests.sanitized_library", "-p", "no:xdist", *tests]
        done = subprocess.run(command, cwd=ROOT, env=environment(), check=False)
        if done.returncode:
            return done.returncode
    fuzz = subprocess.run([*pytest, "-m", "slow", "backends/legacy/tests/test_media_abi.py"], cwd=ROOT, check=False)
    print(f"{time.monotonic() - started:.0f} s in all")
    return fuzz.returncode


if __name__ == "__main__":
    sys.exit(main())
