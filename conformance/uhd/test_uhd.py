"""4K between two engines that share no code: full-size pictures with the right content, both ways at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from conformance.asserts import Arrivals, local_of, reach, within
from conformance.media import track
from conformance.scenes import described
from conformance.targets import Peers, Target
from conformance.uhd.libwebrtc import LEAST, MOST, START, LibwebrtcPeer
from conformance.uhd.pictures import HEIGHT, NUMBERS, WIDTH, picture, shown
from shim import BitrateBounds, RTCConfiguration, RTCRtpSender

if TYPE_CHECKING:
    from av import VideoFrame

pytestmark = [pytest.mark.uhd, pytest.mark.timeout(180)]

FPS = 4.0
"""What is sent. A slow machine encodes and decodes four pictures of this size per second twice, and hardly more."""
WANTED = 16
PATIENCE = 90.0
LEAST_PSNR = 34.0
BOUNDS = BitrateBounds(min=LEAST * 1000, start=START * 1000, max=MOST * 1000)


@dataclass
class Seen:
    """What arrived on one side."""

    sizes: set[tuple[int, int]] = field(default_factory=set)
    numbers: list[int] = field(default_factory=list)
    qualities: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def take(self, frames: AsyncIterator[VideoFrame]) -> None:
        """Take so many pictures."""
        async for frame in frames:
            self.times.append(time.monotonic())
            self.sizes.add((frame.width, frame.height))
            if (frame.width, frame.height) == (WIDTH, HEIGHT):
                number, quality = await asyncio.to_thread(shown, frame)
                self.numbers.append(number)
                self.qualities.append(quality)
            if len(self.times) == WANTED:
                return

    @property
    def rate(self) -> float:
        """Pictures per second."""
        return (len(self.times) - 1) / (self.times[-1] - self.times[0])

    def check(self) -> None:
        """Compare with what was sent."""
        assert self.sizes == {(WIDTH, HEIGHT)}
        # Some may be left out, but none comes twice, or after one that follows it.
        assert all(0 < (after - before) % NUMBERS < NUMBERS / 2 for before, after in pairwise(self.numbers))
        assert min(self.qualities) >= LEAST_PSNR

    def __str__(self) -> str:
        return f"{self.rate:.1f} pictures/s, PSNR {min(self.qualities):.0f} to {max(self.qualities):.0f} dB"


@pytest.mark.parametrize("codec", ["VP9", "AV1"])
async def test_4k_flows_both_ways(peers: Peers, target: Target, codec: str, capsys: pytest.CaptureFixture[str]) -> None:
    pc, far = peers.open(target, RTCConfiguration(bitrate=BOUNDS)), LibwebrtcPeer()
    arriving = Arrivals(pc, "track")
    transceiver = pc.addTransceiver(track(target, "video", _numbered, 1 / FPS), "sendrecv")
    known = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([one for one in known if one.mimeType.upper() == f"VIDEO/{codec}"])
    await pc.setLocalDescription(await pc.createOffer())
    await pc.setRemoteDescription(described("answer", await far.answer(local_of(pc).sdp, codec)))
    await reach(pc, "connectionState", "connected")
    feeding = asyncio.create_task(far.send(picture, FPS))
    near_seen, far_seen = Seen(), Seen()
    try:
        async with within(PATIENCE, f"{WANTED} pictures each way"):
            await asyncio.gather(near_seen.take(_frames(await arriving.next())), far_seen.take(far.received()))
    finally:
        await _ended(feeding)
        far.close()
    with capsys.disabled():
        print(f"\n{codec} {WIDTH}x{HEIGHT} at {FPS:g}/s: {target} -> wrtc {far_seen}; wrtc -> {target} {near_seen}")
    near_seen.check()
    far_seen.check()


def _numbered(index: int) -> VideoFrame:
    frame = picture(index)
    frame.pts, frame.time_base = round(index * 90000 / FPS), Fraction(1, 90000)
    return frame


async def _frames(received: Any) -> AsyncIterator[VideoFrame]:
    while True:
        yield await received.recv()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
