"""The same program of calls on every backend and on the W3C model: state, events, errors and SDP agree."""

from __future__ import annotations

import asyncio
import re
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from conformance.asserts import PATIENCE, Arrivals, ChannelArrivals, connect, local_of, negotiate, opened
from conformance.machine import Differential
from conformance.media import media_track
from conformance.observing import DIRECTIONS, codecs_of
from conformance.programs import Step, negotiation
from conformance.requirements import requires, spec
from conformance.scenes import described, trickling
from conformance.strategies import chosen_settings
from conformance.targets import Pair, Peers, Target
from shim import Capability, RTCConfiguration

ROLLBACK = requires(Capability.ROLLBACK)
STOP = requires(Capability.TRANSCEIVER_STOP)

SIDES = st.sampled_from("ab")
MEDIA = st.sampled_from(["audio", "video"])
KINDS = st.sampled_from(["offer", "answer", "pranswer", "rollback"])
FEW = st.integers(0, 2)
OF_MIXED_PAIRS = 3
"""How many times fewer programs two backends run together: each has run alone."""


class Programs(RuleBasedStateMachine):
    """Draws programs."""

    pairs: tuple[Pair, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.differential = Differential(self.pairs)

    def teardown(self) -> None:
        self.differential.close()

    @rule(side=SIDES, kind=MEDIA, direction=st.integers(0, len(DIRECTIONS) - 1))
    def add_transceiver(self, side: str, kind: str, direction: int) -> None:
        self.differential.play(Step(side, "addTransceiver", kind, direction))

    @rule(side=SIDES, kind=MEDIA)
    def add_track(self, side: str, kind: str) -> None:
        self.differential.play(Step(side, "addTrack", kind))

    @rule(side=SIDES, index=FEW)
    def remove_track(self, side: str, index: int) -> None:
        self.differential.play(Step(side, "removeTrack", None, index))

    @rule(side=SIDES, direction=st.sampled_from(DIRECTIONS), index=FEW)
    def set_direction(self, side: str, direction: str, index: int) -> None:
        self.differential.play(Step(side, "direction", direction, index))

    @rule(side=SIDES, index=FEW)
    def stop(self, side: str, index: int) -> None:
        self.differential.play(Step(side, "stop", None, index))

    @rule(side=SIDES, number=st.none() | st.integers(10, 12))
    def create_channel(self, side: str, number: int | None) -> None:
        self.differential.play(Step(side, "createDataChannel", "chat", number))

    @rule(side=SIDES, index=st.none() | FEW)
    def add_candidate(self, side: str, index: int | None) -> None:
        self.differential.play(Step(side, "addIceCandidate", None, index))

    @rule(side=SIDES, call=st.sampled_from(["createOffer", "createAnswer", "getStats", "restartIce"]))
    def call(self, side: str, call: str) -> None:
        self.differential.play(Step(side, call))

    @rule(side=SIDES, index=st.integers(0, 1))
    def configure(self, side: str, index: int) -> None:
        self.differential.play(Step(side, "setConfiguration", None, index))

    @rule(side=SIDES, kind=st.none() | KINDS)
    def set_local(self, side: str, kind: str | None) -> None:
        self.differential.play(Step(side, "setLocal", kind))

    @rule(side=SIDES, kind=KINDS)
    def set_remote(self, side: str, kind: str) -> None:
        self.differential.play(Step(side, "setRemote", kind))

    @rule(side=SIDES)
    def negotiate(self, side: str) -> None:
        self.differential.negotiate(side)

    @rule(side=SIDES, certain=st.integers(0, 4))
    def close(self, side: str, certain: int) -> None:
        if certain == 0:  # seldom, because little happens after it
            self.differential.play(Step(side, "close"))


@spec("RFC 9429 3", "webrtc-pc 4")
@pytest.mark.timeout(3600)
def test_any_program_is_like_the_model(pair: Pair) -> None:
    class Here(Programs):
        pairs = (pair,)

    chosen = chosen_settings()
    examples = chosen.max_examples if pair.offerer == pair.answerer else chosen.max_examples // OF_MIXED_PAIRS
    run_state_machine_as_test(Here, settings=settings(chosen, max_examples=examples))


# --- programs that were found to differ ---------------------------------------------------------------

ADD = Step("a", "addTransceiver", "audio", 0)
FOUND = {
    "stop asks for a negotiation": [ADD, *negotiation("a"), Step("a", "stop", None, 0), *negotiation("a")],
    "an offer is made again while it is pending": [
        Step("a", "setLocal"),
        ADD,
        Step("a", "setLocal"),
        *negotiation("a"),
    ],
    "what is added while an offer is pending asks again": [
        ADD,
        Step("a", "setLocal"),
        Step("a", "addTransceiver", "video", 1),
        *negotiation("a")[1:],
        *negotiation("a"),
    ],
    "a candidate waits while the own offer is rolled back": [
        ADD,
        Step("a", "addIceCandidate", None, 0),
        Step("a", "setLocal"),
        Step("a", "setRemote", "rollback"),
        *negotiation("a"),
    ],
    "tracks are told in the order of their sections": [
        Step("b", "addTransceiver", "audio", 0),
        Step("a", "addTransceiver", "video", 0),
        ADD,
        *negotiation("a"),
    ],
    "a section that was answered is stopped and offered": [
        Step("b", "addTransceiver", "video", 2),
        *negotiation("b"),
        Step("a", "stop", None, 0),
        *negotiation("a"),
    ],
    "glare with media": [
        Step("a", "addTrack", "audio"),
        Step("b", "addTrack", "audio"),
        Step("a", "setLocal"),
        Step("b", "setLocal"),
        *negotiation("a")[1:],
        *negotiation("b"),
    ],
}


NEEDED = {
    "stop asks for a negotiation": STOP,
    "a section that was answered is stopped and offered": STOP,
    "a candidate waits while the own offer is rolled back": ROLLBACK,
    "glare with media": ROLLBACK,
}


@spec("RFC 9429 3", "webrtc-pc 4")
@pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDED.get(name, ())) for name in FOUND])
def test_program_is_like_the_model(pair: Pair, name: str) -> None:
    differential = Differential([pair])
    try:
        differential.play(*FOUND[name])
    finally:
        differential.close()


