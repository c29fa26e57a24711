"""Data channels between two engines."""

from __future__ import annotations

import pytest

from backends.native.channels import DCEP, QUEUE_LIMIT, TEXT, Channel
from backends.native.sctp_guard import is_endless
from backends.native.tests.peers import Peer, close, connected_pair, negotiate, run
from shim.spi.engines import DataChannelInit, EngineConfig
from shim.spi.errors import ChannelIdInUseError, OperationError
from shim.spi.events import (
    ChannelAnnounced,
    ChannelBufferedAmountLow,
    ChannelClosed,
    ChannelClosing,
    ChannelMessage,
    ChannelOpened,
    SctpChanged,
)

LONG = "é" * 32767


@pytest.mark.parametrize(
    "init",
    [
        DataChannelInit("plain"),
        DataChannelInit("ünïcode ☃", protocol="prötocol"),
        DataChannelInit(LONG, protocol=LONG),
        DataChannelInit("", ordered=False),
        DataChannelInit("lossy", ordered=False, max_retransmits=0),
        DataChannelInit("timed", max_packet_life_time=0),
        DataChannelInit("chosen", id=77),
    ],
    ids=lambda init: f"{init.label[:8]}-{init.ordered}",
)
def test_a_channel_is_announced_as_it_was_created(init: DataChannelInit) -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        channel = a.engine.create_data_channel(init)
        await a.sink.first(ChannelOpened, lambda event: event.channel is channel)
        theirs = await b.sink.first(ChannelAnnounced, lambda event: event.init.label == init.label)
        options = ("label", "protocol", "ordered", "max_retransmits", "max_packet_life_time")
        assert all(getattr(theirs.init, name) == getattr(init, name) for name in options)
        assert theirs.channel.id == channel.id
        assert not b.sink.of(ChannelOpened)
        channel.send("payload")
        assert (await b.sink.first(ChannelMessage)).data == "payload"
        await close(a, b)

    run(scenario)


def test_nothing_overtakes_the_opening_of_an_unordered_channel() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        channel = a.engine.create_data_channel(DataChannelInit("fast", ordered=False))
        assert isinstance(channel, Channel)
        assert channel.association is not None
        seen: list[tuple[int, bool]] = []
        send = channel.association.send_message

        async def observed(
            stream_id: int, protocol: int, data: bytes, expiry: float | None, retransmits: int | None, ordered: bool
        ) -> None:
            seen.append((protocol, ordered))
            await send(stream_id, protocol, data, expiry, retransmits, ordered)

        channel.association.send_message = observed  # type: ignore[method-assign]
        await a.sink.first(ChannelOpened, lambda event: event.channel is channel)
        channel.send("at once")
        theirs = (await b.sink.first(ChannelMessage)).channel
        theirs.send("so it is known")
        await a.sink.first(ChannelMessage)
        channel.send("later")
        await b.sink.first(ChannelMessage, lambda event: event.data == "later")
        assert seen == [(DCEP, True), (TEXT, True), (TEXT, False)]
        await close(a, b)

    run(scenario)


def test_every_kind_of_message_arrives_as_it_was_sent() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        channel = a.sink.of(ChannelOpened)[0].channel
        sent: list[str | bytes] = ["", b"", "ß", b"\x00", "x" * 100_000, bytes(range(256)) * 1000]
        for data in sent:
            channel.send(data)
        await b.sink.wait(lambda: len(b.sink.of(ChannelMessage)) == len(sent))
        assert [event.data for event in b.sink.of(ChannelMessage)] == sent
        await a.sink.wait(lambda: channel.buffered_amount == 0 or bool(a.sink.of(ChannelBufferedAmountLow)))
        await close(a, b)

    run(scenario)


def test_negotiated_channels_open_on_both_sides_unannounced() -> None:
    async def scenario() -> None:
        a, b = Peer(), Peer()
        init = DataChannelInit("agreed", negotiated=True, id=5)
        early = a.engine.create_data_channel(init)
        await a.engine.start()
        await b.engine.start()
        late = b.engine.create_data_channel(init)
        await negotiate(a, b)
        await a.sink.first(ChannelOpened)
        await b.sink.first(ChannelOpened)
        early.send("from a")
        late.send("from b")
        assert (await b.sink.first(ChannelMessage)).data == "from a"
        assert (await a.sink.first(ChannelMessage)).data == "from b"
        assert not a.sink.of(ChannelAnnounced)
        await close(a, b)

    run(scenario)


def test_an_id_can_be_used_once() -> None:
    async def scenario() -> None:
        a, b = Peer(), Peer()
        a.engine.create_data_channel(DataChannelInit("early", id=3))
        with pytest.raises(ChannelIdInUseError):
            a.engine.create_data_channel(DataChannelInit("early too", id=3))
        await a.engine.start()
        with pytest.raises(ChannelIdInUseError):
            a.engine.create_data_channel(DataChannelInit("late", negotiated=True, id=3))
        await close(a, b)

    run(scenario)


