"""What conversions of pictures should give, in double precision: the oracle of the component's tests.

Matrices: ITU-R BT.601-7, BT.709-6 and BT.2020-2 (non-constant luminance). Chroma lies in the middle of the pixels
that it belongs to, as in JPEG and libyuv: the mean of these pixels on the way down, the nearest sample on the way to
RGB, and linear interpolation between YUV formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Samples = NDArray[np.uint8] | NDArray[np.uint16]
Matrix = Literal["bt601", "bt709", "bt2020"]

WEIGHTS: Final[dict[Matrix, tuple[float, float]]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
"""Shares of red and blue in luma."""
ORDER: Final = {"bgra": "bgra", "rgba": "rgba", "argb": "argb", "abgr": "abgr", "bgr24": "bgr", "rgb24": "rgb"}
"""Format -> what lies in memory, byte by byte."""
SHIFTS: Final = {"yuv420p": (1, 1), "yuv422p": (1, 0), "yuv444p": (0, 0), "nv12": (1, 1), "yuv420p10le": (1, 1)}
"""Format -> binary logarithm of how much fewer chroma samples there are across and down."""
RGB_FORMATS: Final = tuple(ORDER)
YUV_FORMATS: Final = tuple(SHIFTS)


def bits_of(format: str) -> int:
    """Return the bits of a sample."""
    return 10 if format == "yuv420p10le" else 8


def convert(planes: Sequence[Samples], source: str, target: str, matrix: Matrix, full: bool) -> list[Floats]:
    """Return the planes of the picture in another format, not rounded.

    :param planes: as `VideoConverter.to_ndarray()` gives them.
    """
    if source in ORDER:
        rgb, alpha = _from_packed(planes[0], source)
        return [_to_packed(rgb, alpha, target)] if target in ORDER else _to_yuv(rgb, target, matrix, full)
    yuv = _separate(planes, source)
    if target in ORDER:
        return [_to_packed(_to_rgb(yuv, source, matrix, full), None, target)]
    return _merged(_resampled(yuv, source, target), target)


def worst(found: Sequence[Samples], expected: Sequence[Floats]) -> float:
    """Return the largest distance of a rounded sample from the exact one, in units of 8 bits."""
    assert [plane.shape for plane in found] == [plane.shape for plane in expected]
    unit = 4.0 if found[0].dtype == np.uint16 else 1.0
    pairs = zip(found, expected, strict=True)
    return max(float(np.abs(plane - np.rint(wanted)).max()) for plane, wanted in pairs) / unit


def _levels(bits: int, full: bool) -> tuple[float, float, float]:
    """Return black, the span of luma and the span of chroma."""
    unit = 2.0 ** (bits - 8)
    most = 2.0**bits - 1
    return (0.0, most, most) if full else (16 * unit, 219 * unit, 224 * unit)


def _from_packed(plane: Samples, format: str) -> tuple[Floats, Floats | None]:
    data, order = plane.astype(np.float64), ORDER[format]
    alpha = data[..., order.index("a")] if "a" in order else None
    return np.stack([data[..., order.index(name)] for name in "rgb"], -1), alpha


def _to_packed(rgb: Floats, alpha: Floats | None, format: str) -> Floats:
    full = np.full(rgb.shape[:2], 255.0) if alpha is None else alpha
    channels = {"r": rgb[..., 0], "g": rgb[..., 1], "b": rgb[..., 2], "a": full}
    packed: Floats = np.stack([channels[name] for name in ORDER[format]], -1)
    return packed.clip(0, 255)


def _separate(planes: Sequence[Samples], format: str) -> list[Floats]:
    if format == "nv12":
        return [planes[0].astype(np.float64), *(planes[1][..., index].astype(np.float64) for index in (0, 1))]
    return [plane.astype(np.float64) for plane in planes]


def _merged(yuv: list[Floats], format: str) -> list[Floats]:
    return [yuv[0], np.stack(yuv[1:], -1)] if format == "nv12" else yuv


def _to_rgb(yuv: list[Floats], format: str, matrix: Matrix, full: bool) -> Floats:
    black, luma, chroma = _levels(bits_of(format), full)
    height, width = yuv[0].shape
    across, down = SHIFTS[format]
    middle = 2.0 ** (bits_of(format) - 1)
    y = (yuv[0] - black) / luma * 255
    u, v = (
        (plane.repeat(1 << down, 0).repeat(1 << across, 1)[:height, :width] - middle) / chroma * 255
        for plane in yuv[1:]
    )
    red, blue = WEIGHTS[matrix]
    green = 1 - red - blue
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    g = y - (2 * blue * (1 - blue) * u + 2 * red * (1 - red) * v) / green
    return np.clip(np.stack([r, g, b], -1), 0, 255)


def _to_yuv(rgb: Floats, format: str, matrix: Matrix, full: bool) -> list[Floats]:
    black, luma, chroma = _levels(bits_of(format), full)
    red, blue = WEIGHTS[matrix]
    r, g, b = (rgb[..., index] / 255 for index in range(3))
    y = red * r + (1 - red - blue) * g + blue * b
    middle, most = 2.0 ** (bits_of(format) - 1), 2.0 ** bits_of(format) - 1
    u, v = (b - y) / (2 * (1 - blue)) * chroma + middle, (r - y) / (2 * (1 - red)) * chroma + middle
    planes = [y * luma + black, *(_mean(plane, *SHIFTS[format]) for plane in (u, v))]
    return _merged([np.clip(plane, 0, most) for plane in planes], format)


def _mean(plane: Floats, across: int, down: int) -> Floats:
    """Average blocks; at an odd edge the last sample counts twice."""
    padded = np.pad(plane, ((0, plane.shape[0] % (1 << down)), (0, plane.shape[1] % (1 << across))), "edge")
    rows: Floats = padded.reshape(-1, 1 << down, padded.shape[1]).mean(1)
    means: Floats = rows.reshape(rows.shape[0], -1, 1 << across).mean(2)
    return means


def _resampled(yuv: list[Floats], source: str, target: str) -> list[Floats]:
    scale = 2.0 ** (bits_of(target) - bits_of(source))
    height, width = yuv[0].shape
    steps = [SHIFTS[target][axis] - SHIFTS[source][axis] for axis in (0, 1)]
    return [yuv[0] * scale, *(_chroma(plane, steps, width, height) * scale for plane in yuv[1:])]


def _chroma(plane: Floats, steps: list[int], width: int, height: int) -> Floats:
    plane = _mean(plane, max(0, steps[0]), max(0, steps[1]))
    if steps[1] < 0:
        plane = _doubled(plane)[:height]
    return _doubled(plane.T)[:width].T if steps[0] < 0 else plane


def _doubled(plane: Floats) -> Floats:
    """Double the rows: each new one lies a quarter from the nearest old one."""
    padded = np.pad(plane, ((1, 1), (0, 0)), "edge")
    before = 0.25 * padded[:-2] + 0.75 * padded[1:-1]
    after = 0.25 * padded[2:] + 0.75 * padded[1:-1]
    return np.stack([before, after], 1).reshape(-1, plane.shape[1])
