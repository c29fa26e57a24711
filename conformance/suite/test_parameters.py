"""RTP parameters, capabilities, codec preferences and DTMF: what can be asked for, and that it is applied."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from av import VideoFrame

from conformance.asserts import Arrivals, connect, local_of, negotiate, within
from conformance.media import code_of, picture_track, tone_track
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from shim import (
    Capability,
    InvalidModificationError,
    InvalidStateError,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpEncodingParameters,
    RTCRtpReceiver,
    RTCRtpSender,
    use_backend,
)

CODE = 0b10110010


async def _send_video(
    peers: Peers, pair: Pair, **shape: Any
) -> tuple[RTCPeerConnection, RTCPeerConnection, RTCRtpSender, Any]:
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    sender = offerer.addTrack(picture_track(pair.offerer, CODE, **shape))
    await connect(offerer, answerer)
    return offerer, answerer, sender, await arriving.next()


async def _picture_of_width(received: Any, width: int) -> VideoFrame:
    async with within(8, f"a picture of width {width}"):
        while True:
            frame = await received.recv()
            assert isinstance(frame, VideoFrame)
            if abs(frame.width - width) <= 2:
                return frame


# --- capabilities ------------------------------------------------------------------------------------


@spec("webrtc-pc 5.2", "webrtc-pc 5.3")
@pytest.mark.parametrize("side", [RTCRtpSender, RTCRtpReceiver])
@pytest.mark.parametrize(("kind", "codec"), [("audio", "audio/opus"), ("audio", "audio/PCMU"), ("video", "video/VP8")])
@requires(Capability.AUDIO_OPUS, Capability.VIDEO_VP8)
def test_capabilities_name_the_mandatory_codecs(target: Target, side: Any, kind: str, codec: str) -> None:
    with use_backend(target.name):
        found = side.getCapabilities(kind)
    assert codec.lower() in {capability.mimeType.lower() for capability in found.codecs}


@spec("webrtc-pc 5.2")
@pytest.mark.parametrize(
    ("capability", "codec"),
    [
        (Capability.VIDEO_H264, "video/H264"),
        (Capability.VIDEO_VP9, "video/VP9"),
        (Capability.VIDEO_AV1, "video/AV1"),
    ],
)
def test_declared_codec_is_among_the_capabilities(target: Target, capability: Capability, codec: str) -> None:
    with use_backend(target.name):
        found = {found.mimeType.lower() for found in RTCRtpSender.getCapabilities("video").codecs}
    assert (codec.lower() in found) == (capability in target.info.capabilities)


@spec("webrtc-pc 5.2")
def test_capabilities_of_an_unknown_kind_are_refused(target: Target) -> None:
    with use_backend(target.name), pytest.raises(ValueError, match="bogus"):
        RTCRtpSender.getCapabilities("bogus")


# --- codec preferences -------------------------------------------------------------------------------


def _codec(target: Target, name: str) -> RTCRtpCodecCapability:
    with use_backend(target.name):
        codecs = RTCRtpSender.getCapabilities(name.partition("/")[0]).codecs
    found = [codec for codec in codecs if codec.mimeType.lower() == name.lower()]
    assert found, f"{target} cannot send {name}"
    return found[0]


@spec("webrtc-pc 5.4", "RFC 9429 4.2.6")
@requires(Capability.CODEC_PREFERENCES, Capability.VIDEO_H264, of="offerer")
async def test_preferred_codec_is_offered_first(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    transceiver = pc.addTransceiver("video")
    transceiver.setCodecPreferences([_codec(target, "video/H264"), _codec(target, "video/VP8")])
    assert _codecs((await pc.createOffer()).sdp)[0] == "H264/90000"


@spec("webrtc-pc 5.4", "RFC 9429 4.2.6")
@requires(Capability.CODEC_PREFERENCES)
async def test_codec_left_out_is_not_offered(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    pc.addTransceiver("video").setCodecPreferences([_codec(target, "video/VP8")])
    assert set(_codecs((await pc.createOffer()).sdp)) == {"VP8/90000"}


@spec("webrtc-pc 5.4")
@requires(Capability.CODEC_PREFERENCES)
async def test_empty_preferences_restore_the_default(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    transceiver = pc.addTransceiver("video")
    default = _codecs((await pc.createOffer()).sdp)
    transceiver.setCodecPreferences([_codec(target, "video/VP8")])
    transceiver.setCodecPreferences([])
    assert _codecs((await pc.createOffer()).sdp) == default


@spec("webrtc-pc 5.4")
@requires(Capability.CODEC_PREFERENCES)
async def test_unknown_codec_is_refused(peers: Peers, target: Target) -> None:
    transceiver = peers.open(target).addTransceiver("video")
    with pytest.raises(ValueError, match="capabilities"):
        transceiver.setCodecPreferences([RTCRtpCodecCapability("video/bogus", 90000)])


@spec("webrtc-pc 5.4")
@requires(Capability.CODEC_PREFERENCES)
@pytest.mark.parametrize(
    "name",
    [
        "video/VP8",
        pytest.param("video/H264", marks=requires(Capability.VIDEO_H264)),
        pytest.param("video/VP9", marks=requires(Capability.VIDEO_VP9)),
        pytest.param("video/AV1", marks=requires(Capability.VIDEO_AV1)),
    ],
)
async def test_chosen_codec_carries_the_pictures(peers: Peers, pair: Pair, name: str) -> None:
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(picture_track(pair.offerer, CODE))
    offerer.getTransceivers()[0].setCodecPreferences([_codec(pair.offerer, name)])
    await connect(offerer, answerer)
    received = await arriving.next()
    frame = await asyncio.wait_for(received.recv(), 8)
    assert code_of(frame) == CODE
    assert {codec.split("/")[0] for codec in _codecs(local_of(answerer).sdp)} == {name.split("/")[1]}


def _codecs(sdp: str) -> list[str]:
    """Return the codecs of a description that carry media, in order."""
    auxiliary = ("rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "cn")
    found = [line.split()[1] for line in sdp.splitlines() if line.startswith("a=rtpmap:")]
    return [codec for codec in found if codec.split("/")[0].lower() not in auxiliary]


# --- sender parameters -------------------------------------------------------------------------------


@spec("webrtc-pc 5.2.2")
async def test_parameters_describe_what_is_sent(peers: Peers, pair: Pair) -> None:
    _, _, sender, _ = await _send_video(peers, pair)
    parameters = sender.getParameters()
    assert [encoding.active for encoding in parameters.encodings] == [True]
    assert [codec.mimeType for codec in parameters.codecs[:1] if codec.mimeType.startswith("video/")]
    assert parameters.transactionId
    assert parameters.rtcp.cname


@spec("webrtc-pc 5.2")
@requires(Capability.SEND_PARAMETERS)
async def test_parameters_are_kept(peers: Peers, pair: Pair) -> None:
    _, _, sender, _ = await _send_video(peers, pair)
    parameters = sender.getParameters()
    parameters.encodings[0].maxBitrate = 300_000
    parameters.encodings[0].maxFramerate = 15
    await _awaited(sender.setParameters(parameters))
    found = sender.getParameters().encodings[0]
    assert (found.maxBitrate, found.maxFramerate) == (300_000, 15)


async def _awaited(done: Any) -> None:
    await done


@spec("webrtc-pc 5.2")
@requires(Capability.SEND_PARAMETERS)
async def test_parameters_must_be_asked_for_first(peers: Peers, target: Target) -> None:
    sender = peers.open(target).addTransceiver("video").sender
    parameters = sender.getParameters()
    await _awaited(sender.setParameters(parameters))
    with pytest.raises(InvalidStateError):
        sender.setParameters(parameters)


@spec("webrtc-pc 5.2")
@requires(Capability.SEND_PARAMETERS)
async def test_stale_parameters_are_refused(peers: Peers, target: Target) -> None:
    sender = peers.open(target).addTransceiver("video").sender
    stale = sender.getParameters()
    sender.getParameters()
    stale.transactionId += "x"
    with pytest.raises(InvalidModificationError):
        sender.setParameters(stale)


@spec("webrtc-pc 5.2")
@requires(Capability.SEND_PARAMETERS)
async def test_encodings_cannot_be_added(peers: Peers, target: Target) -> None:
    sender = peers.open(target).addTransceiver("video").sender
    parameters = sender.getParameters()
    parameters.encodings.append(RTCRtpEncodingParameters())
    with pytest.raises(InvalidModificationError):
        sender.setParameters(parameters)


@spec("webrtc-pc 5.2")
@requires(Capability.SEND_PARAMETERS)
@pytest.mark.parametrize(
    ("field", "value"), [("scaleResolutionDownBy", 0.5), ("maxFramerate", -1.0), ("maxBitrate", -1)]
)
async def test_impossible_encoding_is_refused(peers: Peers, target: Target, field: str, value: float) -> None:
    sender = peers.open(target).addTransceiver("video").sender
    parameters = sender.getParameters()
    setattr(parameters.encodings[0], field, value)
    with pytest.raises(ValueError, match=field):
        sender.setParameters(parameters)


@spec("webrtc-pc 5.2.5")
@requires(Capability.SEND_PARAMETERS)
async def test_scale_makes_pictures_smaller(peers: Peers, pair: Pair) -> None:
    _, _, sender, received = await _send_video(peers, pair, width=320, height=240)
    parameters = sender.getParameters()
    parameters.encodings[0].scaleResolutionDownBy = 2.0
    await _awaited(sender.setParameters(parameters))
    frame = await _picture_of_width(received, 160)
    assert code_of(frame) == CODE


@spec("webrtc-pc 5.2.5")
@requires(Capability.SEND_PARAMETERS)
async def test_inactive_encoding_sends_nothing_until_active_again(peers: Peers, pair: Pair) -> None:
    _, _, sender, received = await _send_video(peers, pair, width=320, height=240)
    await _picture_of_width(received, 320)
    for active, scale in ((False, 1.0), (True, 2.0)):
        parameters = sender.getParameters()
        parameters.encodings[0].active = active
        parameters.encodings[0].scaleResolutionDownBy = scale
        await _awaited(sender.setParameters(parameters))
        assert sender.getParameters().encodings[0].active is active
    await _picture_of_width(received, 160)


# --- DTMF --------------------------------------------------------------------------------------------


@spec("webrtc-pc 7.2")
async def test_tones_cannot_be_sent_before_connecting(peers: Peers, target: Target) -> None:
    sender = peers.open(target).addTrack(tone_track(target))
    assert sender.dtmf is not None
    assert not sender.dtmf.canInsertDTMF


@spec("webrtc-pc 7.2")
async def test_video_has_no_tones(peers: Peers, target: Target) -> None:
    assert peers.open(target).addTransceiver("video").sender.dtmf is None


@spec("webrtc-pc 7.3")
@requires(Capability.DTMF)
async def test_tones_are_told_one_by_one_and_at_the_end(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    sender = offerer.addTrack(tone_track(pair.offerer))
    await connect(offerer, answerer)
    assert sender.dtmf is not None
    tones = Arrivals(sender.dtmf, "tonechange")
    sender.dtmf.insertDTMF("1#", duration=40, interToneGap=30)
    assert await tones.take(3) == ["1", "#", ""]
    assert sender.dtmf.toneBuffer == ""


@spec("webrtc-pc 7.2")
@requires(Capability.DTMF)
async def test_what_is_no_tone_is_refused(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    sender = offerer.addTrack(tone_track(pair.offerer))
    await connect(offerer, answerer)
    assert sender.dtmf is not None
    with pytest.raises(ValueError, match="tones"):
        sender.dtmf.insertDTMF("hello")


# --- simulcast ---------------------------------------------------------------------------------------


@spec("RFC 8853 5.1", "webrtc-pc 5.1")
@requires(Capability.SIMULCAST)
async def test_layers_are_offered_by_rid(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    layers = [RTCRtpEncodingParameters(rid=rid, scaleResolutionDownBy=scale) for rid, scale in (("q", 4.0), ("f", 1.0))]
    pc.addTransceiver(picture_track(target), "sendonly", sendEncodings=layers)
    sdp = (await pc.createOffer()).sdp
    assert "a=rid:q send" in sdp
    assert "a=rid:f send" in sdp
    assert "a=simulcast:send q;f" in sdp


# --- transceivers ------------------------------------------------------------------------------------


@spec("webrtc-pc 5.4")
async def test_transceiver_gets_its_mid_from_the_negotiation(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    transceiver = offerer.addTransceiver("audio")
    assert (transceiver.mid, transceiver.currentDirection) == (None, None)
    await negotiate(offerer, answerer)
    assert transceiver.mid == answerer.getTransceivers()[0].mid


@spec("webrtc-pc 5.1")
async def test_unknown_kind_is_refused(peers: Peers, target: Target) -> None:
    from shim import InternalError

    pc = peers.open(target)
    with pytest.raises(InternalError):
        pc.addTransceiver("smell")


# --- what mutants taught -----------------------------------------------------------------------------


async def _seconds_of(received: Any, count: int) -> float:
    """Receive so many frames; return from the time of the first to that of the last."""
    frames = [await asyncio.wait_for(received.recv(), 8) for _ in range(count)]
    return float(frames[-1].pts * frames[-1].time_base - frames[0].pts * frames[0].time_base)


@spec("webrtc-pc 5.2.5")
@requires(Capability.SEND_PARAMETERS)
async def test_framerate_falls_to_the_maximum(peers: Peers, pair: Pair) -> None:
    _, _, sender, received = await _send_video(peers, pair)
    parameters = sender.getParameters()
    parameters.encodings[0].maxFramerate = 5
    await _awaited(sender.setParameters(parameters))
    await _seconds_of(received, 10)
    # Six frames at 5 per second, within 30 %. A busy machine leaves some out now and then, but not every time.
    found = [await _seconds_of(received, 6)]
    while len(found) < 4 and not 0.7 < found[-1] < 1.43:
        found.append(await _seconds_of(received, 6))
    assert 0.7 < found[-1] < 1.43, found


@spec("webrtc-pc 5.2.5")
@requires(Capability.SEND_PARAMETERS)
async def test_inactive_encoding_is_silent(peers: Peers, pair: Pair) -> None:
    _, _, sender, received = await _send_video(peers, pair)
    parameters = sender.getParameters()
    parameters.encodings[0].active = False
    await _awaited(sender.setParameters(parameters))

    async with within(8, "a second without a picture"):
        with suppress(TimeoutError):
            while True:
                await asyncio.wait_for(received.recv(), 1)
