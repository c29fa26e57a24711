"""The native engine by itself, driven through the SPI: what the SDK above it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from benchmarks.metric import UnsupportedError
from benchmarks.pacing import Pace
from benchmarks.subjects.base import Channel, Route, Taker
from benchmarks.subjects.peers import DIRECT
from shim.spi.engines import DataChannelEngine, DataChannelInit, EngineConfig, PeerEngine, SessionDescription
from shim.spi.events import (
    ChannelAnnounced,
    ChannelBufferedAmountLow,
    ChannelMessage,
    ChannelOpened,
    ConnectionChanged,
    Event,
    IceGatheringChanged,
)


class BareSubject:
    """Two native engines. Data channels only."""

    name = "bare"

    def load(self) -> str:
        """Load the engine's libraries."""
        from backends.native.plugin import shim_backend_info, shim_probe

        probe = shim_probe()
        if not probe.available:
            raise UnsupportedError(probe.reason)
        return shim_backend_info().version

    def pair(self, *, bitrate: int | None = None, mtu: int | None = None) -> BarePair:
        """Create two engines."""
        return BarePair()


class BarePeer:
    """An engine and the sink that it posts to: events become calls at once, on the engine's thread, which is ours."""

    def __init__(self) -> None:
        from backends.native.plugin import shim_create_peer_engine

        self.gathered, self.connected, self.opened = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.channel: asyncio.Future[DataChannelEngine] = asyncio.get_running_loop().create_future()
        self.on_message: Callable[[Any], object] = _ignore
        self.on_low: Callable[[], object] = _ignore
        self.engine: PeerEngine = shim_create_peer_engine(EngineConfig(), self)

    def post(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, ChannelMessage):
            self.on_message(event.data)
        elif isinstance(event, ChannelBufferedAmountLow):
            self.on_low()
        else:
            self._note(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, IceGatheringChanged) and event.state == "complete":
            self.gathered.set()
        elif isinstance(event, ConnectionChanged) and event.state == "connected":
            self.connected.set()
        elif isinstance(event, ChannelOpened):
            self.opened.set()
        elif isinstance(event, ChannelAnnounced):
            self.channel.set_result(event.channel)

    async def describe(self, description: SessionDescription) -> SessionDescription:
        """Apply a description of ours; return it with all candidates."""
        await self.engine.set_local_description(description)
        await self.gathered.wait()
        state = self.engine.local_state()
        local = state.pending_local or state.current_local
        assert local is not None
        return local

    def as_channel(self, channel: DataChannelEngine) -> Channel:
        """Return a channel of this peer."""

        def on_low(threshold: int, call: Callable[[], object]) -> None:
            channel.set_buffered_amount_low_threshold(threshold)
            self.on_low = call

        def on_message(call: Callable[[Any], object]) -> None:
            self.on_message = call

        return Channel(channel.send, lambda: channel.buffered_amount, on_message, on_low)


class BarePair:
    """Two engines with one data channel."""

    def __init__(self) -> None:
        self._near, self._far = BarePeer(), BarePeer()

    def create_channel(self, *, ordered: bool = True, max_retransmits: int | None = None) -> Channel:
        """Create a channel at the near end."""
        init = DataChannelInit("bench", ordered=ordered, max_retransmits=max_retransmits)
        return self._near.as_channel(self._near.engine.create_data_channel(init))

    async def far_channel(self) -> Channel:
        """Return the far end of the channel; both ends are open."""
        await self._near.opened.wait()
        return self._far.as_channel(await self._far.channel)

    def send(self, pace: Pace, codec: str | None = None) -> None:
        """Refuse: this subject is there for what the SDK costs per message."""
        raise UnsupportedError("the engine by itself is measured for data channels only")

    def receive(self, take: Taker) -> None:
        """Receive nothing."""

    async def connect(self, route: Route = DIRECT) -> None:
        """Negotiate, and wait until both ends are connected."""
        near, far = self._near, self._far
        await asyncio.gather(near.engine.start(), far.engine.start())
        offer = await near.describe(await near.engine.create_offer())
        await far.engine.set_remote_description(await route.carry(offer, "a"))
        answer = await far.describe(await far.engine.create_answer())
        await near.engine.set_remote_description(await route.carry(answer, "b"))
        await asyncio.gather(near.connected.wait(), far.connected.wait())

    async def close(self) -> None:
        """Close both ends."""
        await asyncio.gather(self._near.engine.close(), self._far.engine.close())


def _ignore(*_: object) -> None: ...
