"""Connections coming up, being lost, being restarted, and ending."""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import time

import pytest

from backends.native.tests.media import Sink, Source
from backends.native.tests.peers import (
    TIMEOUT,
    Peer,
    close,
    connected_pair,
    negotiate,
    run,
    trickle,
    without_candidates,
)
from backends.native.tests.turn_server import TurnServer
from shim.spi.engines import DataChannelInit, EngineConfig, IceCandidate, IceServer, SessionDescription
from shim.spi.errors import InvalidStateError, OperationError
from shim.spi.events import (
    CandidateFailed,
    CandidateFound,
    ChannelClosed,
    ChannelMessage,
    ChannelOpened,
    ConnectionChanged,
    IceConnectionChanged,
    IceGatheringChanged,
    SessionChanged,
)


def ice_states(peer: Peer) -> list[str]:
    return [event.state for event in peer.sink.of(IceConnectionChanged)]


def states(peer: Peer) -> list[str]:
    return [event.state for event in peer.sink.of(ConnectionChanged)]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def kill(peer: Peer) -> None:
    """Take the network away without a word."""
    for transport in peer.engine._connection.transports.values():
        for pair in transport.ice.active.pairs():
            pair.protocol.transport.abort()


def test_states_go_through_every_step_in_order() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        await close(a, b)
        assert ice_states(a) == ["checking", "connected", "completed"]
        assert states(a) == ["connecting", "connected"]
        assert [event.state for event in a.sink.of(IceGatheringChanged)] == ["gathering", "complete"]
        found = [type(e) for e in a.sink.events if isinstance(e, CandidateFound | IceGatheringChanged | SessionChanged)]
        assert found[:2] == [SessionChanged, IceGatheringChanged]
        assert a.sink.of(CandidateFound)[-1].candidate is None

    run(scenario)


def test_candidates_can_trickle() -> None:
    async def scenario() -> None:
        a, b = Peer(), Peer()
        await a.engine.start()
        await b.engine.start()
        a.engine.create_data_channel(DataChannelInit("x"))
        await trickle(a, b)
        await a.sink.first(ChannelOpened)
        remote = b.engine.local_state().current_remote
        assert remote is not None
        assert "a=candidate:" in remote.sdp
        assert "a=end-of-candidates" in remote.sdp
        await close(a, b)

    run(scenario)


@pytest.mark.parametrize(
    ("candidate", "mid"),
    [
        ("candidate:garbage", "0"),
        ("candidate:1 1 udp 1 192.0.2.1 99999 typ host", "0"),
        ("candidate:1 1 udp 1 192.0.2.1 9 typ nonsense", "0"),
        ("candidate:1 1 udp 1 192.0.2.1 9 typ host ufrag other", "0"),
        ("candidate:1 1 udp 1 192.0.2.1 9 typ host", "unknown"),
    ],
)
def test_a_bad_candidate_is_refused(candidate: str, mid: str) -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        with pytest.raises(OperationError):
            await a.engine.add_ice_candidate(IceCandidate(candidate, mid, 0))
        await close(a, b)

    run(scenario)


def test_a_candidate_that_cannot_be_used_is_ignored() -> None:
    async def scenario() -> None:
        a, b = Peer(), Peer()
        await a.engine.start()
        await b.engine.start()
        a.engine.create_data_channel(DataChannelInit("x"))
        await a.engine.set_local_description(await a.engine.create_offer())
        await a.gathered()
        offer = a.engine.local_state().pending_local
        assert offer is not None
        await b.engine.set_remote_description(offer)
        await b.engine.add_ice_candidate(
            IceCandidate("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active", "0", 0)
        )
        await b.engine.add_ice_candidate(IceCandidate("candidate:1 2 udp 1 192.0.2.1 9 typ host", "0", 0))
        await b.engine.set_local_description(await b.engine.create_answer())
        await b.gathered()
        answer = b.engine.local_state().current_local
        assert answer is not None
        await a.engine.set_remote_description(answer)
        await a.sink.first(ChannelOpened)
        await close(a, b)

    run(scenario)


