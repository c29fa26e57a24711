"""The hooks, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pluggy

from backends.native import plugin
from backends.native.engine import NativePeer
from backends.native.tests.peers import Collector
from shim.spi.capabilities import CORE
from shim.spi.engines import EngineConfig
from shim.spi.hookspecs import PROJECT, Hooks


def test_the_hooks_have_the_shape_of_their_specifications() -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(plugin)
    manager.check_pending()
    assert manager.hook.shim_backend_info().capabilities >= CORE
    assert manager.hook.shim_probe().available
    assert isinstance(manager.hook.shim_create_peer_engine(config=EngineConfig(), sink=Collector()), NativePeer)
    codecs = manager.hook.shim_rtp_capabilities(kind="video", sender=True).codecs
    assert [codec.mime_type for codec in codecs].count("video/rtx") == 1


def test_importing_the_plugin_loads_no_engine() -> None:
    code = "import sys, backends.native.plugin; print([m for m in ('aiortc', 'aioice', 'av') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_an_engine_loads_nothing_that_a_call_does_not_need() -> None:
    """numpy alone is 11 MB of resident memory."""
    unneeded = ("numpy", "aiortc.contrib", "aioquic", "rich", "typer", "cffi.api")
    code = f"import sys, backends.native.engine; print([m for m in {unneeded} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
