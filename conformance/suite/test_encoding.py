"""What encodes the pictures of a call: its rate changes in flight, and the statistics name it and what limits it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from conformance.asserts import Arrivals, connect
from conformance.media import picture_track
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from shim import (
    Capability,
    MediaStreamTrack,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpEncodingParameters,
    RTCRtpSender,
    use_backend,
)

PATIENCE: Final = 10.0
FPS: Final = 30
LOW, LOWER, HIGH = 250_000, 150_000, 700_000
"""Bits per second."""
CODECS: Final = {
    "VP8": Capability.VIDEO_VP8,
    "VP9": Capability.VIDEO_VP9,
    "H264": Capability.VIDEO_H264,
    "AV1": Capability.VIDEO_AV1,
}
REASONS: Final = {"none", "cpu", "bandwidth", "other"}


async def _call(peers: Peers, pair: Pair, codec: str) -> tuple[RTCPeerConnection, MediaStreamTrack]:
    """Send pictures until the first has arrived; return the sending end and what is received."""
    if any(CODECS[codec] not in target.info.capabilities for target in pair.targets):
        pytest.skip(f"a backend does not declare the capability {CODECS[codec]}")
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    limited = [RTCRtpEncodingParameters(maxBitrate=LOW)]
    transceiver = offerer.addTransceiver(picture_track(pair.offerer, fps=FPS), sendEncodings=limited)
    transceiver.setCodecPreferences([_codec(pair.offerer, codec)])
    await connect(offerer, answerer)
    received = await arriving.next()
    await _take(received, 1)
    return offerer, received


def _codec(target: Target, name: str) -> RTCRtpCodecCapability:
    with use_backend(target.name):
        codecs = RTCRtpSender.getCapabilities("video").codecs
    return next(codec for codec in codecs if codec.mimeType.lower() == f"video/{name.lower()}")


async def _take(received: MediaStreamTrack, count: int) -> None:
    for _ in range(count):
        await asyncio.wait_for(received.recv(), PATIENCE)


async def _outbound(pc: RTCPeerConnection) -> Any:
    return next(entry for entry in (await pc.getStats()).values() if entry.type == "outbound-rtp")


async def _limit(pc: RTCPeerConnection, bitrate: int) -> None:
    sender = pc.getSenders()[0]
    parameters = sender.getParameters()
    parameters.encodings[0].maxBitrate = bitrate
    done: Any = sender.setParameters(parameters)
    await done


@spec("webrtc-pc 5.2.5", "RFC 8834 7.1")
@requires(Capability.SEND_PARAMETERS, Capability.STATS, Capability.CODEC_PREFERENCES)
@pytest.mark.parametrize("codec", CODECS)
async def test_another_bitrate_costs_no_key_frame(peers: Peers, pair: Pair, codec: str) -> None:
    """A key frame is ten times as large as others: what makes room for it is worse than what it was to mend."""
    offerer, received = await _call(peers, pair, codec)
    await _take(received, 5)
    before = await _outbound(offerer)
    for bitrate, seconds in ((LOWER, 0.3), (HIGH, 2.0)):
        await _limit(offerer, bitrate)
        await _take(received, int(seconds * FPS))
    after = await _outbound(offerer)
    assert after.keyFramesEncoded - before.keyFramesEncoded <= _excused(after) - _excused(before)


def _excused(entry: Any) -> int:
    """Return how many key frames the remote has asked for; an encoder that a slow machine puts in begins with one."""
    slow = entry.qualityLimitationReason == "cpu"
    return int(entry.pliCount + entry.firCount + slow)


@spec("webrtc-stats 8.4")
@requires(Capability.STATS, Capability.CODEC_PREFERENCES)
@pytest.mark.parametrize("codec", CODECS)
async def test_sender_names_its_encoder_and_what_limits_it(peers: Peers, pair: Pair, codec: str) -> None:
    offerer, received = await _call(peers, pair, codec)
    await _take(received, 3)
    entry = await _outbound(offerer)
    assert isinstance(entry.encoderImplementation, str)
    assert entry.encoderImplementation not in {"", "unknown"}
    assert entry.qualityLimitationReason in REASONS
    durations = entry.qualityLimitationDurations
    assert set(durations) == REASONS
    assert all(isinstance(seconds, int | float) and 0 <= seconds < 60 for seconds in durations.values())