@pytest.mark.parametrize("restarts", ["offerer", "answerer"])
def test_a_restart_keeps_channels_open(restarts: str) -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        first, second = (a, b) if restarts == "offerer" else (b, a)
        before = first.engine.transports()[0]
        await negotiate(first, second, restart=True)
        await first.sink.wait(lambda: ice_states(first)[-1] == "completed")
        await second.sink.wait(lambda: ice_states(second)[-1] == "completed")
        await first.sink.wait(lambda: first.engine.transports()[0].selected_local not in {None, before.selected_local})
        channel = a.sink.of(ChannelOpened)[0].channel
        channel.send("over the new path")
        assert (await b.sink.first(ChannelMessage)).data == "over the new path"
        assert set(states(a)) == {"connecting", "connected"}
        await close(a, b)

    run(scenario)


def test_a_lost_peer_is_noticed_and_a_restart_recovers() -> None:
    async def scenario() -> None:
        config = EngineConfig(ice_disconnected_after=0.2, ice_failed_after=30.0)
        a, b = await connected_pair(config, config)
        kill(b)
        await a.sink.first(IceConnectionChanged, lambda event: event.state == "disconnected")
        await a.state("disconnected")
        await negotiate(a, b, restart=True)
        await a.sink.wait(lambda: states(a)[-1] == "connected")
        a.sink.of(ChannelOpened)[0].channel.send("back")
        assert (await b.sink.first(ChannelMessage)).data == "back"
        await close(a, b)

    run(scenario)


def test_a_lost_peer_fails_in_the_end() -> None:
    async def scenario() -> None:
        config = EngineConfig(ice_disconnected_after=0.1, ice_failed_after=0.4)
        a, b = await connected_pair(config)
        kill(b)
        await a.state("failed")
        assert ice_states(a)[-2:] == ["disconnected", "failed"]
        await close(a, b)

    run(scenario)


def test_checks_without_an_answer_fail() -> None:
    async def scenario() -> None:
        a, b = Peer(EngineConfig(ice_failed_after=0.3)), Peer()
        await a.engine.start()
        await b.engine.start()
        a.engine.create_data_channel(DataChannelInit("x"))
        await a.engine.set_local_description(await a.engine.create_offer())
        offer = a.engine.local_state().pending_local
        assert offer is not None
        await b.engine.set_remote_description(without_candidates(offer))
        answer = await b.engine.create_answer()
        await a.engine.set_remote_description(without_candidates(answer))
        await a.state("failed")
        await close(a, b)

    run(scenario)


def test_a_wrong_fingerprint_fails_the_connection() -> None:
    async def scenario() -> None:
        a, b = Peer(), Peer()
        await a.engine.start()
        await b.engine.start()
        a.engine.create_data_channel(DataChannelInit("x"))
        await a.engine.set_local_description(await a.engine.create_offer())
        await a.gathered()
        offer = a.engine.local_state().pending_local
        assert offer is not None
        await b.engine.set_remote_description(offer)
        await b.engine.set_local_description(await b.engine.create_answer())
        await b.gathered()
        answer = b.engine.local_state().current_local
        assert answer is not None
        forged = re.sub(r"(a=fingerprint:sha-256 )..", r"\g<1>00", answer.sdp)
        forged = re.sub(r"(a=fingerprint:sha-256 00:)..", r"\g<1>00", forged)
        await a.engine.set_remote_description(SessionDescription("answer", forged))
        await a.state("failed")
        assert a.engine.transports()[0].dtls_state == "failed"
        await close(a, b)

    run(scenario)


def test_the_peer_is_told_when_we_close() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        await a.engine.close()
        await b.state("closed")
        assert len(b.sink.of(ChannelClosed)) == 1
        with pytest.raises(InvalidStateError):
            await b.engine.create_offer()
        await close(a, b)

    run(scenario)


