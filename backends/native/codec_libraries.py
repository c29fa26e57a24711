"""The encoders in software: how FFmpeg calls them, what they take, and how they are set for real time."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import av

from shim.spi.engines import EncoderSettings, VideoCodec, VideoCodecs

NEVER: Final = 1 << 30
"""Pictures between key frames of the encoder's own; ours are counted outside."""
LAYER_PATTERNS: Final = {1: (0,), 2: (0, 1), 3: (0, 2, 1, 2)}
LAYER_SHARES: Final = {2: (60, 100), 3: (40, 60, 100)}
"""Percent of the bit rate for a layer and those under it, as in libwebrtc."""
SVT_REAL_TIME: Final = "pred-struct=1:rc=2:rtc=1"


class RateChange(Enum):
    """How an encoder takes another bit rate without a key frame."""

    CLOCK = "its clock is paced: it counts bits per second of the times that it is told"
    DOWNWARDS = "it takes any rate up to the highest since the last key frame"
    KEY_FRAME = "not at all"


@dataclass(frozen=True, slots=True)
class Library:
    """An encoder.

    :param name: FFmpeg's.
    :param options: what it is told beside the preset.
    :param layers: temporal layers, at most.
    :param even: both sides must be.
    :param smallest: side in pixels; smaller pictures are scaled up.
    :param largest: side in pixels.
    :param least_speed: that is chosen for it.
    :param tells_colour: its bitstream says which matrix and range its samples have.
    :param spins: its threads do while they wait for each other, so that a core must be left to the others.
    """

    name: str
    options: Callable[[EncoderSettings], dict[str, str]]
    rate_change: RateChange
    layers: int = 1
    even: bool = False
    smallest: int = 16
    largest: int = 16384
    least_speed: int = 0
    tells_colour: bool = True
    spins: bool = False

    def fitting(self, width: int, height: int) -> tuple[int, int]:
        """Return the size to encode pictures of a size in."""
        width, height = (max(side & ~1 if self.even else side, self.smallest) for side in (width, height))
        return width, height


