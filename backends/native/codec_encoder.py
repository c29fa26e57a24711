"""Encodes pictures with FFmpeg's encoders, in software or hardware."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any, Final, cast

import av
from av.video.frame import PictureType

from backends.native.codec_colour import Colour, Recolourer, colour_of
from backends.native.codec_hardware import Found, find_encoder
from backends.native.codec_libraries import LAYER_PATTERNS, LIBRARIES, NEVER, Library, RateChange, silence_svt
from backends.native.codec_pace import Pace, Recovery
from backends.native.codec_presets import Preset, faster_than, preset_of, usual_speed
from backends.native.picture_filter import PictureFilter
from shim.spi.engines import CodecImplementation, EncodedVideo, EncoderSettings
from shim.spi.errors import CapabilityError, OperationError

if TYPE_CHECKING:
    from av import Packet, VideoFrame

TICKS: Final = 90000
TIME_BASE: Final = Fraction(1, TICKS)
LONGEST_GAP: Final = 1.0
"""Seconds between two pictures that an encoder is told: its credit of bits is to end somewhere."""
LARGEST_PACE: Final = 8.0
"""Between the rate that an encoder was opened with and another one: beyond that it is opened anew."""
NOTICED: Final = 0.1
"""Of a bit rate: a smaller change is not worth a key frame."""
THREADED: Final = 640 * 360
"""Pixels for a thread: threads for less cost more than they bring."""
DELIMITER: Final = b"\x12\x00"
"""A temporal delimiter of AV1."""


@dataclass(frozen=True, slots=True)
class _Pending:
    pts: int
    time_base: Fraction
    layer: int


@dataclass(frozen=True, slots=True)
class Shot:
    """How a picture is to be encoded.

    :param size: width and height.
    :param pts: told back with what is made of it, in units of `time_base`.
    :param now: its time for the control of the bit rate, in seconds.
    """

    size: tuple[int, int]
    pts: int
    time_base: Fraction
    now: Fraction
    key_frame: bool = False


NOTHING_TOLD: Final = Colour()
LAYERED: Final = Found("", "software, for the temporal layers")


class NativeVideoEncoder:
    """The encoder of :mod:`shim.spi.engines`.

    :param library: other than the usual one of the codec, for calls.
    :raises CapabilityError: the codec has no such layers or size here, or the required hardware is not there.
    """

    def __init__(self, settings: EncoderSettings, library: Library | None = None) -> None:
        self._library = library or library_for(settings)
        self._settings = settings
        self._found = find_encoder(settings.codec, settings.hardware) if settings.temporal_layers == 1 else LAYERED
        self._change = RateChange.KEY_FRAME if self._found.name else self._library.rate_change
        self._speed = self._usual_speed(settings.width * settings.height) if settings.speed is None else settings.speed
        self._better: list[int] = []
        self._pace, self._recovery = Pace(), Recovery()
        self._filter = PictureFilter()
        self._recolourer = Recolourer()
        self._pending: dict[int, _Pending] = {}
        self._left: list[EncodedVideo] = []
        self._since_key = 0
        self._clock = 0
        self._last: Fraction | None = None
        self._colour = Colour()
        self._opened = settings
        # One for calls is opened by its first picture, which tells its colours: to open it takes a while.
        self._context: av.VideoCodecContext | None = None if library else self._open(settings)

    @property
    def implementation(self) -> CodecImplementation:
        """See :attr:`shim.spi.engines.VideoEncoder.implementation`."""
        if self._found.name:
            return CodecImplementation(self._found.name, True, self._found.reason)
        words, reason = self._preset(self._speed).words, self._found.reason
        if self._better:
            reason += f"; stepped down from {self._preset(self._better[0]).words}: it fell behind"
        return CodecImplementation(self._library.name, False, reason, words)

    @property
    def settings(self) -> EncoderSettings:
        """What it does now."""
        return self._settings

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the last picture."""
        return self._opened.width, self._opened.height

    @property
    def behind(self) -> bool:
        """Whether the machine is too slow for the usual quality, or for any."""
        return bool(self._better) or self._pace.late

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[EncodedVideo]:
        """See :meth:`shim.spi.engines.VideoEncoder.encode`."""
        pts, time_base = frame.pts or 0, frame.time_base or TIME_BASE
        return self.shoot(frame, Shot(self._size(frame), pts, time_base, pts * time_base, key_frame))

    def shoot(self, frame: VideoFrame, shot: Shot) -> list[EncodedVideo]:
        """Encode a picture like this, whatever its own size and time are."""
        started = time.perf_counter()
        interval = self._settings.key_interval
        is_key = shot.key_frame or (interval is not None and self._since_key >= interval)
        own = self._filter.convert(frame, *shot.size)
        if not self._library.tells_colour:
            own = self._recolourer.usual(own)
        context = self._ready(own, is_key=is_key)
        if self._found.pixels != own.format.name:
            own = own.reformat(format=self._found.pixels)
        own.pict_type = PictureType.I if is_key or not self._since_key else PictureType.NONE
        self._since_key = 0 if is_key else self._since_key
        own.pts, own.duration, own.time_base = *self._ticks(shot.now), TIME_BASE
        pattern = LAYER_PATTERNS[self._settings.temporal_layers]
        layer = pattern[self._since_key % len(pattern)]
        self._pending[own.pts] = _Pending(shot.pts, shot.time_base, layer)
        self._since_key += 1
        left, self._left = self._left, []
        encoded = left + self._packets(context, own)
        self._keep_up(time.perf_counter() - started)
        return encoded

    def set_rates(self, bitrate: int, framerate: float) -> None:
        """See :meth:`shim.spi.engines.VideoEncoder.set_rates`.

        AV1 and H265 pay with a key frame for more than a tenth; H264 only for more than it has had since the last one.
        """
        outdated = self.costs_key_frame(bitrate, framerate)
        self._settings = replace(self._settings, bitrate=bitrate, framerate=framerate)
        if outdated:
            self._left += self.flush()
        elif self._context is not None and self._change is RateChange.DOWNWARDS:
            rate = min(_per_picture(self._settings), _per_picture(self._opened)) * self._opened.framerate
            self._context.bit_rate = round(rate)

    def costs_key_frame(self, bitrate: int, framerate: float) -> bool:
        """Tell whether these rates could not be had from the encoder as it is open."""
        if self._context is None:
            return False
        if self._change is RateChange.CLOCK:
            return not 1 / LARGEST_PACE <= bitrate / self._opened.bitrate <= LARGEST_PACE
        wanted, opened = bitrate / framerate, _per_picture(self._opened)
        if self._change is RateChange.DOWNWARDS and wanted <= opened:
            return False
        return abs(wanted - opened) > NOTICED * opened

    def flush(self) -> list[EncodedVideo]:
        """See :meth:`shim.spi.engines.VideoEncoder.flush`."""
        context, self._context = self._context, None
        left, self._left = self._left, []
        # One that was given nothing yet has nothing to end.
        return left if context is None or not context.is_open else left + self._packets(context, None)

    def close(self) -> None:
        """See :meth:`shim.spi.engines.VideoEncoder.close`."""
        if self._context is not None:
            self.flush()

    def _usual_speed(self, pixels: int) -> int:
        cores = max(1, _cores(self._settings) - self._library.spins)
        usual = usual_speed(self._settings.codec, pixels, self._settings.framerate, cores)
        return max(usual, self._library.least_speed)

    def _size(self, frame: VideoFrame) -> tuple[int, int]:
        check_size(self._settings.codec, frame.width, frame.height)
        return self._library.fitting(frame.width, frame.height)

    def _ready(self, frame: VideoFrame, *, is_key: bool) -> av.VideoCodecContext:
        """Return the open encoder, a new one if it cannot go on.

        :param frame: of the size that is to be encoded.
        """
        context, colour = self._context, colour_of(frame) if self._library.tells_colour else Colour()
        same = self.size == (frame.width, frame.height)
        going_on = same and colour == self._colour and not (is_key and self._breaks_layers())
        if context is not None and going_on:
            return context
        if not same and self._settings.speed is None:
            self._speed, self._better = self._usual_speed(frame.width * frame.height), []
        self._left += self.flush()
        self._colour = colour
        self._context = self._open(replace(self._settings, width=frame.width, height=frame.height))
        return self._context

    def _breaks_layers(self) -> bool:
        """Tell whether a key frame here would be one of an upper layer: libvpx does not begin its pattern anew."""
        pattern = LAYER_PATTERNS[self._settings.temporal_layers]
        return self._change is RateChange.CLOCK and self._since_key % len(pattern) != 0

    def _open(self, settings: EncoderSettings) -> av.VideoCodecContext:
        width, height = self._library.fitting(settings.width, settings.height)
        sized = replace(settings, width=width, height=height)
        self._opened, self._since_key, self._clock, self._last = sized, 0, 0, None
        self._pending.clear()
        if self._found.name:
            options = dict(self._found.options)
            return opened(self._found.name, sized, options, pixels=self._found.pixels, colour=self._colour)
        silence_svt()
        options = self._library.options(sized) | dict(self._preset(self._speed).options)
        return opened(self._library.name, sized, options, spare=self._library.spins, colour=self._colour)

    def _ticks(self, now: Fraction) -> tuple[int, int]:
        """Return the encoder's time of a picture, and how long it lasts.

        The rate control of libvpx counts bits per second of these times. A clock at another pace is another bit rate,
        at once and without a key frame.
        """
        passed = 1 / self._settings.framerate if self._last is None else min(float(now - self._last), LONGEST_GAP)
        pace = self._settings.bitrate / self._opened.bitrate if self._change is RateChange.CLOCK else 1.0
        ticks = max(1, round(passed * pace * TICKS))
        self._last, self._clock = now, self._clock + ticks
        return self._clock, ticks

    def _packets(self, context: av.VideoCodecContext, frame: VideoFrame | None) -> list[EncodedVideo]:
        try:
            return [self._described(packet, context) for packet in context.encode(frame)]
        except (av.FFmpegError, ValueError) as exc:
            self._context = None
            raise OperationError(f"{context.name} failed: {exc}. It goes on with a key frame") from exc

    def _described(self, packet: Packet[Any], context: av.VideoCodecContext) -> EncodedVideo:
        pending = self._pending.pop(packet.pts or 0)
        return EncodedVideo(
            bytes(packet).removeprefix(DELIMITER) if self._settings.codec == "AV1" else bytes(packet),
            pending.pts,
            pending.time_base,
            packet.is_keyframe,
            context.width,
            context.height,
            pending.layer,
        )

    def _preset(self, speed: int) -> Preset:
        return preset_of(self._settings.codec, speed)

    def _keep_up(self, seconds: float) -> None:
        """Step down when pictures take longer than there is time for them, unless the speed was asked for.

        And up again when there has been time to spare for long. Either costs a key frame.
        """
        interval = 1 / self._settings.framerate
        slow = self._pace.note(seconds, interval)
        if self._settings.speed is not None or self._found.name:
            return
        faster = faster_than(self._settings.codec, self._speed)
        if slow and faster is not None:
            self._better.append(self._speed)
            self._change_speed(faster)
        elif self._better and self._recovery.note(self._pace.load * self._dearer(self._better[-1]), interval):
            self._change_speed(self._better.pop())

    def _dearer(self, speed: int) -> float:
        """Return how many times as long pictures take at another speed."""
        return self._preset(speed).cost / self._preset(self._speed).cost

    def _change_speed(self, speed: int) -> None:
        self._speed = speed
        self._left += self.flush()


