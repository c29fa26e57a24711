"""A peer in a process of its own, which answers one offer and echoes messages: so that it can die.

Speaks JSON lines: an offer on standard input, the answer on standard output.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from typing import TYPE_CHECKING

from conformance.asserts import PATIENCE, local_of
from conformance.scenes import described

if TYPE_CHECKING:
    from conformance.targets import Target
    from shim import RTCDataChannel, RTCPeerConnection


class RemotePeer:
    """The other process, as a test holds it. Use it with ``async with``."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._process: Process | None = None

    async def __aenter__(self) -> RemotePeer:
        command = (sys.executable, "-m", "conformance.remote", self._target.name)
        self._process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def answer(self, pc: RTCPeerConnection) -> None:
        """Let it answer our offer, and apply the answer."""
        await pc.setLocalDescription(await pc.createOffer())
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"sdp": local_of(pc).sdp}).encode() + b"\n")
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        await pc.setRemoteDescription(described("answer", json.loads(line)["sdp"]))

    async def kill(self) -> None:
        """End the process without a word to anybody."""
        process = self._running()
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        # The pipes must be read to their end and closed, or they outlive the loop.
        await process.communicate()

    def _running(self) -> Process:
        assert self._process is not None, "use it with `async with`"
        return self._process


async def serve(backend: str) -> None:
    """Answer one offer, and echo until killed."""
    from conformance.targets import Target

    pc = Target(backend).connection()

    @pc.on("datachannel")
    def echo(channel: RTCDataChannel) -> None:
        channel.on("message", channel.send)

    line = await asyncio.to_thread(sys.stdin.readline)
    await pc.setRemoteDescription(described("offer", json.loads(line)["sdp"]))
    await pc.setLocalDescription(await pc.createAnswer())
    print(json.dumps({"sdp": local_of(pc).sdp}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
