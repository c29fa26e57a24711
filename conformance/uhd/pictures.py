"""Numbered pictures of 3840x2160 that can be recognised and measured after a codec."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from conformance.media import BITS

if TYPE_CHECKING:
    from av import VideoFrame

    Array = np.ndarray[Any, np.dtype[Any]]

WIDTH: Final = 3840
HEIGHT: Final = 2160
NUMBERS: Final = 1 << BITS
"""After so many the numbers begin again."""
BAR: Final = 70
"""How much lighter a bar is whose bit is set."""
SAMPLED: Final = 4
"""Every so many rows and columns are measured."""


@lru_cache(maxsize=1)
def _ground() -> Array:
    """Return slopes with a texture that an encoder has to spend bits on."""
    slopes = np.linspace(30, 70, WIDTH)[None] + np.linspace(0, 40, HEIGHT)[:, None]
    texture = np.random.default_rng(1).normal(0, 6, (HEIGHT // 8, WIDTH // 8)).repeat(8, 0).repeat(8, 1)
    return (slopes + texture).clip(16, 130).astype(np.uint8)


def picture(number: int) -> VideoFrame:
    """Return the picture with a number: eight bars, of which one differs from the number before."""
    from av import VideoFrame

    frame, code = VideoFrame(WIDTH, HEIGHT, "yuv420p"), _gray(number % NUMBERS)
    bars = [BAR * (code >> bit & 1) for bit in range(BITS)]
    luma = _ground() + np.array(bars, np.uint8).repeat(WIDTH // BITS)
    frame.planes[0].update(luma.tobytes())
    for plane in frame.planes[1:]:
        plane.update(bytes([128]) * plane.buffer_size)
    return frame


def shown(frame: VideoFrame) -> tuple[int, float]:
    """Return the number of a picture of full size, and how close it is to what was sent: PSNR of luma in dB."""
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    difference = rows[::SAMPLED, : frame.width : SAMPLED].astype(float) - _ground()[::SAMPLED, ::SAMPLED]
    bars = difference.reshape(len(difference), BITS, -1)
    lit = bars.mean(axis=(0, 2)) > BAR / 2
    error = np.mean((bars - BAR * lit[None, :, None]) ** 2)
    code = sum(1 << bit for bit, is_lit in enumerate(lit) if is_lit)
    return _NUMBERS.index(code), float(10 * np.log10(255**2 / max(error, 1e-9)))


def _gray(number: int) -> int:
    return number ^ number >> 1


_NUMBERS: Final = [_gray(number) for number in range(NUMBERS)]
