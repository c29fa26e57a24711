"""What the other side writes is obeyed: the order of its codecs, what it leaves out, its limit of the bandwidth."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest
from av import VideoFrame

from conformance.asserts import Arrivals, local_of, reach
from conformance.media import Kind, media_track, track
from conformance.netsim import Network, NetworkMaker
from conformance.requirements import requires, spec
from conformance.scenes import described
from conformance.sdp_model import Description
from conformance.targets import Pair, Peers, Target
from conformance.wire import Wiretap
from shim import Capability, RTCPeerConnection

pytestmark = requires(Capability.ICE_HOST)

PATIENCE: Final = 10.0
FIRST: Final = {"audio": "opus/48000/2", "video": "vp8/90000"}
OTHER: Final = {"audio": "pcmu/8000", "video": "h264/90000"}
KINDS: Final = ("audio", pytest.param("video", marks=requires(Capability.VIDEO_H264)))
LIMIT: Final = 150_000
"""Bits per second."""
Edit = Callable[[str], str]


def _same(sdp: str) -> str:
    return sdp


def _numbers_of(sdp: str, codec: str) -> list[str]:
    return [number for number, name in Description.of(sdp).sections[0].codecs.items() if name == codec]


def _preferring(codec: str) -> Edit:
    """Return what puts a codec first in the first section."""

    def edit(sdp: str) -> str:
        formats, wanted = Description.of(sdp).sections[0].formats, _numbers_of(sdp, codec)[:1]
        return _with_formats(sdp, wanted + [number for number in formats if number not in wanted])

    return edit


def _without(codec: str) -> Edit:
    """Return what leaves a codec out of the first section, and what repeats it."""

    def edit(sdp: str) -> str:
        section, gone = Description.of(sdp).sections[0], set(_numbers_of(sdp, codec))
        # RFC 2198: red carries the codec, whatever else it carries.
        gone |= {number for number, name in section.codecs.items() if name.startswith("red/")}
        gone |= {number for number, told in section.parameters.items() if told.get("apt") in gone}
        lines = re.sub(rf"a=(rtpmap|fmtp|rtcp-fb):({'|'.join(gone)}) .*\r\n", "", sdp)
        return _with_formats(lines, [number for number in section.formats if number not in gone])

    return edit


def _with_formats(sdp: str, formats: list[str]) -> str:
    return re.sub(r"(?m)^(m=\S+ \S+ \S+) .*?\r$", rf"\1 {' '.join(formats)}\r", sdp, count=1)


def _limited(line: str) -> Edit:
    """Return what limits the bandwidth of the first section."""
    return lambda sdp: re.sub(r"(m=.*\r\n(?:i=.*\r\n)?c=.*\r\n)", rf"\1{line}\r\n", sdp, count=1)


async def _connect(
    network: Network, offerer: RTCPeerConnection, answerer: RTCPeerConnection, offer: Edit = _same, answer: Edit = _same
) -> None:
    """Connect over a network, and let the two sides see what `offer` and `answer` make of the descriptions."""
    await offerer.setLocalDescription()
    shown = network.description(local_of(offerer), "a")
    await answerer.setRemoteDescription(described("offer", offer(shown.sdp)))
    await answerer.setLocalDescription()
    shown = network.description(local_of(answerer), "b")
    await offerer.setRemoteDescription(described("answer", answer(shown.sdp)))
    await asyncio.gather(*(reach(pc, "connectionState", "connected") for pc in (offerer, answerer)))


def _carried(tap: Wiretap, answer: str) -> set[str]:
    """Return the codecs that were sent, but for what is sent again, which also serves to probe the bandwidth."""
    codecs = Description.of(answer).sections[0].codecs
    found = {codecs.get(str(stream.payload_type), "not answered") for stream in tap.streams.values()}
    return {codec for codec in found if not codec.startswith("rtx/")}


@spec("RFC 3264 7", "RFC 9429 5.11")
@pytest.mark.parametrize("kind", KINDS)
async def test_first_codec_of_the_answer_is_sent(peers: Peers, pair: Pair, netsim: NetworkMaker, kind: Kind) -> None:
    network = netsim()
    tap = Wiretap(network.a_to_b)
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(media_track(pair.offerer, kind))
    await _connect(network, offerer, answerer, answer=_preferring(OTHER[kind]))
    await _frames(await arriving.next(), 5)
    assert _carried(tap, local_of(answerer).sdp) == {OTHER[kind]}


@spec("RFC 3264 6.1", "RFC 9429 5.3.1")
@pytest.mark.parametrize("kind", KINDS)
async def test_first_codec_of_the_offer_is_sent(peers: Peers, pair: Pair, netsim: NetworkMaker, kind: Kind) -> None:
    network = netsim()
    tap = Wiretap(network.b_to_a)
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(offerer, "track")
    offerer.addTransceiver(kind)
    answerer.addTrack(media_track(pair.answerer, kind))
    await _connect(network, offerer, answerer, offer=_preferring(OTHER[kind]))
    await _frames(await arriving.next(), 5)
    assert _carried(tap, local_of(answerer).sdp) == {OTHER[kind]}


@spec("RFC 3264 6.1", "RFC 9429 5.11")
@pytest.mark.parametrize("kind", KINDS)
async def test_codec_left_out_of_the_answer_is_not_sent(
    peers: Peers, pair: Pair, netsim: NetworkMaker, kind: Kind
) -> None:
    network = netsim()
    tap = Wiretap(network.a_to_b)
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(media_track(pair.offerer, kind))
    edit = _without(FIRST[kind])
    await _connect(network, offerer, answerer, answer=edit)
    await _frames(await arriving.next(), 5)
    sent = _carried(tap, edit(local_of(answerer).sdp))
    assert sent
    assert not sent & {FIRST[kind], "not answered"}


async def _frames(received: Any, count: int) -> float:
    """Receive so many; return from the time of the first to that of the last, in seconds."""
    frames = [await asyncio.wait_for(received.recv(), PATIENCE) for _ in range(count)]
    return float(frames[-1].pts * frames[-1].time_base - frames[0].pts * frames[0].time_base)


@spec("RFC 8866 5.8", "RFC 9429 5.9")
async def test_limit_of_the_bandwidth_is_kept(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    assert await _rate_under(f"b=AS:{LIMIT // 1000}", peers, pair, netsim()) < LIMIT * 1.5


@spec("RFC 3890 6.2", "RFC 9429 5.9")
async def test_limit_without_lower_layers_is_kept(peers: Peers, target: Target, netsim: NetworkMaker) -> None:
    assert await _rate_under(f"b=TIAS:{LIMIT}", peers, Pair(target, target), netsim()) < LIMIT * 1.5


async def _rate_under(line: str, peers: Peers, pair: Pair, network: Network) -> float:
    """Return how many bits per second a sender sends whose remote has written a limit."""
    tap = Wiretap(network.a_to_b)
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(_restless(pair.offerer))
    await _connect(network, offerer, answerer, answer=_limited(line))
    received = await arriving.next()
    await _frames(received, 15)
    before = _sent(tap)
    seconds = await _frames(received, 25)
    return (_sent(tap) - before) * 8 / seconds


def _sent(tap: Wiretap) -> int:
    return sum(stream.payload for stream in tap.streams.values())


def _restless(target: Target) -> Any:
    """Return a track whose pictures have nothing in common: no encoder is done with them quickly."""
    random = np.random.default_rng(1)

    def picture(_: int) -> VideoFrame:
        blocks = random.integers(30, 220, (30, 40), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
        return VideoFrame.from_ndarray(blocks, format="gray").reformat(format="yuv420p")

    return track(target, "video", picture, 1 / 15)
