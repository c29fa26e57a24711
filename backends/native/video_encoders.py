"""Encoders of sent video: any size and pixel format in, RTP payloads out."""

from __future__ import annotations

import fractions
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import av
from aiortc.codecs.vpx import number_of_threads
from av import Packet, VideoFrame
from av.filter import Graph
from av.video.frame import PictureType

from backends.native.encoded import EncodedFrame
from backends.native.frame_gates import CLOCK_RATE, BitBucket
from backends.native.payloads import packetize_h264, packetize_vp8, unpack_h264
from backends.native.payloads_av1 import packetize_av1
from backends.native.payloads_vp9 import packetize_vp9
from backends.native.timeline import TimeBase, Timeline
from backends.native.video_convert import Form, copied
from shim.spi.engines import BitrateBounds

TIME_BASE: Final = fractions.Fraction(1, CLOCK_RATE)
BITRATE_FLOOR: Final = 30_000
REBUILD_STEP: Final = 0.15
REBUILD_INTERVAL: Final = 2.0
AV1_LEAST: Final = 64
"""Pixels that SVT-AV1 wants on each side."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be encoded of a frame.

    :param scale: factor, 1 or more, to divide both sides by.
    :param max_bitrate: limit of this encoding, bits per second.
    """

    force_key: bool = False
    scale: float = 1.0
    max_bitrate: int | None = None


