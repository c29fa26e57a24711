"""Relayed connections (RFC 8656): through a real TURN server, and none where there is no server."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.asserts import Arrivals, link, local_of, reach
from conformance.mandatory_stats import lacking
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from conformance.turn import HOW_TO_GET, USER, TurnServer
from shim import Capability, RTCConfiguration, RTCIceCandidateErrorEvent, RTCIceServer, RTCIceTransportPolicy

RELAY = RTCIceTransportPolicy.RELAY
SILENCE = 60.0
"""A bound, seconds: RFC 8489 section 6.2.1 gives a server 39.5 of them."""


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[TurnServer]:
    if not TurnServer.is_installed():
        pytest.skip(HOW_TO_GET)
    with TurnServer(tmp_path) as server:
        yield server


def _relayed(server: TurnServer, password: str | None = None) -> RTCConfiguration:
    given = RTCIceServer(server.url, USER, server.password if password is None else password)
    return RTCConfiguration(iceServers=[given], iceTransportPolicy=RELAY)


def _types(sdp: str) -> set[str]:
    return set(re.findall(r"a=candidate:.* typ (\w+)", sdp))


@spec("RFC 8656 3", "RFC 9429 3.5.3")
@requires(Capability.ICE_RELAY)
async def test_data_goes_through_the_relay(peers: Peers, pair: Pair, turn: TurnServer) -> None:
    connected = await link(peers, pair, _relayed(turn))
    assert _types(local_of(connected.offerer).sdp) == _types(local_of(connected.answerer).sdp) == {"relay"}
    connected.near.channel.send("there")
    assert await connected.far.inbox.next() == "there"
    connected.far.channel.send(bytes(50_000))
    assert await connected.near.inbox.next() == bytes(50_000)


@spec("RFC 8656 3")
@requires(Capability.ICE_RELAY)
async def test_one_relayed_side_is_enough(peers: Peers, pair: Pair, turn: TurnServer) -> None:
    offerer, answerer = peers.open(pair.offerer, _relayed(turn)), peers.open(pair.answerer)
    announced = Arrivals(answerer, "datachannel")
    offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(local_of(answerer))
    await reach(offerer, "connectionState", "connected")
    assert (await announced.next()).label == "chat"


@spec("webrtc-pc 8.6", "webrtc-stats 6.13")
@requires(Capability.ICE_RELAY, Capability.STATS)
async def test_relayed_candidates_name_their_server(peers: Peers, target: Target, turn: TurnServer) -> None:
    connected = await link(peers, Pair(target, target), _relayed(turn))
    report = dict(await connected.offerer.getStats())
    candidates = [entry for entry in report.values() if entry.type == "local-candidate"]
    assert {(entry.candidateType, entry.url) for entry in candidates} == {("relay", turn.url)}
    assert not [name for name in lacking(report, ()) if "candidate" in name]


@spec("RFC 8656 5", "webrtc-pc 4.8.3")
@requires(Capability.ICE_RELAY)
async def test_wrong_password_gives_no_relay(peers: Peers, target: Target, turn: TurnServer) -> None:
    pc = peers.open(target, _relayed(turn, "wrong"))
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    assert pc.iceGatheringState == "complete"
    assert _types(local_of(pc).sdp) == set()


@requires(Capability.ICE_RELAY)
@spec("RFC 9429 3.5.3")
async def test_relay_policy_without_a_server_gathers_nothing(peers: Peers, target: Target) -> None:
    pc = peers.open(target, RTCConfiguration(iceTransportPolicy=RELAY))
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    assert pc.iceGatheringState == "complete"
    assert _types(local_of(pc).sdp) == set()


# --- servers that do not serve -----------------------------------------------------------------------


async def _told_of(peers: Peers, target: Target, server: RTCIceServer) -> RTCIceCandidateErrorEvent:
    """Gather with a server; return the first thing that is told of it."""
    pc = peers.open(target, RTCConfiguration(iceServers=[server], trickle=True))
    failures = Arrivals(pc, "icecandidateerror")
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    while True:
        failure: RTCIceCandidateErrorEvent = await failures.next(SILENCE)
        # From an IPv6 address the server cannot be reached, and some engines say so.
        if failure.url == server.urls and ":" not in (failure.address or ""):
            return failure


@spec("webrtc-pc 4.8.3", "RFC 8489 9.2.4")
@requires(Capability.CANDIDATE_ERRORS, Capability.ICE_RELAY)
async def test_wrong_password_is_told(peers: Peers, target: Target, turn: TurnServer) -> None:
    failure = await _told_of(peers, target, RTCIceServer(turn.url, USER, "wrong"))
    assert failure.errorCode == 401
    assert failure.errorText


@spec("webrtc-pc 4.8.3", "RFC 8489 6.3.4")
@requires(Capability.CANDIDATE_ERRORS)
async def test_refusal_of_a_server_is_told(peers: Peers, target: Target, tmp_path: Path) -> None:
    if not TurnServer.is_installed():
        pytest.skip(HOW_TO_GET)
    with TurnServer(tmp_path, "secure-stun") as server:
        failure = await _told_of(peers, target, RTCIceServer(server.stun_url))
    assert failure.errorCode == 401


@pytest.mark.slow
@spec("webrtc-pc 4.8.3")
@requires(Capability.CANDIDATE_ERRORS)
def test_silent_server_is_told(target: Target) -> None:
    assert asyncio.run(_code_of_silence(target)) == 701


async def _code_of_silence(target: Target) -> int:
    peers = Peers()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        try:
            failure = await _told_of(peers, target, RTCIceServer(f"stun:127.0.0.1:{silent.getsockname()[1]}"))
        finally:
            await peers.close()
    return failure.errorCode
