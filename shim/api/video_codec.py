"""What both ends of a video codec share: names, the list of codecs, and the checks of arguments. See docs/media.md."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast, get_args

from shim.api.video_planes import check_planes
from shim.spi.engines import PIXEL_FORMATS, EncoderSettings, Hardware, VideoCodec
from shim.spi.errors import InvalidMediaError, InvalidStateError

if TYPE_CHECKING:
    from av import VideoFrame

    from shim.spi.engines import VideoCodecs
    from shim.spi.records import Decision

SMALLEST_SIDE: Final = 16
LARGEST_SIDE: Final = 16384
BITRATES: Final = (10_000, 2_000_000_000)
HIGHEST_FRAMERATE: Final = 240
_ALIASES: Final = {"HEVC": "H265", "AVC": "H264", "H.264": "H264", "H.265": "H265"}
_TWINS: Final = frozenset({"yuvj420p", "yuvj422p", "yuvj444p"})


def video_codecs(*, backend: str | None = None) -> VideoCodecs:
    """Return what the backend that would serve now encodes and decodes, best first.

    :param backend: ``"native"``, ``"legacy"``, ...; `None` leaves it to the flags.
    :raises BackendUnavailableError: no backend that encodes can run here.
    """
    from shim._core.dispatch import get_dispatcher

    return get_dispatcher().video_codecs(backend=backend)


def checked_codec(name: str, where: str) -> VideoCodec:
    """Return the name of a codec as SDP spells it.

    :param name: in any case; ``"HEVC"`` and ``"AVC"`` are known too, and ``"video/VP8"``.
    :raises InvalidMediaError: it is none of ours.
    """
    plain = str(name).upper().removeprefix("VIDEO/")
    codec = _ALIASES.get(plain, plain)
    if codec not in get_args(VideoCodec):
        raise InvalidMediaError(f"{where}: codec {name!r} is not one of {', '.join(get_args(VideoCodec))}")
    return cast("VideoCodec", codec)


def checked_hardware(wish: str, where: str) -> Hardware:
    """Return the wish for hardware.

    :raises InvalidMediaError: it is none of ours.
    """
    if wish not in get_args(Hardware):
        raise InvalidMediaError(f"{where}: hardware {wish!r} is not one of {', '.join(get_args(Hardware))}")
    return cast("Hardware", wish)


def check_settings(settings: EncoderSettings) -> None:
    """Refuse settings that are out of range.

    :raises InvalidMediaError: says which, and the range.
    """
    check_size(settings.width, settings.height)
    check_bitrate(settings.bitrate)
    check_framerate(settings.framerate)
    _check_whole("key_interval", settings.key_interval, 1, 1 << 30)
    _check_whole("temporal_layers", settings.temporal_layers, 1, 3)
    _check_whole("speed", settings.speed, 0, 10)
    _check_whole("threads", settings.threads, 1, 256)


def check_size(width: int, height: int) -> None:
    """Refuse a size that no codec is asked to take.

    :raises InvalidMediaError: a side is not 16 to 16384.
    """
    if not all(isinstance(side, int) and SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (width, height)):
        limits = f"{SMALLEST_SIDE}x{SMALLEST_SIDE} to {LARGEST_SIDE}x{LARGEST_SIDE}"
        raise InvalidMediaError(f"VideoEncoder: a size of {width}x{height} is not {limits}")


def check_bitrate(bitrate: int) -> None:
    """Refuse an impossible bit rate.

    :raises InvalidMediaError: it is not a whole number of 10000 to 2000000000.
    """
    if bitrate is None:
        raise InvalidMediaError("VideoEncoder: a bitrate is missing. Say how many bits per second are to be sent")
    _check_whole("bitrate", bitrate, *BITRATES)


def check_framerate(framerate: float) -> None:
    """Refuse an impossible frame rate, NaN too.

    :raises InvalidMediaError: it is not above 0 and at most 240.
    """
    if not (isinstance(framerate, int | float | Fraction) and 0 < framerate <= HIGHEST_FRAMERATE):
        raise InvalidMediaError(
            f"VideoEncoder: a framerate of {framerate!r} is not above 0 and at most {HIGHEST_FRAMERATE}"
        )


def picture_time(frame: VideoFrame) -> Fraction:
    """Return the time of a frame that can be encoded, in seconds.

    :raises InvalidMediaError: it is no frame, its size or format is impossible, its memory is not there, or it has no
        time.
    """
    name = getattr(getattr(frame, "format", None), "name", None)
    if name is None or not hasattr(frame, "planes") or not hasattr(frame, "width"):
        raise InvalidMediaError(f"VideoEncoder.encode: {type(frame).__name__} is no av.VideoFrame with a pixel format")
    check_size(frame.width, frame.height)
    if name not in PIXEL_FORMATS and name not in _TWINS:
        raise InvalidMediaError(f"VideoEncoder.encode: pixel format {name!r} is not one of {', '.join(PIXEL_FORMATS)}")
    check_planes(frame, "VideoEncoder.encode")
    if frame.pts is None or not frame.time_base:
        raise InvalidMediaError("VideoEncoder.encode: the frame has no time. Set pts and time_base")
    return frame.pts * frame.time_base


def closed(where: str, decision: Decision) -> InvalidStateError:
    """Return the error of a call after `close()`."""
    return InvalidStateError(
        f"{where}: it is closed. Create another one", backend=decision.backend, component=decision.component
    )


def _check_whole(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not (isinstance(value, int) and low <= value <= high):
        raise InvalidMediaError(f"VideoEncoder: {name} {value!r} is not a whole number of {low} to {high}")
