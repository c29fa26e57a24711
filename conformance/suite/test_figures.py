"""Figures of the statistics against what was really sent: packets on the wire, pictures seen, delay, losses."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from conformance.asserts import Arrivals, local_of
from conformance.media import PTIME, Kind, code_of, coded_picture, tone_frame, track
from conformance.netsim import Link, NetworkMaker, Packet
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from conformance.wire import Stream, Wiretap
from shim import Capability, RTCPeerConnection, RTCRtpCodecCapability, RTCRtpSender, use_backend

pytestmark = requires(Capability.STATS, Capability.ICE_HOST)
PATIENCE: Final = 10.0
COUNT: Final = 36
"""Frames that are sent, and then no more."""
WIDTH, HEIGHT = 320, 240


class Reel:
    """Frames of a kind, so many and then no more: what waits for the next waits until the test ends."""

    def __init__(self, target: Target, kind: Kind) -> None:
        self.pulled = 0
        frames = track(target, kind, _sound if kind == "audio" else _picture, PTIME if kind == "audio" else 1 / 30)

        async def recv(_: Any) -> Any:
            if self.pulled == COUNT:
                await asyncio.Event().wait()
            self.pulled += 1
            return await frames.recv()

        base = target.track_base(kind)
        self.track = type(base.__name__, (base,), {"recv": recv})()


def _sound(index: int) -> Any:
    return tone_frame(index, 440)


def _picture(index: int) -> Any:
    return coded_picture(index ^ index >> 1, WIDTH, HEIGHT)


@dataclass
class Sent:
    """One reel that was sent: what both ends say of it, what was on the wire, and the codes that were seen."""

    outbound: Any
    inbound: Any
    wire: Stream
    codes: set[int]
    offerer: RTCPeerConnection
    answerer: RTCPeerConnection


async def _send(peers: Peers, pair: Pair, netsim: NetworkMaker, kind: Kind, *, is_lossy: bool = False) -> Sent:
    """Send a reel through a network, and wait until the figures have caught up with the wire."""
    network = netsim()
    tap = Wiretap(network.a_to_b)
    if is_lossy:
        network.a_to_b.link = Link(loss=1, only=lambda packet: _is_seventh(packet, tap))
    reel = Reel(pair.offerer, kind)
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(reel.track)
    if kind == "video" and Capability.CODEC_PREFERENCES in pair.offerer.info.capabilities:
        # Retransmissions and padding would travel under an SSRC of their own, and be counted here (RFC 4588).
        offerer.getTransceivers()[0].setCodecPreferences([_vp8(pair.offerer)])
    await network.connect(offerer, answerer)
    codes: set[int] = set()
    looking = asyncio.ensure_future(_look(await arriving.next(), codes))
    outbound = inbound = wire = None
    try:
        async with asyncio.timeout(PATIENCE):
            while reel.pulled < COUNT or not _agree(outbound, inbound, wire, codes):
                await asyncio.sleep(PTIME)
                outbound, inbound = await _of(offerer, "outbound-rtp"), await _of(answerer, "inbound-rtp")
                wire = replace(tap.streams.get(getattr(outbound, "ssrc", 0), Stream()))
    except TimeoutError:
        raise AssertionError(f"wire: {wire}, sender: {outbound}, receiver: {inbound}") from None
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
    assert wire is not None
    return Sent(outbound, inbound, wire, codes, offerer, answerer)


def _vp8(target: Target) -> RTCRtpCodecCapability:
    with use_backend(target.name):
        codecs = RTCRtpSender.getCapabilities("video").codecs
    return next(codec for codec in codecs if codec.mimeType.lower() == "video/vp8")


def _is_seventh(packet: Packet, tap: Wiretap) -> bool:
    """Choose packets to lose; the first and the last are not among them, because nobody could miss those."""
    return packet.kind == "rtp" and 0 < (number := tap.of(packet).packets) < COUNT - 10 and number % 7 == 0


def _agree(outbound: Any, inbound: Any, wire: Stream | None, codes: set[int]) -> bool:
    """Tell whether the figures have caught up: engines count a little later than they deliver."""
    if outbound is None or inbound is None or wire is None:
        return False
    if (outbound.packetsSent, inbound.packetsReceived) != (wire.packets, wire.packets - wire.lost):
        return False
    return bool(inbound.kind == "audio" or inbound.framesDecoded >= len(codes))


async def _of(pc: RTCPeerConnection, kind: str) -> Any:
    return next((entry for entry in (await pc.getStats()).values() if entry.type == kind), None)


async def _look(received: Any, codes: set[int]) -> None:
    while True:
        frame = await received.recv()
        if received.kind == "video":
            codes.add(code_of(frame))


@spec("webrtc-stats 6.2", "webrtc-stats 6.4", "webrtc-stats 6.6")
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_packets_and_bytes_are_those_on_the_wire(
    peers: Peers, pair: Pair, netsim: NetworkMaker, kind: Kind
) -> None:
    sent = await _send(peers, pair, netsim, kind)
    assert sent.wire.packets >= COUNT * 0.8
    out, into = sent.outbound, sent.inbound
    # Which cipher was agreed on is not told alike by all engines: one of the sizes is right. Padding counts as header.
    sizes = {size + sent.wire.header for size in sent.wire.payload_sizes()}
    assert out.bytesSent + out.headerBytesSent in sizes
    assert into.bytesReceived + into.headerBytesReceived == out.bytesSent + out.headerBytesSent
    assert out.headerBytesSent >= sent.wire.header
    assert into.headerBytesReceived >= sent.wire.header


@spec("webrtc-stats 6.2", "webrtc-stats 6.4.1")
async def test_pictures_are_counted_as_they_are_seen(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    sent = await _send(peers, pair, netsim, "video")
    out, into = sent.outbound, sent.inbound
    expected = {index ^ index >> 1 for index in range(COUNT)}
    assert len(sent.codes & expected) >= COUNT // 2
    assert len(sent.codes) <= into.framesDecoded <= into.framesReceived <= out.framesSent <= out.framesEncoded <= COUNT
    assert into.framesReceived == out.framesSent
    assert 1 <= into.keyFramesDecoded <= out.keyFramesEncoded
    assert {(entry.frameWidth, entry.frameHeight) for entry in (out, into)} == {(WIDTH, HEIGHT)}


@spec("webrtc-stats 6.1.1")
async def test_lost_packets_are_counted(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    sent = await _send(peers, pair, netsim, "audio", is_lossy=True)
    assert sent.wire.lost >= 3
    assert sent.inbound.packetsLost == sent.wire.lost


@spec("webrtc-stats 6.11")
async def test_codec_is_the_one_on_the_wire(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    sent = await _send(peers, pair, netsim, "video")
    # Where both agree on RED, the packets have its number, and that of the codec inside (RFC 2198 section 3).
    is_red = f"a=rtpmap:{sent.wire.payload_type} red/" in local_of(sent.answerer).sdp
    for pc, entry in ((sent.offerer, sent.outbound), (sent.answerer, sent.inbound)):
        codec = (await pc.getStats())[entry.codecId]
        assert is_red or codec.payloadType == sent.wire.payload_type
        assert codec.mimeType.lower() == "video/vp8"


ROUND_TRIP: Final = 0.1


@spec("webrtc-stats 6.12")
async def test_round_trip_is_that_of_the_network(
    peers: Peers, pair: Pair, netsim: NetworkMaker, evidence: Evidence
) -> None:
    network = netsim(Link(delay=ROUND_TRIP / 2))
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await network.connect(offerer, answerer)
    for pc in (offerer, answerer):
        seconds = await _calm_round_trip(pc)
        evidence.figure("round trip", seconds * 1000, "ms", expected=ROUND_TRIP * 1000, tolerance=50)


async def _calm_round_trip(pc: RTCPeerConnection) -> float:
    """Ask until the pair that is used has measured it while the machine was not busy, which comes on top."""
    seconds = 0.0
    try:
        async with asyncio.timeout(PATIENCE):
            while not 0 < seconds <= ROUND_TRIP * 2.5:
                await asyncio.sleep(PTIME)
                seconds = await _round_trip(pc)
                assert not 0 < seconds < ROUND_TRIP * 0.9
    except TimeoutError:
        raise AssertionError(f"the round trip of {ROUND_TRIP} s is {seconds} s") from None
    return seconds


async def _round_trip(pc: RTCPeerConnection) -> float:
    """Return the last one that the pair that is used has measured; 0 before that."""
    for entry in (await pc.getStats()).values():
        if entry.type == "candidate-pair" and getattr(entry, "nominated", False):
            return float(getattr(entry, "currentRoundTripTime", 0.0))
    return 0.0
