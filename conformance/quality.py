"""How near a picture is to another: noise (PSNR) and structure (SSIM), in numpy alone."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Picture = np.ndarray[Any, np.dtype[np.float64]]
PEAK: Final = 255.0
WINDOW: Final = 11
SIGMA: Final = 1.5
_C1: Final = (0.01 * PEAK) ** 2
_C2: Final = (0.03 * PEAK) ** 2
_EXACT: Final = 1e-9
"""Mean square error that is taken for none."""


def psnr(seen: Picture, sent: Picture) -> float:
    """Return the peak signal-to-noise ratio in dB; about 138 for pictures that are the same.

    :param seen: samples of one plane, 0 to 255, of the same shape as `sent`.
    """
    return float(10 * np.log10(PEAK**2 / max(float(np.mean((seen - sent) ** 2)), _EXACT)))


def ssim(seen: Picture, sent: Picture) -> float:
    """Return the mean structural similarity, 1 for pictures that are the same (Wang et al. 2004).

    :param seen: samples of one plane, 0 to 255, at least 11 x 11, of the same shape as `sent`.
    """
    mean_a, mean_b = _blurred(seen), _blurred(sent)
    variance_a = _blurred(seen * seen) - mean_a**2
    variance_b = _blurred(sent * sent) - mean_b**2
    covariance = _blurred(seen * sent) - mean_a * mean_b
    light = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_a + variance_b + _C2)
    return float(np.mean(light * structure))


def _blurred(picture: Picture) -> Picture:
    """Return weighted means of the windows that lie within a picture."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    for axis in (0, 1):
        picture = np.lib.stride_tricks.sliding_window_view(picture, WINDOW, axis=axis) @ weights
    return picture
