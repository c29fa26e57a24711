"""Pushes pictures of any size and pixel format into libwebrtc."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from av import VideoFrame

from backends.legacy.colour import Recolourer, is_usual
from backends.legacy.connection import Connection

if TYPE_CHECKING:
    from backends.legacy.sending import Sender

T = TypeVar("T")

AS_THEY_ARE: Final = frozenset({"yuv420p", "nv12"})
"""Formats that libwebrtc reads; the others become yuv420p."""
CONVERT_HERE: Final = 320 * 240
"""Pictures up to so many pixels are converted on the loop: handing them to a thread would cost more."""
COPY_HERE: Final = 1920 * 1088
"""Pictures up to so many pixels are copied on the loop: less than half a millisecond."""

BITS_PER_PIXEL: Final = 2.5
START_AT_LEAST: Final = 300_000
START_AT_MOST: Final = 2_500_000


class VideoPush:
    """A native video source and what brings frames into its form: 8 bit 4:2:0, with a time."""

    def __init__(self, connection: Connection, sender: Sender) -> None:
        self._connection = connection
        self._ffi = connection.ffi
        self._lib = connection.lib
        self._sender = sender
        # No adaptation: what the application gives is what is encoded, as in aiortc.
        handle = connection.lib.rtc_video_source_new(connection.factory, 0, 0)
        self.handle = connection.check(handle, "sending video")
        self._clock = CaptureClock()
        self._limiter = RateLimiter()
        self._recolourer = Recolourer()

    def restart(self) -> None:
        """Expect the timestamps of another track."""
        self._clock.restart()

    async def push(self, frame: VideoFrame) -> None:
        """Hand over one frame."""
        if not isinstance(frame, VideoFrame):
            raise TypeError(f"a video track returned {type(frame).__name__}, not an av.VideoFrame")
        timestamp = self._clock.time_of(frame)
        if not self._limiter.admits(timestamp, self._sender.max_framerate):
            return
        pixels = frame.width * frame.height
        self._connection.suggest_start_bitrate(start_bitrate(pixels))
        if frame.format.name not in AS_THEY_ARE or not is_usual(frame):
            frame = await _off_loop(lambda: self._recolourer.usual(frame), pixels <= CONVERT_HERE)
        await _off_loop(lambda: self._hand_over(frame, timestamp), pixels <= COPY_HERE)

    def _hand_over(self, frame: VideoFrame, timestamp: int) -> None:
        push = (
            self._lib.rtc_video_source_push_i420
            if frame.format.name == "yuv420p"
            else self._lib.rtc_video_source_push_nv12
        )
        planes: list[Any] = []
        for plane in frame.planes:
            if plane.buffer_size < plane.line_size * plane.height:
                raise ValueError(f"a plane of {plane.width}x{plane.height} has only {plane.buffer_size} bytes")
            planes += [self._ffi.from_buffer("uint8_t[]", plane), plane.line_size]
        result = push(self.handle, *planes, frame.width, frame.height, timestamp, 0)
        self._connection.check(result, "sending video")


class CaptureClock:
    """Puts the times of a track on the monotonic clock.

    The frame that came soonest, measured by its own time, anchors the others: so pauses of the event loop do not
    reach the receiver. A track whose time jumps is anchored anew.
    """

    JUMP: Final = 500_000

    def __init__(self) -> None:
        self._last = 0
        self.restart()

    def restart(self) -> None:
        """Forget the anchor."""
        self._anchor: int | None = None

    def time_of(self, frame: VideoFrame) -> int:
        """Return microseconds, greater than before."""
        now = time.monotonic_ns() // 1000
        own = now if frame.pts is None or frame.time_base is None else int(frame.pts * frame.time_base * 1_000_000)
        if self._anchor is None or not 0 <= now - own - self._anchor <= self.JUMP:
            self._anchor = now - own
        # libwebrtc drops a frame whose millisecond is not later than the one before.
        self._last = max(own + self._anchor, self._last + 1000)
        return self._last


class RateLimiter:
    """Drops frames above a frame rate."""

    def __init__(self) -> None:
        self._due = 0.0

    def admits(self, timestamp: int, rate: float | None) -> bool:
        """Tell whether the frame of this time (microseconds) is to be sent."""
        if not rate:
            return rate is None
        interval = 1_000_000 / rate
        # Half an interval of tolerance: a track of the same rate jitters around it.
        if timestamp < self._due - interval / 2:
            return False
        self._due = max(self._due, timestamp - interval) + interval
        return True


def start_bitrate(pixels: int) -> int:
    """Return where the bandwidth estimate starts: libwebrtc's own 300 kbit/s scale 720p down for many seconds."""
    return round(min(START_AT_MOST, max(START_AT_LEAST, pixels * BITS_PER_PIXEL)))


async def _off_loop(work: Callable[[], T], small: bool) -> T:
    if small:
        return work()
    return await asyncio.get_running_loop().run_in_executor(None, work)
