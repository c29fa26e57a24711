"""A direction of a network in virtual time: the same as the relay's, with a clock of its own."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from conformance.netsim import Burst, Counters, Link, Packet, Verdict, VirtualClock, VirtualPipe
from conformance.netsim.network import Network
from conformance.shim_tests.test_netsim_relay import PATIENCE, Peer

COUNT = 300
ROUGH = Link(
    delay=0.004,
    jitter=0.003,
    overtaking=True,
    loss=0.1,
    burst=Burst(enter=0.02, leave=0.3),
    reordering=0.1,
    held_back=0.01,
    duplication=0.1,
    corruption=0.1,
    rate=2e6,
    bucket=2000,
    queue=4000,
)
Seen = list[tuple[Packet, Verdict]]


def message(number: int) -> bytes:
    return number.to_bytes(4, "big") * 20


# --- the same as the relay ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("link", [Link(), ROUGH], ids=["perfect", "rough"])
def test_same_packets_meet_the_same_fate_as_in_the_relay(link: Link, seed: int) -> None:
    seen, counters, received = asyncio.run(_through_the_relay(link, seed))
    pipe = VirtualPipe(link, seed)
    again: Seen = []
    pipe.on_packet(lambda packet, verdict: again.append((packet, verdict)))
    for packet, _ in seen:
        pipe.send(packet.time, packet.data)
    arrivals = pipe.run_until(seen[-1][0].time + 60)
    assert again == seen
    assert sorted(arrival.data for arrival in arrivals) == sorted(received)
    assert [arrival.time for arrival in arrivals] == sorted(
        moment for _, verdict in seen for moment in verdict.deliveries
    )
    assert pipe.counters == counters


async def _through_the_relay(link: Link, seed: int) -> tuple[Seen, Counters, list[bytes]]:
    """Send packets in real time; return what became of them, and what arrived."""
    async with Network(seed, link) as network:
        a, b = Peer(network, "a"), Peer(network, "b")
        seen: Seen = []
        all_seen = asyncio.Event()

        def see(packet: Packet, verdict: Verdict) -> None:
            seen.append((packet, verdict))
            if len(seen) == COUNT:
                all_seen.set()

        network.a_to_b.on_packet(see)
        try:
            for number in range(COUNT):
                a.send(message(number), b)
                await asyncio.sleep(0)
            await asyncio.wait_for(all_seen.wait(), PATIENCE)
            received = [await b.receive() for _ in range(sum(len(verdict.deliveries) for _, verdict in seen))]
        finally:
            a.socket.close()
            b.socket.close()
        return seen, network.a_to_b.counters, received


def test_directions_differ() -> None:
    there, back = (VirtualPipe(Link(loss=0.5), 1, name) for name in ("a_to_b", "b_to_a"))
    for pipe in (there, back):
        for number in range(100):
            pipe.send(number, message(number))
    assert there.run_until(100) != back.run_until(100)


# --- time --------------------------------------------------------------------------------------------


def test_hours_pass_without_waiting() -> None:
    pipe = VirtualPipe(Link(delay=0.05, jitter=0.01), seed=3)
    for number in range(3600):
        pipe.send(number, message(number))
    arrivals = pipe.run_until(3601)
    assert len(arrivals) == 3600
    assert all(0.04 <= arrival.time % 1 <= 0.06 for arrival in arrivals)
    assert all(before.time < after.time for before, after in pairwise(arrivals))


def test_arrivals_are_told_once_and_when_they_are_due() -> None:
    pipe = VirtualPipe(Link(delay=1.0))
    pipe.send(0.0, b"one")
    pipe.send(0.5, b"two")
    assert pipe.run_until(0.9) == []
    assert pipe.run_until(1.2) == [(1.0, b"one")]
    assert pipe.run_until(9.0) == [(1.5, b"two")]
    assert pipe.run_until(9.0) == []


def test_blackout_lasts_as_long_as_the_clock_says() -> None:
    pipe = VirtualPipe()
    pipe.blackout(2.0)
    for moment in (0.0, 1.9, 2.0):
        pipe.send(moment, b"?")
    assert [arrival.time for arrival in pipe.run_until(3.0)] == [2.0]
    assert pipe.counters.dropped["blackout"] == 2


def test_time_does_not_go_back() -> None:
    pipe = VirtualPipe()
    pipe.send(2.0, b"late")
    with pytest.raises(ValueError, match="does not go back"):
        pipe.send(1.0, b"early")


def test_pipes_may_share_a_clock() -> None:
    clock = VirtualClock(start=10.0)
    there, back = VirtualPipe(Link(delay=0.1), clock=clock), VirtualPipe(Link(delay=0.2), 0, "b_to_a", clock=clock)
    there.send(10.0, b"ping")
    (ping,) = there.run_until(10.1)
    back.send(ping.time, b"pong")
    (pong,) = back.run_until(11.0)
    assert pong.data == b"pong"
    assert pong.time == pytest.approx(10.3)
    assert clock.time() == 11.0


def test_cancelled_call_does_not_happen() -> None:
    clock, told = VirtualClock(), list[float]()
    clock.call_at(1.0, lambda: told.append(clock.time()))
    clock.call_at(2.0, lambda: told.append(clock.time())).cancel()
    clock.run_until(3.0)
    assert told == [1.0]
