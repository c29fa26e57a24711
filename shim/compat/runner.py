"""Runs an unmodified aiortc program: its ``import aiortc`` gives the mirror, while engines import the real one.

The real aiortc has to keep its name in ``sys.modules``: a backend may import it at any time, and it imports
itself. So the alias is not an entry there, but depends on who imports: the name of the importing module.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.metadata
import os
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

from shim.spi.hookspecs import ENTRY_POINT_GROUP

REAL: Final = "aiortc"
MIRROR: Final = "shim.compat.aiortc"


class ImportAlias:
    """While installed, ``import aiortc`` gives :mod:`shim.compat.aiortc` to all but the engines' modules."""

    def __init__(self) -> None:
        self._import = builtins.__import__
        self._import_module = importlib.import_module

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Install the alias."""
        builtins.__import__ = self._import_aliased
        importlib.import_module = self._import_module_aliased
        try:
            yield
        finally:
            builtins.__import__ = self._import
            importlib.import_module = self._import_module

    @cached_property
    def _engines(self) -> frozenset[str]:
        """Top-level packages whose modules get the real aiortc: itself, and every backend."""
        backends = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
        return frozenset({REAL, "backends", *(entry.module.partition(".")[0] for entry in backends)})

    def _import_aliased(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0 and _is_real(name):
            importer = sys._getframe(1).f_globals if globals is None else globals
            if self._is_aliased_for(importer):
                module = self._import(_mirrored(name), globals, locals, fromlist or ("__name__",), 0)
                return module if fromlist else sys.modules[MIRROR]
        return self._import(name, globals, locals, fromlist or (), level)

    def _import_module_aliased(self, name: str, package: str | None = None) -> ModuleType:
        if self._is_aliased_for(sys._getframe(1).f_globals):
            name = _mirrored(name) if _is_real(name) else name
            package = _mirrored(package) if package is not None and _is_real(package) else package
        return self._import_module(name, package)

    def _is_aliased_for(self, importer: Mapping[str, Any]) -> bool:
        return str(importer.get("__name__", "")).partition(".")[0] not in self._engines


def _is_real(name: str) -> bool:
    return name == REAL or name.startswith(f"{REAL}.")


def _mirrored(name: str) -> str:
    return MIRROR + name.removeprefix(REAL)


def run_program(path: str, argv: list[str], backend: str | None) -> None:
    """Run a program as ``__main__``, as ``python path argv...`` would, on this SDK.

    :param path: a Python file, or a directory or archive with a ``__main__.py``.
    :param argv: its arguments.
    :param backend: backend of every connection that does not choose one; `None` to leave it to the environment.
    :raises SystemExit: the program ended so, or there is no such program.
    """
    program = Path(path)
    if not program.exists():
        _fail(f"there is no program {path!r} (in {Path.cwd()})")
    if program.is_dir() and not (program / "__main__.py").exists():
        _fail(f"{path!r} is a directory without a __main__.py")
    if backend is not None:
        os.environ["SHIM_BACKEND"] = backend
    sys.argv = [path, *argv]
    sys.path[0] = str((program if program.is_dir() else program.parent).resolve())
    with ImportAlias().installed():
        runpy.run_path(path, run_name="__main__")


def _fail(problem: str) -> NoReturn:
    print(f"shim run: {problem}.", file=sys.stderr)
    sys.exit(2)
