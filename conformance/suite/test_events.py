"""Events: names, what they carry, and their order; plain aiortc, recorded on the spot, is what to compare with."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from conformance.asserts import (
    STATE_EVENTS,
    Arrivals,
    ChannelArrivals,
    Trace,
    closed,
    connect,
    local_of,
    negotiate,
    opened,
    reach,
)
from conformance.media import tone_track
from conformance.reference import CONNECTION_ORDER, GATHERING_ORDER, ICE_ORDER
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.running import LoopErrors
from conformance.targets import REFERENCE, Pair, Peers, ReferenceTarget, Target
from shim import Capability, RTCConfiguration, RTCIceCandidate

if TYPE_CHECKING:
    from collections.abc import Sequence

TRICKLE = RTCConfiguration(trickle=True)


async def _recorded_call(peers: Peers, pair: Pair) -> Trace:
    """Record a call with a channel and an audio track, from negotiation to the end."""
    trace = Trace()
    offerer, answerer = peers.open_pair(pair)
    trace.watch_connection("offerer", offerer)
    trace.watch_connection("answerer", answerer)
    offerer.addTrack(tone_track(pair.offerer))
    near, arriving = offerer.createDataChannel("chat"), ChannelArrivals(answerer)
    trace.watch_channel("near", near)
    await connect(offerer, answerer)
    await opened(near)
    far = await arriving.next()
    trace.watch_channel("far", far.channel)
    near.send("one")
    near.send("two")
    await far.inbox.take(2)
    near.close()
    await closed(far.channel)
    await offerer.close()
    await answerer.close()
    return trace


async def _both_calls(peers: Peers, pair: Pair, evidence: Evidence, source: str) -> tuple[Trace, Trace]:
    """Record the call between two of plain aiortc, and then of the pair; show them side by side."""
    reference = ReferenceTarget(REFERENCE)
    expected = await _recorded_call(peers, Pair(reference, reference))
    evidence.events(REFERENCE, expected.from_start(source))
    found = await _recorded_call(peers, pair)
    evidence.events(str(pair), found.from_start(source))
    return expected, found


def _states(trace: Trace, source: str) -> dict[str, list[str]]:
    found = {event: trace.details(source, event) for event in STATE_EVENTS.values()}
    # aiortc goes from "checking" to "completed"; W3C has "connected" between or instead.
    ice = ["connected" if state == "completed" else state for state in found["iceconnectionstatechange"]]
    found["iceconnectionstatechange"] = [state for state, after in pairwise([*ice, ""]) if state != after]
    return found


@spec("aiortc")
@pytest.mark.parametrize("source", ["offerer", "answerer"])
async def test_states_change_as_in_aiortc(peers: Peers, pair: Pair, evidence: Evidence, source: str) -> None:
    expected, found = await _both_calls(peers, pair, evidence, source)
    assert _states(found, source) == _states(expected, source)


@spec("aiortc")
@pytest.mark.parametrize("source", ["near", "far"])
async def test_channel_events_come_as_in_aiortc(peers: Peers, pair: Pair, evidence: Evidence, source: str) -> None:
    expected, found = await _both_calls(peers, pair, evidence, source)
    events = ("open", "message", "close")
    assert found.of(source, *events) == expected.of(source, *events)


@spec("aiortc")
async def test_track_is_announced_before_the_signaling_state(peers: Peers, pair: Pair) -> None:
    for who in (Pair(ReferenceTarget(REFERENCE), ReferenceTarget(REFERENCE)), pair):
        trace = Trace()
        offerer, answerer = peers.open_pair(who)
        offerer.addTransceiver("audio")
        trace.watch_connection("answerer", answerer)
        await offerer.setLocalDescription(await offerer.createOffer())
        await answerer.setRemoteDescription(local_of(offerer))
        assert [entry.event for entry in trace.of("answerer")] == ["track", "signalingstatechange"]


def _is_ordered(states: Sequence[str], order: Sequence[str]) -> bool:
    places = [order.index(state) for state in states]
    return places == sorted(set(places))


@spec("webrtc-pc 4.3")
async def test_states_move_forward_while_connecting(peers: Peers, pair: Pair) -> None:
    trace = Trace()
    offerer, answerer = peers.open_pair(pair)
    trace.watch_connection("offerer", offerer)
    offerer.createDataChannel("chat")
    await connect(offerer, answerer)
    assert _is_ordered(trace.details("offerer", "connectionstatechange"), CONNECTION_ORDER)
    assert _is_ordered(trace.details("offerer", "iceconnectionstatechange"), ICE_ORDER)
    assert _is_ordered(trace.details("offerer", "icegatheringstatechange"), GATHERING_ORDER)


@spec("webrtc-pc 4.3")
async def test_ice_is_connected_before_the_connection(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    seen: list[tuple[str, str]] = []
    offerer.on("connectionstatechange", lambda: seen.append((offerer.connectionState, offerer.iceConnectionState)))
    await connect(offerer, answerer)
    assert dict(seen)["connected"] in {"connected", "completed"}


@spec("webrtc-pc 4.3")
async def test_no_state_event_repeats_a_state(peers: Peers, pair: Pair) -> None:
    trace = await _recorded_call(peers, pair)
    for source in ("offerer", "answerer"):
        for event in STATE_EVENTS.values():
            states = trace.details(source, event)
            assert all(before != after for before, after in pairwise(states)), states


@spec("webrtc-pc 4.4.1.5")
async def test_state_is_set_before_its_event(peers: Peers, target: Target) -> None:
    pc = peers.open(target, TRICKLE)
    pc.createDataChannel("chat")
    seen: list[tuple[str, bool]] = []
    pc.on("signalingstatechange", lambda: seen.append((pc.signalingState, pc.localDescription is not None)))
    await pc.setLocalDescription()
    assert seen == [("have-local-offer", True)]


@spec("webrtc-pc 4.4.1.5")
async def test_signaling_event_comes_before_the_method_returns(peers: Peers, target: Target) -> None:
    pc = peers.open(target, TRICKLE)
    pc.createDataChannel("chat")
    changed = Arrivals(pc, "signalingstatechange")
    await pc.setLocalDescription()
    assert changed.waiting == 1


@spec("webrtc-pc 6.2")
async def test_messages_come_after_open(peers: Peers, pair: Pair) -> None:
    trace = Trace()
    offerer, answerer = peers.open_pair(pair)
    near = offerer.createDataChannel("chat")
    trace.watch_channel("near", near)
    inbox = Arrivals(near, "message")
    answerer.on("datachannel", lambda channel: channel.send("hello"))
    await connect(offerer, answerer)
    await inbox.next()
    assert [entry.event for entry in trace.of("near")] == ["open", "message"]


@spec("webrtc-pc 4.4.1.6")
async def test_closing_changes_every_state_and_tells_it(peers: Peers, pair: Pair) -> None:
    trace = Trace()
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await connect(offerer, answerer)
    trace.watch_connection("offerer", offerer)
    await offerer.close()
    told = {entry.event: entry.detail for entry in trace.of("offerer")}
    assert told == dict.fromkeys(
        ("signalingstatechange", "iceconnectionstatechange", "connectionstatechange"), "closed"
    )


@spec("aiortc")
async def test_remote_close_ends_the_connection(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await connect(offerer, answerer)
    await offerer.close()
    assert await reach(answerer, "connectionState", "closed") == "closed"


@spec("aiortc")
async def test_handler_that_raises_stops_nothing(peers: Peers, pair: Pair, loop_errors: LoopErrors) -> None:
    offerer, answerer = peers.open_pair(pair)
    channel = offerer.createDataChannel("chat")

    def fail(*_: object) -> None:
        raise RuntimeError("the application has a bug")

    for event in STATE_EVENTS.values():
        offerer.on(event, fail)  # type: ignore[call-overload]
    await negotiate(offerer, answerer)
    await opened(channel)
    assert all(isinstance(context["exception"], RuntimeError) for context in loop_errors)


@spec("aiortc")
async def test_handler_may_be_a_coroutine_function(peers: Peers, target: Target) -> None:
    pc = peers.open(target, TRICKLE)
    pc.createDataChannel("chat")
    done = asyncio.Event()

    async def handle() -> None:
        done.set()

    pc.on("signalingstatechange", handle)
    await pc.setLocalDescription()
    await asyncio.wait_for(done.wait(), 5)


# --- events that W3C has and aiortc has not ----------------------------------------------------------


@spec("webrtc-pc 4.8.2")
@requires(Capability.TRICKLE)
async def test_candidates_are_told_and_ended_by_none(peers: Peers, target: Target) -> None:
    pc = peers.open(target, TRICKLE)
    pc.createDataChannel("chat")
    found: list[RTCIceCandidate | None] = []
    pc.on("icecandidate", found.append)
    await pc.setLocalDescription()
    await reach(pc, "iceGatheringState", "complete")
    assert found[-1] is None
    assert found[:-1]
    assert all(candidate is not None and candidate.sdpMid == "0" for candidate in found[:-1])


@spec("webrtc-pc 4.7.3")
async def test_negotiation_is_needed_once_however_much_is_added(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    needed = Arrivals(pc, "negotiationneeded")
    pc.createDataChannel("chat")
    pc.addTransceiver("audio")
    await needed.next()
    await pc.setLocalDescription()
    assert needed.waiting == 0


@spec("webrtc-pc 4.7.3")
async def test_negotiation_is_needed_again_for_a_new_transceiver(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    needed = Arrivals(offerer, "negotiationneeded")
    offerer.createDataChannel("chat")
    await needed.next()
    await negotiate(offerer, answerer)
    offerer.addTransceiver("audio")
    await needed.next()


@spec("webrtc-pc 4.7.3")
async def test_negotiation_is_not_needed_for_a_second_channel(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await connect(offerer, answerer)
    needed = Arrivals(offerer, "negotiationneeded")
    await opened(offerer.createDataChannel("second"))
    assert needed.waiting == 0


# --- what mutants taught -----------------------------------------------------------------------------


@spec("webrtc-pc 6.2")
async def test_remote_close_is_told_in_two_steps(peers: Peers, pair: Pair) -> None:
    trace = Trace()
    offerer, answerer = peers.open_pair(pair)
    near, arriving = offerer.createDataChannel("chat"), ChannelArrivals(answerer)
    await connect(offerer, answerer)
    await opened(near)
    far = (await arriving.next()).channel
    trace.watch_channel("far", far)
    near.close()
    await closed(far)
    assert [(entry.event, entry.detail) for entry in trace.of("far")] == [("closing", "closing"), ("close", "closed")]


@spec("webrtc-pc 4.8.2")
@requires(Capability.TRICKLE)
async def test_gathering_is_complete_after_its_last_candidate(peers: Peers, target: Target) -> None:
    pc = peers.open(target, TRICKLE)
    pc.createDataChannel("chat")
    told: list[str] = []
    pc.on("icecandidate", lambda candidate: told.append("candidate" if candidate else "end"))
    pc.on("icegatheringstatechange", lambda: told.append(pc.iceGatheringState))
    await pc.setLocalDescription()
    await reach(pc, "iceGatheringState", "complete")
    assert (told[0], told[-2:]) == ("gathering", ["end", "complete"])
    assert set(told[1:-2]) == {"candidate"}
