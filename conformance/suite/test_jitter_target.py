"""The wished-for delay of a receiver: what arrives is shown that much later."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from conformance.asserts import PATIENCE, Arrivals, connect
from conformance.media import code_of, coded_picture, track
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers
from shim import Capability

FPS: Final = 25
CODES: Final = 256
WINDOW: Final = 8
"""Pictures, the quickest of which counts: a busy machine makes pictures later, and none earlier."""
TARGET: Final = 400
GROWTH: Final = 0.2
"""Seconds. Half of the target: an engine may come closer bit by bit."""


class Clockwork:
    """A track whose pictures tell their number, and what is known of how late they arrive."""

    def __init__(self, pair: Pair) -> None:
        self._shown = 0
        self.track = track(pair.offerer, "video", self._picture, 1 / FPS)

    def _picture(self, number: int) -> Any:
        self._shown = number
        return coded_picture(number % CODES)

    async def delay(self, remote: Any) -> float:
        """Return how late the quickest of the next pictures is, in seconds."""
        return min([await self._one(remote) for _ in range(WINDOW)])

    async def _one(self, remote: Any) -> float:
        code = code_of(await asyncio.wait_for(remote.recv(), PATIENCE))
        return (self._shown - code) % CODES / FPS


@spec("webrtc-extensions 6.1")
@requires(Capability.JITTER_TARGET, of="answerer")
async def test_pictures_are_shown_later_when_asked_for(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    offerer, answerer = peers.open_pair(pair)
    clockwork, arriving = Clockwork(pair), Arrivals(answerer, "track")
    offerer.addTrack(clockwork.track)
    await connect(offerer, answerer)
    remote = await arriving.next()
    before = await clockwork.delay(remote)
    (receiver,) = answerer.getReceivers()
    receiver.jitterBufferTarget = TARGET
    async with asyncio.timeout(2 * PATIENCE):
        while (after := await clockwork.delay(remote)) < before + GROWTH:
            pass
    evidence.figure("delay, no target", before * 1000, "ms")
    evidence.figure(f"delay, target {TARGET} ms", after * 1000, "ms")