def test_close_is_quick_in_any_state() -> None:
    async def scenario() -> None:
        for turns in (0, 1, 3, 10, 30, 100, 300):
            a, b = Peer(), Peer()
            await a.engine.start()
            await b.engine.start()
            a.engine.create_data_channel(DataChannelInit("x"))
            joining = asyncio.ensure_future(negotiate(a, b))
            for _ in range(turns):
                await asyncio.sleep(0)
            started = time.monotonic()
            await asyncio.gather(a.engine.close(), a.engine.close(), b.engine.close())
            assert time.monotonic() - started < 2
            joining.cancel()
            await asyncio.gather(joining, return_exceptions=True)

    run(scenario)


def test_ports_stay_in_their_range() -> None:
    async def scenario() -> None:
        low = 40000
        a = Peer(EngineConfig(port_range=(low, low + 20)))
        await a.engine.start()
        a.engine.create_data_channel(DataChannelInit("x"))
        await a.engine.set_local_description(await a.engine.create_offer())
        await a.gathered()
        ports = [int(e.candidate.candidate.split()[5]) for e in a.sink.of(CandidateFound) if e.candidate]
        assert ports
        assert all(low <= port <= low + 20 for port in ports)
        await close(a)

    run(scenario)


def test_an_exhausted_range_is_reported() -> None:
    async def scenario() -> None:
        taken = Peer()
        await taken.engine.start()
        taken.engine.create_data_channel(DataChannelInit("x"))
        await taken.engine.set_local_description(await taken.engine.create_offer())
        await taken.gathered()
        line = next(e.candidate.candidate for e in taken.sink.of(CandidateFound) if e.candidate)
        port = int(line.split()[5])
        a = Peer(EngineConfig(port_range=(port, port)))
        await a.engine.start()
        a.engine.create_data_channel(DataChannelInit("x"))
        await a.engine.set_local_description(await a.engine.create_offer())
        await a.gathered()
        assert str(port) in (await a.sink.first(CandidateFailed)).error_text
        await close(a, taken)

    run(scenario)


def test_a_server_that_is_not_there_is_reported() -> None:
    async def scenario() -> None:
        url = f"turn:127.0.0.1:{free_port()}?transport=tcp"
        servers = (IceServer((url,), "user", "secret"),)
        a = Peer(EngineConfig(ice_servers=servers, ice_transport_policy="relay"))
        await a.engine.start()
        a.engine.create_data_channel(DataChannelInit("x"))
        await a.engine.set_local_description(await a.engine.create_offer())
        await a.gathered()
        assert (await a.sink.first(CandidateFailed)).url == url
        assert [event.candidate for event in a.sink.of(CandidateFound)] == [None]
        await close(a)

    run(scenario)


def test_rolling_back_starts_afresh() -> None:
    async def scenario() -> None:
        a, b = Peer(), Peer()
        await a.engine.start()
        await b.engine.start()
        a.engine.create_data_channel(DataChannelInit("x"))
        await a.engine.set_local_description(await a.engine.create_offer())
        await a.gathered()
        await a.engine.set_local_description(SessionDescription("rollback", ""))
        state = a.engine.local_state()
        assert (state.signaling_state, state.pending_local) == ("stable", None)
        await a.sink.wait(lambda: a.sink.of(IceGatheringChanged)[-1].state == "new")
        await negotiate(a, b)
        await a.sink.first(ChannelOpened)
        await close(a, b)

    run(scenario)


def test_garbage_on_the_socket_does_no_harm() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        chosen = a.engine.transports()[0].selected_local
        assert chosen is not None
        host, port = chosen.split()[4:6]
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            for data in (b"", b"\x00", b"\x00\x01", b"\x14", b"\x80" * 40, bytes(1500), b"\x16\xfe\xfd" * 20):
                sock.sendto(data, (host, int(port)))
        a.sink.of(ChannelOpened)[0].channel.send("alive")
        assert (await b.sink.first(ChannelMessage)).data == "alive"
        await close(a, b)

    run(scenario)


