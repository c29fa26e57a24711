"""Converts pictures with libyuv."""

from __future__ import annotations

import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from av import VideoFrame

from backends.legacy import ffi

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shim.spi.engines import Conversion

FORMATS: Final = {
    "yuv420p": 0,
    "yuv422p": 1,
    "yuv444p": 2,
    "nv12": 3,
    "yuv420p10le": 4,
    "bgra": 5,
    "rgba": 6,
    "argb": 7,
    "abgr": 8,
    "bgr24": 9,
    "rgb24": 10,
    "yuvj420p": 0,
    "yuvj422p": 1,
    "yuvj444p": 2,
}
"""FFmpeg's name -> rtc_pixel_format."""
RGB_BYTES: Final = {"bgra": 4, "rgba": 4, "argb": 4, "abgr": 4, "bgr24": 3, "rgb24": 3}
MATRICES: Final = {"bt601": 0, "bt709": 1, "bt2020": 2}


class LegacyVideoConverter:
    """The converter of :mod:`shim.spi.engines`, without copies of our own."""

    def __init__(self) -> None:
        self._library = ffi.load()
        self._pool = FramePool()

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        """See :meth:`shim.spi.engines.VideoConverter.convert`."""
        if any(plane.line_size < 0 for plane in frame.planes):
            frame = _upright(frame)
        result = self._pool.frame(wish.width, wish.height, wish.format)
        kept: list[Any] = []
        done = self._library.lib.rtc_convert(
            self._picture(frame, kept, writable=False),
            self._picture(result, kept, writable=True),
            MATRICES[wish.matrix],
            wish.full_range,
            wish.rotation,
            wish.mirror,
        )
        if done < 0:
            raise ValueError(self._library.last_error())
        return result

    def _picture(self, frame: VideoFrame, kept: list[Any], *, writable: bool) -> Any:  # noqa: ANN401
        foreign = self._library.ffi
        picture = foreign.new("rtc_picture *")
        picture.format, picture.width, picture.height = FORMATS[frame.format.name], frame.width, frame.height
        for index, plane in enumerate(frame.planes):
            buffer = foreign.from_buffer("uint8_t[]", plane, require_writable=writable)
            kept.append(buffer)
            picture.planes[index], picture.strides[index] = buffer, plane.line_size
            picture.sizes[index] = plane.buffer_size
        return picture


class FramePool:
    """Makes frames of packed RGB whose memory is used again: new pages cost more time than a conversion.

    Memory comes back when nothing refers to its frame any more, in Python or in FFmpeg.
    """

    KEPT: Final = 4

    def __init__(self) -> None:
        self._shape: tuple[int, int, int] | None = None
        self._free: deque[NDArray[np.uint8]] = deque(maxlen=self.KEPT)

    def frame(self, width: int, height: int, format: str) -> VideoFrame:
        """Return a frame. What is in it is not defined."""
        depth = RGB_BYTES.get(format)
        if depth is None:
            return VideoFrame(width, height, format)
        shape = (height, width, depth)
        if shape != self._shape:
            self._shape, self._free = shape, deque(maxlen=self.KEPT)
        memory = self._free.pop() if self._free else np.empty(shape, np.uint8)
        view = memory[:]
        weakref.finalize(view, self._free.append, memory).atexit = False
        return VideoFrame.from_numpy_buffer(view, format)


def _upright(frame: VideoFrame) -> VideoFrame:
    """Return a copy whose rows run downwards in memory."""
    copy = VideoFrame(frame.width, frame.height, frame.format.name)
    for source, target in zip(frame.planes, copy.planes, strict=True):
        data, stride = memoryview(source), abs(source.line_size)
        rows = range(source.height - 1, -1, -1) if source.line_size < 0 else range(source.height)
        size = min(stride, target.line_size)
        lines = (bytes(data[row * stride : row * stride + size]).ljust(target.line_size, b"\0") for row in rows)
        target.update(b"".join(lines))
    return copy
