"""Two engines side by side, driven through the SPI alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from backends.native.engine import NativePeer
from shim.spi.engines import DataChannelInit, EngineConfig, SessionDescription
from shim.spi.events import (
    CandidateFound,
    ChannelAnnounced,
    ChannelOpened,
    ConnectionChanged,
    Event,
    IceGatheringChanged,
)

E = TypeVar("E")

TIMEOUT = 10.0


class Collector:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def post(self, event: Event) -> None:
        self.events.append(event)
        for condition, waiter in self._waiters:
            if not waiter.done() and condition():
                waiter.set_result(None)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something that events bring about is true."""
        if condition():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (condition, waiter)
        self._waiters.append(entry)
        try:
            await asyncio.wait_for(waiter, TIMEOUT)
        finally:
            self._waiters.remove(entry)

    async def first(self, kind: type[E], where: Callable[[E], bool] = lambda event: True) -> E:
        """Wait for an event, of the past or to come."""
        await self.wait(lambda: any(where(event) for event in self.of(kind)))
        return next(event for event in self.of(kind) if where(event))


class Peer:
    """An engine with its collector."""

    def __init__(self, config: EngineConfig | None = None) -> None:
        self.sink = Collector()
        self.engine = NativePeer(config or EngineConfig(), self.sink)

    async def gathered(self) -> None:
        """Wait until the last gathering is complete."""
        await self.sink.wait(lambda: [e.state for e in self.sink.of(IceGatheringChanged)][-1:] == ["complete"])

    async def state(self, state: str) -> None:
        """Wait for a connection state."""
        await self.sink.first(ConnectionChanged, lambda event: event.state == state)


async def negotiate(offerer: Peer, answerer: Peer, *, restart: bool = False) -> None:
    """Exchange descriptions that contain every candidate."""
    await offerer.engine.set_local_description(await offerer.engine.create_offer(ice_restart=restart))
    await offerer.gathered()
    offer = offerer.engine.local_state().pending_local
    assert offer is not None
    await answerer.engine.set_remote_description(offer)
    await answerer.engine.set_local_description(await answerer.engine.create_answer())
    await answerer.gathered()
    answer = answerer.engine.local_state().current_local
    assert answer is not None
    await offerer.engine.set_remote_description(answer)


async def trickle(offerer: Peer, answerer: Peer) -> None:
    """Exchange descriptions first, and candidates one by one as they are found."""
    await offerer.engine.set_local_description(await offerer.engine.create_offer())
    offer = offerer.engine.local_state().pending_local
    assert offer is not None
    await answerer.engine.set_remote_description(without_candidates(offer))
    await answerer.engine.set_local_description(await answerer.engine.create_answer())
    answer = answerer.engine.local_state().current_local
    assert answer is not None
    await offerer.engine.set_remote_description(without_candidates(answer))
    for giver, taker in ((offerer, answerer), (answerer, offerer)):
        await giver.gathered()
        for event in giver.sink.of(CandidateFound):
            await taker.engine.add_ice_candidate(event.candidate)


def without_candidates(description: SessionDescription) -> SessionDescription:
    """Remove the candidates from a description."""
    lines = [line for line in description.sdp.splitlines() if "candidate" not in line]
    return SessionDescription(description.type, "\r\n".join(lines) + "\r\n")


async def connected_pair(first: EngineConfig | None = None, second: EngineConfig | None = None) -> tuple[Peer, Peer]:
    """Make two engines that are connected, with one channel of the first."""
    a, b = Peer(first), Peer(second)
    await a.engine.start()
    await b.engine.start()
    a.engine.create_data_channel(DataChannelInit("first"))
    await negotiate(a, b)
    await a.sink.first(ChannelOpened)
    await b.sink.first(ChannelAnnounced)
    return a, b


async def close(*peers: Peer) -> None:
    """Close engines, and check that they say nothing afterwards."""
    for peer in peers:
        await peer.engine.close()
    counts = [len(peer.sink.events) for peer in peers]
    await asyncio.sleep(0)
    assert counts == [len(peer.sink.events) for peer in peers]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run on a fresh loop; fail on what is left behind: tasks, errors reported to the loop."""
    errors: list[dict[str, object]] = []

    async def checked() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
        await asyncio.wait_for(scenario(), 2 * TIMEOUT)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            await asyncio.wait(left, timeout=1)
        assert not [task for task in left if not task.done()]

    asyncio.run(checked())
    assert not errors, errors