def test_an_engine_that_is_dropped_frees_its_sockets() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        connection = a.engine._connection
        del a
        gc.collect()
        await b.state("closed")
        assert connection._closing is not None
        await asyncio.wait_for(connection._closing, TIMEOUT)
        await close(b)

    run(scenario)


def test_the_remote_certificate_is_shown() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        (info,) = a.engine.transports()
        assert info.mids == ("0",)
        assert info.remote_certificates[0][:1] == b"\x30"
        assert (info.ice_role, b.engine.transports()[0].ice_role) == ("controlling", "controlled")
        assert info.selected_remote in b.engine.transports()[0].local_candidates
        await close(a, b)

    run(scenario)


def test_a_peer_without_bundle_gets_a_transport_for_each_section() -> None:
    async def scenario() -> None:
        a, b = Peer(), Peer()
        await a.engine.start()
        await b.engine.start()
        sinks = [Sink(), Sink()]
        a.engine.add_transceiver("audio", "sendrecv", Source("audio")).attach(sinks[0])
        channel = a.engine.create_data_channel(DataChannelInit("x"))
        await a.engine.set_local_description(await a.engine.create_offer())
        await a.gathered()
        offer = a.engine.local_state().pending_local
        assert offer is not None
        apart = re.sub(r"a=group:.*\r\n", "", offer.sdp)
        await b.engine.set_remote_description(SessionDescription("offer", apart))
        (transceiver,) = b.engine.local_state().transceivers
        transceiver.engine.attach(sinks[1])
        transceiver.engine.replace_source(Source("audio"))
        transceiver.engine.set_direction("sendrecv")
        await b.engine.set_local_description(await b.engine.create_answer())
        await b.gathered()
        answer = b.engine.local_state().current_local
        assert answer is not None
        await a.engine.set_remote_description(answer)
        await a.sink.first(ChannelOpened)
        for sink in sinks:
            await asyncio.wait_for(sink.first.wait(), TIMEOUT)
        assert [info.mids for info in a.engine.transports()] == [("0",), ("1",)]
        channel.send("apart")
        assert (await b.sink.first(ChannelMessage)).data == "apart"
        await close(a, b)

    run(scenario)


def test_an_engine_that_never_started_can_be_closed() -> None:
    async def scenario() -> None:
        peer = Peer()
        peer.engine.create_data_channel(DataChannelInit("x"))
        await close(peer)
        assert len(peer.sink.of(ChannelClosed)) == 1

    run(scenario)


def test_everything_can_go_through_a_relay() -> None:
    async def scenario() -> None:
        server = TurnServer()
        port = await server.start()
        servers = (IceServer((f"turn:127.0.0.1:{port}?transport=udp",), "user", "secret"),)
        config = EngineConfig(ice_servers=servers, ice_transport_policy="relay")
        a, b = await connected_pair(config, config)
        (info,) = a.engine.transports()
        assert info.selected_local is not None
        assert "typ relay" in info.selected_local
        a.sink.of(ChannelOpened)[0].channel.send("relayed")
        assert (await b.sink.first(ChannelMessage)).data == "relayed"
        await close(a, b)
        assert not server.relays
        server.stop()

    run(scenario)


def test_a_relay_that_died_does_not_delay_closing() -> None:
    async def scenario() -> None:
        server = TurnServer()
        port = await server.start()
        servers = (IceServer((f"turn:127.0.0.1:{port}?transport=udp",), "user", "secret"),)
        peer = Peer(EngineConfig(ice_servers=servers, ice_transport_policy="relay"))
        await peer.engine.start()
        peer.engine.create_data_channel(DataChannelInit("x"))
        await peer.engine.set_local_description(await peer.engine.create_offer())
        await peer.gathered()
        server.stop()
        started = time.monotonic()
        await peer.engine.close()
        assert time.monotonic() - started < 2

    run(scenario)
