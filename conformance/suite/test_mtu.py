"""The size of packets: none is larger than the configuration allows."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from conformance.asserts import PATIENCE, Arrivals, ChannelArrivals, Endpoint, opened
from conformance.media import picture_track
from conformance.netsim import NetworkMaker
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers
from shim import Capability, RTCConfiguration

HEADERS: Final = 28
"""Bytes of IPv4 and UDP."""
HANDSHAKE: Final = range(20, 23)
"""First bytes of DTLS before there is anything to carry (RFC 6347 section 4.1)."""
PICTURES: Final = 5


@spec("RFC 8831 5", "RFC 8899 3")
@requires(Capability.MTU, of="offerer")
@pytest.mark.parametrize("mtu", [576, 1000])
async def test_no_packet_is_larger_than_the_mtu(
    peers: Peers, pair: Pair, netsim: NetworkMaker, evidence: Evidence, mtu: int
) -> None:
    network = netsim()
    sizes: list[int] = []
    network.a_to_b.on_packet(
        lambda packet, _: sizes.append(packet.size + HEADERS) if packet.data[0] not in HANDSHAKE else None
    )
    offerer, answerer = peers.open(pair.offerer, RTCConfiguration(mtu=mtu)), peers.open(pair.answerer)
    announced, arriving = ChannelArrivals(answerer), Arrivals(answerer, "track")
    near = Endpoint.of(offerer.createDataChannel("chat"))
    offerer.addTrack(picture_track(pair.offerer, width=1280, height=720))
    await network.connect(offerer, answerer)
    await opened(near.channel)
    far: Endpoint = await announced.next()
    near.channel.send(bytes(50_000))
    assert await far.inbox.next() == bytes(50_000)
    remote = await arriving.next()
    for _ in range(PICTURES):
        await asyncio.wait_for(remote.recv(), PATIENCE)
    evidence.figure("largest packet", max(sizes), "bytes")
    assert mtu * 0.8 < max(sizes) <= mtu


@spec("RFC 6347 4.1.1.1")
@requires(Capability.MTU, of="offerer")
async def test_handshake_keeps_to_the_mtu(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    network = netsim()
    sizes: list[int] = []
    network.a_to_b.on_packet(lambda packet, _: sizes.append(packet.size + HEADERS) if packet.kind == "dtls" else None)
    offerer, answerer = peers.open(pair.offerer, RTCConfiguration(mtu=576)), peers.open(pair.answerer)
    offerer.createDataChannel("chat")
    await network.connect(offerer, answerer)
    assert max(sizes) <= 576