@spec("RFC 9429 5.2.1")
@requires(Capability.AUDIO_OPUS, Capability.VIDEO_VP8)
async def test_every_backend_prefers_the_same_codecs(peers: Peers, target: Target) -> None:
    pc = trickling(peers, target)
    pc.addTransceiver("audio")
    pc.addTransceiver("video")
    offered = codecs_of((await pc.createOffer()).sdp)
    assert [codecs[0] for codecs in offered] == ["opus", "vp8"]


@spec("RFC 9429 4.1.10.2")
@ROLLBACK
async def test_channel_is_offered_again_after_a_rollback(peers: Peers, target: Target) -> None:
    pc = trickling(peers, target)
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    await pc.setLocalDescription(described("rollback", ""))
    assert "m=application" in (await pc.createOffer()).sdp


@spec("RFC 9429 5.2.2")
@STOP
async def test_rejected_section_is_used_again(peers: Peers, target: Target) -> None:
    offerer, answerer = trickling(peers, target), trickling(peers, target)
    offerer.createDataChannel("chat")
    stopping = offerer.addTransceiver("audio")
    await negotiate(offerer, answerer)
    stopping.stop()
    await negotiate(offerer, answerer)
    offerer.addTransceiver("audio")
    assert (await offerer.createOffer()).sdp.count("m=audio") == 1


@spec("RFC 9429 5.2.2", "RFC 9429 5.10")
@STOP
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_media_flow_through_a_section_that_another_had(
    peers: Peers, pair: Pair, kind: Literal["audio", "video"]
) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.addTrack(media_track(pair.offerer, "audio"))
    stopping = offerer.addTransceiver("video")
    offerer.createDataChannel("chat")
    await connect(offerer, answerer)
    before = stopping.mid
    stopping.stop()
    await negotiate(offerer, answerer)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(media_track(pair.offerer, kind))
    await negotiate(offerer, answerer)
    received = await arriving.next()
    assert received.kind == kind
    await asyncio.wait_for(received.recv(), PATIENCE)
    assert before not in [found.mid for found in answerer.getTransceivers()]
    assert re.findall("m=(\\w+)", local_of(answerer).sdp) == ["audio", kind, "application"]


@spec("RFC 8843 7.5.3", "webrtc-pc 5.4")
@STOP
async def test_bundle_outlives_its_first_section(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    first = offerer.addTransceiver("audio")
    arrivals = ChannelArrivals(answerer)
    near = offerer.createDataChannel("chat")
    await connect(offerer, answerer)
    far = await arrivals.next()
    await opened(near)
    first.stop()
    await negotiate(offerer, answerer)
    near.send("still here")
    assert await far.inbox.next() == "still here"


@spec("aiortc")
async def test_remote_section_takes_the_transceiver_that_waits(peers: Peers, pair: Pair) -> None:
    """RFC 9429 section 5.10 makes another one; programs for aiortc add a transceiver first, and mean this one."""
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    waiting = answerer.addTransceiver("audio", "recvonly")
    offerer.addTransceiver("audio", "sendonly")
    await negotiate(offerer, answerer)
    assert [found.mid for found in answerer.getTransceivers()] == [waiting.mid]


@spec("aiortc", "RFC 9429 4.1.10.2")
@ROLLBACK
async def test_rollback_lets_the_transceiver_wait_again(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    waiting = answerer.addTransceiver("audio", "recvonly")
    offerer.addTransceiver("audio", "sendonly")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    taken = [found.mid for found in answerer.getTransceivers()]
    await answerer.setRemoteDescription(described("rollback", ""))
    assert (taken, [found.mid for found in answerer.getTransceivers()]) == (["0"], [None])
    await answerer.setRemoteDescription(local_of(offerer))
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(local_of(answerer))
    assert (waiting.currentDirection, answerer.getTransceivers()) == ("recvonly", [waiting])


@spec("webrtc-pc 4.4.1.5")
@STOP
async def test_remote_offer_without_a_section_stops_its_transceiver(peers: Peers, target: Target) -> None:
    offerer, answerer = trickling(peers, target), trickling(peers, target)
    offerer.createDataChannel("chat")
    stopping = offerer.addTransceiver("audio")
    await negotiate(offerer, answerer)
    stopping.stop()
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    assert all(found.stopped for found in answerer.getTransceivers())


@spec("RFC 9429 4.1.10.2", "webrtc-pc 5.4")
@ROLLBACK
@STOP
async def test_rollback_after_a_stop_leaves_nothing_of_the_transceiver(peers: Peers, target: Target) -> None:
    offerer, answerer = trickling(peers, target), trickling(peers, target)
    stopping = offerer.addTransceiver("audio")
    staying = offerer.addTransceiver("video")
    await offerer.setLocalDescription()
    stopping.stop()
    await offerer.setLocalDescription(described("rollback", ""))
    assert offerer.signalingState == "stable"
    await negotiate(offerer, answerer)
    assert "m=audio" not in local_of(offerer).sdp
    assert [found for found in offerer.getTransceivers() if not found.stopped] == [staying]
    assert staying.mid is not None
