"""ICE: trickled, early, late and wrong candidates, restarts, and a peer that dies."""

from __future__ import annotations

import asyncio
import re
import socket
import uuid
from dataclasses import replace

import pytest
from aioice import mdns

from conformance.asserts import (
    Arrivals,
    ChannelArrivals,
    Endpoint,
    Trace,
    connect,
    link,
    local_of,
    negotiate,
    opened,
    reach,
    within,
)
from conformance.remote import RemotePeer
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from shim import (
    Capability,
    OperationError,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCSessionDescription,
)

pytestmark = requires(Capability.ICE_HOST)

TRICKLE = RTCConfiguration(trickle=True)
SOON = 4.0
"""Seconds, well below the 30 after which ICE fails anyway."""
HASTY = RTCConfiguration(iceDisconnectedTimeout=1.0, iceFailedTimeout=2.5)


def _bare(description: RTCSessionDescription) -> RTCSessionDescription:
    """Return the description without its candidates."""
    sdp = re.sub(r"a=(candidate:.*|end-of-candidates)\r\n", "", description.sdp)
    return RTCSessionDescription(sdp=sdp, type=description.type)


def _ufrag(description: RTCSessionDescription) -> str:
    found = re.search(r"a=ice-ufrag:(\S+)", description.sdp)
    assert found is not None
    return found[1]


def _candidate(ip: str = "127.0.0.1", mid: str | None = "0", index: int | None = 0) -> RTCIceCandidate:
    return RTCIceCandidate(
        component=1,
        foundation="1",
        ip=ip,
        port=9,
        priority=1,
        protocol="udp",
        type="host",
        sdpMid=mid,
        sdpMLineIndex=index,
    )


