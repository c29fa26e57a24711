"""What channels say that waits, while the network takes nothing and when it does again."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from conformance.asserts import PATIENCE, Arrivals, ChannelArrivals, Endpoint, opened, until, within
from conformance.netsim import Network, NetworkMaker, Packet, Pipe
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers
from shim import Capability, RTCDataChannel

pytestmark = requires(Capability.ICE_HOST)

PIECE: Final = 16 * 1024
PIECES: Final = 192
"""Together more than any transport keeps for itself (dcSCTP: 2 MB)."""
SILENCE: Final = 0.2
"""Seconds without a packet: the next one is a repetition, which no engine sends earlier (RFC 9260 section 6.3)."""
FULL: Final = 1000
"""Bytes of a packet that is filled with data."""
channel_counts = pytest.mark.parametrize("count", [1, 3], ids=["one channel", "three channels"])


class Wire:
    """What comes into one direction of the network from now on.

    `repeated` is set when the sender has learnt that what it sent is lost: all that it may send without an
    acknowledgement is on the wire by then.
    """

    def __init__(self, pipe: Pipe) -> None:
        self.size = 0
        self.repeated = asyncio.Event()
        self._last: float | None = None
        pipe.on_packet(lambda packet, _: self._take(packet))

    def _take(self, packet: Packet) -> None:
        if packet.kind != "dtls":
            return
        self.size += packet.size
        if packet.size > FULL:
            if self._last is not None and packet.time - self._last > SILENCE:
                self.repeated.set()
            self._last = packet.time


class Drain:
    """What waits in a channel when it says that it is low: first at a threshold, and then at 0."""

    def __init__(self, channel: RTCDataChannel, threshold: int) -> None:
        self.amounts: list[int] = []
        self._channel = channel
        channel.bufferedAmountLowThreshold = threshold
        channel.on("bufferedamountlow", self._take)
        self.told = Arrivals(channel, "bufferedamountlow")

    def _take(self) -> None:
        self.amounts.append(self._channel.bufferedAmount)
        self._channel.bufferedAmountLowThreshold = 0


async def _channels(
    peers: Peers, pair: Pair, network: Network, count: int, **options: Any
) -> list[tuple[Endpoint, Endpoint]]:
    """Connect a pair through the network; return both ends of each channel."""
    offerer, answerer = peers.open_pair(pair)
    arrivals = ChannelArrivals(answerer)
    near = [Endpoint.of(offerer.createDataChannel(str(number), **options)) for number in range(count)]
    await network.connect(offerer, answerer)
    for end in near:
        await opened(end.channel)
    far = {end.channel.label: end for end in await arrivals.take(count)}
    return [(end, far[end.channel.label]) for end in near]


def _fill(channels: list[RTCDataChannel]) -> int:
    """Send all pieces, in turn; return how many bytes each channel got."""
    for number in range(PIECES):
        channels[number % len(channels)].send(bytes(PIECE))
    return PIECES // len(channels) * PIECE


@spec("webrtc-pc 6.2")
@channel_counts
async def test_all_that_the_network_did_not_take_is_buffered(
    peers: Peers, pair: Pair, netsim: NetworkMaker, count: int
) -> None:
    """Without acknowledgements a first window is sent, wherever the engine keeps what comes behind it."""
    network = netsim()
    channels = [near.channel for near, _ in await _channels(peers, pair, network, count)]
    network.blackout()
    wire = Wire(network.a_to_b)
    share = _fill(channels)
    async with within(PATIENCE, "a repetition of what was lost"):
        await wire.repeated.wait()
    sent = [share - channel.bufferedAmount for channel in channels]
    assert min(sent) >= 0
    # A message may be counted as sent as soon as its first packet is.
    assert sum(sent) <= wire.size + PIECE


@spec("webrtc-pc 6.2")
@channel_counts
async def test_buffered_amount_falls_when_the_network_takes_data_again(
    peers: Peers, pair: Pair, netsim: NetworkMaker, count: int
) -> None:
    network = netsim()
    ends = await _channels(peers, pair, network, count)
    network.blackout()
    wire = Wire(network.a_to_b)
    threshold = PIECES // count * PIECE // 2
    drains = [Drain(near.channel, threshold) for near, _ in ends]
    _fill([near.channel for near, _ in ends])
    async with within(PATIENCE, "a repetition of what was lost"):
        await wire.repeated.wait()
    assert [drain.amounts for drain in drains] == [[]] * count
    network.restore()
    for (near, far), drain in zip(ends, drains, strict=True):
        await drain.told.take(2)
        await far.inbox.take(PIECES // count)
        far.channel.send("all of it")
        assert await near.inbox.next() == "all of it"
        first, last = drain.amounts
        assert 0 < first <= threshold
        assert last == 0


@pytest.mark.slow
@spec("RFC 3758 3.5", "webrtc-pc 6.2")
@requires(Capability.DATA_MAX_LIFETIME)
async def test_what_has_expired_is_buffered_no_longer(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    network = netsim()
    [(near, _)] = await _channels(peers, pair, network, 1, maxPacketLifeTime=100)
    network.blackout()
    lost = asyncio.Event()
    network.a_to_b.on_packet(lambda packet, _: lost.set() if packet.size > FULL else None)
    _fill([near.channel])
    async with within(PATIENCE, "a first packet"):
        await lost.wait()
    await asyncio.sleep(0.2)  # twice their life
    network.restore()
    await until(near.channel, ("bufferedamountlow",), lambda: near.channel.bufferedAmount == 0, "an empty buffer")
