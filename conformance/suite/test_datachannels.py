"""Data channels: options, order, sizes, thresholds, names, and every way to close."""

from __future__ import annotations

import asyncio
import random
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings

from conformance.asserts import (
    PATIENCE,
    Arrivals,
    ChannelArrivals,
    Endpoint,
    Link,
    closed,
    connect,
    first_event,
    link,
    negotiate,
    opened,
    until,
)
from conformance.crossing import link_through
from conformance.netsim import NetworkMaker
from conformance.reference import DEFAULT_MAX_MESSAGE_SIZE, MAX_CHANNEL_ID, MAX_LABEL_BYTES
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.strategies import EXAMPLES, channel_options
from conformance.targets import Pair, Peers, Target
from shim import (
    Capability,
    InvalidStateError,
    MessageSizeError,
    OperationError,
    RTCDataChannelParameters,
    RTCPeerConnection,
)

TRIPS = 50
SIZES = (0, 1, 2, 1023, 1024, 1199, 1200, 1201, 16384, 65535, 65536)
OPTIONS: dict[str, tuple[Capability | None, dict[str, Any]]] = {
    "unordered": (Capability.DATA_UNORDERED, {"ordered": False}),
    "no retransmission": (Capability.DATA_MAX_RETRANSMITS, {"maxRetransmits": 0, "ordered": False}),
    "some retransmissions": (Capability.DATA_MAX_RETRANSMITS, {"maxRetransmits": 65535}),
    "short life": (Capability.DATA_MAX_LIFETIME, {"maxPacketLifeTime": 500, "ordered": False}),
    "long life": (Capability.DATA_MAX_LIFETIME, {"maxPacketLifeTime": 65535}),
    "protocol": (None, {"protocol": "json"}),
}


# --- options -----------------------------------------------------------------------------------------


@spec("RFC 8832 5.1", "webrtc-pc 6.2")
@pytest.mark.parametrize("name", OPTIONS)
async def test_remote_learns_the_options(peers: Peers, pair: Pair, name: str) -> None:
    capability, options = OPTIONS[name]
    if any(capability is not None and capability not in target.info.capabilities for target in pair.targets):
        pytest.skip(f"a backend does not declare the capability {capability}")
    near, far = _ends(await link(peers, pair, label="chat", **options))
    for option in ("label", "protocol", "ordered", "maxRetransmits", "maxPacketLifeTime", "id", "negotiated"):
        assert getattr(far.channel, option) == getattr(near.channel, option), option
    for option, value in options.items():
        assert getattr(far.channel, option) == value, option


@spec("webrtc-pc 6.2")
@pytest.mark.parametrize("name", OPTIONS)
async def test_channel_of_every_kind_carries_messages_both_ways(peers: Peers, pair: Pair, name: str) -> None:
    capability, options = OPTIONS[name]
    if any(capability is not None and capability not in target.info.capabilities for target in pair.targets):
        pytest.skip(f"a backend does not declare the capability {capability}")
    near, far = _ends(await link(peers, pair, **options))
    near.channel.send("there")
    assert await far.inbox.next() == "there"
    far.channel.send(b"back")
    assert await near.inbox.next() == b"back"


def _ends(connected: Link) -> tuple[Endpoint, Endpoint]:
    return connected.near, connected.far


@spec("webrtc-pc 6.1")
async def test_defaults_are_reliable_and_ordered(peers: Peers, target: Target) -> None:
    channel = peers.open(target).createDataChannel("chat")
    found = (channel.ordered, channel.maxRetransmits, channel.maxPacketLifeTime, channel.protocol, channel.negotiated)
    assert found == (True, None, None, "", False)


@spec("webrtc-pc 6.2")
async def test_channel_waits_for_the_connection(peers: Peers, target: Target) -> None:
    channel = peers.open(target).createDataChannel("chat")
    assert (channel.readyState, channel.id, channel.bufferedAmount) == ("connecting", None, 0)


IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "both limits": {"maxPacketLifeTime": 1, "maxRetransmits": 1},
    "lifetime below 0": {"maxPacketLifeTime": -1},
    "lifetime above 65535": {"maxPacketLifeTime": 65536},
    "retransmits below 0": {"maxRetransmits": -1},
    "retransmits above 65535": {"maxRetransmits": 65536},
    "negotiated without id": {"negotiated": True},
    "reserved id": {"negotiated": True, "id": MAX_CHANNEL_ID + 1},
    "id below 0": {"negotiated": True, "id": -1},
    "label too long": {"label": "x" * (MAX_LABEL_BYTES + 1)},
    "label too long in bytes": {"label": "é" * (MAX_LABEL_BYTES // 2 + 1)},
    "protocol too long": {"protocol": "x" * (MAX_LABEL_BYTES + 1)},
    "label that UTF-8 cannot encode": {"label": "\ud800"},
}
WORDS = {
    "both limits": ("maxPacketLifeTime", "maxRetransmits"),
    "lifetime below 0": ("maxPacketLifeTime -1", "0-65535"),
    "lifetime above 65535": ("maxPacketLifeTime 65536", "0-65535"),
    "retransmits below 0": ("maxRetransmits -1", "0-65535"),
    "retransmits above 65535": ("maxRetransmits 65536", "0-65535"),
    "negotiated without id": ("ID", "0-65534"),
    "reserved id": ("ID", "0-65534"),
    "id below 0": ("ID", "0-65534"),
    "label too long": ("label", "65536 bytes"),
    "label too long in bytes": ("label", "65536 bytes"),
    "protocol too long": ("protocol", "65536 bytes"),
    "label that UTF-8 cannot encode": ("label", "UTF-8"),
}
"""What the message must contain: the option, and its value or what is possible."""


@spec("webrtc-pc 6.1")
@pytest.mark.parametrize("name", IMPOSSIBLE)
async def test_impossible_option_is_refused(peers: Peers, target: Target, name: str) -> None:
    pc = peers.open(target)
    with pytest.raises(ValueError, match=WORDS[name][0]) as caught:
        pc.createDataChannel(**{"label": "chat", **IMPOSSIBLE[name]})
    assert WORDS[name][1] in str(caught.value)


@spec("webrtc-pc 6.1")
async def test_closed_connection_creates_no_channel(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    await pc.close()
    with pytest.raises(InvalidStateError):
        pc.createDataChannel("chat")


@spec("webrtc-pc 6.1")
def test_any_valid_option_is_accepted(target: Target) -> None:
    @settings(EXAMPLES)
    @given(channel_options())
    def accepted(options: RTCDataChannelParameters) -> None:
        asyncio.run(_create(target, options))

    accepted()


async def _create(target: Target, options: RTCDataChannelParameters) -> None:
    needed = {
        Capability.DATA_MAX_RETRANSMITS: options.maxRetransmits,
        Capability.DATA_MAX_LIFETIME: options.maxPacketLifeTime,
    }
    if any(value is not None and capability not in target.info.capabilities for capability, value in needed.items()):
        return
    async with RTCPeerConnection(backend=target.name) as pc:
        channel = pc.createDataChannel(**vars(options))
        assert (channel.label, channel.protocol) == (options.label, options.protocol)


# --- names -------------------------------------------------------------------------------------------


@spec("RFC 8832 5.1")
@pytest.mark.parametrize("name", ["", "ascii", "ünïcödé", "日本語", "🎉👩‍👩‍👧", "a\0b", "\r\n", "\u202e"])
async def test_label_of_any_script_arrives(peers: Peers, pair: Pair, name: str) -> None:
    _, far = _ends(await link(peers, pair, label=name, protocol=name))
    assert (far.channel.label, far.channel.protocol) == (name, name)


@spec("webrtc-pc 6.1")
async def test_longest_label_and_protocol_arrive(peers: Peers, pair: Pair) -> None:
    label, protocol = "L" * MAX_LABEL_BYTES, "p" * MAX_LABEL_BYTES
    _, far = _ends(await link(peers, pair, label=label, protocol=protocol))
    assert (far.channel.label, far.channel.protocol) == (label, protocol)


# --- messages ----------------------------------------------------------------------------------------


@spec("RFC 8831 6.6")
async def test_binary_message_of_every_size_arrives(peers: Peers, pair: Pair, rng: random.Random) -> None:
    near, far = _ends(await link(peers, pair))
    for size in SIZES:
        message = rng.randbytes(size)
        near.channel.send(message)
        assert await far.inbox.next() == message


@spec("RFC 8831 6.6")
async def test_text_message_of_every_size_arrives(peers: Peers, pair: Pair) -> None:
    near, far = _ends(await link(peers, pair))
    for size in SIZES:
        message = ("é€🎉" * size).encode()[:size].decode(errors="ignore")
        near.channel.send(message)
        assert await far.inbox.next() == message


@spec("RFC 8831 6.6")
async def test_empty_messages_keep_their_type(peers: Peers, pair: Pair) -> None:
    near, far = _ends(await link(peers, pair))
    near.channel.send("")
    near.channel.send(b"")
    assert await far.inbox.take(2) == ["", b""]


@spec("webrtc-pc 6.2")
@pytest.mark.parametrize("make", [bytearray, memoryview], ids=["bytearray", "memoryview"])
async def test_buffers_are_sent_as_bytes(peers: Peers, pair: Pair, make: Any) -> None:
    near, far = _ends(await link(peers, pair))
    near.channel.send(make(b"buffer"))
    assert await far.inbox.next() == b"buffer"


@spec("webrtc-pc 6.2")
async def test_other_types_are_refused(peers: Peers, pair: Pair) -> None:
    near, _ = _ends(await link(peers, pair))
    with pytest.raises(ValueError, match="type"):
        near.channel.send(42)  # type: ignore[arg-type]


@spec("webrtc-pc 6.2")
async def test_message_over_the_limit_of_the_remote_is_refused(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    sctp = connected.offerer.sctp
    assert sctp is not None
    if not sctp.maxMessageSize:
        pytest.skip("the remote accepts messages of any size")
    with pytest.raises(MessageSizeError):
        connected.near.channel.send(bytes(sctp.maxMessageSize + 1))
    connected.near.channel.send(b"alive")
    assert await connected.far.inbox.next() == b"alive"


@spec("webrtc-pc 6.2")
async def test_message_at_the_limit_of_the_remote_arrives(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    sctp = connected.offerer.sctp
    assert sctp is not None
    size = min(sctp.maxMessageSize or 262144, 262144)
    connected.near.channel.send(bytes(size))
    assert len(await connected.far.inbox.next()) == size


@spec("RFC 8831 6.6")
async def test_messages_arrive_in_order_without_loss(peers: Peers, pair: Pair) -> None:
    near, far = _ends(await link(peers, pair))
    messages = [str(number) for number in range(500)]
    for message in messages:
        near.channel.send(message)
    assert await far.inbox.take(len(messages)) == messages


@spec("webrtc-pc 6.2")
async def test_every_message_comes_back_before_the_next_is_sent(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    near, far = _ends(await link(peers, pair))
    far.channel.on("message", far.channel.send)
    trips: list[float] = []
    for number in range(TRIPS):
        sent = time.monotonic()
        near.channel.send(str(number))
        assert await near.inbox.next() == str(number)
        trips.append((time.monotonic() - sent) * 1000)
    evidence.series("round trip of a message", trips, "ms")


@spec("RFC 8831 6.6")
async def test_messages_of_many_sizes_keep_their_order(peers: Peers, pair: Pair, rng: random.Random) -> None:
    near, far = _ends(await link(peers, pair))
    messages = [rng.randbytes(rng.choice(SIZES)) for _ in range(40)]
    for message in messages:
        near.channel.send(message)
    assert await far.inbox.take(len(messages)) == messages


@spec("RFC 8831 6.6")
@requires(Capability.DATA_UNORDERED)
async def test_unordered_messages_all_arrive(peers: Peers, pair: Pair) -> None:
    near, far = _ends(await link(peers, pair, ordered=False))
    messages = [str(number) for number in range(200)]
    for message in messages:
        near.channel.send(message)
    assert sorted(await far.inbox.take(len(messages))) == sorted(messages)


@spec("webrtc-pc 6.2")
async def test_remote_may_answer_from_its_first_event(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    near = Endpoint.of(offerer.createDataChannel("chat"))
    answerer.on("datachannel", lambda channel: channel.send("welcome"))
    await connect(offerer, answerer)
    assert await near.inbox.next() == "welcome"


@spec("webrtc-pc 6.2")
async def test_channel_can_be_added_while_connected(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    arriving = ChannelArrivals(connected.offerer)
    second = Endpoint.of(connected.answerer.createDataChannel("second"))
    await opened(second.channel)
    remote = await arriving.next()
    second.channel.send("hello")
    assert (remote.channel.label, await remote.inbox.next()) == ("second", "hello")


@spec("webrtc-pc 6.2")
async def test_many_channels_work_side_by_side(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    arriving = ChannelArrivals(answerer)
    channels = [offerer.createDataChannel(f"channel {number}") for number in range(30)]
    await connect(offerer, answerer)
    for channel in channels:
        await opened(channel)
        channel.send(channel.label)
    remotes = await arriving.take(len(channels))
    assert {remote.channel.label for remote in remotes} == {channel.label for channel in channels}
    for remote in remotes:
        assert await remote.inbox.next() == remote.channel.label
    assert len({channel.id for channel in channels}) == len(channels)


# --- ids ---------------------------------------------------------------------------------------------


@spec("RFC 8832 6")
async def test_both_sides_never_choose_the_same_id(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    ours = [connected.offerer.createDataChannel(f"o{number}") for number in range(5)]
    theirs = [connected.answerer.createDataChannel(f"a{number}") for number in range(5)]
    for channel in ours + theirs:
        await opened(channel)
    assert {channel.id % 2 for channel in ours if channel.id is not None} != {
        channel.id % 2 for channel in theirs if channel.id is not None
    }


@spec("webrtc-pc 6.2")
@requires(Capability.DATA_NEGOTIATED)
async def test_negotiated_channels_meet_by_id(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    announced = Arrivals(answerer, "datachannel")
    near, far = (Endpoint.of(pc.createDataChannel("chat", negotiated=True, id=7)) for pc in (offerer, answerer))
    await connect(offerer, answerer)
    await opened(near.channel)
    await opened(far.channel)
    near.channel.send("there")
    assert await far.inbox.next() == "there"
    assert (near.channel.id, far.channel.id, announced.waiting) == (7, 7, 0)


@spec("aiortc")
async def test_chosen_id_is_kept_without_negotiation(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair, id=1000)
    assert (connected.near.channel.id, connected.far.channel.id) == (1000, 1000)


@spec("webrtc-pc 6.1")
@requires(Capability.DATA_NEGOTIATED)
async def test_id_in_use_is_refused(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    pc.createDataChannel("first", negotiated=True, id=7)
    with pytest.raises(OperationError) as caught:
        pc.createDataChannel("second", negotiated=True, id=7)
    assert isinstance(caught.value, ValueError)


# --- buffered amount ---------------------------------------------------------------------------------


@spec("webrtc-pc 6.2")
@requires(Capability.ICE_HOST)
async def test_buffered_amount_counts_what_is_queued(peers: Peers, pair: Pair) -> None:
    near, far = _ends(await link(peers, pair))
    for _ in range(20):
        near.channel.send(bytes(50_000))
    assert near.channel.bufferedAmount > 50_000
    await far.inbox.take(20)
    await until(near.channel, ("bufferedamountlow",), lambda: near.channel.bufferedAmount == 0, "an empty buffer")


@spec("webrtc-pc 6.2")
@requires(Capability.ICE_HOST)
async def test_buffered_amount_counts_what_the_transport_has_not_sent(peers: Peers, pair: Pair) -> None:
    """A first flight of SCTP is some 15 kB (RFC 9260 section 7.2.1); all else waits, wherever the engine keeps it."""
    near, far = _ends(await link(peers, pair))
    near.channel.send(bytes(200_000))
    assert 100_000 < near.channel.bufferedAmount <= 200_000
    await far.inbox.next()


@spec("webrtc-pc 6.2")
@requires(Capability.ICE_HOST)
async def test_threshold_is_told_when_it_is_reached(peers: Peers, pair: Pair) -> None:
    near, far = _ends(await link(peers, pair))
    near.channel.bufferedAmountLowThreshold = 200_000
    amounts: list[int] = []
    near.channel.on("bufferedamountlow", lambda: amounts.append(near.channel.bufferedAmount))
    low = Arrivals(near.channel, "bufferedamountlow")
    for _ in range(20):
        near.channel.send(bytes(50_000))
    await low.next()
    assert amounts[0] <= 200_000
    await far.inbox.take(20)


@spec("webrtc-pc 6.2")
@pytest.mark.parametrize("value", [-1, 2**32])
async def test_impossible_threshold_is_refused(peers: Peers, target: Target, value: int) -> None:
    channel = peers.open(target).createDataChannel("chat")
    with pytest.raises(ValueError, match="range"):
        channel.bufferedAmountLowThreshold = value


# --- closing -----------------------------------------------------------------------------------------


@spec("webrtc-pc 6.2")
async def test_send_before_open_is_refused(peers: Peers, target: Target) -> None:
    channel = peers.open(target).createDataChannel("chat")
    with pytest.raises(InvalidStateError):
        channel.send("too early")


@spec("webrtc-pc 6.2")
async def test_send_after_close_is_refused(peers: Peers, pair: Pair) -> None:
    near, _ = _ends(await link(peers, pair))
    near.channel.close()
    with pytest.raises(InvalidStateError):
        near.channel.send("too late")


@spec("RFC 8831 6.7")
@pytest.mark.parametrize("closer", ["near", "far"])
async def test_close_from_either_side_closes_both(peers: Peers, pair: Pair, closer: str) -> None:
    connected = await link(peers, pair)
    getattr(connected, closer).channel.close()
    await closed(connected.near.channel)
    await closed(connected.far.channel)


@spec("RFC 8831 6.7")
async def test_messages_sent_before_close_arrive(peers: Peers, pair: Pair) -> None:
    near, far = _ends(await link(peers, pair))
    messages = [bytes([number]) * 5000 for number in range(50)]
    for message in messages:
        near.channel.send(message)
    near.channel.close()
    assert await far.inbox.take(len(messages)) == messages
    await closed(far.channel)


@spec("RFC 8831 6.7")
async def test_close_by_the_receiver_with_data_in_flight_ends_well(peers: Peers, pair: Pair) -> None:
    near, far = _ends(await link(peers, pair))
    for _ in range(50):
        near.channel.send(bytes(5000))
    await far.inbox.next()
    far.channel.close()
    await closed(far.channel)
    await closed(near.channel)


@spec("webrtc-pc 6.2")
async def test_close_twice_is_harmless(peers: Peers, pair: Pair) -> None:
    near, _ = _ends(await link(peers, pair))
    near.channel.close()
    near.channel.close()
    await closed(near.channel)
    near.channel.close()


@spec("webrtc-pc 6.2")
async def test_close_before_open_leaves_the_connection_alone(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    abandoned, kept = offerer.createDataChannel("abandoned"), offerer.createDataChannel("kept")
    abandoned.close()
    await connect(offerer, answerer)
    await opened(kept)
    assert abandoned.readyState in {"closing", "closed"}


@spec("webrtc-pc 6.2")
@requires(Capability.DATA_NEGOTIATED)
async def test_closed_channel_frees_its_id(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    ends = [pc.createDataChannel("first", negotiated=True, id=100) for pc in (offerer, answerer)]
    await connect(offerer, answerer)
    await asyncio.gather(*map(opened, ends))
    ends[0].close()
    await asyncio.gather(*map(closed, ends))
    again = [pc.createDataChannel("again", negotiated=True, id=100) for pc in (offerer, answerer)]
    await asyncio.gather(*map(opened, again))
    inbox = Arrivals(again[1], "message")
    again[0].send("hello")
    assert await inbox.next() == "hello"


@spec("webrtc-pc 6.2")
async def test_other_channels_survive_a_close(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    arriving = ChannelArrivals(connected.answerer)
    second = connected.offerer.createDataChannel("second")
    await opened(second)
    remote = await arriving.next()
    connected.near.channel.close()
    await closed(connected.far.channel)
    second.send("still here")
    assert await remote.inbox.next() == "still here"


@spec("webrtc-pc 4.4.1.6")
async def test_closing_the_connection_closes_its_channels(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    gone = asyncio.ensure_future(first_event(connected.far.channel, "close"))
    await connected.offerer.close()
    assert connected.near.channel.readyState == "closed"
    await gone


@spec("webrtc-pc 6.2")
async def test_iteration_over_messages_ends_with_the_channel(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    near = offerer.createDataChannel("chat")
    iterators = asyncio.get_running_loop().create_future()
    answerer.on("datachannel", lambda channel: iterators.set_result(aiter(channel)))
    await negotiate(offerer, answerer)
    await opened(near)
    for text in ("one", "two"):
        near.send(text)
    near.close()
    received = [message async for message in await asyncio.wait_for(iterators, PATIENCE)]
    assert received == ["one", "two"]


# --- what mutants taught -----------------------------------------------------------------------------


@spec("webrtc-pc 6.2")
@requires(Capability.ICE_HOST)
async def test_threshold_is_told_once_and_before_the_buffer_is_empty(
    peers: Peers, pair: Pair, netsim: NetworkMaker
) -> None:
    """So much is sent that no engine hands it to its transport at once.

    The network is one of the loop: nothing is sent while a busy machine keeps the loop from looking.
    """
    near, far = _ends(await link_through(netsim(), peers, pair))
    near.channel.bufferedAmountLowThreshold = 1_500_000
    amounts: list[int] = []
    near.channel.on("bufferedamountlow", lambda: amounts.append(near.channel.bufferedAmount))
    for _ in range(15):
        near.channel.send(bytes(200_000))
    await far.inbox.take(15)
    far.channel.send("all of it")
    assert await near.inbox.next() == "all of it"
    assert len(amounts) == 1
    assert 0 < amounts[0] <= 1_500_000


@spec("RFC 8841 6")
async def test_limit_of_the_remote_is_the_one_it_announces(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    for pc in (connected.offerer, connected.answerer):
        assert pc.sctp is not None
        assert pc.remoteDescription is not None
        announced = re.search(r"a=max-message-size:(\d+)", pc.remoteDescription.sdp)
        assert pc.sctp.maxMessageSize == (int(announced[1]) if announced else DEFAULT_MAX_MESSAGE_SIZE)
