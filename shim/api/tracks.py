"""Media tracks: what an application sends, and what it receives (mediacapture-streams section 4.3)."""

from __future__ import annotations

import asyncio
import fractions
import logging
import time
import uuid
from abc import ABCMeta, abstractmethod
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from shim.api.emitter import Emitter
from shim.api.frame_queue import FrameQueue, QueuePolicy, QueueStats
from shim.api.video_planes import plane_fault
from shim.spi.errors import InvalidStateError, MediaStreamError

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
    from av.frame import Frame
    from av.packet import Packet

logger = logging.getLogger(__name__)

AUDIO_PTIME: Final = 0.020
"""Length of an audio packet in seconds."""
VIDEO_CLOCK_RATE: Final = 90000
VIDEO_PTIME: Final = 1 / 30
"""Time from one picture of :class:`VideoStreamTrack` to the next, in seconds."""
VIDEO_TIME_BASE: Final = fractions.Fraction(1, VIDEO_CLOCK_RATE)

DEFAULT_QUEUE_SIZE: Final = {"audio": 250, "video": 16}
"""Frames that a received track holds: seconds of sound, half a second of pictures."""


class TimeBase(Protocol):
    """A rational number: :class:`fractions.Fraction`, or PyAV's own type."""

    @property
    def numerator(self) -> int: ...

    @property
    def denominator(self) -> int: ...


def convert_timebase(pts: int, from_base: TimeBase, to_base: TimeBase) -> int:
    """Return `pts` counted in another time base, rounded towards zero."""
    if from_base == to_base:
        return pts
    ratio = fractions.Fraction(from_base.numerator, from_base.denominator)
    return int(pts * ratio / fractions.Fraction(to_base.numerator, to_base.denominator))


class MediaStreamTrack(Emitter, metaclass=ABCMeta):
    """A single track. Subclass it, set `kind`, and implement :meth:`recv` to send media of your own.

    Emits ``ended`` once. ``async for frame in track`` yields frames until then.
    """

    kind = "unknown"
    _enabled = True

    def __init__(self) -> None:
        super().__init__()
        self.__ended = False
        self._id = str(uuid.uuid4())

    @property
    def id(self) -> str:
        """A unique id."""
        return self._id

    @property
    def readyState(self) -> str:
        """``"live"`` or ``"ended"``."""
        return "ended" if self.__ended else "live"

    @property
    def enabled(self) -> bool:
        """Whether media is sent as it is; if not, a sender sends black pictures or silence instead."""
        return self._enabled

    @enabled.setter
    def enabled(self, value: bool) -> None:
        self._enabled = bool(value)

    @abstractmethod
    async def recv(self) -> Frame | Packet[Any]:
        """Return the next frame or encoded packet.

        :raises MediaStreamError: the track has ended.
        """

    def stop(self) -> None:
        """End the track. Call it on the event loop's thread."""
        if self.__ended:
            return
        self.__ended = True
        self.emit("ended")
        # Nothing will be emitted any more: let go of what the handlers hold.
        self.remove_all_listeners()

    async def __aiter__(self) -> AsyncIterator[Frame | Packet[Any]]:
        while True:
            try:
                frame = await self.recv()
            except MediaStreamError:
                return
            yield frame


class AudioStreamTrack(MediaStreamTrack):
    """Silence: 8 kHz, mono, 20 ms. Subclass it to send something else."""

    kind = "audio"

    _start: float
    _timestamp: int

    async def recv(self) -> Frame:
        """Return the next frame when its time has come."""
        from av import AudioFrame

        if self.readyState != "live":
            raise MediaStreamError("AudioStreamTrack.recv: the track has ended")
        sample_rate = 8000
        samples = int(AUDIO_PTIME * sample_rate)
        # Subclasses of aiortc's class set these attributes themselves: hence hasattr and the wall clock.
        if hasattr(self, "_timestamp"):
            self._timestamp += samples
            await asyncio.sleep(self._start + self._timestamp / sample_rate - time.time())
        else:
            self._start = time.time()
            self._timestamp = 0
        frame = silence_like(AudioFrame(format="s16", layout="mono", samples=samples))
        frame.pts = self._timestamp
        frame.sample_rate = sample_rate
        frame.time_base = fractions.Fraction(1, sample_rate)
        return frame


