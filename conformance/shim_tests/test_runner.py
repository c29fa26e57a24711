"""Unmodified aiortc programs: whatever way they import, they get this SDK, and engines get the real aiortc."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

IMPORTS = """
    import importlib, pickle, pkgutil, sys
    import aiortc
    import aiortc.contrib.media
    import aiortc.contrib.media as aliased
    import aiortc.sdp, aiortc.codecs.vpx
    from aiortc import RTCPeerConnection, contrib, mediastreams
    from aiortc.contrib import media, signaling
    from aiortc.contrib.signaling import BYE
    from aiortc.rtcrtpsender import RTCRtpSender
    import shim.compat.aiortc.contrib.media as mirrored

    assert RTCPeerConnection.__module__ == "shim.api.peerconnection"
    assert aliased is media is mirrored is aiortc.contrib.media is contrib.media
    assert importlib.import_module("aiortc.contrib.media") is mirrored
    assert importlib.import_module(".media", "aiortc.contrib") is mirrored
    assert __import__("aiortc") is aiortc is sys.modules["shim.compat.aiortc"]
    assert __import__("aiortc.sdp", None, None, ["SessionDescription"]) is aiortc.sdp
    assert pkgutil.resolve_name("aiortc.contrib.media:MediaRelay") is mirrored.MediaRelay
    assert aiortc.RTCRtpSender is RTCRtpSender and aiortc.__version__

    def late():
        from aiortc.mediastreams import MediaStreamTrack
        return MediaStreamTrack
    assert late() is aiortc.MediaStreamTrack

    for missing in ("aiortc.nothing", "aiortc.rtp"):
        try:
            importlib.import_module(missing)
        except ModuleNotFoundError:
            continue
        raise AssertionError(missing)
    try:
        from aiortc.codecs.h264 import H264Encoder
    except ImportError as exc:
        assert "engines encode" in str(exc)
    assert "aiortc" not in sys.modules
    print("imported")
"""

CALL = """
    import asyncio, sys
    from aiortc import RTCPeerConnection, AudioStreamTrack
    from aiortc.contrib.media import MediaBlackhole

    async def main():
        a, b = RTCPeerConnection(), RTCPeerConnection()
        heard, blackhole = asyncio.Event(), MediaBlackhole()
        received = asyncio.Queue()

        @b.on("datachannel")
        def on_datachannel(channel):
            channel.on("message", received.put_nowait)

        @b.on("track")
        def on_track(track):
            blackhole.addTrack(track)
            heard.set()

        channel = a.createDataChannel("chat")
        channel.on("open", lambda: channel.send("hello"))
        a.addTrack(AudioStreamTrack())
        await a.setLocalDescription(await a.createOffer())
        await b.setRemoteDescription(a.localDescription)
        await b.setLocalDescription(await b.createAnswer())
        await a.setRemoteDescription(b.localDescription)
        await heard.wait()
        await blackhole.start()
        print(await received.get(), a.backendDecision.backend)
        await blackhole.stop()
        await a.close()
        await b.close()
        real = sys.modules["aiortc"]
        assert "site-packages" in real.__file__ and real.RTCPeerConnection is not RTCPeerConnection

    asyncio.run(asyncio.wait_for(main(), 30))
"""

PROCESS = """
    import os, sys
    import neighbour
    print(__name__, __file__, sys.argv, os.environ["SHIM_BACKEND"], neighbour.aiortc.__name__)
    sys.exit(7)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which this checkout is installed, whether or not it is in this one."""
    site = tmp_path / "site"
    info = site / "webrtc_shim-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: webrtc-shim\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[shim.backends]\nnative = backends.native.plugin\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHIM_")}
    return kept | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(site)])}


def run(
    folder: Path, environment: dict[str, str], program: str, *arguments: str, backend: str | None = None
) -> subprocess.CompletedProcess[str]:
    path = folder / "app.py"
    path.write_text(textwrap.dedent(program))
    return run_path(path, environment, *arguments, backend=backend)


def run_path(
    path: Path, environment: dict[str, str], *arguments: str, backend: str | None = None
) -> subprocess.CompletedProcess[str]:
    code = f"from shim.compat.runner import run_program; run_program({str(path)!r}, {list(arguments)!r}, {backend!r})"
    return subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_way_of_importing_gives_this_sdk(tmp_path: Path, environment: dict[str, str]) -> None:
    result = run(tmp_path, environment, IMPORTS)
    assert (result.stdout, result.returncode) == ("imported\n", 0), result.stderr


def test_a_program_calls_while_the_engine_uses_the_real_aiortc(tmp_path: Path, environment: dict[str, str]) -> None:
    result = run(tmp_path, environment, CALL, backend="native")
    assert (result.stdout, result.returncode) == ("hello native\n", 0), result.stderr


def test_a_program_runs_as_it_would_alone(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "neighbour.py").write_text("import aiortc\n")
    result = run(tmp_path, environment, PROCESS, "--flag", "x y", backend="native")
    path = str(tmp_path / "app.py")
    expected = f"__main__ {path} {[path, '--flag', 'x y']} native shim.compat.aiortc\n"
    assert (result.stdout, result.returncode) == (expected, 7), result.stderr


def test_the_alias_ends_with_the_program(tmp_path: Path, environment: dict[str, str]) -> None:
    program = tmp_path / "app.py"
    program.write_text("import aiortc\n")
    code = f"""
        import builtins, importlib
        from shim.compat.runner import run_program
        before = builtins.__import__, importlib.import_module
        run_program({str(program)!r}, [], None)
        assert before == (builtins.__import__, importlib.import_module)
        import aiortc
        assert aiortc.__name__ == "aiortc"
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("name", "problem"), [("missing.py", "there is no program"), ("empty", "without a __main__")])
def test_what_is_no_program_is_said_in_one_line(
    tmp_path: Path, environment: dict[str, str], name: str, problem: str
) -> None:
    (tmp_path / "empty").mkdir()
    result = run_path(tmp_path / name, environment)
    assert result.returncode == 2
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1
