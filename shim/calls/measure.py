"""Figures from what was seen: spreads, and likeness of pictures. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IDENTICAL_DB = 99.0
"""PSNR of equal pictures, which would be infinite."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How some measurements are spread.

    :param count: how many there were.
    """

    p50: float
    p95: float
    count: int


def spread(values: Sequence[float]) -> Spread | None:
    """Return the spread of values, `None` if there are none."""
    if not values:
        return None
    p50, p95 = np.percentile(np.asarray(values, np.float64), [50, 95])
    return Spread(float(p50), float(p95), len(values))


def psnr(reference: npt.NDArray[np.uint8], picture: npt.NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio of 8-bit samples in dB, :data:`IDENTICAL_DB` at most.

    :raises ValueError: the sizes differ.
    """
    if reference.shape != picture.shape:
        raise ValueError(f"psnr: sizes {reference.shape} and {picture.shape} differ")
    difference = reference.astype(np.int16) - picture
    error = float(np.mean(np.square(difference, dtype=np.int32)))
    return IDENTICAL_DB if error == 0 else min(IDENTICAL_DB, 10 * float(np.log10(255**2 / error)))


def thumbnail(luma: npt.NDArray[np.uint8], top: int = 0) -> npt.NDArray[np.float32]:
    """Return a picture of 12 x 16 values, from line `top` down: enough to tell which of its neighbours it is.

    :param luma: at least 12 lines of 16 pixels below `top`.
    """
    rows, columns = 12, 16
    height, width = (luma.shape[0] - top) // rows, luma.shape[1] // columns
    part = luma[top : top + height * rows, : width * columns]
    return np.asarray(part.reshape(rows, height, columns, width).mean(axis=(1, 3)), np.float32)