class VideoStreamTrack(MediaStreamTrack):
    """A green picture, 640x480 at 30 per second. Subclass it to send something else."""

    kind = "video"

    _start: float
    _timestamp: int

    async def next_timestamp(self) -> tuple[int, fractions.Fraction]:
        """Wait until the next picture is due, and return its `pts` and `time_base`.

        :raises MediaStreamError: the track has ended.
        """
        if self.readyState != "live":
            raise MediaStreamError("VideoStreamTrack.next_timestamp: the track has ended")
        if hasattr(self, "_timestamp"):
            self._timestamp += int(VIDEO_PTIME * VIDEO_CLOCK_RATE)
            await asyncio.sleep(self._start + self._timestamp / VIDEO_CLOCK_RATE - time.time())
        else:
            self._start = time.time()
            self._timestamp = 0
        return self._timestamp, VIDEO_TIME_BASE

    async def recv(self) -> Frame:
        """Return the next picture when its time has come."""
        from av import VideoFrame

        pts, time_base = await self.next_timestamp()
        frame = VideoFrame(width=640, height=480)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts = pts
        frame.time_base = time_base
        return frame


class QueuedTrack(MediaStreamTrack):
    """A track whose frames come from elsewhere, through a bounded queue.

    :param kind: ``"audio"`` or ``"video"``.
    :param policy: what happens to a frame that finds the queue full.
    :param maxsize: frames that the queue holds; `None` for :data:`DEFAULT_QUEUE_SIZE`.
    """

    def __init__(self, kind: str, policy: QueuePolicy, maxsize: int | None) -> None:
        super().__init__()
        self.kind = kind
        self._queue: FrameQueue[AudioFrame | VideoFrame | Packet[Any]] = FrameQueue(policy, self._size(maxsize))
        try:
            self._owner: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._owner = None

    @property
    def queueStats(self) -> QueueStats:
        """Frames delivered, dropped and queued."""
        return self._queue.stats

    def setQueuePolicy(self, policy: QueuePolicy, maxsize: int | None = None) -> None:
        """Choose what happens to a frame that finds the queue full.

        :param maxsize: frames that the queue holds, at least 1; 1 with ``"latest"`` whatever is asked.
        :raises ValueError: another policy or size.
        """
        self._queue.configure(policy, self._size(maxsize))

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        """Return the next frame.

        :raises MediaStreamError: the track has ended.
        """
        if self.readyState != "live":
            raise MediaStreamError(f"{type(self).__name__}.recv: the track has ended")
        try:
            return await self._queue.get()
        except MediaStreamError:
            self.stop()
            raise

    def stop(self) -> None:
        """End the track; frames not read yet are dropped, and a waiting ``recv()`` raises."""
        self._queue.discard()
        super().stop()

    def end(self) -> None:
        """Say that no frame will follow; those queued can still be read. Any thread."""
        self._queue.end()
        if self._queue.is_drained and self._owner is not None:
            with suppress(RuntimeError):  # the loop has been closed: nobody is left to tell
                self._owner.call_soon_threadsafe(self.stop)

    def _size(self, maxsize: int | None) -> int:
        return DEFAULT_QUEUE_SIZE.get(self.kind, 16) if maxsize is None else maxsize


class RemoteTrack(QueuedTrack):
    """A track that an engine receives: a :class:`~shim.spi.engines.MediaSink` on one side, a track on the other.

    :param id: as the remote announced it; `None` for a new one.
    """

    def __init__(
        self, kind: str, id: str | None = None, policy: QueuePolicy = "drop_oldest", maxsize: int | None = None
    ) -> None:
        super().__init__(kind, policy, maxsize)
        if id is not None:
            self._id = id

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        """Take a frame from the engine. Any thread; never waits."""
        self._queue.put(frame)


