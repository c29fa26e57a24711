"""How data gets across: packets read and written, acknowledgements that wait, packets that grow and shrink again."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable

import aiortc.rtcsctptransport as sctp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.native import private_dtls, private_names, private_sctp, sctp_packets
from backends.native.channels import Association, Channel
from backends.native.deadline import Deadline
from backends.native.path_mtu import STEPS, TRIES, PathSearch
from backends.native.private_dtls import QuickDtlsTransport, run_now
from backends.native.tests.peers import Peer, close, connected_pair, run
from backends.native.tests.test_interop import POLICIES, Plain, to_aiortc, to_shim
from shim.spi.engines import DataChannelInit, EngineConfig
from shim.spi.events import ChannelAnnounced, ChannelMessage, ChannelOpened

METHODS = [
    (owner, name, wanted)
    for module in (private_dtls, private_names)
    for owner, names in module.NAMES.items()
    for name, wanted in names.items()
]
ATTRIBUTES = [
    (owner, name)
    for module in (private_dtls, private_names)
    for owner, names in module.ATTRIBUTES.items()
    for name in names
]
BASE = STEPS[0] - 100


def association_of(peer: Peer) -> Association:
    association = peer.engine._connection.association
    assert association is not None
    return association


def dtls_of(peer: Peer) -> QuickDtlsTransport:
    return peer.engine._connection.transports[0].dtls


def channels_of(a: Peer, b: Peer) -> tuple[Channel, Channel]:
    (near,), (far,) = association_of(a).known_channels(), association_of(b).known_channels()
    return near, far


async def send_and_wait(a: Peer, b: Peer, *messages: bytes) -> None:
    near, _ = channels_of(a, b)
    count = len(b.sink.of(ChannelMessage))
    for message in messages:
        near.send(message)
    await b.sink.wait(lambda: len(b.sink.of(ChannelMessage)) == count + len(messages))
    assert [event.data for event in b.sink.of(ChannelMessage)[count:]] == list(messages)


def watch(peer: Peer, see: Callable[[bytes], bool]) -> None:
    """Show each datagram that a peer sends to `see`, which says whether it goes on."""
    link = dtls_of(peer)._link
    send, send_whole = link.send_now, link.send_whole

    def watched(data: bytes) -> None:
        if see(data):
            send(data)

    link.send_now = watched  # type: ignore[method-assign]
    link.send_whole = lambda data: send_whole(data) if see(data) else True  # type: ignore[method-assign]


def sizes_sent_by(peer: Peer) -> list[int]:
    """Return the sizes of the datagrams that a peer sends from now on."""
    sizes: list[int] = []

    def note(data: bytes) -> bool:
        sizes.append(len(data))
        return True

    watch(peer, note)
    return sizes


@pytest.mark.parametrize(("owner", "name", "wanted"), METHODS)
def test_method_has_the_parameters_that_are_relied_on(owner: type, name: str, wanted: tuple[str, ...]) -> None:
    method = getattr(owner, name, None)
    assert method is not None, f"{owner.__name__}.{name} is gone"
    assert tuple(inspect.signature(method).parameters)[1:] == wanted


@pytest.mark.parametrize(("owner", "name"), ATTRIBUTES)
def test_attribute_exists(owner: type, name: str) -> None:
    assert re.search(rf"self\.{name}\b", inspect.getsource(owner)), f"{owner.__name__}.{name} is gone"


def test_chunks_have_what_is_set_on_them() -> None:
    source = inspect.getsource(sctp.RTCSctpTransport._send)
    set_here = set(re.findall(r"chunk\.(_\w+)", inspect.getsource(private_sctp.QuickSctpTransport._send)))
    assert set(re.findall(r"chunk\.(_\w+) =", source)) == set_here


# --- packets ---


@given(st.binary(min_size=1, max_size=3000), st.integers(0, 7), st.integers(0, 2**32 - 1), st.integers(0, 65535))
def test_data_is_read_as_aiortc_writes_it(payload: bytes, flags: int, tsn: int, stream: int) -> None:
    chunk = sctp.DataChunk(flags)
    chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol, chunk.user_data = tsn, stream, 9, 53, payload
    (found,) = sctp_packets.read_plain(sctp.serialize_packet(5000, 5000, 77, chunk), 77) or []
    assert isinstance(found, sctp_packets.Data)
    assert (found.flags, found.tsn, found.stream_id, found.stream_seq, found.protocol) == (flags, tsn, stream, 9, 53)
    assert found.payload == payload


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=100))
def test_aiortc_reads_what_is_written(cumulative: int, window: int, payload: bytes) -> None:
    data = sctp.DataChunk()
    data.user_data = payload
    packet = sctp_packets.write_packet(1, 2, 3, sctp_packets.write_sack(cumulative, window), bytes(data))
    source, destination, tag, (sack, found) = sctp.parse_packet(packet)
    assert (source, destination, tag) == (1, 2, 3)
    assert isinstance(sack, sctp.SackChunk)
    assert (sack.cumulative_tsn, sack.advertised_rwnd, sack.gaps, sack.duplicates) == (cumulative, window, [], [])
    assert isinstance(found, sctp.DataChunk)
    assert found.user_data == payload


@given(st.binary(max_size=200))
def test_anything_else_is_left_to_aiortc(packet: bytes) -> None:
    assert sctp_packets.read_plain(packet, 5) is None


def test_a_damaged_or_foreign_packet_is_not_plain() -> None:
    packet = sctp_packets.write_packet(1, 2, 3, sctp_packets.write_sack(4, 5))
    assert sctp_packets.read_plain(packet, 3) is not None
    assert sctp_packets.read_plain(packet, 4) is None
    assert sctp_packets.read_plain(packet[:-1] + b"\xff", 3) is None


# --- the search for a size ---


@given(st.integers(BASE, 20000), st.lists(st.booleans(), max_size=40))
def test_a_search_ends_at_what_the_path_carries(path: int, losses: list[bool]) -> None:
    search, lost = PathSearch(BASE, STEPS[-1]), iter(losses)
    in_a_row = 0
    while (size := search.next_probe()) is not None:
        search.sent()
        # Never often enough to be taken for the size.
        unlucky = in_a_row < TRIES - 1 and next(lost, False)
        in_a_row = in_a_row + 1 if unlucky else 0
        if size <= path and not unlucky:
            search.arrived(size)
        else:
            search.lost()
    assert search.size == max(step for step in (BASE, *STEPS) if step <= path)


def test_a_search_stops_at_what_the_system_refuses_and_begins_again() -> None:
    search = PathSearch(BASE, STEPS[-1])
    search.arrived(STEPS[0])
    search.refused()
    assert (search.size, search.next_probe()) == (STEPS[0], None)
    search.restart()
    assert search.next_probe() == STEPS[1]
    assert search.fall_back()
    assert (search.size, search.next_probe(), search.fall_back()) == (BASE, STEPS[0], False)


def test_a_deadline_calls_once_and_not_before_it_was_moved_to() -> None:
    async def scenario() -> None:
        loop, called = asyncio.get_running_loop(), asyncio.Event()
        deadline, moments = Deadline(called.set), [loop.time()]
        deadline.move(0.01)
        deadline.clear()
        handle = deadline.move(0.05)
        assert deadline.move(0.06) is handle
        await called.wait()
        assert loop.time() - moments[0] >= 0.06 - 0.002
        deadline.move(60)
        deadline.close()

    run(scenario)


def test_a_coroutine_that_waits_is_not_run_to_its_end() -> None:
    with pytest.raises(RuntimeError, match="waits"):
        run_now(asyncio.sleep(0))


# --- connections ---


def test_packets_grow_between_two_of_a_kind() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        sizes = sizes_sent_by(a)
        await send_and_wait(a, b, *[bytes([index]) * 60000 for index in range(20)])
        assert max(sizes) > STEPS[-1]
        await close(a, b)

    run(scenario)


def test_packets_do_not_grow_beyond_a_configured_size() -> None:
    async def scenario() -> None:
        a, b = await connected_pair(EngineConfig(mtu=1200), EngineConfig(mtu=1200))
        sizes = sizes_sent_by(a)
        await send_and_wait(a, b, *[bytes([index]) * 60000 for index in range(5)])
        assert max(sizes) <= 1200
        await close(a, b)

    run(scenario)


def test_a_remote_on_aiortc_gets_no_packet_that_it_cannot_read() -> None:
    async def scenario() -> None:
        native, plain = Peer(), Plain(POLICIES[0])
        await native.engine.start()
        channel = native.engine.create_data_channel(DataChannelInit("bulk"))
        await native.engine.set_local_description(await native.engine.create_offer())
        await native.gathered()
        await plain.pc.setRemoteDescription(to_aiortc(native.engine.local_state().pending_local))
        await plain.pc.setLocalDescription(await plain.pc.createAnswer())
        await native.engine.set_remote_description(to_shim(plain.pc.localDescription))
        await native.sink.first(ChannelOpened)
        sizes = sizes_sent_by(native)
        for index in range(20):
            channel.send(bytes([index]) * 20000)
        for index in range(20):
            assert await asyncio.wait_for(plain.messages.get(), 10) == bytes([index]) * 20000
        assert max(sizes) <= 1500
        await native.engine.close()
        await plain.pc.close()

    run(scenario)


def test_packets_shrink_when_large_ones_are_lost() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        await send_and_wait(a, b, *[bytes(60000)] * 20)
        blocked, pieces = asyncio.Event(), asyncio.Event()

        def narrow(data: bytes) -> bool:
            if len(data) > 1500 and not pieces.is_set():
                blocked.set()
                return False
            return True

        watch(a, narrow)
        dtls_of(a)._link.allow_pieces = pieces.set  # type: ignore[method-assign]
        await send_and_wait(a, b, bytes(60000))
        assert blocked.is_set()
        assert pieces.is_set()
        await close(a, b)

    run(scenario)


def test_small_messages_share_packets() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        sizes = sizes_sent_by(a)
        await send_and_wait(a, b, *[bytes([index]) * (1 + 3 * index) for index in range(100)])
        assert len(sizes) < 50
        await close(a, b)

    run(scenario)


def test_an_answer_carries_the_acknowledgement() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        near, far = channels_of(a, b)
        await b.sink.first(ChannelAnnounced)
        await send_and_wait(a, b, b"first")
        packets = sizes_sent_by(b)
        for count in range(1, 51):
            near.send(b"ping")
            await b.sink.wait(lambda count=count: len(b.sink.of(ChannelMessage)) == 1 + count)  # type: ignore[misc]
            far.send(b"pong")
            await a.sink.wait(lambda count=count: len(a.sink.of(ChannelMessage)) == count)  # type: ignore[misc]
        # One each, and a few more where this machine took longer than an acknowledgement waits.
        assert len(packets) < 90
        await close(a, b)

    run(scenario)


def test_a_lone_message_is_acknowledged_before_it_would_be_sent_again() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        sizes, acknowledged = sizes_sent_by(a), asyncio.Event()
        association = association_of(a)
        update = association._update_advanced_peer_ack_point

        def note() -> None:
            update()
            if not association._sent_queue:
                acknowledged.set()

        association._update_advanced_peer_ack_point = note  # type: ignore[method-assign]
        await send_and_wait(a, b, b"alone")
        acknowledged.clear()
        await send_and_wait(a, b, b"alone")
        await acknowledged.wait()
        assert len(sizes) == 2
        await close(a, b)

    run(scenario)
