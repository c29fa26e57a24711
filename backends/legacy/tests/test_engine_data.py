"""Data channels of the legacy engine, between two real connections."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from backends.legacy.tests.engine_world import Pair, Peer, runs, settled
from shim.spi.engines import DataChannelEngine, DataChannelInit, EngineConfig
from shim.spi.errors import ChannelIdInUseError, MessageSizeError, OperationError
from shim.spi.events import (
    ChannelAnnounced,
    ChannelBufferedAmountLow,
    ChannelClosed,
    ChannelClosing,
    ChannelMessage,
    ChannelOpened,
    SctpChanged,
)


def fill(channel: DataChannelEngine, size: int) -> None:
    for _ in range(100):
        channel.send(bytes(size))


@runs
async def test_text_and_binary_arrive_as_such_and_empty_too() -> None:
    async with Pair() as pair:
        ours, theirs = await pair.channels(DataChannelInit("chat", protocol="json"))
        for data in ("hä", b"\x00\xff", "", b""):
            ours.send(data)
        await pair.answerer.log.until(ChannelMessage, lambda _: len(pair.answerer.log.all(ChannelMessage)) == 4)
        assert [event.data for event in pair.answerer.log.all(ChannelMessage)] == ["hä", b"\x00\xff", "", b""]
        assert ours.id == theirs.id


@runs
async def test_options_reach_the_other_side() -> None:
    async with Pair() as pair:
        init = DataChannelInit("lossy", protocol="p", ordered=False, max_retransmits=3)
        await pair.channels(init)
        announced = (await pair.answerer.log.until(ChannelAnnounced)).init
        assert (announced.label, announced.protocol, announced.ordered) == ("lossy", "p", False)
        assert (announced.max_retransmits, announced.max_packet_life_time) == (3, None)


@runs
async def test_negotiated_channels_open_on_both_sides_without_announcement() -> None:
    async with Pair() as pair:
        init = DataChannelInit("agreed", negotiated=True, id=7)
        ours = pair.offerer.engine.create_data_channel(init)
        theirs = pair.answerer.engine.create_data_channel(init)
        await pair.connect()
        await asyncio.gather(pair.offerer.log.until(ChannelOpened), pair.answerer.log.until(ChannelOpened))
        theirs.send("from the answerer")
        assert (await pair.offerer.log.until(ChannelMessage)).channel is ours
        assert not pair.answerer.log.all(ChannelAnnounced)


@runs
async def test_an_id_in_use_is_refused() -> None:
    async with Pair() as pair:
        pair.offerer.engine.create_data_channel(DataChannelInit("a", negotiated=True, id=3))
        with pytest.raises(ChannelIdInUseError, match="3"):
            pair.offerer.engine.create_data_channel(DataChannelInit("b", negotiated=True, id=3))


@runs
async def test_buffered_amount_counts_down_and_tells_once_per_crossing() -> None:
    async with Pair() as pair:
        ours, _ = await pair.channels(DataChannelInit("bulk"))
        ours.set_buffered_amount_low_threshold(100_000)
        for _ in range(40):
            ours.send(bytes(50_000))
        assert ours.buffered_amount > 100_000
        await pair.answerer.log.until(ChannelMessage, lambda _: len(pair.answerer.log.all(ChannelMessage)) == 40)
        await pair.offerer.log.until(ChannelBufferedAmountLow)
        ours.send("end")
        await pair.answerer.log.until(ChannelMessage, lambda event: event.data == "end")
        # What it has sent is counted soon after, and no event tells of it.
        await settled(lambda: ours.buffered_amount == 0, partial(asyncio.sleep, 0.001))
        assert len(pair.offerer.log.all(ChannelBufferedAmountLow)) == 1


@runs
async def test_what_does_not_fit_is_refused_and_the_channel_stays_open() -> None:
    async with Pair() as pair:
        ours, _ = await pair.channels(DataChannelInit("limits"))
        limit = (await pair.offerer.log.until(SctpChanged, lambda event: event.state == "connected")).max_message_size
        assert limit == 262144
        with pytest.raises(MessageSizeError, match="262145"):
            ours.send(bytes(limit + 1))
        with pytest.raises(OperationError, match="queued"):
            fill(ours, limit)
        await pair.offerer.log.until(ChannelBufferedAmountLow)
        ours.send("still open")
        await pair.answerer.log.until(ChannelMessage, lambda event: event.data == "still open")


@runs
async def test_closing_is_told_once_on_both_sides() -> None:
    async with Pair() as pair:
        ours, theirs = await pair.channels(DataChannelInit("short"))
        ours.send("last words")
        ours.close()
        for peer, channel in ((pair.offerer, ours), (pair.answerer, theirs)):
            closed = await peer.log.until(ChannelClosed)
            assert closed.channel is channel
            assert closed.error is None
            assert len(peer.log.all(ChannelClosing)) == 1
        assert [event.data for event in pair.answerer.log.all(ChannelMessage)] == ["last words"]


@pytest.mark.parametrize(("count", "size"), [(2, 3), (50, 5000)], ids=["at once", "a lot"])
@runs
async def test_what_was_sent_before_closing_arrives(count: int, size: int) -> None:
    async with Pair() as pair:
        ours = pair.offerer.engine.create_data_channel(DataChannelInit("farewell"))
        await pair.negotiate()
        await pair.offerer.log.until(ChannelOpened)
        for number in range(count):
            ours.send(bytes([number]) * size)
        ours.close()
        await asyncio.gather(pair.offerer.log.until(ChannelClosed), pair.answerer.log.until(ChannelClosed))
        assert [event.data for event in pair.answerer.log.all(ChannelMessage)] == [
            bytes([n]) * size for n in range(count)
        ]


@runs
async def test_a_channel_closed_before_it_opens_ends_well() -> None:
    async with Pair() as pair:
        abandoned = pair.offerer.engine.create_data_channel(DataChannelInit("abandoned"))
        ours = pair.offerer.engine.create_data_channel(DataChannelInit("kept"))
        await pair.offer()
        abandoned.close()
        await pair.answer()
        await pair.offerer.log.until(ChannelOpened, lambda event: event.channel is ours)
        assert [event.channel for event in pair.offerer.log.all(ChannelClosed)] == [abandoned]
        assert [event.channel for event in pair.offerer.log.all(ChannelOpened)] == [ours]


@runs
async def test_a_data_section_is_offered_unasked_if_configured() -> None:
    async with Pair(Peer(EngineConfig(always_negotiate_data_channels=True))) as pair:
        assert "m=application" in (await pair.offerer.engine.create_offer()).sdp
        await pair.channels(DataChannelInit("asked for"))
        assert len(pair.answerer.log.all(ChannelAnnounced)) == 1


@runs
async def test_a_channel_made_later_needs_no_negotiation() -> None:
    async with Pair() as pair:
        await pair.channels(DataChannelInit("first"))
        pair.answerer.engine.create_data_channel(DataChannelInit("second"))
        assert (await pair.offerer.log.until(ChannelAnnounced)).init.label == "second"
