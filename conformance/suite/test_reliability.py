"""Partial reliability (RFC 3758), counted on the wire: how often a message is sent, and how many arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count
from math import sqrt
from typing import Final

import pytest

from conformance.asserts import PATIENCE, Link, until, within
from conformance.crossing import MESSAGE, holds_message, link_through, numbered, numbers_of
from conformance.netsim import Link as Wire
from conformance.netsim import NetworkMaker, Packet, Pipe, Verdict
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers
from shim import Capability

pytestmark = requires(Capability.ICE_HOST)

COUNT: Final = 150
LOSS: Final = 0.2
DEVIATIONS: Final = 5
"""How far a share may be from the expected one: beyond five standard deviations is one run in two million."""
FOLLOWERS: Final = (1, 2, 3, 4)
"""Messages behind the one that is lost: their acknowledgements tell that it is missing (RFC 9260 section 7.2.4).

Together they are smaller than it, so that a packet as large as it is a copy of it, alone or with some of them.
"""
SHORT: Final = 200
"""Bytes: more than any control packet, and little enough for any congestion window, so that no message is cut."""
LIFE: Final = 6000
"""Milliseconds: several times what it takes until a lost message is sent again, 1 s at first (RFC 9260 section 16)."""

WAITING: Final = 200
"""Messages that no congestion window takes at once at the start: most of them wait."""


class Copies:
    """Counts how often the one message of full size is sent, and loses the first of these packets.

    :param lost: how many.
    """

    def __init__(self, pipe: Pipe, lost: int) -> None:
        self.count = 0
        self.sent = asyncio.Event()
        self._lost = lost
        pipe.link = Wire(loss=1, only=self._loses)

    def _loses(self, packet: Packet) -> bool:
        if packet.kind != "dtls" or packet.size < MESSAGE:
            return False
        self.count += 1
        self.sent.set()
        return self.count <= self._lost


async def _send_and_follow(connected: Link, copies: Copies) -> None:
    """Send the message number 0, and others once it is on the wire."""
    connected.near.channel.send(numbered(0))
    async with within(PATIENCE, "the first copy"):
        await copies.sent.wait()
    for number in FOLLOWERS:
        connected.near.channel.send(numbered(number, 20))


@spec("RFC 3758 3.5", "RFC 8831 6.6")
@requires(Capability.DATA_MAX_RETRANSMITS)
@pytest.mark.parametrize(
    ("lost", "arriving"), [(2, (0, *FOLLOWERS)), (3, FOLLOWERS)], ids=["last copy arrives", "all are lost"]
)
async def test_message_is_sent_again_as_often_as_it_may(
    peers: Peers, pair: Pair, netsim: NetworkMaker, lost: int, arriving: Sequence[int]
) -> None:
    network = netsim()
    connected = await link_through(network, peers, pair, maxRetransmits=2)
    copies = Copies(network.a_to_b, lost)
    await _send_and_follow(connected, copies)
    assert tuple(numbers_of(await connected.far.inbox.take(len(arriving)))) == tuple(arriving)
    assert copies.count == 3


@spec("RFC 3758 3.5", "webrtc-pc 6.2")
@requires(Capability.DATA_MAX_LIFETIME)
async def test_message_is_sent_again_while_it_lives(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    network = netsim()
    connected = await link_through(network, peers, pair, maxPacketLifeTime=LIFE)
    copies = Copies(network.a_to_b, 1)
    await _send_and_follow(connected, copies)
    assert numbers_of(await connected.far.inbox.take(5)) == [0, *FOLLOWERS]
    assert copies.count >= 2


@spec("RFC 3758 4.1", "RFC 8831 6.6", "webrtc-pc 6.2")
@requires(Capability.DATA_MAX_LIFETIME)
@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
async def test_what_waits_beyond_its_life_never_arrives(
    peers: Peers, pair: Pair, netsim: NetworkMaker, ordered: bool
) -> None:
    """A life begins as a message is sent, not as the congestion window has room for it."""
    network = netsim()
    connected = await link_through(network, peers, pair, maxPacketLifeTime=100, ordered=ordered)
    network.blackout()
    for number in range(WAITING):
        connected.near.channel.send(numbered(number))
    await asyncio.sleep(0.4)  # four times their life
    network.restore()
    channel = connected.near.channel
    await until(channel, ("bufferedamountlow",), lambda: channel.bufferedAmount == 0, "an empty buffer")
    assert await _first_to_arrive(connected) >= WAITING


async def _first_to_arrive(connected: Link) -> int:
    """Send messages until one arrives, for each lives briefly; return its number."""
    arriving = asyncio.ensure_future(connected.far.inbox.next())
    async with within(PATIENCE, "a message that was sent after the blackout"):
        for number in count(WAITING):
            connected.near.channel.send(numbered(number))
            await asyncio.wait([arriving], timeout=0.1)
            if arriving.done():
                break
    return numbers_of([arriving.result()])[0]


@spec("RFC 3758 3.5")
@requires(Capability.DATA_MAX_RETRANSMITS, Capability.DATA_UNORDERED)
async def test_message_that_is_sent_once_arrives_if_its_packet_does(
    peers: Peers, pair: Pair, netsim: NetworkMaker, evidence: Evidence
) -> None:
    network = netsim()
    connected = await link_through(network, peers, pair, maxRetransmits=0, ordered=False)
    received = await _send_over_loss(connected, network.a_to_b)
    _judge(evidence, pair, len(received))
    assert len(set(received)) == len(received), "a message arrived twice"
    assert len(received) == COUNT - network.a_to_b.counters.dropped["loss"]


async def _send_over_loss(connected: Link, pipe: Pipe) -> list[int]:
    """Send messages, each in a packet of its own, some of which are lost; return which messages arrive."""
    passing = Passing(pipe)
    pipe.link = Wire(loss=LOSS, duplication=0.1, only=_holds_short)
    received: list[int] = []
    for number in range(COUNT):
        connected.near.channel.send(numbered(number, SHORT))
        # What arrives is waited for, so that little is under way: messages would share packets, or be cut.
        if await passing.next():
            received += numbers_of(await connected.far.inbox.take(1))
    pipe.link = Wire()
    connected.near.channel.send(numbered(COUNT, SHORT))
    while COUNT not in received:
        received += numbers_of(await connected.far.inbox.take(1))
    return received[:-1]


def _holds_short(packet: Packet) -> bool:
    return holds_message(packet, SHORT)


class Passing:
    """Waits for packets that hold a message, and tells what became of them."""

    def __init__(self, pipe: Pipe) -> None:
        self._passed: asyncio.Queue[bool] = asyncio.Queue()
        pipe.on_packet(self._look)

    def _look(self, packet: Packet, verdict: Verdict) -> None:
        if _holds_short(packet):
            self._passed.put_nowait(verdict.dropped is None)

    async def next(self) -> bool:
        """Wait for one; return whether it arrives."""
        async with within(PATIENCE, "the packet of a message"):
            return await self._passed.get()


def _judge(evidence: Evidence, pair: Pair, received: int) -> None:
    """Put the delivered share on record, and hold it against what the network's loss makes likely."""
    expected, bound = 1 - LOSS, DEVIATIONS * sqrt(LOSS * (1 - LOSS) / COUNT)
    evidence.figure("delivered share", received / COUNT, expected=expected, tolerance=bound)
    print(f"{pair}: {received} of {COUNT} messages arrived over a network that loses {LOSS:.0%}")
    assert abs(received / COUNT - expected) <= bound
