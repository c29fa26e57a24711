"""Each backend, in both roles, against libraries that nobody here wrote: plain aiortc, and wrtc if installed."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from conformance.asserts import Arrivals, closed, connect, link, local_of, negotiate, reach
from conformance.media import code_of, coded_picture, mono_samples, picture_track, tone_track, track
from conformance.quality import psnr
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers
from shim import Capability

pytestmark = requires(Capability.ICE_HOST)

PATIENCE = 20.0
CODE, OTHER_CODE = 0b10110010, 0b01001101


@spec("RFC 8831 6.6")
async def test_messages_are_exchanged_with_a_library(peers: Peers, foreign_pair: Pair) -> None:
    connected = await link(peers, foreign_pair, protocol="json")
    assert connected.far.channel.protocol == "json"
    for message in ("text", b"binary", "", b"", bytes(60_000)):
        connected.near.channel.send(message)
        assert await connected.far.inbox.next() == message
        connected.far.channel.send(message)
        assert await connected.near.inbox.next() == message


@spec("RFC 8831 6.6")
@requires(Capability.DATA_MAX_RETRANSMITS)
async def test_options_are_understood_by_a_library(peers: Peers, foreign_pair: Pair) -> None:
    connected = await link(peers, foreign_pair, ordered=False, maxRetransmits=3)
    assert (connected.far.channel.ordered, connected.far.channel.maxRetransmits) == (False, 3)


@spec("RFC 8831 6.7")
@pytest.mark.parametrize("closer", ["near", "far"])
async def test_channel_is_closed_with_a_library(peers: Peers, foreign_pair: Pair, closer: str) -> None:
    connected = await link(peers, foreign_pair)
    getattr(connected, closer).channel.close()
    await closed(connected.near.channel)
    await closed(connected.far.channel)


@spec("RFC 7874 3", "RFC 7742 5")
async def test_sound_pictures_and_data_flow_both_ways_with_a_library(peers: Peers, foreign_pair: Pair) -> None:
    offerer, answerer = peers.open_pair(foreign_pair)
    there, here = Arrivals(answerer, "track"), Arrivals(offerer, "track")
    offerer.createDataChannel("chat")
    for pc, target in ((offerer, foreign_pair.offerer), (answerer, foreign_pair.answerer)):
        pc.addTrack(tone_track(target))
        pc.addTrack(picture_track(target, CODE))
    await connect(offerer, answerer)
    for sound, pictures in (await there.take(2), await here.take(2)):
        await asyncio.wait_for(_hear(sound), PATIENCE)
        await asyncio.wait_for(_see(pictures), PATIENCE)


async def _hear(sound: object) -> None:
    while abs(mono_samples(await sound.recv())).max() < 0.1:  # type: ignore[attr-defined]
        pass


async def _see(pictures: object, code: int = CODE) -> None:
    while code_of(await pictures.recv()) != code:  # type: ignore[attr-defined]
        pass


CODECS = ("VP8", "H264", "VP9", "AV1")


@spec("RFC 7741 4", "RFC 6184 5", "RFC 9628 4", "AV1 RTP 4")
@pytest.mark.parametrize("codec", CODECS)
async def test_pictures_of_every_codec_are_seen_by_a_library(peers: Peers, foreign_pair: Pair, codec: str) -> None:
    for target in foreign_pair.offerer, foreign_pair.answerer:
        if not target.video_codec(codec):
            pytest.skip(f"{target} has no {codec}")
    offerer, answerer = peers.open_pair(foreign_pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(picture_track(foreign_pair.offerer, CODE))
    transceiver = offerer.getTransceivers()[0]
    transceiver.setCodecPreferences(foreign_pair.offerer.video_codec(codec))
    await connect(offerer, answerer)
    async with asyncio.timeout(PATIENCE):
        await _see(await arriving.next())
    assert codec in _negotiated(local_of(answerer).sdp)


def _negotiated(sdp: str) -> str:
    found = re.search(r"a=rtpmap:\d+ (\w+)/90000", sdp)
    return found[1].upper() if found else ""


@spec("RFC 9429 5.2.2")
async def test_renegotiation_with_a_library_adds_a_track(peers: Peers, foreign_pair: Pair) -> None:
    connected = await link(peers, foreign_pair)
    arriving = Arrivals(connected.answerer, "track")
    connected.offerer.addTrack(picture_track(foreign_pair.offerer, CODE))
    await negotiate(connected.offerer, connected.answerer)
    await asyncio.wait_for(_see(await arriving.next()), PATIENCE)


@spec("aiortc")
async def test_close_by_one_side_is_noticed_by_the_other(peers: Peers, foreign_pair: Pair) -> None:
    connected = await link(peers, foreign_pair)
    await connected.offerer.close()
    await reach(connected.answerer, "connectionState", "closed")


@spec("RFC 8842 5.1", "RFC 8827 6.5")
async def test_wrong_fingerprint_of_a_library_is_refused(peers: Peers, foreign_pair: Pair) -> None:
    offerer, answerer = peers.open_pair(foreign_pair)
    channel, announced = offerer.createDataChannel("chat"), Arrivals(answerer, "datachannel")
    await offerer.setLocalDescription(await offerer.createOffer())
    await answerer.setRemoteDescription(_forged(local_of(offerer)))
    await answerer.setLocalDescription(await answerer.createAnswer())
    await offerer.setRemoteDescription(_forged(local_of(answerer)))
    ours = offerer if foreign_pair.offerer in foreign_pair.targets else answerer
    await reach(ours, "connectionState", "failed", "closed")
    assert channel.readyState != "open"
    assert not announced.waiting


def _forged(description: Any) -> Any:
    """Return a description with the fingerprint of a certificate that nobody has."""
    nobody = ":".join(["00"] * 32)
    sdp = re.sub(r"a=fingerprint:sha-(?!256 ).*\r\n", "", description.sdp)
    return type(description)(sdp=re.sub(r"(a=fingerprint:\S+ ).*", rf"\g<1>{nobody}\r", sdp), type=description.type)


@spec("RFC 7742 5")
async def test_picture_of_a_library_is_close_to_what_was_sent(peers: Peers, foreign_pair: Pair) -> None:
    offerer, answerer = peers.open_pair(foreign_pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(picture_track(foreign_pair.offerer, CODE))
    await connect(offerer, answerer)
    received, sent = await arriving.next(), coded_picture(CODE).to_ndarray(format="gray").astype(float)
    async with asyncio.timeout(PATIENCE):
        best = 0.0
        while best < 38:
            seen = (await received.recv()).to_ndarray(format="gray").astype(float)
            best = max(best, psnr(seen, sent)) if seen.shape == sent.shape else best


@spec("RFC 3264 8.4", "RFC 9429 5.2.2")
async def test_hold_is_understood_by_a_library(peers: Peers, foreign_pair: Pair) -> None:
    offerer, answerer = peers.open_pair(foreign_pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(picture_track(foreign_pair.offerer, CODE))
    await connect(offerer, answerer)
    await asyncio.wait_for(_see(await arriving.next()), PATIENCE)
    offerer.getTransceivers()[0].direction = "inactive"
    await negotiate(offerer, answerer)
    assert [pc.getTransceivers()[0].currentDirection for pc in (offerer, answerer)] == ["inactive", "inactive"]


@spec("RFC 3264 8.4", "RFC 9429 5.2.2")
async def test_pictures_come_back_after_hold_with_a_library(peers: Peers, foreign_pair: Pair) -> None:
    offerer, answerer = peers.open_pair(foreign_pair)
    arriving, shown = Arrivals(answerer, "track"), [CODE]
    offerer.addTrack(track(foreign_pair.offerer, "video", lambda _: coded_picture(shown[-1]), 1 / 30))
    await connect(offerer, answerer)
    received = await arriving.next()
    await asyncio.wait_for(_see(received), PATIENCE)
    offerer.getTransceivers()[0].direction = "inactive"
    await negotiate(offerer, answerer)
    shown.append(OTHER_CODE)
    offerer.getTransceivers()[0].direction = "sendonly"
    await negotiate(offerer, answerer)
    await asyncio.wait_for(_see(received, OTHER_CODE), PATIENCE)


@spec("webrtc-stats 6.2", "webrtc-stats 6.4")
@requires(Capability.STATS)
async def test_figures_of_a_library_and_ours_agree(peers: Peers, foreign_pair: Pair) -> None:
    offerer, answerer = peers.open_pair(foreign_pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(tone_track(foreign_pair.offerer))
    await connect(offerer, answerer)
    received = await arriving.next()
    for _ in range(20):
        await asyncio.wait_for(received.recv(), PATIENCE)
    into, out = await _figures(answerer, "inbound-rtp"), await _figures(offerer, "outbound-rtp")
    assert into.ssrc == out.ssrc
    assert 10 <= into.packetsReceived <= out.packetsSent
    assert into.packetsLost == 0


async def _figures(pc: Any, kind: str) -> Any:
    return next(entry for entry in (await pc.getStats()).values() if entry.type == kind)
