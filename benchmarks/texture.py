"""A picture as video encoders get it from a camera: a texture of all scales that moves, under grain that changes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

STEP: Final = (5, 3)
"""Pixels to the right and down from one picture to the next."""
_SCALES: Final = ((128, 30.0), (32, 18.0), (8, 9.0), (3, 4.0))
"""Pixels from one random value to the next, and how far these are from grey."""
_GRAIN: Final = 2.0
_GRAINS: Final = 3
_SEED: Final = 7


def moving_texture(width: int, height: int, count: int, framerate: int = 30) -> Iterator[VideoFrame]:
    """Yield pictures of yuv420p, the same in each run, with times.

    :param width: even.
    :param height: even.
    """
    rng = np.random.default_rng(_SEED)
    size = height + STEP[1] * count + 2, width + STEP[0] * count + 2
    luma = np.clip(sum((_layer(rng, size, cell, amount) for cell, amount in _SCALES), np.float32(128)), 20, 235)
    chroma = [np.clip(128 + _layer(rng, size, 96, 25.0)[::2, ::2], 16, 240) for _ in range(2)]
    grains = [(rng.standard_normal((height, width)) * _GRAIN).astype(np.float32) for _ in range(_GRAINS)]
    for index in range(count):
        x, y = STEP[0] * index, STEP[1] * index
        planes = [np.clip(luma[y : y + height, x : x + width] + grains[index % _GRAINS], 0, 255)]
        planes += [plane[y // 2 :, x // 2 :][: height // 2, : width // 2] for plane in chroma]
        yield _frame(planes, width, height, index, framerate)


def psnr(one: VideoFrame, other: VideoFrame) -> float:
    """Return how near two pictures are, in dB of luma; every second row is looked at."""
    pair = [_rows(frame, 0)[: frame.height : 2, : frame.width].astype(np.float32) for frame in (one, other)]
    error = float(np.mean((pair[0] - pair[1]) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def _layer(rng: np.random.Generator, size: tuple[int, int], cell: int, amount: float) -> Samples:
    """Return random values on a grid, interpolated."""
    grid = rng.standard_normal((size[0] // cell + 2, size[1] // cell + 2)).astype(np.float32) * np.float32(amount)
    return _stretched(_stretched(grid, size[0], cell).T, size[1], cell).T


def _stretched(grid: Samples, length: int, cell: int) -> Samples:
    places = np.arange(length, dtype=np.float32) / cell
    low = places.astype(np.int64)
    weight = (places - low)[:, None]
    return np.asarray(grid[low] * (1 - weight) + grid[low + 1] * weight, np.float32)


def _frame(planes: list[Samples], width: int, height: int, index: int, framerate: int) -> VideoFrame:
    from av import VideoFrame

    frame = VideoFrame(width, height, "yuv420p")
    for number, plane in enumerate(planes):
        _rows(frame, number)[: plane.shape[0], : plane.shape[1]] = plane
    frame.pts, frame.time_base = index, Fraction(1, framerate)
    return frame


def _rows(frame: VideoFrame, number: int) -> NDArray[np.uint8]:
    plane: Any = frame.planes[number]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
