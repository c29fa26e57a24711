"""Changes during a call: another codec, muting, while everything else goes on."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

import pytest
from av import AudioFrame

from conformance.asserts import Arrivals, connect, local_of, negotiate
from conformance.media import PTIME, Kind, code_of, coded_picture, mono_samples, pitch, tone_frame, track
from conformance.netsim import NetworkMaker
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from conformance.wire import Wiretap
from shim import Capability, MediaStreamTrack, RTCRtpCodecCapability, RTCRtpSender, use_backend

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
    assert _carried(tap) == _number_of(local_of(answerer).sdp, before)
    transceiver.setCodecPreferences([_codec(pair.offerer, after)])
    await network.negotiate(offerer, answerer)
    sign.code = SECOND
    await _until_received(received, SECOND)
    assert _carried(tap) == _number_of(local_of(answerer).sdp, after)
    assert offerer.connectionState == answerer.connectionState == "connected"


def _carried(tap: Wiretap) -> int:
    """Return the payload type of the stream that has carried most."""
    return max(tap.streams.values(), key=lambda stream: stream.payload).payload_type


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
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_media_flows_again_after_hold(peers: Peers, pair: Pair, kind: Kind) -> None:
    offerer, answerer = peers.open_pair(pair)
    arriving, sign = Arrivals(answerer, "track"), Sign(pair.offerer, kind)
    offerer.addTrack(sign.track)
    await connect(offerer, answerer)
    await _until_received(await arriving.next(), FIRST)
    transceiver = offerer.getTransceivers()[0]
    transceiver.direction = "inactive"
    await negotiate(offerer, answerer)
    sign.code = SECOND
    transceiver.direction = "sendonly"
    await negotiate(offerer, answerer)
    assert transceiver.currentDirection == "sendonly"
    await _until_received(answerer.getTransceivers()[0].receiver.track, SECOND)
