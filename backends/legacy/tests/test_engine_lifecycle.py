"""Beginning and end of the legacy engine: threads, descriptors, loops, processes, and what can be missing."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backends.legacy import ffi, plugin, runtime
from backends.legacy.tests.engine_world import Pair, Peer, Picture, Tone, runs, settled
from shim.spi.capabilities import CORE
from shim.spi.engines import DataChannelInit, EngineConfig
from shim.spi.errors import BackendUnavailableError, InvalidStateError

PAIRS = 50
AT_ONCE = 10
EXITS = 10


def native_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def buried() -> None:
    """Give the kernel time: a thread that was joined stays listed until it is unhashed, which no event tells of."""
    await asyncio.sleep(0.001)


async def call_and_close() -> None:
    async with Pair() as pair:
        pair.offerer.engine.add_transceiver("audio", "sendrecv", Tone())
        await pair.channels(DataChannelInit("d"))


@runs
async def test_fifty_pairs_leave_no_thread_no_descriptor_and_no_handle() -> None:
    await call_and_close()
    gc.collect()
    library = ffi.load()
    before = native_threads(), descriptors(), library.lib.rtc_handle_count()
    for _ in range(PAIRS // AT_ONCE):
        await asyncio.gather(*(call_and_close() for _ in range(AT_ONCE)))
    gc.collect()
    await settled(lambda: native_threads() <= before[0], buried)
    assert (native_threads(), descriptors(), library.lib.rtc_handle_count()) == before


@runs
async def test_after_a_shutdown_no_native_thread_is_left_and_a_new_connection_works() -> None:
    runtime.shutdown()
    idle = native_threads()
    await call_and_close()
    assert native_threads() > idle
    runtime.shutdown()
    await settled(lambda: native_threads() <= idle, buried)
    await call_and_close()


@pytest.mark.parametrize("stage", ["made", "started", "offered", "answered", "connected", "sending"])
@runs
async def test_closing_works_at_every_stage_and_twice(stage: str) -> None:
    pair = Pair()
    a, b = pair.offerer, pair.answerer
    a.engine.create_data_channel(DataChannelInit("d"))
    if stage == "sending":
        a.engine.add_transceiver("video", "sendonly", Picture())
    if stage != "made":
        await asyncio.gather(a.engine.start(), b.engine.start())
    if stage == "offered":
        await pair.offer()
    if stage == "answered":
        await pair.negotiate()
    if stage in {"connected", "sending"}:
        await pair.connect()
    await asyncio.gather(a.engine.close(), a.engine.close(), b.engine.close())
    posted = len(a.log.events)
    await a.engine.close()
    await b.engine.close()
    assert len(a.log.events) == posted


@runs
async def test_an_operation_in_progress_ends_when_the_connection_closes() -> None:
    peer = Peer()
    await peer.engine.start()
    peer.engine.add_transceiver("audio", "sendrecv", None)
    offers = [asyncio.ensure_future(peer.engine.create_offer()) for _ in range(3)]
    await asyncio.sleep(0)
    await peer.engine.close()
    results = await asyncio.gather(*offers, return_exceptions=True)
    assert all(not isinstance(r, BaseException) or isinstance(r, InvalidStateError) for r in results)
    with pytest.raises(InvalidStateError, match="closed"):
        await peer.engine.create_offer()
    with pytest.raises(InvalidStateError, match="closed"):
        peer.engine.create_data_channel(DataChannelInit("late"))


@runs
async def test_a_dropped_connection_frees_itself() -> None:
    library = ffi.load()
    gc.collect()
    before = library.lib.rtc_handle_count(), descriptors()
    peers = [Peer(), Peer()]
    for peer in peers:
        await peer.engine.start()
        peer.engine.create_data_channel(DataChannelInit("d"))
        peer.engine.add_transceiver("audio", "sendrecv", Tone())
        await peer.engine.set_local_description(await peer.engine.create_offer())
    del peer, peers

    async def collect() -> None:
        gc.collect()
        await asyncio.sleep(0)

    await settled(lambda: (library.lib.rtc_handle_count(), descriptors()) == before, collect)


def test_one_loop_after_another_and_loops_in_threads() -> None:
    before = descriptors()
    for _ in range(3):
        asyncio.run(call_and_close())
    failures: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(call_and_close())
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    gc.collect()
    assert descriptors() <= before


def test_a_connection_made_before_the_loop_runs_works_on_it() -> None:
    pair = Pair()
    channel = pair.offerer.engine.create_data_channel(DataChannelInit("early"))

    async def main() -> None:
        async with pair:
            await pair.connect()

    asyncio.run(main())
    assert channel.id is not None or pair.offerer.states()[-1] == "connected"


EXIT = """
import asyncio, sys
from backends.legacy.tests.engine_world import Pair, Picture, Tone
from shim.spi.engines import DataChannelInit

