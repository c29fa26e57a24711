"""Every method in every signaling state: what it does, what it refuses, and that it leaves the negotiation alone."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from conformance.asserts import Trace, local_of
from conformance.media import media_track
from conformance.observing import descriptions, parsed
from conformance.reference import METHODS, STATES, State, may_call
from conformance.requirements import negotiating, requires, spec
from conformance.scenes import Scene, trickling
from conformance.targets import Peers, Target
from shim import (
    Capability,
    InvalidStateError,
    RTCDataChannel,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpTransceiver,
)


@dataclass(frozen=True)
class Subject:
    """A connection in some state, and what it had before.

    :param sound: sends a track.
    :param channel: is not open.
    """

    pc: RTCPeerConnection
    sound: RTCRtpTransceiver
    channel: RTCDataChannel
    target: Target

    def track(self, kind: str) -> Any:
        """Return a track that nobody sends yet."""
        return media_track(self.target, "audio" if kind == "audio" else "video")


@dataclass(frozen=True)
class Call:
    """A use of a method.

    :param make: calls it; what it returns is awaited if need be.
    :param done: tells from that whether it has done what it should.
    :param needs: what a backend may declare off.
    """

    make: Callable[[Subject], Any]
    done: Callable[[Subject, Any], bool]
    needs: tuple[Capability, ...] = ()


def _candidate() -> RTCIceCandidate:
    return RTCIceCandidate(1, "1", "127.0.0.1", 9, 1, "udp", "host", sdpMLineIndex=0)


def _reconfigure(of: Subject) -> None:
    of.pc.setConfiguration(replace(of.pc.getConfiguration(), iceServers=[RTCIceServer("stun:127.0.0.1:9")]))


def _dial(of: Subject) -> None:
    assert of.sound.sender.dtmf is not None
    of.sound.sender.dtmf.insertDTMF("1")


def _never(of: Subject, result: Any) -> bool:
    return False


CALLS = {
    "addIceCandidate": Call(lambda of: of.pc.addIceCandidate(_candidate()), lambda of, result: result is None),
    "addTrack": Call(
        lambda of: of.pc.addTrack(of.track("video")),
        lambda of, result: result in of.pc.getSenders() and result.kind == "video" and result.track is not None,
    ),
    "addTransceiver": Call(
        lambda of: of.pc.addTransceiver("video", "recvonly"),
        lambda of, result: result in of.pc.getTransceivers() and (result.mid, result.direction) == (None, "recvonly"),
    ),
    "close": Call(lambda of: of.pc.close(), lambda of, result: of.pc.connectionState == "closed"),
    "createDataChannel": Call(
        lambda of: of.pc.createDataChannel("another"),
        lambda of, result: (result.label, result.readyState) == ("another", "connecting"),
    ),
    "direction": Call(
        lambda of: setattr(of.sound, "direction", "inactive"), lambda of, result: of.sound.direction == "inactive"
    ),
    "getStats": Call(
        lambda of: of.pc.getStats(),
        lambda of, result: all(entry.id == key for key, entry in result.items()),
        (Capability.STATS,),
    ),
    "insertDTMF": Call(_dial, _never, (Capability.DTMF,)),
    "removeTrack": Call(
        lambda of: of.pc.removeTrack(of.sound.sender),
        lambda of, result: (of.sound.sender.track, of.sound.direction) == (None, "recvonly"),
    ),
    "replaceTrack": Call(
        lambda of: of.sound.sender.replaceTrack(None), lambda of, result: of.sound.sender.track is None
    ),
    "restartIce": Call(lambda of: of.pc.restartIce(), lambda of, result: result is None, (Capability.ICE_RESTART,)),
    "send": Call(lambda of: of.channel.send("too early"), _never),
    "setConfiguration": Call(
        _reconfigure,
        lambda of, result: of.pc.getConfiguration().iceServers == [RTCIceServer("stun:127.0.0.1:9")],
        (Capability.SET_CONFIGURATION,),
    ),
    "setParameters": Call(
        lambda of: of.sound.sender.setParameters(of.sound.sender.getParameters()),
        lambda of, result: len(of.sound.sender.getParameters().encodings) == 1,
        (Capability.SEND_PARAMETERS,),
    ),
    "stop": Call(lambda of: of.sound.stop(), lambda of, result: of.sound.stopped, (Capability.TRANSCEIVER_STOP,)),
}


def _cells() -> list[Any]:
    """Return every method in every state, with what it needs."""
    return [
        pytest.param(method, state, marks=(requires(*CALLS[method].needs), *negotiating(state)), id=f"{state}-{method}")
        for state in STATES
        for method in METHODS
    ]


async def _subject(peers: Peers, target: Target, state: State) -> Subject:
    scene = Scene(peers, target, sends=True)
    (sound,), channel = scene.pc.getTransceivers(), scene.pc.createDataChannel("subject")
    await scene.bring_to(state)
    return Subject(scene.pc, sound, channel, target)


def _negotiated(pc: RTCPeerConnection) -> list[Any]:
    """Return the signaling state and the descriptions, without the candidates that come meanwhile."""
    found = [(parsed(d), d and re.findall(r"a=ice-(?:ufrag|pwd):.*", d.sdp)) for d in descriptions(pc)]
    return [pc.signalingState, *found]


async def _use(of: Subject, method: str) -> bool:
    result = CALLS[method].make(of)
    return CALLS[method].done(of, await result if inspect.isawaitable(result) else result)


@spec("webrtc-pc 4.4.2", "webrtc-pc 5.1", "webrtc-pc 5.4", "webrtc-pc 6.1")
@pytest.mark.parametrize(("method", "state"), _cells())
async def test_method_in_a_signaling_state(peers: Peers, target: Target, method: str, state: State) -> None:
    of = await _subject(peers, target, state)
    before, trace = _negotiated(of.pc), Trace()
    trace.watch_connection("subject", of.pc)
    if may_call(method, state):
        assert await _use(of, method)
    else:
        with pytest.raises(InvalidStateError):
            await _use(of, method)
    if method == "close":
        before[0] = "closed"
    assert _negotiated(of.pc) == before
    expected = ["closed"] if method == "close" and state != "closed" else []
    assert trace.details("subject", "signalingstatechange") == expected


@spec("webrtc-pc 4.4.2")
@pytest.mark.parametrize("state", [pytest.param(state, marks=negotiating(state)) for state in STATES[:-1]])
async def test_offer_takes_up_what_was_added_in_a_state(peers: Peers, target: Target, state: State) -> None:
    of = await _subject(peers, target, state)
    of.pc.addTransceiver("video")
    offered = (await of.pc.createOffer()).sdp
    assert re.findall(r"(?m)^m=(\w+)", offered).count("video") == 1


@spec("webrtc-pc 4.4.1.6", "webrtc-pc 5.4")
async def test_closed_connection_has_stopped_its_transceivers(peers: Peers, target: Target) -> None:
    of = await _subject(peers, target, "closed")
    assert of.sound.stopped
    assert of.channel.readyState == "closed"


@spec("webrtc-pc 4.4.1.5")
async def test_state_of_the_remote_description_decides_on_its_candidates(peers: Peers, target: Target) -> None:
    """A candidate that comes too early waits, and is judged when the description is there: it does not hurt."""
    offerer, answerer = trickling(peers, target), trickling(peers, target)
    offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await answerer.addIceCandidate(RTCIceCandidate(1, "1", "127.0.0.1", 9, 1, "udp", "host", sdpMid="nine"))
    await answerer.setRemoteDescription(local_of(offerer))
    assert answerer.signalingState == "have-remote-offer"
