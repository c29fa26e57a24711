"""Pictures, sound and bitstreams through the C ABI, with random input under AddressSanitizer.

python -m pytest -m slow backends/legacy/tests/test_media_abi.py, which `make asan` does as well
"""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

SOURCES = Path(__file__).resolve().parents[1] / "libwebrtc"
PICTURES = ("picture", "recolour", "recolour_rgb", "recolour_yuv", "recolour_exact", "reshape", "convert")
MEDIA = (*PICTURES, "resample", "processing")
SANITIZERS = {"fuzz_media": "-fsanitize=address,undefined", "fuzz_codecs": "-fsanitize=address"}
"""Undefined behaviour is checked only where no class of the archive is derived from: it has no type information."""
CODECS = ("picture", "encode", "decode", "h264_guard", "quiet")


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("legacy_build", SOURCES / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "units", "rounds"), [("fuzz_media", MEDIA, 20000), ("fuzz_codecs", CODECS, 300)], ids=["media", "codecs"]
)
def test_random_input_stays_within_bounds(
    name: str, units: tuple[str, ...], rounds: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    build = builder()
    try:
        build.check_prerequisites()
    except build.BuildError as exc:
        pytest.skip(str(exc))
    program = tmp_path / name
    sources = [SOURCES / "fuzz" / f"{name}.cc", *(SOURCES / f"{unit}.cc" for unit in (*units, "handles"))]
    flags = [flag for flag in build.COMPILE_FLAGS if flag != "-fPIC"]
    libraries = [str(build.ARCHIVE), *(f"-l{name}" for name in build.LIBRARIES), "-Wl,--gc-sections"]
    build.run(["g++", *flags, "-g1", SANITIZERS[name], *map(str, sources), *libraries, "-o", str(program)])
    seed = str(request.config.option.conformance_seed)
    done = subprocess.run([program, str(rounds), seed], capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, f"seed {seed}:\n{done.stdout}{done.stderr[-4000:]}"
