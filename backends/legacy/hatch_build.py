"""Packaging hook: builds the C++ half before its Python half is packed or installed in place."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeBuildHook(BuildHookInterface[Any]):
    """Compiles libwebrtc_legacy.so and the cffi module into the package folder."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and mark the wheel as one of this platform and Python."""
        _builder(Path(self.root)).build()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def _builder(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("legacy_native_build", root / "libwebrtc" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