def test_closing_tells_both_sides_once() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        channel = a.sink.of(ChannelOpened)[0].channel
        channel.send("last words")
        channel.close()
        channel.close()
        await a.sink.first(ChannelClosed)
        await b.sink.first(ChannelClosed)
        assert [e.data for e in b.sink.of(ChannelMessage)] == ["last words"]
        again = a.engine.create_data_channel(DataChannelInit("second", id=channel.id))
        await a.sink.first(ChannelOpened, lambda event: event.channel is again)
        await close(a, b)
        for peer in (a, b):
            closed = [event.channel for event in peer.sink.of(ChannelClosed)]
            assert len(closed) == len(set(closed)) == 2
            assert len(peer.sink.of(ChannelClosing)) == 1

    run(scenario)


def test_a_channel_can_be_closed_before_it_opens() -> None:
    async def scenario() -> None:
        a = Peer()
        early = a.engine.create_data_channel(DataChannelInit("early"))
        early.close()
        await a.engine.start()
        late = a.engine.create_data_channel(DataChannelInit("late"))
        late.close()
        assert [event.channel for event in a.sink.of(ChannelClosed)] == [early, late]
        await close(a)

    run(scenario)


def test_buffered_amount_falls_to_the_threshold() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        channel = a.sink.of(ChannelOpened)[0].channel
        channel.set_buffered_amount_low_threshold(100_000)
        for _ in range(20):
            channel.send(bytes(50_000))
        assert channel.buffered_amount == 1_000_000
        await a.sink.first(ChannelBufferedAmountLow)
        assert channel.buffered_amount <= 100_000
        await b.sink.wait(lambda: len(b.sink.of(ChannelMessage)) == 20)
        assert len(a.sink.of(ChannelBufferedAmountLow)) == 1
        await close(a, b)

    run(scenario)


def test_fragments_fit_a_small_mtu() -> None:
    async def scenario() -> None:
        a, b = await connected_pair(EngineConfig(mtu=576), EngineConfig(mtu=576))
        channel = a.sink.of(ChannelOpened)[0].channel
        before = a.engine._connection.transports[0].dtls.counters()
        channel.send(bytes(100_000))
        channel.send("short")
        await b.sink.wait(lambda: len(b.sink.of(ChannelMessage)) == 2)
        assert [len(event.data) for event in b.sink.of(ChannelMessage)] == [100_000, 5]
        after = a.engine._connection.transports[0].dtls.counters()
        packets, octets = after[0] - before[0], after[1] - before[1]
        assert 100_000 < octets < packets * 528
        await close(a, b)

    run(scenario)


@pytest.mark.parametrize(
    "chunk",
    [
        b"\x82\x00\x00\x08\x00\x0d\x00\x00",
        b"\x06\x00\x00\x00",
        b"\x03\x00\x00\x18" + bytes(8) + b"\x00\x02\x00\x00" + b"\x00\x01\xff\xff" * 2,
    ],
)
def test_a_packet_that_aiortc_would_not_finish_is_recognised(chunk: bytes) -> None:
    assert is_endless(bytes(12) + chunk)
    assert not is_endless(bytes(12) + b"\x00\x00\x00\x11" + bytes(13))


def test_limits_come_from_the_remote() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        state = a.sink.of(SctpChanged)[-1]
        assert (state.state, state.max_message_size, state.max_channels) == ("connected", 262144, 65535)
        await close(a, b)

    run(scenario)


def test_a_full_queue_is_refused_and_drained() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        channel = a.sink.of(ChannelOpened)[0].channel
        piece = bytes(60_000)
        while channel.buffered_amount + len(piece) <= QUEUE_LIMIT:
            channel.send(piece)
        amount = channel.buffered_amount
        with pytest.raises(OperationError, match="bufferedamountlow"):
            channel.send(piece)
        assert channel.buffered_amount == amount
        channel.set_buffered_amount_low_threshold(amount - 100_000)
        await a.sink.first(ChannelBufferedAmountLow)
        channel.send(piece)
        await close(a, b)

    run(scenario)


def test_many_channels_at_once() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        channels = [a.engine.create_data_channel(DataChannelInit(f"{n}")) for n in range(100)]
        await b.sink.wait(lambda: len(b.sink.of(ChannelAnnounced)) == 101)
        await a.sink.wait(lambda: len(a.sink.of(ChannelOpened)) == 101)
        assert len({channel.id for channel in channels}) == 100
        await close(a, b)

    run(scenario)


def test_the_association_survives_what_a_hostile_peer_sends() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        association = a.engine._connection.association
        assert association is not None
        channel = a.sink.of(ChannelOpened)[0].channel
        assert channel.id is not None
        opening = b"\x03\x00\x00\x00\x00\x00\x00\x00"
        for stream, protocol, data in (
            (channel.id, 50, opening + b"\x00\x00\x00\x00"),
            (500, 50, opening + b"\x00\x02\x00\x00\xff\xfe"),
            (501, 50, opening + b"\xff\xff\xff\xff"),
            (502, 50, b"\x03"),
            (503, 50, b"\x02"),
            (504, 51, b"no such channel"),
            (channel.id, 99, b"unknown protocol"),
        ):
            await association.send_message(stream, protocol, data, None, None, True)
        channel.send("still here")
        assert (await b.sink.first(ChannelMessage)).data == "still here"
        assert len(b.sink.of(ChannelAnnounced)) == 1
        await association.send_message(channel.id, 51, b"\xff\xfe", None, None, True)
        await b.sink.first(ChannelClosed)
        await close(a, b)

    run(scenario)
