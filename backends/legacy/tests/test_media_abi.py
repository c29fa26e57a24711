"""Pictures and sound through the C ABI, with random input under AddressSanitizer.

python -m pytest -m slow backends/legacy/tests/test_media_abi.py
"""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

SOURCES = Path(__file__).resolve().parents[1] / "libwebrtc"
UNITS = (
    "picture",
    "recolour",
    "recolour_rgb",
    "recolour_yuv",
    "recolour_exact",
    "reshape",
    "convert",
    "resample",
    "processing",
    "handles",
)
ROUNDS = 20000


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("legacy_build", SOURCES / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_random_input_stays_within_bounds(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    build = builder()
    try:
        build.check_prerequisites()
    except build.BuildError as exc:
        pytest.skip(str(exc))
    program = tmp_path / "fuzz_media"
    sources = [SOURCES / "fuzz" / "fuzz_media.cc", *(SOURCES / f"{unit}.cc" for unit in UNITS)]
    flags = [flag for flag in build.COMPILE_FLAGS if flag != "-fPIC"]
    libraries = [str(build.ARCHIVE), *(f"-l{name}" for name in build.LIBRARIES)]
    build.run(["g++", *flags, "-g", "-fsanitize=address,undefined", *map(str, sources), *libraries, "-o", str(program)])
    seed = str(request.config.option.conformance_seed)
    done = subprocess.run([program, str(ROUNDS), seed], capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, f"seed {seed}:\n{done.stdout}{done.stderr}"
