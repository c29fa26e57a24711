"""The handshake, packet by packet: whoever closes is closed at once, and the other end notices."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Literal

import pytest

from conformance.asserts import PATIENCE, first_event, until, within
from conformance.handshake import Point, Trigger
from conformance.media import media_track
from conformance.netsim import Network, NetworkMaker
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from shim import Capability, InvalidStateError, RTCConfiguration, RTCPeerConnection

pytestmark = requires(Capability.ICE_HOST)

Closer = Literal["offerer", "answerer"]
HASTY: Final = RTCConfiguration(iceDisconnectedTimeout=1.5, iceFailedTimeout=3)
STAGES: Final = {
    "checks": (Point("checks", 1), Point("checks", 2), Point("checks", 4)),
    "flights": (Point("flights", 1), Point("flights", 2), Point("flights", 3), Point("flights", 4)),
    "data": (Point("data", 1), Point("data", 2), Point("data", 4), Point("media", 1)),
}
"""One or two packets per step of each protocol; all of them are in the slow test."""
EVERY: Final = tuple(Point("any", number) for number in range(1, 49))
"""More packets than it takes until both ends are connected and the channel is open."""
AT_ONCE: Final = 8
CLOSE_SECONDS: Final = 5.0
NOTICE_SECONDS: Final = 30.0
"""A bound for engines that cannot be told how long to wait: libwebrtc itself gives a new pair up after 15 s."""
ENDS: Final = {"disconnected", "failed", "closed"}


@spec("webrtc-pc 4.4.1.6")
@pytest.mark.parametrize("closer", ["offerer", "answerer"])
@pytest.mark.parametrize("stage", STAGES)
async def test_close_at_a_packet_of_the_handshake(
    peers: Peers, pair: Pair, netsim: NetworkMaker, closer: Closer, stage: str
) -> None:
    await _close_at_each(STAGES[stage], peers, pair, netsim, closer)


@pytest.mark.slow
@spec("webrtc-pc 4.4.1.6")
@pytest.mark.parametrize("closer", ["offerer", "answerer"])
async def test_close_at_every_packet_of_the_handshake(
    peers: Peers, pair: Pair, netsim: NetworkMaker, closer: Closer
) -> None:
    for first in range(0, len(EVERY), AT_ONCE):
        await _close_at_each(EVERY[first : first + AT_ONCE], peers, pair, netsim, closer)


async def _close_at_each(
    points: Sequence[Point], peers: Peers, pair: Pair, netsim: NetworkMaker, closer: Closer
) -> None:
    """Make as many connections, side by side, and close each at another packet."""
    found = await asyncio.gather(*(_close_at(point, peers, pair, netsim(), closer) for point in points))
    assert found == [""] * len(points), "; ".join(filter(None, found))


async def _close_at(point: Point, peers: Peers, pair: Pair, network: Network, closer: Closer) -> str:
    """Close one end at a packet; return what is wrong."""
    offerer, answerer = peers.open_pair(pair, HASTY)
    offerer.createDataChannel("chat")
    offerer.addTrack(media_track(pair.offerer, "audio"))
    closing, other = (offerer, answerer) if closer == "offerer" else (answerer, offerer)
    # Nothing passes before both know each other: a peer that never heard an answer has nothing to notice.
    network.blackout()
    await network.negotiate(offerer, answerer)
    passed = asyncio.Event()
    Trigger(network, point, passed.set)
    network.restore()
    try:
        async with within(PATIENCE, "the packet"):
            await passed.wait()
        async with within(CLOSE_SECONDS, "the end of close()"):
            await closing.close()
        await _reach_end(other)
    except AssertionError as exc:
        return f"at {point}: {exc}; the other end is {other.connectionState!r} ({other.iceConnectionState!r})"
    states = closing.signalingState, closing.iceConnectionState, closing.connectionState
    return "" if set(states) == {"closed"} else f"at {point}: the end that closed is {states}"


async def _reach_end(pc: RTCPeerConnection) -> None:
    """Wait until a connection has noticed that nobody is there."""
    async with within(NOTICE_SECONDS, "the end of the other one"):
        while pc.connectionState not in ENDS:
            await first_event(pc, "connectionstatechange", NOTICE_SECONDS)


@spec("webrtc-pc 4.4.1.6")
@pytest.mark.parametrize("who", ["offerer", "answerer"])
async def test_close_while_gathering(peers: Peers, target: Target, who: Closer) -> None:
    offerer, answerer = peers.open(target), peers.open(target)
    offerer.createDataChannel("chat")
    pc = offerer
    if who == "answerer":
        await answerer.setRemoteDescription(await offerer.createOffer())
        pc = answerer
    describing = asyncio.ensure_future(pc.setLocalDescription())
    await until(pc, ("icegatheringstatechange",), lambda: pc.iceGatheringState != "new", "the start of gathering")
    async with within(CLOSE_SECONDS, "the end of close()"):
        await pc.close()
    await asyncio.wait({describing}, timeout=PATIENCE)
    assert describing.done()
    assert describing.exception() is None or isinstance(describing.exception(), InvalidStateError)
    assert pc.connectionState == "closed"
