"""Sinks and forks of tracks: :class:`MediaBlackhole` and :class:`MediaRelay`."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from shim.api.tracks import MediaStreamTrack, QueuedTrack
from shim.spi.errors import MediaStreamError

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
    from av.packet import Packet

logger = logging.getLogger(__name__)


async def next_or_none(track: MediaStreamTrack, reader: str) -> Any:  # noqa: ANN401 - a frame or packet of any kind
    """Return the next frame of a track, or `None` if it has ended or failed; the latter is logged."""
    try:
        return await track.recv()
    except MediaStreamError:
        return None
    except Exception:
        logger.exception("%s: reading %s track %s failed; it is not read any more", reader, track.kind, track.id)
        return None


class MediaBlackhole:
    """A sink that reads tracks and discards what it gets."""

    def __init__(self) -> None:
        self.__tracks: dict[MediaStreamTrack, asyncio.Task[None] | None] = {}

    def addTrack(self, track: MediaStreamTrack) -> None:
        """Add a track; it is read from the next :meth:`start` on."""
        self.__tracks.setdefault(track, None)

    async def start(self) -> None:
        """Start reading."""
        for track, task in self.__tracks.items():
            if task is None:
                self.__tracks[track] = asyncio.ensure_future(_consume(track))

    async def stop(self) -> None:
        """Stop reading. The tracks live on."""
        tasks = [task for task in self.__tracks.values() if task is not None]
        self.__tracks = {}
        await cancel_all(tasks)


async def _consume(track: MediaStreamTrack) -> None:
    while await next_or_none(track, "MediaBlackhole") is not None:
        pass


async def cancel_all(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class RelayStreamTrack(QueuedTrack):
    """One consumer's view of a relayed track. Its queue is bounded, as every track's: see `queueStats`."""

    def __init__(self, relay: MediaRelay, source: MediaStreamTrack, buffered: bool) -> None:
        super().__init__(source.kind, "drop_oldest" if buffered else "latest", None)
        self._relay: MediaRelay | None = relay
        self._source = source
        self._buffered = buffered

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        """Return the next frame; the first call starts the relaying."""
        if self._relay is not None:
            self._relay._start(self)
        return await super().recv()

    def stop(self) -> None:
        """End this view. The source and its other views live on."""
        super().stop()
        relay, self._relay = self._relay, None
        if relay is not None:
            relay._stop(self)

    def end(self) -> None:
        """Say that no frame will follow. To an unbuffered consumer that is newer than any frame."""
        if not self._buffered:
            self._queue.discard()
        super().end()

    def feed(self, frame: AudioFrame | VideoFrame | Packet[Any]) -> None:
        """Take a frame of the source."""
        self._queue.put(frame)


class MediaRelay:
    """A fork: one source track, any number of consumers, each at its own pace.

    The source is read while at least one consumer reads.
    """

    def __init__(self) -> None:
        self.__proxies: dict[MediaStreamTrack, set[RelayStreamTrack]] = {}
        self.__tasks: dict[MediaStreamTrack, asyncio.Task[None]] = {}

    def subscribe(self, track: MediaStreamTrack, buffered: bool = True) -> MediaStreamTrack:
        """Return a track for a new consumer.

        :param track: the source.
        :param buffered: keep frames that the consumer has not read yet; otherwise it gets the newest only.
        """
        return RelayStreamTrack(self, track, buffered)

    def _start(self, proxy: RelayStreamTrack) -> None:
        source = proxy._source
        if source.readyState != "live" and source not in self.__tasks:
            proxy.end()
            return
        self.__proxies.setdefault(source, set()).add(proxy)
        if source not in self.__tasks:
            self.__tasks[source] = asyncio.ensure_future(self.__run(source))

    def _stop(self, proxy: RelayStreamTrack) -> None:
        source = proxy._source
        proxies = self.__proxies.get(source)
        if proxies is None:
            return
        proxies.discard(proxy)
        if not proxies:
            del self.__proxies[source]
            self.__tasks.pop(source).cancel()

    async def __run(self, source: MediaStreamTrack) -> None:
        while (frame := await next_or_none(source, "MediaRelay")) is not None:
            for proxy in self.__proxies[source]:
                proxy.feed(frame)
        del self.__tasks[source]
        for proxy in self.__proxies.pop(source):
            proxy.end()
