"""Lives and deaths of connections: closing at every point, loops, garbage, the end of the interpreter."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from conformance.asserts import Arrivals, Trace, connect, link, local_of, negotiate, opened, reach
from conformance.children import REFUSED
from conformance.media import media_track
from conformance.requirements import NOT_INSTALLED, spec
from conformance.scenes import described
from conformance.targets import Pair, Peers, Target
from shim import InvalidStateError, RTCDataChannel, RTCIceCandidate, RTCPeerConnection

POINTS = ("new", "offered", "offer received", "answered", "answer received", "connected")


async def _advance(offerer: RTCPeerConnection, answerer: RTCPeerConnection, point: str) -> None:
    """Go through the handshake up to a point."""
    steps: list[Callable[[], Any]] = [
        offerer.setLocalDescription,
        lambda: answerer.setRemoteDescription(local_of(offerer)),
        answerer.setLocalDescription,
        lambda: offerer.setRemoteDescription(local_of(answerer)),
        lambda: reach(offerer, "connectionState", "connected"),
    ]
    for step in steps[: POINTS.index(point)]:
        await step()


# --- close -------------------------------------------------------------------------------------------


@spec("webrtc-pc 4.4.1.6")
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("closer", ["offerer", "answerer"])
async def test_close_at_any_point_of_the_handshake(peers: Peers, pair: Pair, point: str, closer: str) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    offerer.addTrack(media_track(pair.offerer, "audio"))
    await _advance(offerer, answerer, point)
    pc = offerer if closer == "offerer" else answerer
    await asyncio.wait_for(pc.close(), 5)
    states = (pc.signalingState, pc.iceConnectionState, pc.connectionState)
    assert states == ("closed", "closed", "closed")


@spec("webrtc-pc 4.4.1.6")
@pytest.mark.parametrize("ticks", [0, 1, 3, 10, 30, 100])
async def test_close_at_any_moment_of_the_connecting(peers: Peers, pair: Pair, ticks: int) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await negotiate(offerer, answerer)
    for _ in range(ticks):
        await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(offerer.close(), answerer.close()), 5)


@spec("webrtc-pc 4.4.1.6")
async def test_close_twice_is_harmless(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    await asyncio.gather(pc.close(), pc.close())
    await pc.close()
    assert pc.connectionState == "closed"


@spec("webrtc-pc 4.4.1.6")
@pytest.mark.parametrize("event", ["connectionstatechange", "iceconnectionstatechange", "datachannel", "message"])
async def test_close_inside_a_handler(peers: Peers, pair: Pair, event: str) -> None:
    offerer, answerer = peers.open_pair(pair)
    near = offerer.createDataChannel("chat")
    near.on("open", lambda: near.send("hello"))
    closing: list[asyncio.Task[None]] = []

    def close(*_: object) -> None:
        if not closing and (event != "connectionstatechange" or answerer.connectionState == "connected"):
            closing.append(asyncio.ensure_future(answerer.close()))

    if event == "message":
        answerer.on("datachannel", lambda channel: channel.on("message", close))
    else:
        answerer.on(event, close)  # type: ignore[call-overload]
    await negotiate(offerer, answerer)
    await reach(answerer, "connectionState", "closed")
    await asyncio.wait_for(closing[0], 5)


@spec("webrtc-pc 4.4.1.6")
async def test_close_ends_what_is_waiting(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    pc.createDataChannel("chat")
    waiting = asyncio.ensure_future(pc.setLocalDescription())
    await asyncio.sleep(0)
    await pc.close()
    done, _ = await asyncio.wait({waiting}, timeout=5)
    assert done
    assert waiting.exception() is None or isinstance(waiting.exception(), InvalidStateError)


@spec("webrtc-pc 4.4.1.6")
async def test_cancelled_operation_leaves_a_connection_that_closes(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    pc.createDataChannel("chat")
    cancelled = asyncio.ensure_future(pc.setLocalDescription())
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait({cancelled})
    await asyncio.wait_for(pc.close(), 5)
    assert pc.connectionState == "closed"


@spec("webrtc-pc 4.4.1.6")
async def test_nothing_is_emitted_after_close(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    await connected.answerer.close()
    trace = Trace()
    trace.watch_connection("closed", connected.answerer)
    trace.watch_channel("closed", connected.far.channel)
    await connected.offerer.close()
    assert trace.entries == []


@spec("webrtc-pc 4.4.1.6")
async def test_leaving_the_context_closes(target: Target) -> None:
    async with target.connection() as pc:
        pc.createDataChannel("chat")
    assert pc.connectionState == "closed"


# --- use after close ---------------------------------------------------------------------------------

_CANDIDATE = RTCIceCandidate(1, "1", "127.0.0.1", 9, 1, "udp", "host", sdpMid="0", sdpMLineIndex=0)
USES: dict[str, Callable[[RTCPeerConnection], Any]] = {
    "createOffer": lambda pc: pc.createOffer(),
    "createAnswer": lambda pc: pc.createAnswer(),
    "setLocalDescription": lambda pc: pc.setLocalDescription(),
    "setRemoteDescription": lambda pc: pc.setRemoteDescription(described("offer", "")),
    "addIceCandidate": lambda pc: pc.addIceCandidate(_CANDIDATE),
    "createDataChannel": lambda pc: pc.createDataChannel("late"),
    "addTransceiver": lambda pc: pc.addTransceiver("audio"),
    "restartIce": lambda pc: pc.restartIce(),
}


@spec("webrtc-pc 4.4.2")
@pytest.mark.parametrize("method", USES)
async def test_method_of_a_closed_connection_is_refused(peers: Peers, target: Target, method: str) -> None:
    pc = peers.open(target)
    await pc.close()
    with pytest.raises(InvalidStateError):
        await _use(pc, method)


async def _use(pc: RTCPeerConnection, method: str) -> None:
    result = USES[method](pc)
    if asyncio.iscoroutine(result):
        await result


@spec("webrtc-pc 4.4.1.6")
async def test_closed_connection_can_be_looked_at(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    description = local_of(connected.offerer).sdp
    await connected.offerer.close()
    assert local_of(connected.offerer).sdp.split("\r\n")[1] == description.split("\r\n")[1]
    assert connected.offerer.getTransceivers() == []
    assert connected.near.channel.bufferedAmount >= 0


# --- loops -------------------------------------------------------------------------------------------


async def _short_call(pair: Pair) -> str:
    peers = Peers()
    try:
        connected = await link(peers, pair)
        connected.near.channel.send("hello")
        return str(await connected.far.inbox.next())
    finally:
        await peers.close()


@spec("docs/backends.md The contract in words")
def test_several_loops_one_after_another(pair: Pair) -> None:
    assert [asyncio.run(_short_call(pair)) for _ in range(3)] == ["hello"] * 3


@pytest.fixture(scope="module")
def uvloop() -> Any:
    """Load uvloop, and let it make what it keeps for the life of the process."""
    if sys.platform == "win32":
        pytest.skip("uvloop does not exist for Windows")
    if find_spec("uvloop") is None:
        pytest.skip(f"uvloop {NOT_INSTALLED}: pip install uvloop")
    loaded = import_module("uvloop")
    with asyncio.Runner(loop_factory=loaded.new_event_loop) as runner:
        runner.run(asyncio.sleep(0))
    return loaded


@spec("docs/backends.md The contract in words")
def test_uvloop_serves_as_the_loop(pair: Pair, uvloop: Any) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(_short_call(pair)) == "hello"


@spec("docs/backends.md The contract in words")
def test_loops_in_several_threads_at_once(pair: Pair) -> None:
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(_short_call(pair)))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == ["hello"] * 3


@spec("docs/backends.md The contract in words")
async def test_connections_one_after_another_leave_nothing(pair: Pair) -> None:
    for _ in range(10):
        assert await _short_call(pair) == "hello"


@spec("docs/backends.md The contract in words")
async def test_connections_at_once_leave_nothing(pair: Pair) -> None:
    assert await asyncio.gather(*(_short_call(pair) for _ in range(10))) == ["hello"] * 10


@spec("docs/backends.md The contract in words")
def test_loop_may_end_before_the_connection(target: Target) -> None:
    async def abandon() -> None:
        pc = target.connection()
        pc.createDataChannel("chat")
        await pc.createOffer()

    asyncio.run(abandon())


@spec("webrtc-pc 4.4.1.6")
async def test_second_pair_works_after_the_first(peers: Peers, pair: Pair) -> None:
    for _ in range(2):
        offerer, answerer = peers.open_pair(pair)
        offerer.createDataChannel("chat")
        await connect(offerer, answerer)
        await offerer.close()
        await answerer.close()


# --- garbage -----------------------------------------------------------------------------------------


FORGETFUL = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
"""Python itself tells who forgets to close; here it is done on purpose."""


@spec("webrtc-pc 4.4.4", "docs/backends.md The contract in words")
@FORGETFUL
async def test_new_connection_without_close_leaves_nothing(target: Target) -> None:
    target.connection().createDataChannel("chat")


@spec("webrtc-pc 4.4.4", "docs/backends.md The contract in words")
def test_connected_pair_without_close_ends_with_its_loop(target: Target) -> None:
    async def connect_and_forget() -> None:
        await link(Peers(), Pair(target, target))

    asyncio.run(connect_and_forget())
    gc.collect()


@spec("webrtc-pc 4.4.4")
async def test_connection_lives_on_when_the_application_forgets_it(peers: Peers, target: Target) -> None:
    """webrtc-pc section 4.4.4: not collected as long as an event can reach a handler; aiortc keeps it likewise."""
    caller = peers.open(target)
    channel = caller.createDataChannel("chat")
    echoed = Arrivals(channel, "message")

    async def serve() -> None:
        forgotten = target.connection()

        @forgotten.on("datachannel")
        def on_channel(channel: RTCDataChannel) -> None:
            channel.on("message", channel.send)

        await caller.setLocalDescription()
        await forgotten.setRemoteDescription(local_of(caller))
        await forgotten.setLocalDescription()
        await caller.setRemoteDescription(local_of(forgotten))

    await serve()
    gc.collect()
    await opened(channel)
    gc.collect()
    channel.send("still there?")
    assert await echoed.take(1) == ["still there?"]


# --- processes ----------------------------------------------------------------------------------------

FORKING = """
import asyncio, gc, multiprocessing, sys
from conformance.asserts import link
from conformance.children import collect, short_call, try_call
from conformance.targets import Pair, Peers, Target

