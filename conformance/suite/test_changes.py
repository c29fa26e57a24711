"""Changes during a call: another codec, muting, while everything else goes on."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Final, Self

import pytest
from av import AudioFrame

from conformance.asserts import Arrivals, connect, local_of, negotiate
from conformance.media import PTIME, Kind, code_of, coded_picture, mono_samples, pitch, tone_frame, track
from conformance.netsim import NetworkMaker
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from conformance.wire import Wiretap
from shim import (
    Capability,
    MediaStreamTrack,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpSender,
    RTCSessionDescription,
    use_backend,
)
from shim.spi.engines import Direction

PATIENCE: Final = 10.0
FIRST: Final = 0b10110010
SECOND: Final = 0b01001101
PITCHES: Final = {FIRST: 440.0, SECOND: 1000.0}


class Sign:
    """A track that shows a code, or plays the pitch that stands for it; it may change."""

    def __init__(self, target: Target, kind: Kind) -> None:
        self.code = FIRST
        frame_at = self._sound if kind == "audio" else self._picture
        self.track: MediaStreamTrack = track(target, kind, frame_at, PTIME if kind == "audio" else 1 / 30)

    def _sound(self, index: int) -> Any:
        return tone_frame(index, PITCHES[self.code])

    def _picture(self, _: int) -> Any:
        return coded_picture(self.code)


async def _until_received(received: Any, code: int) -> None:
    """Receive until a sign has arrived; 0 is what is left of one that is muted."""
    if received.kind == "video":
        await _receive(received, lambda frame: code_of(frame) == code)
        return
    last: list[AudioFrame] = []

    def is_heard(frame: AudioFrame) -> bool:
        last[:] = [*last[-11:], frame]
        if code == 0:
            return len(last) == 12 and max(abs(mono_samples(each)).max() for each in last) < 0.01
        return len(last) == 12 and abs(pitch(last) - PITCHES[code]) < 20

    await _receive(received, is_heard)


async def _receive(received: Any, is_wanted: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_wanted(await received.recv()):
            pass


# --- codecs ------------------------------------------------------------------------------------------

CHANGES: Final = {"audio": ("audio/opus", "audio/PCMU"), "video": ("video/VP8", "video/H264")}


def _codec(target: Target, name: str) -> RTCRtpCodecCapability:
    with use_backend(target.name):
        codecs = RTCRtpSender.getCapabilities(name.partition("/")[0]).codecs
    return next(codec for codec in codecs if codec.mimeType.lower() == name.lower())


@spec("RFC 9429 5.2.2", "webrtc-pc 5.4", "RFC 3550 5.1")
@requires(Capability.CODEC_PREFERENCES, Capability.VIDEO_H264, Capability.ICE_HOST)
@pytest.mark.parametrize("kind", CHANGES)
async def test_codec_changes_during_the_call(peers: Peers, pair: Pair, netsim: NetworkMaker, kind: Kind) -> None:
    network = netsim()
    tap = Wiretap(network.a_to_b)
    offerer, answerer = peers.open_pair(pair)
    arriving, sign = Arrivals(answerer, "track"), Sign(pair.offerer, kind)
    offerer.addTrack(sign.track)
    transceiver = offerer.getTransceivers()[0]
    before, after = CHANGES[kind]
    transceiver.setCodecPreferences([_codec(pair.offerer, before)])
    await network.connect(offerer, answerer)
    received = await arriving.next()
    await _until_received(received, FIRST)
    assert _number_of(local_of(answerer).sdp, before) in _carried(tap)
    transceiver.setCodecPreferences([_codec(pair.offerer, after)])
    await network.negotiate(offerer, answerer)
    sign.code = SECOND
    await _until_received(received, SECOND)
    assert _number_of(local_of(answerer).sdp, after) in _carried(tap)
    assert offerer.connectionState == answerer.connectionState == "connected"


def _carried(tap: Wiretap) -> set[int]:
    """Return the payload type that each stream carried last."""
    return {stream.payload_type for stream in tap.streams.values()}


def _number_of(sdp: str, mime: str) -> int:
    found = re.search(rf"^a=rtpmap:(\d+) {mime.partition('/')[2]}/", sdp, re.MULTILINE | re.IGNORECASE)
    assert found is not None, sdp
    return int(found[1])


# --- mute --------------------------------------------------------------------------------------------


@spec("mediacapture-streams 4.3.1", "webrtc-pc 5.2")
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_muted_track_is_black_or_silent_until_it_is_unmuted(peers: Peers, pair: Pair, kind: Kind) -> None:
    offerer, answerer = peers.open_pair(pair)
    arriving, sign = Arrivals(answerer, "track"), Sign(pair.offerer, kind)
    offerer.addTrack(sign.track)
    await connect(offerer, answerer)
    received = await arriving.next()
    await _until_received(received, FIRST)
    sign.track.enabled = False
    await _until_received(received, 0)
    sign.track.enabled = True
    sign.code = SECOND
    await _until_received(received, SECOND)


# --- hold --------------------------------------------------------------------------------------------


@spec("RFC 3264 8.4", "webrtc-pc 5.4")
@pytest.mark.parametrize("holder", ["sender", "receiver"])
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_media_flows_again_after_hold(peers: Peers, pair: Pair, kind: Kind, holder: str) -> None:
    call = await _Call.begin(peers, pair, kind)
    ends = (call.sender, call.receiver) if holder == "sender" else (call.receiver, call.sender)
    await call.hold(*ends)
    await call.resume(*ends)


@spec("RFC 9429 5.2.2")
async def test_what_is_held_is_still_named(peers: Peers, pair: Pair) -> None:
    call = await _Call.begin(peers, pair, "video")
    names = [_names_in(local_of(call.sender).sdp)]
    await call.hold(call.sender, call.receiver)
    names.append(_names_in(local_of(call.sender).sdp))
    await call.resume(call.sender, call.receiver)
    names.append(_names_in(local_of(call.sender).sdp))
    await call.hold(call.receiver, call.sender)
    names.append(_names_in(local_of(call.sender).sdp))
    assert names[0]
    assert names == [names[0]] * 4


@spec("RFC 3264 8.4", "RFC 9429 5.10")
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_media_flows_again_though_nothing_was_named_in_hold(peers: Peers, target: Target, kind: Kind) -> None:
    call = await _Call.begin(peers, Pair(target, target), kind)
    call.sender.getTransceivers()[0].direction = "inactive"
    await call.sender.setLocalDescription(await call.sender.createOffer())
    offer = local_of(call.sender)
    unnamed = re.sub(r"(?m)^a=(?:msid|ssrc|ssrc-group):.*\r\n", "", offer.sdp)
    await call.receiver.setRemoteDescription(RTCSessionDescription(unnamed, offer.type))
    await call.receiver.setLocalDescription(await call.receiver.createAnswer())
    await call.sender.setRemoteDescription(local_of(call.receiver))
    await call.resume(call.sender, call.receiver)


ENOUGH: Final = 30
"""Frames before hold: so many more packets than after it, until what is sent then is seen, that a new count shows."""


@spec("webrtc-stats 6.2", "webrtc-stats 6.4")
@requires(Capability.STATS)
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_figures_go_on_after_hold(peers: Peers, pair: Pair, kind: Kind) -> None:
    call = await _Call.begin(peers, pair, kind)
    await call.last(ENOUGH)
    before = await _streams(call.sender, "outbound-rtp")
    await call.hold(call.sender, call.receiver)
    await call.resume(call.sender, call.receiver)
    received, sent = await _streams(call.receiver, "inbound-rtp"), await _streams(call.sender, "outbound-rtp")
    # Whatever counts from nothing is another object: under one id, nothing falls.
    for id in before.keys() & sent.keys():
        assert before[id].ssrc == sent[id].ssrc
        assert before[id].packetsSent <= sent[id].packetsSent
    numbers = {int(number) for number in re.findall(r"^a=ssrc:(\d+) ", local_of(call.sender).sdp, re.MULTILINE)}
    (out,) = (entry for entry in sent.values() if entry.ssrc in numbers)
    (into,) = (entry for entry in received.values() if entry.ssrc == out.ssrc)
    assert 0 < into.packetsReceived <= out.packetsSent


@dataclass(frozen=True)
class _Call:
    """A call in which a sign is sent one way."""

    sender: RTCPeerConnection
    receiver: RTCPeerConnection
    sign: Sign

    @classmethod
    async def begin(cls, peers: Peers, pair: Pair, kind: Kind) -> Self:
        """Connect, and receive the first sign."""
        sender, receiver = peers.open_pair(pair)
        arriving, sign = Arrivals(receiver, "track"), Sign(pair.offerer, kind)
        sender.addTrack(sign.track)
        await connect(sender, receiver)
        await _until_received(await arriving.next(), FIRST)
        return cls(sender, receiver, sign)

    async def last(self, frames: int) -> None:
        """Receive so many more frames."""
        received: Any = self.receiver.getTransceivers()[0].receiver.track
        async with asyncio.timeout(PATIENCE):
            for _ in range(frames):
                await received.recv()

    async def hold(self, holder: RTCPeerConnection, other: RTCPeerConnection) -> None:
        """Agree on sending nothing."""
        await self._turn(holder, other, "inactive")
        assert [pc.getTransceivers()[0].currentDirection for pc in (holder, other)] == ["inactive", "inactive"]

    async def resume(self, holder: RTCPeerConnection, other: RTCPeerConnection) -> None:
        """Agree on sending as before, and receive the second sign."""
        self.sign.code = SECOND
        await self._turn(holder, other, "sendonly" if holder is self.sender else "recvonly")
        assert self.sender.getTransceivers()[0].currentDirection == "sendonly"
        await _until_received(self.receiver.getTransceivers()[0].receiver.track, SECOND)

    @staticmethod
    async def _turn(holder: RTCPeerConnection, other: RTCPeerConnection, direction: Direction) -> None:
        holder.getTransceivers()[0].direction = direction
        await negotiate(holder, other)


def _names_in(sdp: str) -> list[str]:
    return re.findall(r"^a=msid:(.*?)\r?$", sdp, re.MULTILINE)


async def _streams(pc: RTCPeerConnection, kind: str) -> dict[str, Any]:
    return {entry.id: entry for entry in (await pc.getStats()).values() if entry.type == kind}
