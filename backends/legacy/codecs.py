"""Which video codecs this backend has, and what its encoders are told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shim.spi.engines import VideoCodecs
from shim.spi.errors import CapabilityError

if TYPE_CHECKING:
    from shim.spi.engines import EncoderSettings, Hardware, VideoCodec
    from shim.spi.errors import ShimError

CODECS: Final[dict[VideoCodec, int]] = {"VP8": 0, "VP9": 1, "H264": 2}
"""Name -> rtc_video_codec."""
MAX_CORES: Final = 256
DEFAULT_SPEED: Final = -1
_CORES: Final[dict[VideoCodec, tuple[tuple[int, int], ...]]] = {
    "VP8": ((8, 9), (3, 6), (2, 3)),
    "VP9": ((4, 5), (2, 3)),
}
"""From so many threads on, so many cores are told: libwebrtc leaves some of those that it is told to others."""
_VP8_COMPLEXITIES: Final = (3, 2, 1, 0)
_VP8_NAMES: Final = ("normal", "high", "higher", "max")
_VP9_SLOWEST: Final = 5
_VP9_FASTEST: Final = 9
_FASTEST: Final = 10


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an encoder is to be.

    :param speed: as in rtc_encoder_options.
    :param cores: likewise.
    :param words: for people.
    """

    speed: int
    cores: int
    words: str


def video_codecs() -> VideoCodecs:
    """Return what libwebrtc encodes and decodes."""
    return VideoCodecs(encode=("VP9", "H264", "VP8"), decode=("VP9", "H264", "VP8"))


def codec_number(codec: VideoCodec, hardware: Hardware, component: str) -> int:
    """Return the rtc_video_codec.

    :raises CapabilityError: libwebrtc does not have it, or not in hardware.
    """
    if codec not in CODECS:
        raise missing(f"this libwebrtc has no {codec}: use {', '.join(CODECS)}, or the native backend", component)
    if hardware == "require":
        raise missing("libwebrtc has no hardware here: do not require it, or use the native backend", component)
    return CODECS[codec]


def missing(message: str, component: str) -> ShimError:
    """Return the error of what libwebrtc cannot do."""
    return CapabilityError(f"{component}: {message} (backend legacy)", backend="legacy", component=component)


def pace_of(settings: EncoderSettings) -> Pace:
    """Return what libwebrtc is told about speed. Left to itself, it is told the cores that there are, as in a call."""
    speed, words = _speed_of(settings.codec, settings.speed)
    if settings.threads is None:
        cores = min(os.cpu_count() or 1, MAX_CORES)
        return Pace(speed, cores, f"{words}, libwebrtc's threads for {cores} cores")
    steps = _CORES.get(settings.codec, ())
    cores = next((cores for threads, cores in steps if settings.threads >= threads), 1)
    return Pace(speed, cores, f"{words}, at most {settings.threads} threads")


def _speed_of(codec: VideoCodec, speed: int | None) -> tuple[int, str]:
    if codec == "H264":
        return DEFAULT_SPEED, "OpenH264 as libwebrtc sets it, it has no choice of speed"
    if codec == "VP8":
        complexity = 0 if speed is None else _VP8_COMPLEXITIES[speed * len(_VP8_COMPLEXITIES) // (_FASTEST + 1)]
        return complexity, f"complexity {_VP8_NAMES[complexity]}"
    if speed is None:
        return DEFAULT_SPEED, "cpu-used as libwebrtc chooses"
    cpu_used = _VP9_SLOWEST + round(speed * (_VP9_FASTEST - _VP9_SLOWEST) / _FASTEST)
    return cpu_used, f"cpu-used {cpu_used}"