class PictureFilter:
    """Converts frames to yuv420p of a wanted size, without touching the frames it is given.

    A frame that fits is passed on by reference.
    """

    def __init__(self) -> None:
        self._key: tuple[int, int, str, int, int] | None = None
        self._graph: Graph | None = None

    def convert(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        """Return a frame of its own; one that is a pixel too large on a side is cropped, others are scaled."""
        key = frame.width, frame.height, frame.format.name, width, height
        if self._graph is None or key != self._key:
            self._key, self._graph = key, self._build(*key)
        self._graph.push(frame)
        output = self._graph.pull()
        assert isinstance(output, VideoFrame)
        if output.planes[0].line_size < 0:
            # SVT-AV1 does not take rows that begin with the last.
            return copied(output, Form(output.format.name, width, height))
        return output

    def _build(self, width: int, height: int, pixels: str, to_width: int, to_height: int) -> Graph:
        graph = Graph()
        graph.threads = 1
        chain = [graph.add_buffer(width=width, height=height, format=av.VideoFormat(pixels), time_base=TIME_BASE)]
        if (width, height) == (to_width, to_height):
            pass
        elif width - to_width in (0, 1) and height - to_height in (0, 1):
            chain.append(graph.add("crop", f"{to_width}:{to_height}:0:0"))
        else:
            chain.append(graph.add("scale", f"{to_width}:{to_height}"))
        graph.link_nodes(*chain, graph.add("format", "yuv420p"), graph.add("buffersink")).configure()
        return graph


class BitrateTarget:
    """Decides on a bit rate between what is configured and what the receiver estimates.

    :param bounds: limits set by the application.
    :param low: least, unless configured.
    :param start: before there is an estimate, unless configured; more for large pictures.
    :param high: most, unless configured; more for large pictures.
    """

    def __init__(self, bounds: BitrateBounds, low: int, start: int, high: int) -> None:
        self._bounds = bounds
        self._defaults = low, start, high
        self.estimate: int | None = None

    def value(self, pixels: int, cap: int | None) -> int:
        """Return bits per second for a picture of so many pixels.

        :param cap: limit of the encoding; it may also raise the default limit of the connection.
        """
        low, start, high = self._defaults
        most = self._bounds.max or max(cap or 0, high, 3 * pixels)
        least = min(low if self._bounds.min is None else self._bounds.min, most)
        wanted = self.estimate or self._bounds.start or max(start, pixels * 9 // 10)
        return max(BITRATE_FLOOR, min(max(least, min(wanted, most)), cap or most))

    def limit(self, cap: int | None) -> int | None:
        """Return what the application allows at most, if it said so: bits per second.

        :param cap: limit of the encoding.
        """
        limits = [limit for limit in (self._bounds.max, cap) if limit]
        return max(BITRATE_FLOOR, min(limits)) if limits else None


class VideoEncoder:
    """Encodes one video stream, in whatever size its frames have. One thread at a time.

    :param payload_size: largest RTP payload in bytes.
    :param bounds: limits of the bit rate.

    `transform` takes each frame, its tick and whether it is a key frame, and returns what is packetised of it.
    """

    defaults: tuple[int, int, int]
    even = False

    def __init__(self, payload_size: int, bounds: BitrateBounds) -> None:
        self._limit = payload_size
        self._timeline = Timeline(CLOCK_RATE)
        self._filter = PictureFilter()
        self._codec: av.VideoCodecContext | None = None
        self._built_at = 0.0
        self._bucket = BitBucket()
        self._last_tick = 0
        self._hidden = 0
        self.target = BitrateTarget(bounds, *self.defaults)
        self.transform: Callable[[bytes, int, bool], bytes] = lambda data, tick, key: data

    @property
    def clock_rate(self) -> int:
        """Ticks per second of `EncodedFrame.timestamp`."""
        return CLOCK_RATE

    def restart(self) -> None:
        """Expect frames of another source."""
        self._timeline.restart()

    def tick(self, pts: int | None, time_base: TimeBase | None, now: float) -> int:
        """Return the time of a frame; to be called for each, in order, before `encode()`."""
        return self._timeline.map(pts, time_base, now)

    def admits(self, tick: int, cap: int | None, now: float) -> bool:
        """Tell whether the frame at this tick may be encoded, or would break a limit of the application.

        :param cap: limit of the encoding, bits per second.
        """
        admitted = self._bucket.passes(self.target.limit(cap), now)
        if not admitted:
            # The library would take a slow source for a reason to spend more on each of its frames.
            self._hidden += tick - self._last_tick
        self._last_tick = tick
        return admitted

    def encode(self, frame: VideoFrame, tick: int, picture: Picture, now: float) -> EncodedFrame:
        """Encode a frame.

        :raises av.FFmpegError: the frame cannot be converted.
        """
        width, height = self._size(frame, picture.scale)
        bitrate = self.target.value(width * height, picture.max_bitrate)
        if self._codec is None or self._outdated(self._codec, width, height, bitrate, now):
            self._codec, self._built_at = self._create(width, height, bitrate), now
        own = self._filter.convert(frame, width, height)
        own.pts, own.time_base = tick - self._hidden, TIME_BASE
        own.pict_type = PictureType.I if picture.force_key else PictureType.NONE
        packets = self._codec.encode(own)
        data = b"".join(bytes(packet) for packet in packets)
        self._bucket.add(len(data))
        key = any(packet.is_keyframe for packet in packets)
        data = self.transform(data, tick, key)
        return EncodedFrame(self._packetize(data, key=key), tick, key, width=width, height=height)

    def pack(self, packet: Packet[Any], tick: int) -> EncodedFrame:
        """Take a packet that is encoded already."""
        data = self.transform(bytes(packet), tick, packet.is_keyframe)
        return EncodedFrame(self._packetize(data, key=packet.is_keyframe), tick, packet.is_keyframe)

    def reset(self) -> None:
        """Start over with a key frame, after an error."""
        self._codec = None
        self._filter = PictureFilter()

    def _size(self, frame: VideoFrame, scale: float) -> tuple[int, int]:
        if scale > 1:
            return max(2, int(frame.width / scale) & ~1), max(2, int(frame.height / scale) & ~1)
        if self.even:
            return max(2, frame.width & ~1), max(2, frame.height & ~1)
        return frame.width, frame.height

    def _outdated(self, codec: av.VideoCodecContext, width: int, height: int, bitrate: int, now: float) -> bool:
        if (codec.width, codec.height) != (width, height):
            return True
        built = codec.bit_rate or 1
        # The libraries take no other rate while they run, and a new context costs a key frame.
        patient = bitrate > built and now - self._built_at < REBUILD_INTERVAL
        return abs(bitrate - built) > REBUILD_STEP * built and not patient

    def _context(self, name: str, width: int, height: int, bitrate: int) -> av.VideoCodecContext:
        codec = cast("av.VideoCodecContext", av.CodecContext.create(name, "w"))
        codec.width, codec.height, codec.bit_rate = width, height, bitrate
        codec.pix_fmt = "yuv420p"
        codec.time_base = TIME_BASE
        codec.framerate = fractions.Fraction(30)
        codec.gop_size = 3000
        # Fewer threads than cores: those of libvpx spin while they wait for each other.
        codec.thread_count = number_of_threads(width * height, os.cpu_count() or 1)
        return codec

    def _create(self, width: int, height: int, bitrate: int) -> av.VideoCodecContext:
        raise NotImplementedError

    def _packetize(self, data: bytes, *, key: bool) -> list[bytes]:
        raise NotImplementedError


class Vp8Encoder(VideoEncoder):
    """VP8 by libvpx, constant bit rate, no look-ahead."""

    defaults = 250_000, 500_000, 1_500_000

    def __init__(self, payload_size: int, bounds: BitrateBounds) -> None:
        super().__init__(payload_size, bounds)
        self._picture_id = random.randrange(1 << 15)

    def _create(self, width: int, height: int, bitrate: int) -> av.VideoCodecContext:
        codec = self._context("libvpx", width, height, bitrate)
        codec.qmin, codec.qmax = 2, 56
        codec.options = {
            "bufsize": str(bitrate),
            "minrate": str(bitrate),
            "maxrate": str(bitrate),
            "cpu-used": "-6",
            "deadline": "realtime",
            "lag-in-frames": "0",
            "noise-sensitivity": "4",
            "overshoot-pct": "15",
            "undershoot-pct": "100",
            "static-thresh": "1",
        }
        return codec

    def _packetize(self, data: bytes, *, key: bool) -> list[bytes]:
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        return packetize_vp8(data, self._picture_id, self._limit)


class H264Encoder(VideoEncoder):
    """H264 constrained baseline by x264, no look-ahead."""

    defaults = 500_000, 1_000_000, 3_000_000
    even = True

    def pack(self, packet: Packet[Any], tick: int) -> EncodedFrame:
        encoded = super().pack(packet, tick)
        encoded.key = any(unpack_h264(payload).key for payload in encoded.payloads)
        return encoded

    def _create(self, width: int, height: int, bitrate: int) -> av.VideoCodecContext:
        codec = self._context("libx264", width, height, bitrate)
        codec.profile = "Baseline"
        codec.options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "sc_threshold": "0",
            "maxrate": str(bitrate),
            "bufsize": str(bitrate),
            **({"level": "31"} if width * height <= 1280 * 720 else {}),
        }
        return codec

    def _packetize(self, data: bytes, *, key: bool) -> list[bytes]:
        return packetize_h264(data, self._limit)


class Vp9Encoder(VideoEncoder):
    """VP9 profile 0 by libvpx, constant bit rate, no look-ahead."""

    defaults = 250_000, 500_000, 1_500_000

    def __init__(self, payload_size: int, bounds: BitrateBounds) -> None:
        super().__init__(payload_size, bounds)
        self._picture_id = random.randrange(1 << 15)

    def _create(self, width: int, height: int, bitrate: int) -> av.VideoCodecContext:
        codec = self._context("libvpx-vp9", width, height, bitrate)
        codec.qmin, codec.qmax = 2, 56
        codec.options = {
            "bufsize": str(bitrate),
            "minrate": str(bitrate),
            "maxrate": str(bitrate),
            "cpu-used": "8",
            "deadline": "realtime",
            "lag-in-frames": "0",
            "aq-mode": "3",
            "row-mt": "1",
            "tile-columns": "2",
            "static-thresh": "1",
        }
        return codec

    def _packetize(self, data: bytes, *, key: bool) -> list[bytes]:
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        return packetize_vp9(data, self._picture_id, self._limit, key=key)


class Av1Encoder(VideoEncoder):
    """AV1 main profile by SVT-AV1 in its real-time mode: one packet for each frame, at once."""

    defaults = 150_000, 400_000, 1_500_000
    even = True

    def _create(self, width: int, height: int, bitrate: int) -> av.VideoCodecContext:
        # The library prints its settings, and at its end a complaint about none, unless this says fatal errors only.
        os.environ.setdefault("SVT_LOG", "0")
        codec = self._context("libsvtav1", width, height, bitrate)
        codec.options = {"preset": "12", "svtav1-params": "pred-struct=1:rc=2:rtc=1"}
        return codec

    def _size(self, frame: VideoFrame, scale: float) -> tuple[int, int]:
        width, height = super()._size(frame, scale)
        return max(width, AV1_LEAST), max(height, AV1_LEAST)

    def _packetize(self, data: bytes, *, key: bool) -> list[bytes]:
        return packetize_av1(data, self._limit, key=key)
