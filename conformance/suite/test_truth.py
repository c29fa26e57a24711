"""What is sent is what happens on the wire: quality of pictures, sources, layers."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

import numpy as np
import pytest
from av import VideoFrame

from conformance.asserts import Arrivals, connect, local_of
from conformance.layers import LayerPeer
from conformance.media import PTIME, coded_picture, picture_track, tone_track, track
from conformance.quality import psnr, ssim
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.scenes import described
from conformance.targets import Pair, Peers, Target
from shim import (
    BitrateBounds,
    Capability,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpEncodingParameters,
    RTCRtpSender,
)

PATIENCE = 12.0
CODE = 0b10110010


async def _sending(
    peers: Peers, pair: Pair, sent: Any
) -> tuple[RTCPeerConnection, RTCPeerConnection, RTCRtpSender, Any]:
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    sender = offerer.addTrack(sent)
    await connect(offerer, answerer)
    return offerer, answerer, sender, await arriving.next()


# --- quality -----------------------------------------------------------------------------------------


LIMITS: Final = {"bars": (40.0, 0.98), "card": (36.0, 0.95)}
"""Least PSNR in dB and SSIM of one of the first `LOOKS` pictures: a still at the bitrates that engines begin
with gets to 47 dB and 0.99 after some pictures, so that a slow machine has room."""
LOOKS: Final = 25


def _picture(name: str) -> VideoFrame:
    """Return bars, or a card with edges, a ramp and fine structure, which a blur or a shift destroys."""
    if name == "bars":
        return coded_picture(CODE)
    rows, columns = np.mgrid[0:240, 0:320]
    luma = 128 + 50 * np.sin(columns / 6) * np.sin(rows / 9) + (columns // 40 + rows // 40) % 2 * 40 - columns / 8
    return VideoFrame.from_ndarray(luma.clip(16, 235).astype(np.uint8), format="gray").reformat(format="yuv420p")


@spec("RFC 7742 5")
@pytest.mark.parametrize("name", LIMITS)
async def test_picture_is_close_to_what_was_sent(peers: Peers, pair: Pair, evidence: Evidence, name: str) -> None:
    _, _, _, received = await _sending(peers, pair, track(pair.offerer, "video", lambda _: _picture(name), 1 / 30))
    sent = _luma(_picture(name))
    least_psnr, least_ssim = LIMITS[name]
    noise, structure = [0.0], [0.0]
    frames: list[VideoFrame] = []
    for _ in range(LOOKS):
        frame = await asyncio.wait_for(received.recv(), PATIENCE)
        seen = _luma(frame)
        if seen.shape == sent.shape:
            frames.append(frame)
            noise.append(psnr(seen, sent))
            structure.append(ssim(seen, sent))
        if noise[-1] >= least_psnr and structure[-1] >= least_ssim:
            break
    evidence.series("PSNR", noise[1:], "dB")
    evidence.series("SSIM", structure[1:], "")
    for index in sorted({int(np.argmin(noise[1:])), int(np.argmax(noise[1:]))} if frames else ()):
        evidence.frames(_picture(name), frames[index])
    assert noise[-1] >= least_psnr
    assert structure[-1] >= least_ssim


def _luma(frame: VideoFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    return frame.to_ndarray(format="gray").astype(np.float64)


# --- sources -----------------------------------------------------------------------------------------


@spec("webrtc-pc 5.3")
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_heard_source_is_the_one_of_the_statistics(peers: Peers, pair: Pair, kind: str) -> None:
    sent = tone_track(pair.offerer) if kind == "audio" else picture_track(pair.offerer)
    _, answerer, _, received = await _sending(peers, pair, sent)
    for _ in range(3):
        await asyncio.wait_for(received.recv(), PATIENCE)
    receiver = answerer.getReceivers()[0]
    inbound = {entry.ssrc for entry in dict(await receiver.getStats()).values() if entry.type == "inbound-rtp"}
    assert {source.source for source in receiver.getSynchronizationSources()} == inbound
    assert receiver.getContributingSources() == []


# --- simulcast ---------------------------------------------------------------------------------------


@spec("RFC 8853 5", "webrtc-stats 6.4")
@requires(Capability.SIMULCAST, of="offerer")
async def test_layers_are_sent_side_by_side(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    layers = [RTCRtpEncodingParameters(rid=rid, scaleResolutionDownBy=scale) for rid, scale in (("q", 2.0), ("f", 1.0))]
    sent = picture_track(pair.offerer, width=640, height=360)
    transceiver = offerer.addTransceiver(sent, "sendonly", sendEncodings=layers)
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(described("offer", _without_layers(local_of(offerer).sdp)))
    await answerer.setLocalDescription()
    accepted = local_of(answerer).sdp + "a=rid:q recv\r\na=rid:f recv\r\na=simulcast:recv q;f\r\n"
    await offerer.setRemoteDescription(described("answer", accepted))
    assert await asyncio.wait_for(_layers_sent(transceiver.sender), PATIENCE) == {"q", "f"}


def _without_layers(sdp: str) -> str:
    """Return an offer as it looks to who knows no simulcast: an ordinary peer would take one of its layers for all."""
    return re.sub(r"a=(rid|simulcast):.*\r\n", "", sdp)


async def _layers_sent(sender: RTCRtpSender) -> set[str]:
    """Ask for statistics until two layers have sent something; each answer takes its turns of the loop."""
    while True:
        report = dict(await sender.getStats())
        found = {e.rid for e in report.values() if e.type == "outbound-rtp" and getattr(e, "bytesSent", 0) > 0}
        if len(found) == 2:
            return found
        await asyncio.sleep(PTIME)


SCALES: Final = {"q": 4.0, "h": 2.0, "f": 1.0}


def _send_layers(pc: RTCPeerConnection, target: Target, *off: str) -> RTCRtpSender:
    layers = [
        RTCRtpEncodingParameters(rid=rid, scaleResolutionDownBy=scale, active=rid not in off)
        for rid, scale in SCALES.items()
    ]
    # libwebrtc makes three layers of pictures from 960x540 on, fewer of smaller ones.
    return pc.addTransceiver(picture_track(target, width=960, height=540), "sendonly", sendEncodings=layers).sender


@spec("RFC 8853 5", "RFC 8852 4", "webrtc-pc 5.1")
@requires(Capability.SIMULCAST, Capability.BITRATE_BOUNDS)
async def test_every_layer_arrives_in_its_size(peers: Peers, target: Target) -> None:
    offerer = peers.open(target, RTCConfiguration(bitrate=BitrateBounds(start=2_500_000)))
    _send_layers(offerer, target)
    receiver = LayerPeer(peers, *SCALES)
    await offerer.setLocalDescription()
    await receiver.answer(offerer)
    await asyncio.wait_for(receiver.until(*SCALES), PATIENCE)
    assert receiver.sizes == {"q": (240, 135), "h": (480, 270), "f": (960, 540)}


@spec("webrtc-pc 5.2.5", "RFC 8853 5.1")
@requires(Capability.SIMULCAST, Capability.BITRATE_BOUNDS)
async def test_layer_that_is_off_is_sent_once_it_is_on(peers: Peers, target: Target) -> None:
    offerer = peers.open(target, RTCConfiguration(bitrate=BitrateBounds(start=2_500_000)))
    sender, receiver = _send_layers(offerer, target, "q"), LayerPeer(peers, *SCALES)
    # The second answer changes nothing: neither of them pauses a layer, nor turns one on.
    for _ in range(2):
        await offerer.setLocalDescription()
        await receiver.answer(offerer)
        await asyncio.wait_for(receiver.until("h", "f"), PATIENCE)
        assert [layer.active for layer in sender.getParameters().encodings] == [False, True, True]
    assert receiver.sizes.keys() == {"h", "f"}
    parameters = sender.getParameters()
    parameters.encodings[0].active = True
    sender.setParameters(parameters)
    await asyncio.wait_for(receiver.until("q"), PATIENCE)
