"""What is asked for is what happens on the wire: measured rates and sizes, quality, lip-sync, sources, layers."""

from __future__ import annotations

import asyncio
import re
import time
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
from av import AudioFrame, VideoFrame

from conformance.asserts import Arrivals, connect, local_of
from conformance.media import PTIME, code_of, coded_picture, mono_samples, picture_track, tone_frame, tone_track, track
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.scenes import described
from conformance.targets import Pair, Peers, Target
from shim import Capability, RTCPeerConnection, RTCRtpEncodingParameters, RTCRtpSender

PATIENCE = 12.0
CODE, OTHER = 0b10110010, 0b01001101


def _busy_track(target: Target) -> Any:
    """Return a track of which no picture resembles the one before: worth far more bits than any limit here."""
    dice = np.random.default_rng(1)
    tiles = [dice.integers(60, 200, (15, 20), np.uint8) for _ in range(10)]
    pictures = [np.kron(tile, np.ones((16, 16), np.uint8)) for tile in tiles]
    return track(target, "video", lambda index: _gray(pictures[index % len(pictures)]), 1 / 30)


def _gray(luma: np.ndarray[Any, Any]) -> VideoFrame:
    return VideoFrame.from_ndarray(luma, format="gray").reformat(format="yuv420p")


async def _sending(
    peers: Peers, pair: Pair, sent: Any
) -> tuple[RTCPeerConnection, RTCPeerConnection, RTCRtpSender, Any]:
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    sender = offerer.addTrack(sent)
    await connect(offerer, answerer)
    return offerer, answerer, sender, await arriving.next()


async def _change(sender: RTCRtpSender, **wanted: Any) -> None:
    parameters = sender.getParameters()
    for name, value in wanted.items():
        setattr(parameters.encodings[0], name, value)
    await cast("Any", sender.setParameters(parameters))


async def _frames(received: Any, seconds: float) -> list[Any]:
    """Receive for some time of the media's own clock."""
    frames: list[Any] = []

    async def take() -> None:
        while not frames or frames[-1].time - frames[0].time < seconds:
            frames.append(await received.recv())

    await asyncio.wait_for(take(), PATIENCE)
    return frames


async def _rate(answerer: RTCPeerConnection, received: Any, seconds: float) -> float:
    """Measure what arrives, in bits per second."""
    before, started = await _bytes(answerer), time.monotonic()
    await _frames(received, seconds)
    return (await _bytes(answerer) - before) * 8 / (time.monotonic() - started)


async def _bytes(pc: RTCPeerConnection) -> int:
    report = dict(await pc.getStats())
    return sum(entry.bytesReceived for entry in report.values() if entry.type == "inbound-rtp")


# --- parameters that are applied ---------------------------------------------------------------------


@spec("webrtc-pc 5.2.5")
@requires(Capability.SEND_PARAMETERS)
async def test_bitrate_stays_below_its_limit(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    _, answerer, sender, received = await _sending(peers, pair, _busy_track(pair.offerer))
    await _change(sender, maxBitrate=200_000)
    await _frames(received, 1.0)  # what was encoded before is on its way
    measured = await _rate(answerer, received, 2.0)
    evidence.figure("bitrate", measured / 1000, "kbit/s", expected=200, tolerance=100)
    assert measured <= 300_000


@spec("webrtc-pc 5.2.5")
@requires(Capability.SEND_PARAMETERS)
async def test_framerate_stays_below_its_limit(peers: Peers, pair: Pair) -> None:
    _, _, sender, received = await _sending(peers, pair, picture_track(pair.offerer, CODE))
    await _change(sender, maxFramerate=5)
    await _until_paced(received, 0.15)


async def _until_paced(received: Any, step: float) -> None:
    """Receive until pictures are so many seconds apart on average."""

    async def look() -> None:
        times: list[float] = []
        while len(times) < 5 or np.mean([b - a for a, b in pairwise(times[-5:])]) < step:
            times.append((await received.recv()).time)

    await asyncio.wait_for(look(), PATIENCE)


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


@spec("RFC 5905 6", "webrtc-pc 5.3")
async def test_sound_and_picture_of_one_moment_arrive_together(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    flash = asyncio.Event()

    def sound_at(index: int) -> AudioFrame:
        return tone_frame(index, 440, amplitude=0.4 if flash.is_set() else 0.0)

    def picture_at(_: int) -> VideoFrame:
        return coded_picture(OTHER if flash.is_set() else CODE)

    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(track(pair.offerer, "audio", sound_at, PTIME))
    offerer.addTrack(track(pair.offerer, "video", picture_at, 1 / 30))
    await connect(offerer, answerer)
    sound, picture = await arriving.take(2)
    flows = [asyncio.Event(), asyncio.Event()]
    heard = asyncio.create_task(_first(sound, lambda f: np.abs(mono_samples(f)).max() > 0.05, flows[0]))
    seen = asyncio.create_task(_first(picture, lambda f: code_of(f) == OTHER, flows[1]))
    try:
        for flow in flows:
            await asyncio.wait_for(flow.wait(), PATIENCE)
        flash.set()
        times = await asyncio.wait_for(asyncio.gather(heard, seen), PATIENCE)
    finally:
        heard.cancel()
        seen.cancel()
    offset = (times[0] - times[1]) * 1000
    evidence.figure("lip-sync offset", offset, "ms", expected=0, tolerance=400)
    assert abs(offset) <= 400


async def _first(received: Any, condition: Any, flows: asyncio.Event) -> float:
    """Return when the first frame came that meets a condition; `flows` is set after ten frames."""
    count = 0
    while True:
        frame = await received.recv()
        count += 1
        if count == 10:
            flows.set()
        if condition(frame):
            return time.monotonic()


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
