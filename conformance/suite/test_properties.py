"""Whatever hypothesis draws: any configuration is accepted, any candidate is harmless, any conversation arrives."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given

from conformance.asserts import Arrivals, ChannelArrivals, Endpoint, link, local_of, opened
from conformance.requirements import requires, spec
from conformance.strategies import candidates, chosen_settings, configurations, conversations
from conformance.targets import Pair, Peers, Target
from shim import Capability, RTCConfiguration, RTCIceCandidate, RTCPeerConnection
from shim.spi.errors import OperationError

PATIENCE = 20.0


@spec("webrtc-pc 4.4.1", "webrtc-pc 4.2.1")
def test_any_valid_configuration_is_accepted_and_read_back(target: Target) -> None:
    @chosen_settings()
    @given(configurations(target.info.capabilities))
    def accepted(configuration: RTCConfiguration) -> None:
        asyncio.run(_configure(target, configuration))

    accepted()


async def _configure(target: Target, configuration: RTCConfiguration) -> None:
    async with RTCPeerConnection(configuration, backend=target.name) as pc:
        assert pc.getConfiguration() == configuration
        pc.createDataChannel("chat")
        pc.addTransceiver("audio")
        assert "m=application" in (await pc.createOffer()).sdp


@spec("RFC 8839 5.1", "webrtc-pc 4.4.2")
@requires(Capability.TRICKLE)
def test_any_candidate_is_taken_or_refused(target: Target) -> None:
    with asyncio.Runner() as runner:
        peers = Peers()
        pc = runner.run(_offered(peers, target))

        @chosen_settings()
        @given(candidates())
        def survives(candidate: RTCIceCandidate) -> None:
            runner.run(_add(pc, candidate))

        try:
            survives()
        finally:
            runner.run(peers.close())


async def _offered(peers: Peers, target: Target) -> RTCPeerConnection:
    offerer, answerer = (peers.open(target, RTCConfiguration(trickle=True)) for _ in range(2))
    offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    return answerer


async def _add(pc: RTCPeerConnection, candidate: RTCIceCandidate) -> None:
    with suppress(ValueError, OperationError):
        await pc.addIceCandidate(candidate)
    assert pc.signalingState == "have-remote-offer"


@spec("RFC 8831 6.6", "webrtc-pc 6.2")
@requires(Capability.ICE_HOST)
def test_any_conversation_arrives_as_it_was_said(pair: Pair) -> None:
    with asyncio.Runner() as runner:
        peers = Peers()
        connected = runner.run(link(peers, pair))
        announced = ChannelArrivals(connected.answerer)

        @chosen_settings()
        @given(conversations())
        def arrives(said: list[tuple[bool, str | bytes]]) -> None:
            runner.run(asyncio.wait_for(_talk(connected.offerer, announced, said), PATIENCE))

        try:
            arrives()
        finally:
            runner.run(peers.close())


async def _talk(offerer: RTCPeerConnection, announced: Arrivals, said: list[tuple[bool, str | bytes]]) -> None:
    """Say everything over a new channel, and close it."""
    near = Endpoint.of(offerer.createDataChannel("conversation"))
    await opened(near.channel)
    far: Endpoint = await announced.next()
    for is_near, message in said:
        (near if is_near else far).channel.send(message)
    for speaks_near, listener in ((True, far), (False, near)):
        expected = [message for is_near, message in said if is_near == speaks_near]
        assert await listener.inbox.take(len(expected)) == expected
    near.channel.close()
