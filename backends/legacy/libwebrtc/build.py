"""Builds libwebrtc_legacy.so (our C ABI over Debian's libwebrtc) and the cffi module _webrtc_legacy beside it.

    python build.py [--out DIR] [--jobs N] [--force] [--sanitize]

The C++ is compiled by g++ directly: Python's own flags contain -DNDEBUG, which would change class layouts against the
archive and corrupt the heap.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib
import importlib.util
import io
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = HERE / "rtc_shim.h"
EXPORTS = HERE / "exports.map"
LIBRARY = "libwebrtc_legacy.so"
MODULE = "_webrtc_legacy"
INCLUDE = Path("/usr/include/tg_owt")
ARCHIVE = Path("/usr/lib/x86_64-linux-gnu/libtg_owt.a")
HOW = "apt-get install libtgowt-dev g++ pkg-config"

COMPILE_FLAGS = [
    "-std=c++20",
    "-O2",
    "-fPIC",
    "-fvisibility=hidden",
    "-fvisibility-inlines-hidden",
    "-ffunction-sections",
    "-fdata-sections",
    "-UNDEBUG",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",  # libwebrtc's own headers
    "-DWEBRTC_POSIX",
    "-DWEBRTC_LINUX",
    f"-isystem{INCLUDE}",
    f"-isystem{INCLUDE}/third_party/libyuv/include",
]
SANITIZE_FLAGS = ["-fsanitize=address", "-fno-omit-frame-pointer", "-g1", "-O1"]
"""Of a library that checks its memory; the archive stays as it is. It works in a process that libasan was loaded into
first."""
PACKAGES = ["openssl", "libavcodec", "libavutil", "opus", "vpx", "libsrtp2"]
LIBRARIES = [
    "absl_strings",
    "absl_throw_delegate",
    "absl_bad_optional_access",
    "absl_bad_variant_access",
    "ssl",
    "crypto",
    "avcodec",
    "avutil",
    "opus",
    "vpx",
    "srtp2",
    "dl",
    "pthread",
]


class BuildError(RuntimeError):
    """The build cannot be done here; the message says why and what to do."""


def check_prerequisites() -> None:
    """Raise BuildError with one line on the first thing that is missing."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise BuildError(
            f"the legacy backend is built for x86_64 Linux only (Debian's libtg_owt.a is not position independent); "
            f"this is {sys.platform} on {platform.machine()}: use the native backend"
        )
    for tool in ("g++", "gcc", "strip", "pkg-config"):
        if shutil.which(tool) is None:
            raise BuildError(f"{tool} is missing: {HOW}")
    for path in (INCLUDE / "api" / "peer_connection_interface.h", ARCHIVE):
        if not path.exists():
            raise BuildError(f"{path} is missing: {HOW}")
    for package in PACKAGES:
        if subprocess.run(["pkg-config", "--exists", package], check=False).returncode:
            raise BuildError(f"pkg-config does not know {package}: {HOW}")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        raise BuildError("Python.h is missing: apt-get install python3-dev")
    if importlib.util.find_spec("cffi") is None:
        raise BuildError("the Python package cffi is missing: pip install cffi")


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    if done.stderr:
        sys.stderr.write(done.stderr)


def newest(paths: list[Path]) -> float:
    return max(path.stat().st_mtime for path in paths)


def up_to_date(target: Path, sources: list[Path]) -> bool:
    return target.exists() and target.stat().st_mtime >= newest(sources)


def dependencies(obj: Path, source: Path) -> list[Path] | None:
    """Our own headers and the source of an object, from the dependency file that g++ wrote; None if unknown.

    In a copy of the whole folder the file still speaks of the original: nothing is known of the copy then.
    """
    listing = obj.with_suffix(".d")
    if not listing.exists():
        return None
    words = listing.read_text().replace("\\\n", " ").split()[1:]
    paths = [Path(word) for word in words]
    return paths if source in paths and all(path.exists() for path in paths) else None