def _buffer(settings: EncoderSettings) -> dict[str, str]:
    """Half a second of the bit rate, which is never exceeded for longer."""
    return {"maxrate": str(settings.bitrate), "bufsize": str(settings.bitrate // 2)}


def _vpx(settings: EncoderSettings) -> dict[str, str]:
    options = {
        "deadline": "realtime",
        "lag-in-frames": "0",
        "minrate": str(settings.bitrate),
        "keyint_min": str(NEVER),
        "static-thresh": "1",
        **_buffer(settings),
    }
    return options | _vpx_layers(settings)


def _vpx_layers(settings: EncoderSettings) -> dict[str, str]:
    count = settings.temporal_layers
    if count == 1:
        return {}
    pattern = LAYER_PATTERNS[count]
    rates = ",".join(str(settings.bitrate * share // 100_000) for share in LAYER_SHARES[count])
    decimators = ",".join(str(1 << layer) for layer in reversed(range(count)))
    parameters = (
        f"ts_number_layers={count}:ts_target_bitrate={rates}:ts_rate_decimator={decimators}:"
        f"ts_periodicity={len(pattern)}:ts_layer_id={','.join(map(str, pattern))}:ts_layering_mode={count}"
    )
    # Without it probabilities carry over from the pictures that were left out.
    return {"ts-parameters": parameters, "error-resilient": "default"}


def _vp8(settings: EncoderSettings) -> dict[str, str]:
    return _vpx(settings) | {"undershoot-pct": "100", "overshoot-pct": "15"}


def _vp9(settings: EncoderSettings) -> dict[str, str]:
    content = {"tune-content": "screen"} if settings.screen else {}
    columns = max(0, min(2, (settings.width // 256).bit_length() - 1))
    return _vpx(settings) | {"row-mt": "1", "aq-mode": "3", "tile-columns": str(columns)} | content


def _h264(settings: EncoderSettings) -> dict[str, str]:
    return {"tune": "zerolatency", "sc_threshold": "0", "forced-idr": "1", **_buffer(settings)}


def _h265(settings: EncoderSettings) -> dict[str, str]:
    parameters = "log-level=none:scenecut=0:repeat-headers=1"
    return {"tune": "zerolatency", "forced-idr": "1", "x265-params": parameters, **_buffer(settings)}


def _av1(settings: EncoderSettings) -> dict[str, str]:
    screen = ":scm=1" if settings.screen else ""
    # Of its buffer of 600 ms half is to be full: by default it pays for a key frame with twenty bad pictures.
    return {"svtav1-params": f"{SVT_REAL_TIME}:buf-optimal-sz=300{screen}"}


LIBRARIES: Final[dict[VideoCodec, Library]] = {
    "AV1": Library("libsvtav1", _av1, RateChange.KEY_FRAME, layers=3, smallest=64),
    "VP9": Library("libvpx-vp9", _vp9, RateChange.CLOCK, layers=3),
    "H264": Library("libx264", _h264, RateChange.DOWNWARDS, even=True),
    "H265": Library("libx265", _h265, RateChange.KEY_FRAME, even=True, smallest=64),
    "VP8": Library("libvpx", _vp8, RateChange.CLOCK, layers=3, largest=16383, tells_colour=False, spins=True),
}
"""Best compression for its time first."""


def library_for_calls(codec: VideoCodec) -> Library:
    """Return an encoder set for calls: what any remote decodes, the best quality that adds little to the latency."""
    library, (more, least_speed) = LIBRARIES[codec], _CALLS[codec]
    even = library.even or codec == "AV1"
    smallest = library.smallest if codec == "AV1" else 1 + even
    return replace(
        library,
        options=lambda settings: library.options(settings) | more(settings),
        least_speed=least_speed,
        smallest=smallest,
        even=even,
    )


def _vpx_call(settings: EncoderSettings) -> dict[str, str]:
    return {"qmin": "2", "qmax": "56", "bufsize": str(settings.bitrate)}


def _vp8_call(settings: EncoderSettings) -> dict[str, str]:
    return _vpx_call(settings) | {"noise-sensitivity": "4"}


def _h264_call(settings: EncoderSettings) -> dict[str, str]:
    level = {"level": "31"} if settings.width * settings.height <= 1280 * 720 else {}
    # Half a second of buffer, as everywhere: with more of it x264 follows a falling rate too slowly.
    return {"profile": "baseline", **level}


_CALLS: Final[dict[VideoCodec, tuple[Callable[[EncoderSettings], dict[str, str]], int]]] = {
    # No larger key frame than usual: the first seconds of a call are not to exceed its rate.
    "AV1": (lambda _: {"svtav1-params": SVT_REAL_TIME}, 8),
    "VP9": (_vpx_call, 8),
    "H264": (_h264_call, 4),
    "VP8": (_vp8_call, 3),
}
"""For each codec what it is told beside the usual, and the least speed."""


def silence_svt() -> None:
    """Let SVT-AV1 print fatal errors only: it tells its settings, and at its end it complains about none."""
    os.environ.setdefault("SVT_LOG", "0")


DECODERS: Final[dict[VideoCodec, str]] = {
    "AV1": "libdav1d",
    "VP9": "vp9",
    "H264": "h264",
    "H265": "hevc",
    "VP8": "vp8",
}
"""FFmpeg's, the fastest of each as measured by ``python -m benchmarks.presets --decoders``."""


def video_codecs() -> VideoCodecs:
    """Return the codecs that this FFmpeg has."""
    return VideoCodecs(
        tuple(codec for codec, library in LIBRARIES.items() if library.name in av.codecs_available),
        tuple(codec for codec, name in DECODERS.items() if name in av.codecs_available),
    )