def library_for(settings: EncoderSettings) -> Library:
    """Return the encoder for these settings.

    :raises CapabilityError: it does not do what they ask for.
    """
    library = LIBRARIES[settings.codec]
    if settings.temporal_layers > library.layers:
        able = ", ".join(name for name, other in LIBRARIES.items() if other.layers >= settings.temporal_layers)
        raise CapabilityError(
            f"VideoEncoder: {settings.codec} has {library.layers} temporal layer here, not "
            f"{settings.temporal_layers}. {able} have",
            backend="native",
        )
    if settings.temporal_layers > 1 and settings.hardware == "require":
        raise CapabilityError(
            "VideoEncoder: temporal layers are encoded in software only. Ask for one layer, or hardware='prefer'",
            backend="native",
        )
    check_size(settings.codec, settings.width, settings.height)
    return library


def check_size(codec: str, width: int, height: int) -> None:
    """Refuse pictures that the codec has no room for.

    :raises CapabilityError: a side is too long.
    """
    largest = next(library.largest for name, library in LIBRARIES.items() if name == codec)
    if max(width, height) > largest:
        raise CapabilityError(
            f"VideoEncoder: {width}x{height} is larger than the {largest} that {codec} has. Take VP9 or AV1",
            backend="native",
        )


def opened(
    name: str,
    settings: EncoderSettings,
    options: dict[str, str],
    *,
    spare: int = 0,
    pixels: str = "yuv420p",
    colour: Colour = NOTHING_TOLD,
) -> av.VideoCodecContext:
    """Return an encoder that is ready.

    :param spare: cores that it is not to use.
    :param pixels: that it reads.
    :param colour: that it is to tell.
    :raises CapabilityError: it refuses the settings, of which it is the size that nobody else has checked.
    """
    context = cast("av.VideoCodecContext", av.CodecContext.create(name, "w"))
    context.width, context.height, context.bit_rate = settings.width, settings.height, settings.bitrate
    context.pix_fmt, context.time_base = pixels, TIME_BASE
    context.framerate = Fraction(settings.framerate).limit_denominator(1001)
    context.gop_size = NEVER
    colour.tell(context)
    useful = ceil(settings.width * settings.height / THREADED)
    context.thread_count = max(1, min(_cores(settings) - spare, useful))
    context.options = options
    try:
        context.open()
    except (av.FFmpegError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise CapabilityError(
            f"VideoEncoder: {name} refuses {settings.width}x{settings.height}: {reason}. Try a smaller size or another "
            "codec",
            backend="native",
        ) from exc
    return context


def _cores(settings: EncoderSettings) -> int:
    return min(settings.threads or NEVER, os.cpu_count() or 1)


def _per_picture(settings: EncoderSettings) -> float:
    return settings.bitrate / settings.framerate
