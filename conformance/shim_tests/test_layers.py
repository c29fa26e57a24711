"""The import contracts in pyproject.toml hold, and would catch whoever breaks them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("shim", "backends/native", "backends/legacy")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter over the packages in a folder."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of the sources and the contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=_not_python)
    return tmp_path


def _not_python(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not (name.endswith(".py") or (Path(folder) / name).is_dir())]


def test_the_contracts_hold(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr


FORBIDDEN = {
    "shim/spi/records.py": "from shim.flags import names",
    "shim/flags/names.py": "import shim._core.registry",
    "shim/_core/sink.py": "import shim.cli",
    "shim/flags/rollout.py": "import aiortc",
    "shim/_core/registry.py": "import backends.native",
    "shim/spi/errors.py": "import conformance",
    "backends/native/__init__.py": "import shim.flags.context",
    "backends/legacy/__init__.py": "import backends.native",
}


def test_every_forbidden_import_is_caught(copy: Path) -> None:
    for path, statement in FORBIDDEN.items():
        with (copy / path).open("a") as file:
            file.write(f"\n{statement}\n")
    done = lint(copy)
    assert done.returncode == 1, done.stderr
    for path, statement in FORBIDDEN.items():
        importer = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        words = statement.split()
        imported = f"{words[1]}.{words[3]}" if words[0] == "from" else words[1]
        assert f"{importer} -> {imported}" in done.stdout, done.stdout
