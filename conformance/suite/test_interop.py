"""Each backend against a peer that nobody here wrote: plain aiortc, in both roles."""

from __future__ import annotations

import asyncio

import pytest

from conformance.asserts import Arrivals, closed, connect, link, negotiate, reach
from conformance.media import code_of, mono_samples, picture_track, tone_track
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers
from shim import Capability

pytestmark = requires(Capability.ICE_HOST)

PATIENCE = 8.0
CODE = 0b10110010


@spec("RFC 8831 6.6")
async def test_messages_are_exchanged_with_aiortc(peers: Peers, foreign_pair: Pair) -> None:
    connected = await link(peers, foreign_pair, protocol="json")
    assert connected.far.channel.protocol == "json"
    for message in ("text", b"binary", "", b"", bytes(60_000)):
        connected.near.channel.send(message)
        assert await connected.far.inbox.next() == message
        connected.far.channel.send(message)
        assert await connected.near.inbox.next() == message


@spec("RFC 8831 6.6")
@requires(Capability.DATA_MAX_RETRANSMITS)
async def test_options_are_understood_by_aiortc(peers: Peers, foreign_pair: Pair) -> None:
    connected = await link(peers, foreign_pair, ordered=False, maxRetransmits=3)
    assert (connected.far.channel.ordered, connected.far.channel.maxRetransmits) == (False, 3)


@spec("RFC 8831 6.7")
@pytest.mark.parametrize("closer", ["near", "far"])
async def test_channel_is_closed_with_aiortc(peers: Peers, foreign_pair: Pair, closer: str) -> None:
    connected = await link(peers, foreign_pair)
    getattr(connected, closer).channel.close()
    await closed(connected.near.channel)
    await closed(connected.far.channel)


@spec("RFC 7874 3", "RFC 7742 5")
async def test_sound_pictures_and_data_flow_both_ways_with_aiortc(peers: Peers, foreign_pair: Pair) -> None:
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


async def _see(pictures: object) -> None:
    while code_of(await pictures.recv()) != CODE:  # type: ignore[attr-defined]
        pass


@spec("RFC 9429 5.2.2")
async def test_renegotiation_with_aiortc_adds_a_track(peers: Peers, foreign_pair: Pair) -> None:
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
