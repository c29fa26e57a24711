"""The peer engine that the SDK holds: hands every call to its connection, which outlives no engine."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from backends.native.connection import Connection
from backends.native.stats import collect
from shim.spi.engines import (
    DataChannelEngine,
    DataChannelInit,
    Direction,
    Encoding,
    EngineConfig,
    EventSink,
    IceCandidate,
    Kind,
    MediaSource,
    PeerEngine,
    SessionDescription,
    SessionState,
    TransceiverEngine,
    TransportInfo,
)
from shim.spi.events import Event


class NativePeer(PeerEngine):
    """Implements PeerEngine on aiortc's transports.

    The event loop refers to the connection through its sockets, so the connection must not refer to
    the engine: dropping the last reference to an engine that was not closed then closes the connection.
    """

    def __init__(self, config: EngineConfig, sink: EventSink) -> None:
        self._sink = sink
        self._connection = Connection(config, _weak_post(sink))
        self._finalizer: weakref.finalize[[Connection, asyncio.AbstractEventLoop], NativePeer] | None = None

    async def start(self) -> None:
        self._finalizer = weakref.finalize(self, _abandon, self._connection, asyncio.get_running_loop())
        self._finalizer.atexit = False
        self._connection.start()

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        self._connection.check_open()
        return SessionDescription("offer", self._connection.session.create_offer(restart=ice_restart))

    async def create_answer(self) -> SessionDescription:
        self._connection.check_open()
        return SessionDescription("answer", self._connection.session.create_answer())

    async def set_local_description(self, description: SessionDescription) -> None:
        await self._connection.apply(description, local=True)

    async def set_remote_description(self, description: SessionDescription) -> None:
        await self._connection.apply(description, local=False)

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        await self._connection.add_candidate(candidate)

    def restart_ice(self) -> None:
        self._connection.session.restart_wanted = True

    def set_configuration(self, config: EngineConfig) -> None:
        self._connection.configure(config)

    def add_transceiver(
        self,
        kind: Kind,
        direction: Direction,
        source: MediaSource | None,
        stream_ids: Sequence[str] = (),
        encodings: Sequence[Encoding] = (),
    ) -> TransceiverEngine:
        self._connection.check_open()
        transceiver = self._connection.create_transceiver(kind, direction)
        transceiver.set_stream_ids(stream_ids)
        if encodings:
            transceiver.set_encodings(encodings)
        if source is not None:
            transceiver.replace_source(source)
        self._connection.session.add(transceiver.record)
        return transceiver

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        self._connection.check_open()
        return self._connection.create_channel(init)

    def local_state(self) -> SessionState:
        return self._connection.state()

    def transports(self) -> tuple[TransportInfo, ...]:
        connection = self._connection
        return tuple(transport.describe(connection.mids_of(transport)) for transport in connection.used)

    async def get_stats(self, transceiver: TransceiverEngine | None = None) -> Mapping[str, Mapping[str, object]]:
        return await collect(self._connection, transceiver)

    async def close(self) -> None:
        if self._finalizer is not None:
            self._finalizer.detach()
        await asyncio.shield(self._connection.close())


def _weak_post(sink: EventSink) -> Callable[[Event], None]:
    try:
        reference = weakref.ref(sink)
    except TypeError:  # a sink with slots
        return sink.post

    def post(event: Event) -> None:
        target = reference()
        if target is not None:
            target.post(event)

    return post


def _abandon(connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
    with suppress(RuntimeError):  # the loop has been closed, and its sockets with it
        loop.call_soon_threadsafe(connection.release)
