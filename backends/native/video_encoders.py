"""Encoders of sent video: any size and pixel format in, RTP payloads out."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal

from av import Packet, VideoFrame

from backends.native.codec_encoder import NativeVideoEncoder, Shot
from backends.native.codec_libraries import library_for_calls
from backends.native.encoded import EncodedFrame
from backends.native.frame_gates import CLOCK_RATE, BitBucket, Cadence
from backends.native.payloads import packetize_h264, packetize_vp8, unpack_h264
from backends.native.payloads_av1 import packetize_av1
from backends.native.payloads_vp9 import packetize_vp9
from backends.native.timeline import TimeBase, Timeline
from shim.spi.engines import BitrateBounds, EncodedVideo, EncoderSettings, VideoCodec

TIME_BASE: Final = Fraction(1, CLOCK_RATE)
BITRATE_FLOOR: Final = 30_000
PATIENCE: Final = 2.0
"""Seconds between a key frame and one that only makes room for a higher bit rate."""
Limitation = Literal["none", "cpu", "bandwidth"]
"""RTCQualityLimitationReason of webrtc-stats, those that occur here."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be encoded of a frame.

    :param scale: factor, 1 or more, to divide both sides by.
    :param max_bitrate: limit of this encoding, bits per second.
    """

    force_key: bool = False
    scale: float = 1.0
    max_bitrate: int | None = None


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
        return self._within(self.estimate or self._start(pixels), pixels, cap)

    def is_held(self, pixels: int, cap: int | None) -> bool:
        """Tell whether the estimate is below what would be spent without one."""
        return self.value(pixels, cap) < self._within(self._start(pixels), pixels, cap)

    def _start(self, pixels: int) -> int:
        return self._bounds.start or max(self._defaults[1], pixels * 9 // 10)

    def _within(self, wanted: int, pixels: int, cap: int | None) -> int:
        low, _, high = self._defaults
        most = self._bounds.max or max(cap or 0, high, 3 * pixels)
        least = min(low if self._bounds.min is None else self._bounds.min, most)
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

    codec: VideoCodec
    defaults: tuple[int, int, int]

    def __init__(self, payload_size: int, bounds: BitrateBounds) -> None:
        self._limit = payload_size
        self._timeline = Timeline(CLOCK_RATE)
        self._library = library_for_calls(self.codec)
        self._core: NativeVideoEncoder | None = None
        self._built_at = 0.0
        self._bucket = BitBucket()
        self._cadence = Cadence()
        self._last_tick = 0
        self._hidden = 0
        self._held = False
        self.target = BitrateTarget(bounds, *self.defaults)
        self.transform: Callable[[bytes, int, bool], bytes] = lambda data, tick, key: data

    @property
    def clock_rate(self) -> int:
        """Ticks per second of `EncodedFrame.timestamp`."""
        return CLOCK_RATE

    @property
    def implementation(self) -> str | None:
        """What encodes, and at which setting; `None` before the first picture."""
        if self._core is None:
            return None
        found = self._core.implementation
        return f"{found.name} {found.speed}".rstrip()

    @property
    def limitation(self) -> Limitation:
        """What keeps the quality down: a machine that is too slow for the usual one, or what the remote can receive."""
        if self._core is not None and self._core.behind:
            return "cpu"
        return "bandwidth" if self._held else "none"

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

    def encode(self, frame: VideoFrame, tick: int, picture: Picture, now: float) -> list[EncodedFrame]:
        """Encode a frame; returns it, and those that the encoder still held where it had to be opened anew.

        :raises OperationError: the frame cannot be encoded.
        """
        size, seen = self._size(frame, picture.scale), tick - self._hidden
        pixels, framerate = size[0] * size[1], self._cadence.note(seen)
        bitrate = self.target.value(pixels, picture.max_bitrate)
        self._held = self.target.is_held(pixels, picture.max_bitrate)
        core = self._ready(size, bitrate, framerate, now)
        shot = Shot(size, tick, TIME_BASE, Fraction(seen, CLOCK_RATE), picture.force_key)
        return [self._sent(chunk) for chunk in core.shoot(frame, shot)]

    def _sent(self, chunk: EncodedVideo) -> EncodedFrame:
        self._bucket.add(len(chunk.data))
        key = chunk.key_frame
        payloads = self._packetize(self.transform(chunk.data, chunk.pts, key), key=key)
        return EncodedFrame(payloads, chunk.pts, key, width=chunk.width, height=chunk.height)

    def pack(self, packet: Packet[Any], tick: int) -> EncodedFrame:
        """Take a packet that is encoded already."""
        data = self.transform(bytes(packet), tick, packet.is_keyframe)
        return EncodedFrame(self._packetize(data, key=packet.is_keyframe), tick, packet.is_keyframe)

    def reset(self) -> None:
        """Start over with a key frame, after an error."""
        self._core = None

    def _size(self, frame: VideoFrame, scale: float) -> tuple[int, int]:
        width, height = frame.width, frame.height
        if scale > 1:
            width, height = max(2, int(width / scale) & ~1), max(2, int(height / scale) & ~1)
        return self._library.fitting(width, height)

    def _ready(self, size: tuple[int, int], bitrate: int, framerate: float, now: float) -> NativeVideoEncoder:
        if self._core is None:
            settings = EncoderSettings(self.codec, *size, bitrate, framerate)
            self._core, self._built_at = NativeVideoEncoder(settings, self._library), now
        else:
            self._set_rates(self._core, bitrate, framerate, now, resized=size != self._core.size)
        return self._core

    def _set_rates(
        self, core: NativeVideoEncoder, bitrate: int, framerate: float, now: float, *, resized: bool
    ) -> None:
        had = core.settings
        if (bitrate, framerate) == (had.bitrate, had.framerate):
            return
        if resized or core.costs_key_frame(bitrate, framerate):
            more = bitrate / framerate > had.bitrate / had.framerate
            if more and not resized and now - self._built_at < PATIENCE:
                return
            self._built_at = now
        core.set_rates(bitrate, framerate)

    def _packetize(self, data: bytes, *, key: bool) -> list[bytes]:
        raise NotImplementedError


class Vp8Encoder(VideoEncoder):
    """VP8 by libvpx, constant bit rate, no look-ahead."""

    codec = "VP8"
    defaults = 250_000, 500_000, 1_500_000

    def __init__(self, payload_size: int, bounds: BitrateBounds) -> None:
        super().__init__(payload_size, bounds)
        self._picture_id = random.randrange(1 << 15)

    def _packetize(self, data: bytes, *, key: bool) -> list[bytes]:
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        return packetize_vp8(data, self._picture_id, self._limit)


class H264Encoder(VideoEncoder):
    """H264 constrained baseline by x264, no look-ahead."""

    codec = "H264"
    defaults = 500_000, 1_000_000, 3_000_000

    def pack(self, packet: Packet[Any], tick: int) -> EncodedFrame:
        encoded = super().pack(packet, tick)
        encoded.key = any(unpack_h264(payload).key for payload in encoded.payloads)
        return encoded

    def _packetize(self, data: bytes, *, key: bool) -> list[bytes]:
        return packetize_h264(data, self._limit)


class Vp9Encoder(VideoEncoder):
    """VP9 profile 0 by libvpx, constant bit rate, no look-ahead."""

    codec = "VP9"
    defaults = 250_000, 500_000, 1_500_000

    def __init__(self, payload_size: int, bounds: BitrateBounds) -> None:
        super().__init__(payload_size, bounds)
        self._picture_id = random.randrange(1 << 15)

    def _packetize(self, data: bytes, *, key: bool) -> list[bytes]:
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        return packetize_vp9(data, self._picture_id, self._limit, key=key)


class Av1Encoder(VideoEncoder):
    """AV1 main profile by SVT-AV1 in its real-time mode: one packet for each frame, at once."""

    codec = "AV1"
    defaults = 150_000, 400_000, 1_500_000

    def _packetize(self, data: bytes, *, key: bool) -> list[bytes]:
        return packetize_av1(data, self._limit, key=key)
