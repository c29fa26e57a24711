"""The way out: pulls frames from a track of the application and pushes them into libwebrtc."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from av.packet import Packet

from backends.legacy.connection import Connection
from backends.legacy.sending_audio import AudioPush
from backends.legacy.sending_video import VideoPush
from shim.spi.engines import Kind, MediaSource
from shim.spi.errors import MediaStreamError, NotSupportedError

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame

logger = logging.getLogger(__name__)

Media = Any
"""An ``av.AudioFrame`` or ``av.VideoFrame``; whatever else a track returns is refused."""

YIELD: Final = 0


class Push(Protocol):
    """Takes frames of one kind into a native source."""

    handle: int

    def restart(self) -> None:
        """Expect the timestamps of another track."""
        ...

    async def push(self, frame: Media) -> None:
        """Hand over one frame."""
        ...


class Sender:
    """Sends one track after another through one native source.

    Pulls only while the gate is open: once the connection is up and the section is negotiated to send, as
    aiortc's sender does. Refers to no engine, so that it does not keep one alive.
    """

    def __init__(self, connection: Connection, kind: Kind, source: MediaSource | None) -> None:
        self._connection = connection
        self._kind = kind
        self._source = source
        self._push: Push | None = None
        self._gate = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._released = False
        self.max_framerate: float | None = None
        connection.senders.add(self)

    @property
    def kind(self) -> Kind:
        """Audio or video."""
        return self._kind

    @property
    def source(self) -> MediaSource | None:
        """The track that is sent."""
        return self._source

    def native_source(self) -> int:
        """Return the handle of the native source, made if need be; 0 while there is no track."""
        return 0 if self._source is None else self.make_native_source()

    def make_native_source(self) -> int:
        """Return the handle of the native source, made if need be, whether there is a track or not."""
        if self._push is None:
            kind = AudioPush if self._kind == "audio" else VideoPush
            self._push = kind(self._connection, self)
        return self._push.handle

    def set_open(self, is_open: bool) -> None:
        """Start or pause pulling."""
        if is_open and not self._released:
            self._gate.set()
            self._start()
        else:
            self._gate.clear()

    def switch(self, source: MediaSource | None) -> None:
        """Pull another track from now on; the one before is not stopped: the application may use it elsewhere."""
        self._cancel()
        self._source = source
        if self._push is not None:
            self._push.restart()
        if self._gate.is_set():
            self._start()

    def end(self) -> None:
        """Stop sending for good, and end the track."""
        self._cancel()
        self._gate.clear()
        source, self._source = self._source, None
        if source is None:
            return
        try:
            source.stop()
        except Exception:
            logger.exception("the track %s raised in stop()", source.id)

    def release(self) -> None:
        """End, and free the native source. Any thread."""
        self._released = True
        if self._push is not None:
            self._connection.lib.rtc_source_free(self._push.handle)
        loop = self._loop
        if loop is None or threading.get_ident() == self._thread:
            self.end()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(self.end)

    def _start(self) -> None:
        if self._source is None or self._task is not None:
            return
        self.native_source()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        assert self._push is not None
        self._task = self._loop.create_task(pump(self._source, self._gate, self._push.push))

    def _cancel(self) -> None:
        task, self._task = self._task, None
        if task is not None and self._loop is not None and not self._loop.is_closed():
            task.cancel()


async def pump(source: MediaSource, gate: asyncio.Event, push: Callable[[Media], Awaitable[None]]) -> None:
    """Pull and push until the track ends, raises, or the task is cancelled."""
    try:
        while True:
            await gate.wait()
            await push(_decoded(await source.recv()))
            # A track that never waits must not starve the loop.
            await asyncio.sleep(YIELD)
    except MediaStreamError:
        logger.debug("track %s has ended", source.id)
    except NotSupportedError as exc:
        logger.error("track %s: %s", source.id, exc)
    except Exception as exc:
        logger.warning("track %s: sending stops, as a frame could not be had or used: %r", source.id, exc)


def _decoded(media: AudioFrame | VideoFrame | Packet[Any]) -> Media:
    if isinstance(media, Packet):
        raise NotSupportedError(
            "backend legacy cannot send encoded packets; sending stops. Decode first (MediaPlayer(..., decode=True)), "
            "or use a backend with the capability rtp.encoded_send.",
            backend="legacy",
        )
    return media