async def _exchange_bare(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(_bare(local_of(offerer)))
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(_bare(local_of(answerer)))


async def _forward(found: Arrivals, to: RTCPeerConnection) -> None:
    while True:
        candidate = await found.next()
        await to.addIceCandidate(candidate)
        if candidate is None:
            return


# --- trickle -----------------------------------------------------------------------------------------


@spec("RFC 8838 4", "webrtc-pc 4.4.1.7")
@requires(Capability.TRICKLE)
async def test_trickled_candidates_alone_connect(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, TRICKLE)
    channel = offerer.createDataChannel("chat")
    ours, theirs = Arrivals(offerer, "icecandidate"), Arrivals(answerer, "icecandidate")
    await _exchange_bare(offerer, answerer)
    await asyncio.gather(_forward(ours, answerer), _forward(theirs, offerer))
    await opened(channel)


@spec("RFC 8838 4")
@requires(Capability.TRICKLE)
async def test_candidates_of_one_side_are_enough(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, TRICKLE)
    channel = offerer.createDataChannel("chat")
    ours = Arrivals(offerer, "icecandidate")
    await _exchange_bare(offerer, answerer)
    await _forward(ours, answerer)
    await opened(channel)


@spec("RFC 8838 11", "RFC 8445 7.2.5.4")
@requires(Capability.TRICKLE)
async def test_candidates_that_come_late_connect(peers: Peers, pair: Pair) -> None:
    """Both sides are checking already, a candidate that leads nowhere."""
    offerer, answerer = peers.open_pair(pair, TRICKLE)
    channel = offerer.createDataChannel("chat")
    ours, theirs = Arrivals(offerer, "icecandidate"), Arrivals(answerer, "icecandidate")
    await _exchange_bare(offerer, answerer)
    found = [await _all_of(ours), await _all_of(theirs)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("", 0))  # libwebrtc checks no port below 1024
        for pc, candidates in zip((answerer, offerer), found, strict=True):
            await pc.addIceCandidate(replace(candidates[0], port=silent.getsockname()[1]))
        for pc in (offerer, answerer):
            await reach(pc, "iceConnectionState", "checking")
    for pc, candidates in zip((answerer, offerer), found, strict=True):
        for candidate in (*candidates, None):
            await pc.addIceCandidate(candidate)
    await opened(channel)


async def _all_of(found: Arrivals) -> list[RTCIceCandidate]:
    candidates = []
    while (candidate := await found.next()) is not None:
        candidates.append(candidate)
    return candidates


@spec("webrtc-pc 4.4.2")
@requires(Capability.TRICKLE)
async def test_candidates_before_the_remote_description_are_kept(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, TRICKLE)
    channel = offerer.createDataChannel("chat")
    ours = Arrivals(offerer, "icecandidate")
    await offerer.setLocalDescription()
    await _forward(ours, answerer)
    await answerer.setRemoteDescription(_bare(local_of(offerer)))
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(_bare(local_of(answerer)))
    await opened(channel)


@spec("RFC 9429 5.2.1")
async def test_description_contains_the_candidates_by_default(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    assert pc.iceGatheringState == "complete"
    assert "a=candidate:" in local_of(pc).sdp


@spec("RFC 8838 4")
@requires(Capability.TRICKLE)
async def test_description_grows_with_the_candidates(peers: Peers, target: Target) -> None:
    pc = peers.open(target, TRICKLE)
    pc.createDataChannel("chat")
    found = Arrivals(pc, "icecandidate")
    await pc.setLocalDescription()
    await reach(pc, "iceGatheringState", "complete")
    told = [candidate for candidate in await found.take(found.waiting) if candidate is not None]
    assert all(f" {candidate.ip} {candidate.port} typ {candidate.type}" in local_of(pc).sdp for candidate in told)


@spec("RFC 8839 5.1")
@requires(Capability.TRICKLE)
async def test_candidate_has_all_its_fields(peers: Peers, target: Target) -> None:
    pc = peers.open(target, TRICKLE)
    pc.createDataChannel("chat")
    found = Arrivals(pc, "icecandidate")
    await pc.setLocalDescription()
    candidate: RTCIceCandidate = await found.next()
    assert (candidate.component, candidate.type, candidate.sdpMid, candidate.sdpMLineIndex) == (1, "host", "0", 0)
    assert candidate.protocol in {"udp", "tcp"}
    assert 0 < candidate.priority < 2**32
    assert 0 <= candidate.port < 65536


# --- candidates that come from outside ---------------------------------------------------------------


async def _offered(peers: Peers, target: Target) -> RTCPeerConnection:
    offerer, answerer = peers.open(target, TRICKLE), peers.open(target, TRICKLE)
    offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    return answerer


@spec("webrtc-pc 4.4.2")
@pytest.mark.parametrize("candidate", [_candidate(mid="nine"), _candidate(mid=None, index=9)], ids=["mid", "index"])
async def test_candidate_for_an_unknown_section_is_refused(
    peers: Peers, target: Target, candidate: RTCIceCandidate
) -> None:
    answerer = await _offered(peers, target)
    with pytest.raises(OperationError):
        await answerer.addIceCandidate(candidate)


@spec("webrtc-pc 4.4.2")
async def test_candidate_without_section_is_refused(peers: Peers, target: Target) -> None:
    answerer = await _offered(peers, target)
    with pytest.raises(ValueError, match="sdpMid"):
        await answerer.addIceCandidate(_candidate(mid=None, index=None))


@spec("webrtc-pc 4.4.2", "RFC 8838 4")
@requires(Capability.TRICKLE)
@pytest.mark.parametrize("named", ["mid", "index"])
async def test_candidate_may_name_its_section_either_way(peers: Peers, pair: Pair, named: str) -> None:
    """Nothing else tells one peer where the other is."""
    offerer, answerer = peers.open_pair(pair, TRICKLE)
    channel = offerer.createDataChannel("chat")
    ours = Arrivals(offerer, "icecandidate")
    await _exchange_bare(offerer, answerer)
    for candidate in await _all_of(ours):
        by_mid, by_index = replace(candidate, sdpMLineIndex=None), replace(candidate, sdpMid=None)
        await answerer.addIceCandidate(by_mid if named == "mid" else by_index)
    await opened(channel)


@spec("RFC 8838 8.2", "webrtc-pc 5.6.4")
async def test_end_of_candidates_without_any_is_a_failure(peers: Peers, target: Target) -> None:
    """As in aiortc: what is not there is not waited for until a time-out."""
    offerer, answerer = peers.open(target, TRICKLE), peers.open(target, TRICKLE)
    offerer.createDataChannel("chat")
    await _exchange_bare(offerer, answerer)
    async with within(SOON, "the failure"):
        for pc in (offerer, answerer):
            await pc.addIceCandidate(None)
            await reach(pc, "iceConnectionState", "failed")


@spec("RFC 8838 13")
async def test_useless_candidate_harms_nothing(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    channel = offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    await answerer.addIceCandidate(_candidate("127.0.0.1"))
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(local_of(answerer))
    await opened(channel)


@spec("RFC 8838 13")
async def test_candidate_while_connected_harms_nothing(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    await connected.offerer.addIceCandidate(_candidate("127.0.0.1"))
    connected.near.channel.send("still here")
    assert await connected.far.inbox.next() == "still here"


# --- restart -----------------------------------------------------------------------------------------


@spec("RFC 9429 5.2.2")
async def test_next_offer_keeps_the_credentials(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    offer = await connected.offerer.createOffer()
    assert _ufrag(offer) == _ufrag(local_of(connected.offerer))


@spec("RFC 9429 5.2.3")
@requires(Capability.ICE_RESTART)
async def test_restart_offers_new_credentials(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    before = _ufrag(local_of(connected.offerer))
    assert _ufrag(await connected.offerer.createOffer(iceRestart=True)) != before


@spec("webrtc-pc 4.4.2")
@requires(Capability.ICE_RESTART)
async def test_restart_asks_for_negotiation(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    needed = Arrivals(connected.offerer, "negotiationneeded")
    connected.offerer.restartIce()
    await needed.next()


@spec("RFC 8445 9")
@requires(Capability.ICE_RESTART)
@pytest.mark.parametrize("who", ["offerer", "answerer"])
async def test_channel_survives_a_restart(peers: Peers, pair: Pair, who: str) -> None:
    connected = await link(peers, pair)
    first, second = connected.offerer, connected.answerer
    if who == "answerer":
        first, second = second, first
    before = _ufrag(local_of(first)), _ufrag(local_of(second))
    first.restartIce()
    await negotiate(first, second)
    after = _ufrag(local_of(first)), _ufrag(local_of(second))
    for pc in (first, second):
        await reach(pc, "iceConnectionState", "connected", "completed")
    connected.near.channel.send("there")
    connected.far.channel.send("back")
    assert (await connected.far.inbox.next(), await connected.near.inbox.next()) == ("there", "back")
    assert not set(before) & set(after)


@spec("RFC 8445 9")
@requires(Capability.ICE_RESTART)
async def test_restart_does_not_close_the_connection(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    trace = Trace()
    trace.watch_connection("offerer", connected.offerer)
    connected.offerer.restartIce()
    await negotiate(connected.offerer, connected.answerer)
    connected.near.channel.send("there")
    await connected.far.inbox.next()
    assert not {"failed", "closed"} & set(trace.details("offerer", "connectionstatechange"))


# --- transports --------------------------------------------------------------------------------------


@spec("webrtc-pc 5.6")
async def test_selected_pair_is_known_when_connected(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    sctp = connected.offerer.sctp
    assert sctp is not None
    selected = sctp.transport.transport.getSelectedCandidatePair()
    assert selected is not None
    assert {candidate.component for candidate in selected} == {1}


@spec("webrtc-pc 5.6", "RFC 8445 6.1.1")
async def test_offerer_controls(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    roles = [pc.sctp.transport.transport.role for pc in (connected.offerer, connected.answerer) if pc.sctp is not None]
    assert roles == ["controlling", "controlled"]


# --- a peer that dies --------------------------------------------------------------------------------


@spec("RFC 7675 5.1", "webrtc-pc 4.3.3")
@requires(Capability.ICE_DISCONNECTED)
async def test_killed_peer_is_noticed(peers: Peers, pair: Pair) -> None:
    pc = peers.open(pair.offerer, HASTY)
    trace = Trace()
    trace.watch_connection("pc", pc)
    near = Endpoint.of(pc.createDataChannel("chat"))
    async with RemotePeer(pair.answerer) as remote:
        await remote.answer(pc)
        await opened(near.channel)
        near.channel.send("are you there?")
        assert await near.inbox.next() == "are you there?"
    await reach(pc, "connectionState", "failed", "closed")
    states = trace.details("pc", "connectionstatechange")
    assert states == ["connecting", "connected", "disconnected", "failed"]


@spec("webrtc-pc 4.4.1.6")
async def test_connection_to_a_killed_peer_closes(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    channel: RTCDataChannel = pc.createDataChannel("chat")
    async with RemotePeer(target) as remote:
        await remote.answer(pc)
        await opened(channel)
    channel.send("nobody hears this")
    await asyncio.wait_for(pc.close(), 10)
    assert channel.readyState == "closed"


def _wrong_password(description: RTCSessionDescription) -> RTCSessionDescription:
    sdp = re.sub(r"a=ice-pwd:\S+", "a=ice-pwd:" + "x" * 24, description.sdp)
    return RTCSessionDescription(sdp=sdp, type=description.type)


@spec("RFC 8445 7.3")
async def test_wrong_passwords_do_not_connect_where_right_ones_do(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(_wrong_password(local_of(offerer)))
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(_wrong_password(local_of(answerer)))
    await link(peers, pair)
    for pc in (offerer, answerer):
        assert pc.iceConnectionState in {"new", "checking", "failed"}


@spec("webrtc-pc 6.2")
async def test_channel_announced_while_connecting_is_open_for_the_remote(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    arriving = ChannelArrivals(answerer)
    offerer.createDataChannel("chat")
    await connect(offerer, answerer)
    assert (await arriving.next()).channel.readyState == "open"


# --- names instead of addresses ----------------------------------------------------------------------


@pytest.fixture
def mdns_name() -> str:
    return f"{uuid.uuid4()}.local"


@spec("RFC 8839 5.1", "draft-ietf-mmusic-mdns-ice-candidates 3.2")
@requires(Capability.ICE_MDNS, of="offerer")
async def test_candidate_with_a_multicast_name_is_resolved(peers: Peers, pair: Pair, mdns_name: str) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(_bare(local_of(offerer)))  # so that the offerer must find the answerer
    await answerer.setLocalDescription()
    answer = local_of(answerer)
    address = re.search(r"a=candidate:\S+ 1 udp \d+ (\d+(?:\.\d+){3}) ", answer.sdp)
    assert address is not None, answer.sdp
    responder, prober = await mdns.create_mdns_protocol(), await mdns.create_mdns_protocol()
    try:
        await _publish(responder, prober, mdns_name, address[1])
        named = re.sub(r"(a=candidate:\S+ 1 udp \d+) \S+ ", rf"\1 {mdns_name} ", answer.sdp)
        await offerer.setRemoteDescription(RTCSessionDescription(sdp=named, type="answer"))
        await reach(offerer, "connectionState", "connected")
    finally:
        await responder.close()
        await prober.close()


async def _publish(responder: mdns.MDnsProtocol, prober: mdns.MDnsProtocol, name: str, address: str) -> None:
    try:
        await responder.publish(name, address)
    except OSError as exc:
        pytest.skip(f"this machine has no multicast: {exc}")
    if await prober.resolve(name) != address:
        pytest.skip("this machine has no multicast: a query for a published name is not answered")
