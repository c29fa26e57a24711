"""The conversions of the old C++ surface, by libyuv's names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from shim.spi.errors import InvalidMediaError

if TYPE_CHECKING:
    from av import VideoFrame

LIBYUV_NAMES: Final = {
    "i420": "yuv420p",
    "i422": "yuv422p",
    "i444": "yuv444p",
    "nv12": "nv12",
    "i010": "yuv420p10le",
    "argb": "bgra",
    "abgr": "rgba",
    "bgra": "argb",
    "rgba": "abgr",
    "rgb24": "bgr24",
    "raw": "rgb24",
}
"""libyuv's name -> FFmpeg's. Of 32-bit formats libyuv names the bytes of a word from the highest to the lowest:
in the memory of a little-endian machine they come the other way round."""

_TWINS: Final = {"i420": "yuvj420p", "i422": "yuvj422p", "i444": "yuvj444p"}


class NamedConversions(ABC):
    """The 22 conversions that the old C++ surface had. Each wants a frame of the format that it is named after.

    Matrix and range come from the frame (ITU-R BT.601-7, BT.709-6, BT.2020-2), and are BT.601 and limited for RGB.
    """

    @abstractmethod
    def convert(self, frame: VideoFrame, format: str) -> VideoFrame:
        """Return the picture in another format.

        :param format: FFmpeg's name.
        :raises InvalidMediaError: the frame or the format is impossible.
        """

    def i420_to_argb(self, frame: VideoFrame) -> VideoFrame:
        """Convert I420 (yuv420p) to ARGB (B, G, R, A in memory, FFmpeg's bgra).

        :param frame: of the format ``yuv420p`` or ``yuvj420p``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i420", "argb")

    def i420_to_bgra(self, frame: VideoFrame) -> VideoFrame:
        """Convert I420 (yuv420p) to BGRA (A, R, G, B in memory, FFmpeg's argb).

        :param frame: of the format ``yuv420p`` or ``yuvj420p``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i420", "bgra")

    def i420_to_abgr(self, frame: VideoFrame) -> VideoFrame:
        """Convert I420 (yuv420p) to ABGR (R, G, B, A in memory, FFmpeg's rgba).

        :param frame: of the format ``yuv420p`` or ``yuvj420p``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i420", "abgr")

    def i420_to_rgba(self, frame: VideoFrame) -> VideoFrame:
        """Convert I420 (yuv420p) to RGBA (A, B, G, R in memory, FFmpeg's abgr).

        :param frame: of the format ``yuv420p`` or ``yuvj420p``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i420", "rgba")

    def argb_to_i420(self, frame: VideoFrame) -> VideoFrame:
        """Convert ARGB (B, G, R, A in memory, FFmpeg's bgra) to I420 (yuv420p).

        :param frame: of the format ``bgra``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "argb", "i420")

    def abgr_to_i420(self, frame: VideoFrame) -> VideoFrame:
        """Convert ABGR (R, G, B, A in memory, FFmpeg's rgba) to I420 (yuv420p).

        :param frame: of the format ``rgba``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "abgr", "i420")

    def argb_to_rgb24(self, frame: VideoFrame) -> VideoFrame:
        """Convert ARGB (B, G, R, A in memory, FFmpeg's bgra) to RGB24 (B, G, R in memory, FFmpeg's bgr24).

        :param frame: of the format ``bgra``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "argb", "rgb24")

    def nv12_to_i420(self, frame: VideoFrame) -> VideoFrame:
        """Convert NV12 (nv12) to I420 (yuv420p).

        :param frame: of the format ``nv12``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "nv12", "i420")

    def i420_to_nv12(self, frame: VideoFrame) -> VideoFrame:
        """Convert I420 (yuv420p) to NV12 (nv12).

        :param frame: of the format ``yuv420p`` or ``yuvj420p``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i420", "nv12")

    def i444_to_i420(self, frame: VideoFrame) -> VideoFrame:
        """Convert I444 (yuv444p) to I420 (yuv420p).

        :param frame: of the format ``yuv444p`` or ``yuvj444p``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i444", "i420")

    def i422_to_i420(self, frame: VideoFrame) -> VideoFrame:
        """Convert I422 (yuv422p) to I420 (yuv420p).

        :param frame: of the format ``yuv422p`` or ``yuvj422p``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i422", "i420")

    def i010_to_i420(self, frame: VideoFrame) -> VideoFrame:
        """Convert I010 (yuv420p10le) to I420 (yuv420p).

        :param frame: of the format ``yuv420p10le``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i010", "i420")

    def nv12_to_argb(self, frame: VideoFrame) -> VideoFrame:
        """Convert NV12 (nv12) to ARGB (B, G, R, A in memory, FFmpeg's bgra).

        :param frame: of the format ``nv12``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "nv12", "argb")

    def nv12_to_abgr(self, frame: VideoFrame) -> VideoFrame:
        """Convert NV12 (nv12) to ABGR (R, G, B, A in memory, FFmpeg's rgba).

        :param frame: of the format ``nv12``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "nv12", "abgr")

    def i444_to_argb(self, frame: VideoFrame) -> VideoFrame:
        """Convert I444 (yuv444p) to ARGB (B, G, R, A in memory, FFmpeg's bgra).

        :param frame: of the format ``yuv444p`` or ``yuvj444p``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i444", "argb")

    def i444_to_abgr(self, frame: VideoFrame) -> VideoFrame:
        """Convert I444 (yuv444p) to ABGR (R, G, B, A in memory, FFmpeg's rgba).

        :param frame: of the format ``yuv444p`` or ``yuvj444p``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i444", "abgr")

    def i422_to_argb(self, frame: VideoFrame) -> VideoFrame:
        """Convert I422 (yuv422p) to ARGB (B, G, R, A in memory, FFmpeg's bgra).

        :param frame: of the format ``yuv422p`` or ``yuvj422p``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i422", "argb")

    def i422_to_abgr(self, frame: VideoFrame) -> VideoFrame:
        """Convert I422 (yuv422p) to ABGR (R, G, B, A in memory, FFmpeg's rgba).

        :param frame: of the format ``yuv422p`` or ``yuvj422p``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i422", "abgr")

    def i010_to_argb(self, frame: VideoFrame) -> VideoFrame:
        """Convert I010 (yuv420p10le) to ARGB (B, G, R, A in memory, FFmpeg's bgra).

        :param frame: of the format ``yuv420p10le``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i010", "argb")

    def i010_to_abgr(self, frame: VideoFrame) -> VideoFrame:
        """Convert I010 (yuv420p10le) to ABGR (R, G, B, A in memory, FFmpeg's rgba).

        :param frame: of the format ``yuv420p10le``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "i010", "abgr")

    def abgr_to_nv12(self, frame: VideoFrame) -> VideoFrame:
        """Convert ABGR (R, G, B, A in memory, FFmpeg's rgba) to NV12 (nv12).

        :param frame: of the format ``rgba``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "abgr", "nv12")

    def argb_to_nv12(self, frame: VideoFrame) -> VideoFrame:
        """Convert ARGB (B, G, R, A in memory, FFmpeg's bgra) to NV12 (nv12).

        :param frame: of the format ``bgra``.
        :raises InvalidMediaError: it has another format, an impossible size or too little memory.
        """
        return self._named(frame, "argb", "nv12")

    def _named(self, frame: VideoFrame, source: str, target: str) -> VideoFrame:
        name = getattr(getattr(frame, "format", None), "name", None)
        if name not in {LIBYUV_NAMES[source], _TWINS.get(source)}:
            raise InvalidMediaError(
                f"{source}_to_{target}: the frame's format is {name!r}, not {LIBYUV_NAMES[source]!r}. Use convert()"
            )
        return self.convert(frame, LIBYUV_NAMES[target])
