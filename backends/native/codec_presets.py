"""How fast and how good each encoder is: one table, and the choice made from it.

The costs are measured by ``python -m benchmarks.presets``, which prints the table of docs/media.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shim.spi.engines import VideoCodec

BUDGET: Final = 0.5
"""Of the time that all cores have between two pictures: the rest is for those who make, send and show them."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One setting of an encoder.

    :param words: the setting, in the words of the encoder.
    :param options: of FFmpeg.
    :param cost: milliseconds of one core for a million pixels.
    """

    words: str
    options: Mapping[str, str]
    cost: float


def _svt(preset: int, cost: float) -> Preset:
    return Preset(f"preset {preset}", {"preset": str(preset)}, cost)


def _vpx(speed: int, cost: float) -> Preset:
    return Preset(f"cpu-used {speed}", {"cpu-used": str(speed)}, cost)


def _x26(preset: str, cost: float, words: str = "", **options: str) -> Preset:
    return Preset(f"preset {preset}{words}", {"preset": preset, **options}, cost)


PRESETS: Final[Mapping[VideoCodec, tuple[tuple[int, Preset], ...]]] = {
    "AV1": ((0, _svt(10, 11.0)), (8, _svt(12, 6.0))),
    "VP9": ((0, _vpx(5, 21.5)), (3, _vpx(6, 15.0)), (5, _vpx(7, 13.5)), (8, _vpx(8, 13.0))),
    "VP8": ((0, _vpx(-4, 14.0)), (3, _vpx(-6, 8.5)), (5, _vpx(-8, 7.5)), (7, _vpx(-12, 6.5))),
    "H264": (
        (0, _x26("faster", 25.0)),
        (4, _x26("veryfast", 13.0)),
        (6, _x26("superfast", 8.5)),
        # The filter and CABAC, where the profile has it, cost a tenth and make it better than OpenH264 at fewer bits.
        (9, _x26("ultrafast", 6.0, ", deblocking", coder="ac", **{"x264-params": "no-deblock=0"})),
    ),
    "H265": ((0, _x26("veryfast", 41.0)), (4, _x26("superfast", 25.0)), (7, _x26("ultrafast", 23.0))),
}
"""For each codec, from the best to the fastest: the speed of the API from which a preset is used, and the preset.

Each is better over equal rates than those after it (``--curve``). SVT-AV1's 8 and 9, its 11 at 1080p, and x264's
medium, fast and slow are not in it: another that takes less time is as good without look-ahead (``--curve --setting``).
"""


def preset_of(codec: VideoCodec, speed: int) -> Preset:
    """Return the preset for a speed of 0 to 10."""
    return [preset for least, preset in PRESETS[codec] if least <= speed][-1]


def usual_speed(codec: VideoCodec, pixels: int, framerate: float, cores: int) -> int:
    """Return the speed of the best preset that keeps up with a frame rate.

    :param pixels: of a picture.
    :param cores: that may be used.
    """
    room = BUDGET * cores * 1000 / framerate
    for speed, preset in PRESETS[codec]:
        if preset.cost * pixels / 1e6 <= room:
            return speed
    return PRESETS[codec][-1][0]


def faster_than(codec: VideoCodec, speed: int) -> int | None:
    """Return the speed of the next faster preset, `None` if there is none."""
    return next((least for least, _ in PRESETS[codec] if least > speed), None)