async def main(target, method):
    peers = Peers()
    connected = await link(peers, Pair(target, target))
    work = {"fork": (collect, ()), "spawn": (short_call, (target.name,)), "fork and call": (try_call, (target.name,))}
    child = multiprocessing.get_context(method.split()[0]).Process(target=work[method][0], args=work[method][1])
    child.start()
    await asyncio.to_thread(child.join, 40)
    code = child.exitcode
    child.kill()
    connected.near.channel.send("still there")
    print(code, await connected.far.inbox.next())
    await peers.close()

if __name__ == "__main__":
    asyncio.run(main(Target(sys.argv[1]), sys.argv[2]))
"""


@spec("docs/backends.md The contract in words")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_process_does_no_harm(target: Target, method: str, tmp_path: Path) -> None:
    """A forked child inherits connections that it must let go in silence; a spawned one has its own."""
    ended = _with_a_child(target, method, tmp_path)
    assert ended.stdout == "0 still there\n", ended.stderr


@spec("docs/backends.md The contract in words")
def test_forked_child_makes_calls_or_is_told_why_not(target: Target, tmp_path: Path) -> None:
    """Threads do not survive a fork: an engine that has some says so, and what to do, instead of hanging."""
    ended = _with_a_child(target, "fork and call", tmp_path)
    assert ended.stdout in {"0 still there\n", f"{REFUSED} still there\n"}, ended.stderr


def _with_a_child(target: Target, method: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = folder / "forking.py"
    program.write_text(FORKING)
    command = [sys.executable, "-W", "ignore", str(program), target.name, method]
    return subprocess.run(command, capture_output=True, text=True, timeout=80, check=False)


# --- the end of the interpreter ----------------------------------------------------------------------

PROGRAM = """
import asyncio, sys
from conformance.asserts import link, connect
from conformance.media import media_track
from conformance.targets import Pair, Peers, Target
peers, targets = Peers(), [Target(name) for name in sys.argv[1].split()]
pair = Pair(*targets)

async def main():
    match sys.argv[2]:
        case "created":
            peers.open_pair(pair)
        case "offered":
            pc, _ = peers.open_pair(pair)
            pc.createDataChannel("chat")
            await pc.setLocalDescription()
        case "connected":
            await link(peers, pair)
        case "sending":
            offerer, answerer = peers.open_pair(pair)
            offerer.addTrack(media_track(pair.offerer, "audio"))
            offerer.addTrack(media_track(pair.offerer, "video"))
            await connect(offerer, answerer)
    print("reached the end")

asyncio.run(main())
"""


@spec("docs/backends.md The contract in words")
@pytest.mark.parametrize("stage", ["created", "offered", "connected", "sending"])
def test_interpreter_exits_with_open_connections(target: Target, stage: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, f"{target} {target}", stage]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.stdout == "reached the end\n", ended.stderr
    assert ended.returncode == 0, ended.stderr
    assert "Fatal" not in ended.stderr


# --- what mutants taught -----------------------------------------------------------------------------


@spec("webrtc-pc 4.4.1.6")
async def test_closing_goes_well_in_the_engine_too(peers: Peers, pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """The SDK closes whatever the engine raises then, and logs it."""
    await link(peers, pair)
    await peers.close()
    assert [record.message for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []
