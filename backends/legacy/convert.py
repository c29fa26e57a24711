"""Converts pictures with libyuv."""

from __future__ import annotations

import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from av import VideoFrame

from backends.legacy import ffi
from backends.legacy.pictures import as_picture, upright

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shim.spi.engines import Conversion

RGB_BYTES: Final = {"bgra": 4, "rgba": 4, "argb": 4, "abgr": 4, "bgr24": 3, "rgb24": 3}
BEHIND: Final = 64
"""Bytes behind a picture: FFmpeg's vector code, which may get it next, reads on that far."""
MATRICES: Final = {"bt601": 0, "bt709": 1, "bt2020": 2}


class LegacyVideoConverter:
    """The converter of :mod:`shim.spi.engines`, without copies of our own."""

    def __init__(self) -> None:
        self._library = ffi.load()
        self._pool = FramePool()

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        """See :meth:`shim.spi.engines.VideoConverter.convert`."""
        result = self._pool.frame(wish.width, wish.height, wish.format)
        kept: list[Any] = []
        done = self._library.lib.rtc_convert(
            as_picture(self._library, upright(frame), kept, writable=False),
            as_picture(self._library, result, kept, writable=True),
            MATRICES[wish.matrix],
            wish.full_range,
            wish.rotation,
            wish.mirror,
        )
        if done < 0:
            raise ValueError(self._library.last_error())
        return result


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
        memory = self._free.pop() if self._free else np.empty(height * width * depth + BEHIND, np.uint8)
        view = memory[:-BEHIND].reshape(shape)
        weakref.finalize(view, self._free.append, memory).atexit = False
        return VideoFrame.from_numpy_buffer(view, format)