async def main():
    pair = await Pair().__aenter__()
    pair.offerer.engine.add_transceiver("audio", "sendrecv", Tone())
    pair.offerer.engine.add_transceiver("video", "sendrecv", Picture())
    channel, _ = await pair.channels(DataChannelInit("d"))
    channel.send(bytes(100000))
    sys.modules["kept"] = pair
    print("connected", flush=True)

asyncio.run(main())
"""


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_the_interpreter_exits_with_open_connections() -> None:
    for _ in range(EXITS):
        done = run_python(EXIT)
        assert (done.returncode, done.stdout) == (0, "connected\n"), done.stderr


FORK = """
import asyncio, gc, os, sys
from backends.legacy.tests.engine_world import Pair, Peer, Tone
from shim.spi.engines import DataChannelInit
from shim.spi.errors import BackendUnavailableError

async def main():
    pair = await Pair().__aenter__()
    pair.offerer.engine.add_transceiver("audio", "sendrecv", Tone())
    await pair.channels(DataChannelInit("d"))
    return pair

pair = asyncio.run(main())
pid = os.fork()
if pid:
    print("child", os.waitpid(pid, 0)[1], flush=True)
    sys.exit(0)
try:
    Peer()
except BackendUnavailableError as exc:
    print("refused" if "spawn" in str(exc) else exc, flush=True)
asyncio.run(pair.offerer.engine.close())
del pair
gc.collect()
"""


def test_a_forked_child_is_told_and_ends() -> None:
    done = run_python(FORK)
    assert "refused" in done.stdout
    assert "child 0" in done.stdout, done.stderr
    assert done.returncode == 0, done.stderr


def test_importing_the_plugin_loads_neither_library_nor_av() -> None:
    done = run_python(
        "import sys, backends.legacy.plugin as p; p.shim_backend_info(); "
        "print([m for m in sys.modules if m == 'av' or 'webrtc_legacy' in m])"
    )
    assert done.stdout == "[]\n", done.stderr


def test_another_abi_version_is_refused_with_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffi, "_loaded", [])
    monkeypatch.setattr(ffi, "EXPECTED_ABI", 4711)
    with pytest.raises(BackendUnavailableError, match=r"ABI version \d+.*4711.*build\.py"):
        ffi.load()
    assert not plugin.shim_probe().available


def test_a_missing_module_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffi, "_loaded", [])
    monkeypatch.setattr(ffi, "MODULE", "backends.legacy._not_built")
    with pytest.raises(BackendUnavailableError, match="libtgowt-dev"):
        ffi.load()
    assert "not built" in plugin.shim_probe().reason


def test_the_python_side_was_written_for_this_header() -> None:
    header = Path(ffi.__file__).parent / "libwebrtc" / "rtc_shim.h"
    assert f"RTC_SHIM_ABI_VERSION = {ffi.EXPECTED_ABI} " in header.read_text()


def test_the_backend_describes_itself() -> None:
    info = plugin.shim_backend_info()
    assert info.name == "legacy"
    assert "libwebrtc M109" in info.engine
    assert info.capabilities >= CORE
    assert plugin.shim_probe().available
    assert {c.mime_type for c in plugin.shim_rtp_capabilities("video", False).codecs} >= {
        "video/VP8",
        "video/VP9",
        "video/H264",
    }


@runs
async def test_a_connection_belongs_to_one_loop() -> None:
    peer = Peer(EngineConfig())
    other = asyncio.new_event_loop()
    try:
        with pytest.raises(InvalidStateError, match="event loop"):
            await asyncio.to_thread(other.run_until_complete, peer.engine.start())
    finally:
        other.close()
        await peer.engine.close()
