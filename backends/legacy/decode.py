"""Decodes pictures with libwebrtc's decoders: libvpx for VP8 and VP9, FFmpeg for H264."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from av import VideoFrame

from backends.legacy import ffi
from backends.legacy.codecs import MAX_CORES, codec_number
from backends.legacy.pictures import as_picture
from shim.spi.engines import CodecImplementation
from shim.spi.errors import OperationError, ShimError

if TYPE_CHECKING:
    from fractions import Fraction

    from shim.spi.engines import Hardware, VideoCodec

COMPONENT: Final = "video_decode"
FORMATS: Final = {0: "yuv420p", 1: "yuv422p", 2: "yuv444p", 4: "yuv420p10le"}
"""rtc_pixel_format -> FFmpeg's name, of what is decoded."""
RANGES: Final = frozenset({1, 2})
"""Limited and full, in libwebrtc and in FFmpeg."""
UNKNOWN_MATRIX: Final = 2
PARAMETER_SET: Final = re.compile(rb"\x00\x00\x01[\x07\x27\x47\x67]")
"""A sequence parameter set of H264 (ITU-T H.264 section 7.4.1): with it a key frame needs nothing from before."""


class LegacyVideoDecoder:
    """The decoder of :mod:`shim.spi.engines`. The bitstream is read where it is; pictures are copied once.

    :raises CapabilityError: libwebrtc does not have the codec, or not in hardware.
    """

    def __init__(self, codec: VideoCodec, hardware: Hardware) -> None:
        self._number = codec_number(codec, hardware, COMPONENT)
        self._is_h264 = codec == "H264"
        self._handle = 0
        self._library = ffi.load()
        self._open()
        name = self._library.take_string(self._library.lib.rtc_decoder_name(self._handle))
        reason = f"libwebrtc's own {codec} decoder; it has none in hardware"
        self._implementation = CodecImplementation(name, False, reason)
        self._out = self._library.ffi.new("rtc_decoded *")
        self._waiting = True

    def _open(self) -> None:
        cores = min(os.cpu_count() or 1, MAX_CORES)
        self._handle = self._checked(self._library.lib.rtc_decoder_new(self._number, cores))
        self._fresh = True

    def __del__(self) -> None:
        self.close()

    @property
    def implementation(self) -> CodecImplementation:
        """See :attr:`shim.spi.engines.VideoDecoder.implementation`."""
        return self._implementation

    def decode(self, data: bytes, pts: int, time_base: Fraction, *, key_frame: bool) -> list[VideoFrame]:
        """See :meth:`shim.spi.engines.VideoDecoder.decode`."""
        if self._waiting and not key_frame:
            raise _error("decoding begins with a key frame, and this is none")
        if not self._fresh and (self._waiting or self._begins_anew(data, key_frame)):
            self.close()
            self._open()
        self._waiting, self._fresh = True, False
        shown = self._checked(
            self._library.lib.rtc_decoder_decode(
                self._handle, self._library.ffi.from_buffer("uint8_t[]", data), len(data), key_frame, self._out
            )
        )
        frames = [self._frame(pts, time_base)] if shown else []
        self._waiting = False
        return frames

    def _begins_anew(self, data: bytes, key_frame: bool) -> bool:
        # FFmpeg conceals damage without a word, and what that leaves behind spoils clean pictures: coefficients of a
        # macroblock that broke off are added to the next key frame's, and a matrix that was told once is kept.
        return key_frame and self._is_h264 and PARAMETER_SET.search(data) is not None

    def flush(self) -> list[VideoFrame]:
        """See :meth:`shim.spi.engines.VideoDecoder.flush`. libwebrtc's decoders hold nothing back."""
        self._waiting = True
        return []

    def close(self) -> None:
        """See :meth:`shim.spi.engines.VideoDecoder.close`."""
        handle, self._handle = getattr(self, "_handle", 0), 0
        if handle:
            self._library.lib.rtc_decoder_free(handle)

    def _frame(self, pts: int, time_base: Fraction) -> VideoFrame:
        out, kept = self._out, list[Any]()
        frame = VideoFrame(out.width, out.height, FORMATS[out.format])
        picture = as_picture(self._library, frame, kept, writable=True)
        self._checked(self._library.lib.rtc_decoder_take(self._handle, picture))
        frame.pts, frame.time_base = pts, time_base
        if out.range in RANGES:
            frame.color_range = out.range
        if out.matrix != UNKNOWN_MATRIX:
            frame.colorspace = out.matrix
        return frame

    def _checked(self, result: int) -> int:
        if result < 0:
            raise _error(self._library.last_error())
        return result


def _error(reason: str) -> ShimError:
    message = f"{COMPONENT}: {reason}. Go on with a key frame (backend legacy)"
    return OperationError(message, backend="legacy", component=COMPONENT)