class PushTrack(QueuedTrack):
    """A track to which the application pushes frames, from any thread.

    :param policy: with ``"block"``, :meth:`push` waits for room, except on a thread that runs an event loop.
    """

    def __init__(self, kind: str, policy: QueuePolicy = "drop_oldest", maxsize: int | None = None) -> None:
        if kind not in DEFAULT_QUEUE_SIZE:
            raise ValueError(f"PushTrack: kind must be 'audio' or 'video' (got {kind!r})")
        super().__init__(kind, policy, maxsize)
        self._first: float | None = None
        self._samples = 0

    def push(self, frame: AudioFrame | VideoFrame, timeout: float | None = None) -> bool:
        """Send a frame; tell whether it was queued. A frame without `pts` gets the time of the call.

        :param timeout: seconds to wait for room at most, with the policy ``"block"``.
        :raises InvalidStateError: the track has ended.
        """
        if self.readyState != "live" or self._queue.is_ended:
            raise InvalidStateError("PushTrack.push: the track has ended. Stop pushing when 'ended' is emitted.")
        if frame.pts is None:
            self._stamp(frame)
        return self._queue.put(frame, wait=not _on_loop(), timeout=timeout)

    def _stamp(self, frame: AudioFrame | VideoFrame) -> None:
        if self.kind == "video":
            now = time.monotonic()
            self._first = now if self._first is None else self._first
            frame.pts = int((now - self._first) * VIDEO_CLOCK_RATE)
            frame.time_base = VIDEO_TIME_BASE
        else:
            frame.pts = self._samples
            frame.time_base = fractions.Fraction(1, frame.sample_rate)  # type: ignore[union-attr]
            self._samples += frame.samples  # type: ignore[union-attr]


def _on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


# --- what an engine sees -----------------------------------------------------------------------------


class TrackSource:
    """A track as an engine pulls it (:class:`~shim.spi.engines.MediaSource`): heeds `track.enabled`.

    While the track is not enabled, pictures are black and sound is silent; encoded packets are left out, and
    afterwards encoded video resumes with a key frame. A picture with too little memory for its pixels is left out.
    """

    def __init__(self, track: MediaStreamTrack) -> None:
        self.track = track
        self._needs_key_frame = False
        self._warned = False

    @property
    def kind(self) -> str:
        return self.track.kind

    @property
    def id(self) -> str:
        return self.track.id

    def stop(self) -> None:
        self.track.stop()

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        while True:
            media: Any = await self.track.recv()
            if self.kind == "video" and hasattr(media, "width") and (fault := plane_fault(media)):
                await self._leave_out(fault)
                continue
            if self.track.enabled and not self._needs_key_frame:
                return media  # type: ignore[no-any-return]
            if (substitute := self._substitute(media)) is not None:
                return substitute

    async def _leave_out(self, fault: str) -> None:
        if not self._warned:
            self._warned = True
            logger.warning("a picture of video track %s cannot be sent and is left out: %s", self.id, fault)
        # A track that never waits must not starve the loop.
        await asyncio.sleep(0)

    def _substitute(self, media: AudioFrame | VideoFrame | Packet[Any]) -> AudioFrame | VideoFrame | Packet[Any] | None:
        from av import AudioFrame, VideoFrame

        if isinstance(media, VideoFrame):
            return media if self.track.enabled else black_like(media)
        if isinstance(media, AudioFrame):
            return media if self.track.enabled else silence_like(media)
        self._needs_key_frame = self.kind == "video" and not (self.track.enabled and media.is_keyframe)
        return media if self.track.enabled and not self._needs_key_frame else None


def source_of(track: MediaStreamTrack) -> TrackSource:
    """Return `track` as engines take it."""
    return TrackSource(track)


def black_like(frame: VideoFrame) -> VideoFrame:
    """Return a black picture of the same size and time."""
    from av import VideoFrame

    black = VideoFrame(frame.width, frame.height, "yuv420p")
    for plane, value in zip(black.planes, (16, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    black.pts = frame.pts
    if frame.time_base is not None:
        black.time_base = frame.time_base
    return black


def silence_like(frame: AudioFrame) -> AudioFrame:
    """Return silence of the same format, length and time."""
    from av import AudioFrame

    silent = AudioFrame(format=frame.format.name, layout=frame.layout.name, samples=frame.samples)
    # Unsigned 8-bit samples are the only ones whose silence is not zero.
    value = b"\x80" if frame.format.name in {"u8", "u8p"} else b"\0"
    for plane in silent.planes:
        plane.update(value * plane.buffer_size)
    silent.sample_rate, silent.pts = frame.sample_rate, frame.pts
    if frame.time_base is not None:
        silent.time_base = frame.time_base
    return silent
