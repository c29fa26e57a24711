"""What is sent is what happens on the wire: quality of pictures, sources, layers."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import numpy as np
import pytest

from conformance.asserts import Arrivals, connect, local_of
from conformance.media import PTIME, coded_picture, picture_track, tone_track
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.scenes import described
from conformance.targets import Pair, Peers
from shim import Capability, RTCPeerConnection, RTCRtpEncodingParameters, RTCRtpSender

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


@spec("RFC 7742 5")
async def test_picture_is_close_to_what_was_sent(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    _, _, _, received = await _sending(peers, pair, picture_track(pair.offerer, CODE))
    sent = coded_picture(CODE).to_ndarray(format="gray").astype(float)
    qualities = []
    for _ in range(15):
        frame = await asyncio.wait_for(received.recv(), PATIENCE)
        qualities.append(_psnr(frame.to_ndarray(format="gray").astype(float), sent))
    evidence.series("PSNR", qualities, "dB")
    assert max(qualities) >= 32


def _psnr(seen: np.ndarray[Any, Any], sent: np.ndarray[Any, Any]) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((seen - sent) ** 2), 1e-9))) if seen.shape == sent.shape else 0.0


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
