"""Packets of PyAV as what a track yields: they are sent as they are, encoded by whoever made them."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import av
import pytest
from av import AudioFrame, VideoFrame
from av.packet import Packet

from conformance.asserts import PATIENCE, Arrivals, connect
from conformance.media import PTIME, code_of, coded_picture, pitch, tone_frame, track
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers
from shim import Capability

CODES: Final = [number ^ number >> 1 for number in range(256)]
"""Of pictures, in order: neighbours differ in one bar."""
HZ: Final = 440
FPS: Final = 25
RATE: Final = 48000


class Encoder:
    """Encodes frames of the test's own, one packet each."""

    def __init__(self, codec: Any) -> None:
        self._codec = codec

    def packet(self, frame: AudioFrame | VideoFrame) -> Packet[Any]:
        """Encode a frame."""
        packet: Packet[Any]
        (packet,) = self._codec.encode(frame)
        return packet


def _opus() -> Encoder:
    codec: Any = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format, codec.time_base = RATE, "mono", "s16", Fraction(1, RATE)
    return Encoder(codec)


def _vp8() -> Encoder:
    codec: Any = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 320, 240, "yuv420p", Fraction(1, FPS)
    codec.bit_rate, codec.gop_size = 500_000, 1  # each can be decoded on its own: nobody asks this encoder for another
    codec.options = {"deadline": "realtime", "lag-in-frames": "0"}
    return Encoder(codec)


@spec("RFC 7587 4")
@requires(Capability.ENCODED_SEND, of="offerer")
async def test_encoded_sound_is_heard(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    opus, arriving = _opus(), Arrivals(answerer, "track")
    offerer.addTrack(track(pair.offerer, "audio", lambda number: opus.packet(tone_frame(number, HZ)), PTIME))
    await connect(offerer, answerer)
    remote = await arriving.next()
    for _ in range(10):
        await asyncio.wait_for(remote.recv(), PATIENCE)
    frames = [await asyncio.wait_for(remote.recv(), PATIENCE) for _ in range(25)]
    assert pitch(frames) == pytest.approx(HZ, abs=5)


@spec("RFC 7741 4", "RFC 3550 5.1")
@requires(Capability.ENCODED_SEND, of="offerer")
async def test_encoded_pictures_are_seen_each_once_and_in_their_time(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    vp8, arriving = _vp8(), Arrivals(answerer, "track")

    def packet(number: int) -> Packet[Any]:
        picture = coded_picture(CODES[number % len(CODES)])
        picture.pts, picture.time_base = number, Fraction(1, FPS)
        return vp8.packet(picture)

    offerer.addTrack(track(pair.offerer, "video", packet, 1 / FPS))
    await connect(offerer, answerer)
    remote = await arriving.next()
    frames = [await asyncio.wait_for(remote.recv(), PATIENCE) for _ in range(FPS)]
    shown = [CODES.index(code_of(frame)) for frame in frames]
    steps = [(after - before) % len(CODES) for before, after in pairwise(shown)]
    # A busy machine loses some, but shows none again and none too late.
    assert 0 < min(steps) <= max(steps) < len(CODES) // 2, shown
    seconds = (frames[-1].pts - frames[0].pts) * frames[0].time_base
    assert float(seconds) == pytest.approx(sum(steps) / FPS, rel=0.1)