def compile_one(source: Path, build: Path, force: bool, extra: list[str]) -> Path:
    obj = build / (source.stem + ".o")
    known = dependencies(obj, source)
    if force or known is None or not up_to_date(obj, [*known, Path(__file__)]):
        command = ["g++", *COMPILE_FLAGS, *extra, "-MMD", "-MF", str(obj.with_suffix(".d"))]
        run([*command, "-c", str(source), "-o", str(obj)])
    return obj


def compile_all(build: Path, jobs: int, force: bool, extra: list[str]) -> list[Path]:
    # The largest first, so that no long one is left for the end.
    sources = sorted(HERE.glob("*.cc"), key=lambda path: -path.stat().st_size)
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        objects = list(pool.map(lambda source: compile_one(source, build, force, extra), sources))
    # pic_compat must come before the archive and before all that pulls from it.
    return sorted(objects, key=lambda path: (path.stem != "pic_compat", path.stem))


def link_library(objects: list[Path], library: Path, force: bool, extra: list[str]) -> None:
    if not force and up_to_date(library, [*objects, EXPORTS, ARCHIVE]):
        return
    # Linked aside and moved: a running process keeps the file that it has mapped.
    fresh = library.with_suffix(".so.new")
    run(
        [
            "g++",
            *extra,
            "-shared",
            "-o",
            str(fresh),
            f"-Wl,-soname,{LIBRARY}",
            "-Wl,--gc-sections",
            f"-Wl,--version-script={EXPORTS}",
            "-Wl,-z,defs",
            "-Wl,-z,text",
            "-Wl,--as-needed",
            *map(str, objects),
            str(ARCHIVE),
            *(f"-l{name}" for name in LIBRARIES),
        ]
    )
    if not extra:
        run(["strip", "--strip-unneeded", str(fresh)])
    os.replace(fresh, library)


def cdef() -> str:
    """The header without its preprocessor lines, as cffi wants it."""
    lines = HEADER.read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def build_module(out: Path, library: Path, force: bool) -> Path:
    module = out / f"{MODULE}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not force and up_to_date(module, [HEADER, Path(__file__)]):
        return module
    ffi = importlib.import_module("cffi").FFI()
    ffi.cdef(cdef())
    ffi.set_source(MODULE, HEADER.read_text())
    # With the C compiler alone: cffi's own way needs setuptools, which new Pythons lack.
    with tempfile.TemporaryDirectory() as tmp:
        source = Path(tmp) / f"{MODULE}.c"
        with contextlib.redirect_stdout(io.StringIO()):  # it says what it does
            ffi.emit_c_code(str(source))
        fresh = module.with_suffix(".new")
        include = f"-I{sysconfig.get_path('include')}"
        rpath = "-Wl,-rpath,$ORIGIN"
        run(["gcc", "-shared", "-fPIC", "-O2", include, str(source), "-o", str(fresh), str(library), rpath])
        os.replace(fresh, module)
    return module


def build(
    out: str | os.PathLike[str] | None = None, jobs: int | None = None, force: bool = False, sanitize: bool = False
) -> Path:
    """Build what is not current into `out` (default: the package folder) and return the path of the cffi module."""
    check_prerequisites()
    out_dir = Path(out).resolve() if out else HERE.parent
    build_dir = HERE / "build" / "sanitized" if sanitize else HERE / "build"
    extra = SANITIZE_FLAGS if sanitize else []
    out_dir.mkdir(parents=True, exist_ok=True)
    build_dir.mkdir(parents=True, exist_ok=True)
    with open(build_dir / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once would take each other's files away
        objects = compile_all(build_dir, jobs or os.cpu_count() or 1, force, extra)
        library = out_dir / LIBRARY
        link_library(objects, library, force, extra)
        return build_module(out_dir, library, force)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="folder for both files (default: the package folder)")
    parser.add_argument("--jobs", type=int, help="parallel compilations (default: number of processors)")
    parser.add_argument("--force", action="store_true", help="compile everything again")
    parser.add_argument("--sanitize", action="store_true", help="with AddressSanitizer; needs --out")
    args = parser.parse_args()
    if args.sanitize and not args.out:
        parser.error("--sanitize is for a library aside: say --out")
    try:
        print(build(args.out, args.jobs, args.force, args.sanitize))
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
