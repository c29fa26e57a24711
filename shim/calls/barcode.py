"""A frame number in the picture, that survives a codec: how a received picture is told from the others.

The strip lies along the upper edge: two rows of sixteen cells, black or white. The first row starts with four cells
of a known pattern, which also tells what black and white have become on the way; a 20-bit number and its CRC-8 follow.
Cells are fractions of the picture, so that a scaled picture is read as well.
"""

from __future__ import annotations

from typing import Final, cast

import av
import av.video.plane
import numpy as np
import numpy.typing as npt

ROWS: Final = 2
COLUMNS: Final = 16
MODULUS: Final = 1 << 20
"""Numbers start again from zero here: after nine hours at 30 pictures per second."""

_SYNC: Final = (1, 0, 1, 0)
_BLACK: Final = 32
_WHITE: Final = 220
_LEAST_CONTRAST: Final = 40

Luma = npt.NDArray[np.uint8]


def strip_height(height: int) -> int:
    """Return how many lines of a picture of `height` lines the strip covers; even, a thirtieth per row."""
    return ROWS * max(4, round(height / 30 / 2) * 2)


def luma_of(frame: av.VideoFrame) -> Luma:
    """Return the luma plane of a frame in a planar YUV format, without copying it."""
    return pixels(frame.planes[0])[: frame.height, : frame.width]


def pixels(plane: av.video.plane.VideoPlane) -> Luma:
    """Return a view of a plane of 8-bit samples, padding of the lines included. Writing to it changes the frame."""
    return np.frombuffer(cast("bytes", plane), np.uint8).reshape(-1, plane.line_size)


def stamp(frame: av.VideoFrame, number: int) -> None:
    """Draw `number`, taken modulo :data:`MODULUS`, over the upper edge of a ``yuv420p`` frame, in place."""
    luma, lines = luma_of(frame), strip_height(frame.height)
    edges = _edges(frame.width)
    for row, cells in enumerate(_cells(number % MODULUS).reshape(ROWS, COLUMNS)):
        top = row * lines // ROWS
        for column, cell in enumerate(cells):
            luma[top : top + lines // ROWS, edges[column] : edges[column + 1]] = _WHITE if cell else _BLACK
    for plane in frame.planes[1:]:
        pixels(plane)[: lines // 2] = 128


def read(luma: Luma) -> int | None:
    """Return the number in a picture, or `None` if there is none that can be trusted."""
    height, width = luma.shape
    if height < 4 * ROWS or width < 2 * COLUMNS:
        return None
    means = _means(luma, strip_height(height) // ROWS, _edges(width))
    white, black = (means[0] + means[2]) / 2, (means[1] + means[3]) / 2
    grey, contrast = (white + black) / 2, white - black
    if contrast < _LEAST_CONTRAST or np.any(np.abs(means - grey) < contrast / 5):
        return None
    bits = (means > grey).astype(np.uint8)
    number = int("".join(map(str, bits[4:24])), 2)
    return number if np.array_equal(bits, _cells(number)) else None


def _means(luma: Luma, lines: int, edges: list[int]) -> npt.NDArray[np.float64]:
    """Return the brightness of the middle of each cell: the borders are blurred."""
    middle = slice(lines // 4, max(lines // 4 + 1, lines - lines // 4))
    return np.array(
        [
            luma[row * lines : (row + 1) * lines][middle, _inner(edges[column], edges[column + 1])].mean()
            for row in range(ROWS)
            for column in range(COLUMNS)
        ]
    )


def _inner(left: int, right: int) -> slice:
    margin = (right - left) // 4
    return slice(left + margin, max(left + margin + 1, right - margin))


def _edges(width: int) -> list[int]:
    return [round(column * width / COLUMNS) for column in range(COLUMNS + 1)]


def _cells(number: int) -> npt.NDArray[np.uint8]:
    bits = f"{number:020b}{_crc(number):08b}"
    return np.array([*_SYNC, *map(int, bits)], np.uint8)


def _crc(number: int) -> int:
    """Return the CRC-8 (polynomial 0x07) of three bytes, started so that zero does not give zero."""
    crc = 0xFF
    for byte in number.to_bytes(3, "big"):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x07 if crc & 0x80 else 0)
            crc &= 0xFF
    return crc
