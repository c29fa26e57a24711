"""The relay of a network: real datagrams over loopback, and what peers are told about each other."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from conformance.netsim import Link, Network, NetworkMaker, Side
from conformance.netsim.relay import Endpoint
from shim import RTCIceCandidate, RTCSessionDescription

PATIENCE = 10.0
REAL = ("127.0.0.1", 5000)
SDP = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "m=audio 5000 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 127.0.0.1",
        "a=rtcp:5000 IN IP4 127.0.0.1",
        "a=candidate:1 1 udp 2130706431 127.0.0.1 5000 typ host generation 0 ufrag abcd",
        "a=candidate:1 2 udp 2130706430 127.0.0.1 5001 typ host",
        "a=candidate:2 1 UDP 1694498815 127.0.0.9 6000 typ srflx raddr 127.0.0.1 rport 5000",
        "a=candidate:3 1 tcp 1518280447 127.0.0.1 9 typ host tcptype active",
        "a=candidate:4 1 udp 2130706431 ::1 5000 typ host",
        "a=candidate:5 1 udp 2130706431 0a1b.local 5000 typ host",
        "a=end-of-candidates",
        "a=mid:0",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 0.0.0.0",
        "a=mid:1",
        "",
    ]
)


class Peer:
    """A socket that sends to the network and collects what comes out of it."""

    def __init__(self, network: Network, side: Side) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.address = self.socket.getsockname()
        self._network = network
        self._side: Side = side

    @property
    def endpoint(self) -> Endpoint:
        """What stands for this peer."""
        return self._network._open()[2].endpoint(self._side, self.address)

    def send(self, data: bytes, to: Peer) -> None:
        """Send through the network."""
        self.socket.sendto(data, to.endpoint.shown)

    async def receive(self) -> bytes:
        """Wait for the next datagram."""
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.sock_recv(self.socket, 65536), PATIENCE)

    async def receive_from(self) -> tuple[bytes, tuple[str, int]]:
        """Wait for the next datagram; return it with its sender."""
        loop = asyncio.get_running_loop()
        data, sender = await asyncio.wait_for(loop.sock_recvfrom(self.socket, 65536), PATIENCE)
        return data, sender


Scenario = Callable[[Network, Peer, Peer], Coroutine[Any, Any, None]]


def play(scenario: Scenario, *links: Link, seed: int = 1) -> None:
    """Run a scenario with a network and a peer on each side."""

    async def main() -> None:
        async with Network(seed, *links) as network:
            a, b = Peer(network, "a"), Peer(network, "b")
            try:
                await scenario(network, a, b)
            finally:
                a.socket.close()
                b.socket.close()

    asyncio.run(main())


# --- carrying ----------------------------------------------------------------------------------------


def test_packets_pass_both_ways_and_are_counted() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        a.send(b"there", b)
        data, sender = await b.receive_from()
        assert (data, sender) == (b"there", a.endpoint.shown)
        b.send(b"back!!", a)
        assert await a.receive() == b"back!!"
        there, back = network.a_to_b.counters, network.b_to_a.counters
        assert (there.packets_in, there.bytes_in, there.packets_out, there.bytes_out) == (1, 5, 1, 5)
        assert (back.packets_in, back.bytes_in, back.packets_out, back.bytes_out) == (1, 6, 1, 6)

    play(scenario)


def test_address_that_nobody_told_is_relayed_too() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        stranger = Peer(network, "a")
        stranger.send(b"hello", b)
        _, sender = await b.receive_from()
        assert sender != a.endpoint.shown
        b.socket.sendto(b"who are you", sender)
        assert await stranger.receive() == b"who are you"
        stranger.socket.close()

    play(scenario)


def test_delay_is_real() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        a.send(b"slow", b)
        await b.receive()
        assert loop.time() - started >= 0.05

    play(scenario, Link(delay=0.05))


def test_many_packets_keep_their_order_under_jitter() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        sent = [number.to_bytes(2, "big") for number in range(500)]
        for data in sent:
            a.send(data, b)
        assert [await b.receive() for _ in sent] == sent

    play(scenario, Link(delay=0.01, jitter=0.01))


def test_jitter_may_reorder_if_told() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        sent = [number.to_bytes(2, "big") for number in range(100)]
        for data in sent:
            a.send(data, b)
        received = [await b.receive() for _ in sent]
        assert received != sent
        assert sorted(received) == sent

    play(scenario, Link(delay=0.03, jitter=0.03, overtaking=True))


def test_loss_duplication_and_corruption_are_counted() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        seen = asyncio.Event()
        network.a_to_b.on_packet(lambda packet, verdict: seen.set() if packet.number == 299 else None)
        for _ in range(300):
            a.send(b"data", b)
        await asyncio.wait_for(seen.wait(), PATIENCE)
        network.a_to_b.link = Link()
        a.send(b"end", b)
        while await b.receive() != b"end":
            pass
        counters = network.a_to_b.counters
        assert counters.packets_in == 301
        assert counters.packets_out == 301 - counters.dropped["loss"] + counters.duplicated
        assert min(counters.dropped["loss"], counters.duplicated, counters.corrupted) > 0

    play(scenario, Link(loss=0.1, duplication=0.1, corruption=0.1))


def test_blackout_loses_everything_until_it_is_restored() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        lost = asyncio.Event()
        network.a_to_b.on_packet(lambda packet, verdict: lost.set() if verdict.dropped == "blackout" else None)
        network.blackout()
        a.send(b"lost", b)
        await asyncio.wait_for(lost.wait(), PATIENCE)
        network.restore()
        a.send(b"found", b)
        assert await b.receive() == b"found"
        assert network.a_to_b.counters.dropped["blackout"] == 1

    play(scenario)


def test_rebinding_changes_the_port_that_is_seen_and_kills_the_old_one() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        a.send(b"one", b)
        _, before = await b.receive_from()
        network.rebind("a")
        a.send(b"two", b)
        data, after = await b.receive_from()
        assert (data, after[0]) == (b"two", before[0])
        assert after[1] != before[1]
        b.socket.sendto(b"to the old port", before)
        b.socket.sendto(b"to the new port", after)
        assert await a.receive() == b"to the new port"

    play(scenario)


def test_rebinding_to_another_address_changes_it_for_what_is_told_later_too() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        a.send(b"one", b)
        _, before = await b.receive_from()
        network.rebind("a", host="127.0.0.2")
        a.send(b"two", b)
        data, after = await b.receive_from()
        assert (data, before[0], after[0]) == (b"two", "127.0.0.1", "127.0.0.2")
        b.socket.sendto(b"back", after)
        assert await a.receive() == b"back"
        stranger = Peer(network, "a")
        assert (stranger.endpoint.shown[0], b.endpoint.shown[0]) == ("127.0.0.2", "127.0.0.1")
        stranger.socket.close()
        network.rebind("a")
        assert a.endpoint.shown[0] == "127.0.0.2"

    play(scenario)


@pytest.mark.parametrize(("host", "error"), [("::1", ValueError), ("192.0.2.1", OSError)], ids=["version", "not here"])
def test_address_that_cannot_be_taken_changes_nothing(host: str, error: type[Exception]) -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        before = a.endpoint.shown
        with pytest.raises(error):
            network.rebind("a", host=host)
        assert a.endpoint.shown == before
        a.send(b"still here", b)
        assert await b.receive() == b"still here"

    play(scenario)


def test_hook_sees_every_packet_with_its_verdict_until_it_is_removed() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        seen: list[tuple[str, int, str, str | None]] = []
        remove = network.a_to_b.on_packet(
            lambda packet, verdict: seen.append((packet.direction, packet.number, packet.kind, verdict.dropped))
        )
        for data in (b"\x00\x01", b"\x80\x60", b"\x16\xfe"):
            a.send(data, b)
        assert [await b.receive() for _ in range(2)] == [b"\x00\x01", b"\x16\xfe"]
        remove()
        a.send(b"\x00", b)
        await b.receive()
        assert seen == [
            ("a_to_b", 0, "stun", None),
            ("a_to_b", 1, "rtp", "loss"),
            ("a_to_b", 2, "dtls", None),
        ]

    play(scenario, Link(loss=1, only={"rtp"}))


def test_closing_leaves_no_socket_and_refuses_more() -> None:
    async def main() -> None:
        network = Network()
        peer = Peer(network, "a")
        shown = peer.endpoint.shown
        network.close()
        network.close()
        peer.socket.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(shown)
        with pytest.raises(RuntimeError, match="closed"):
            _ = network.a_to_b

    asyncio.run(main())


def test_fixture_makes_networks_and_closes_them(netsim: NetworkMaker) -> None:
    async def main() -> int:
        network = netsim(Link(delay=0.01))
        peer = Peer(network, "a")
        port = peer.endpoint.shown[1]
        peer.socket.close()
        assert network.b_to_a.link == Link(delay=0.01)
        return port

    port = asyncio.run(main())
    netsim.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", port))


# --- signaling ---------------------------------------------------------------------------------------


def test_description_names_the_network_and_nothing_else() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        relayed = network.description(RTCSessionDescription(sdp=SDP, type="offer"), "a")
        host, reflexive = (
            network._open()[2].endpoint("a", address).shown[1] for address in (REAL, ("127.0.0.9", 6000))
        )
        assert relayed.type == "offer"
        assert relayed.sdp.split("\r\n")[5:] == [
            f"m=audio {host} UDP/TLS/RTP/SAVPF 111",
            "c=IN IP4 127.0.0.1",
            f"a=rtcp:{host} IN IP4 127.0.0.1",
            f"a=candidate:1 1 udp 2130706431 127.0.0.1 {host} typ host generation 0 ufrag abcd",
            f"a=candidate:2 1 UDP 1694498815 127.0.0.1 {reflexive} typ srflx raddr 0.0.0.0 rport 0",
            "a=end-of-candidates",
            "a=mid:0",
            "m=video 0 UDP/TLS/RTP/SAVPF 96",
            "c=IN IP4 0.0.0.0",
            "a=mid:1",
            "",
        ]

    play(scenario)


def test_description_without_candidates_has_no_destination() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        bare = "\r\n".join(line for line in SDP.split("\r\n") if not line.startswith("a=candidate"))
        relayed = network.description(RTCSessionDescription(sdp=bare, type="offer"), "a").sdp
        assert "m=audio 9 " in relayed
        assert "127.0.0.1 5" not in relayed

    play(scenario)


def candidate(**changed: Any) -> RTCIceCandidate:
    """Return a candidate of a peer."""
    values = {"component": 1, "foundation": "1", "ip": "127.0.0.1", "port": 5000, "priority": 1, "protocol": "udp"}
    return RTCIceCandidate(**{**values, "type": "host", "sdpMid": "0", **changed})


def test_candidate_and_description_get_the_same_address() -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        relayed = network.candidate(candidate(relatedAddress="10.0.0.1", relatedPort=1), "a")
        assert relayed is not None
        assert (relayed.ip, relayed.port) == network._open()[2].endpoint("a", REAL).shown
        assert (relayed.relatedAddress, relayed.relatedPort, relayed.sdpMid) == (None, None, "0")

    play(scenario)


@pytest.mark.parametrize(
    "changed", [{"protocol": "tcp"}, {"ip": "::1"}, {"ip": "0a1b.local"}, {"component": 2}], ids=str
)
def test_candidate_that_the_network_cannot_carry_is_kept_back(changed: dict[str, Any]) -> None:
    async def scenario(network: Network, a: Peer, b: Peer) -> None:
        assert network.candidate(candidate(**changed), "a") is None

    play(scenario)


# --- documentation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 4], ids=["in a test", "in a program", "in virtual time"])
def test_documented_example_runs(netsim: NetworkMaker, capsys: pytest.CaptureFixture[str], number: int) -> None:
    text = (Path(__file__).parents[2] / "docs" / "netsim.md").read_text()
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[number], names)
    if number == 0:
        names["test_chat_arrives_over_a_bad_network"](netsim)
    else:
        said = {1: "50 ms there, 150 ms back", 4: "Counters(packets_in=3600, "}[number]
        assert said in capsys.readouterr().out
