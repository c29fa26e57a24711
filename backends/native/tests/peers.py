"""Two engines side by side, driven through the SPI alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TypeVar

from backends.native.engine import NativePeer
from shim.spi.engines import EngineConfig
from shim.spi.events import CandidateFound, ConnectionChanged, Event, IceGatheringChanged

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

    def candidates(self) -> Iterator[CandidateFound]:
        return iter(self.sink.of(CandidateFound))


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
