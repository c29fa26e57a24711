"""Decodes pictures with FFmpeg's decoders, in software or hardware."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import av
from av import Packet
from av.codec.context import Flags, ThreadType

from backends.native.codec_hardware import Found, decoder_context, find_decoder
from backends.native.codec_libraries import DECODERS
from shim.spi.engines import CodecImplementation, Hardware, VideoCodec
from shim.spi.errors import OperationError

if TYPE_CHECKING:
    from fractions import Fraction

    from av import VideoFrame

MOST_HELD: Final = 64
"""Pictures that a decoder may hold before their times are forgotten."""


class NativeVideoDecoder:
    """The decoder of :mod:`shim.spi.engines`."""

    def __init__(self, codec: VideoCodec, hardware: Hardware) -> None:
        self._codec = codec
        self._found = find_decoder(codec, hardware)
        self._times: dict[int, tuple[int, Fraction]] = {}
        self._count = 0
        self._context: av.VideoCodecContext | None = None

    @property
    def implementation(self) -> CodecImplementation:
        """See :attr:`shim.spi.engines.VideoDecoder.implementation`."""
        name = f"{self._name} on {self._found.device}" if self._found.device else self._name
        return CodecImplementation(name, bool(self._found.name), self._found.reason)

    def decode(self, data: bytes, pts: int, time_base: Fraction, *, key_frame: bool) -> list[VideoFrame]:
        """See :meth:`shim.spi.engines.VideoDecoder.decode`."""
        if self._context is None:
            self._context = self._open()
        packet: Packet[Any] = Packet(data)
        packet.pts = self._count
        packet.is_keyframe = key_frame
        self._times[self._count] = pts, time_base
        self._times.pop(self._count - MOST_HELD, None)
        self._count += 1
        pictures = self._pictures(self._context, packet)
        if key_frame and not pictures and not self._context.has_b_frames:
            # Some decoders pass over what they do not know, and say nothing.
            raise OperationError(f"VideoDecoder.decode: {self._name} finds no picture in the bitstream")
        return pictures

    def flush(self) -> list[VideoFrame]:
        """See :meth:`shim.spi.engines.VideoDecoder.flush`."""
        context, self._context = self._context, None
        return [] if context is None else self._pictures(context, None)

    def close(self) -> None:
        """See :meth:`shim.spi.engines.VideoDecoder.close`."""
        self._context = None

    @property
    def _name(self) -> str:
        return self._found.name or DECODERS[self._codec]

    def _open(self) -> av.VideoCodecContext:
        context = decoder_context(self._found if self._found.name else Found(DECODERS[self._codec], ""))
        # Each picture as soon as it is decoded: threads for the parts of one, not for several of them.
        context.flags |= Flags.low_delay
        context.thread_type = ThreadType.SLICE
        context.thread_count = os.cpu_count() or 1
        return context

    def _pictures(self, context: av.VideoCodecContext, packet: Packet[Any] | None) -> list[VideoFrame]:
        try:
            pictures = context.decode(packet)
        except (av.FFmpegError, ValueError) as exc:
            raise OperationError(f"VideoDecoder.decode: {self._name} refuses the bitstream: {exc}") from exc
        if any(picture.is_corrupt for picture in pictures):
            raise OperationError(f"VideoDecoder.decode: {self._name} says that a {self._codec} picture is damaged")
        return [self._timed(picture) for picture in pictures]

    def _timed(self, picture: VideoFrame) -> VideoFrame:
        picture.pts, picture.time_base = self._times.pop(picture.pts or 0, (picture.pts or 0, picture.time_base))
        return picture
