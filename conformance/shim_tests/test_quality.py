"""PSNR and SSIM: what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.quality import psnr, ssim

RANDOM = np.random.default_rng(1)
NOISE = RANDOM.uniform(0, 255, (48, 64))


def test_picture_is_like_itself() -> None:
    assert ssim(NOISE, NOISE) == pytest.approx(1)
    assert psnr(NOISE, NOISE) > 130


@pytest.mark.parametrize(("a", "b"), [(100, 120), (0, 255), (30, 31)])
def test_flat_pictures_differ_by_their_light_alone(a: int, b: int) -> None:
    first, second = np.full((20, 20), float(a)), np.full((20, 20), float(b))
    c1 = (0.01 * 255) ** 2
    assert ssim(first, second) == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1))
    assert psnr(first, second) == pytest.approx(20 * np.log10(255 / abs(a - b)))


def test_order_does_not_matter() -> None:
    other = NOISE + RANDOM.normal(0, 20, NOISE.shape)
    assert ssim(NOISE, other) == pytest.approx(ssim(other, NOISE))


def test_more_noise_is_less_alike() -> None:
    error = RANDOM.normal(0, 1, NOISE.shape)
    likeness = [ssim(NOISE, NOISE + error * amount) for amount in (1, 5, 20, 80)]
    assert likeness == sorted(likeness, reverse=True)


def test_negative_of_a_structure_is_its_opposite() -> None:
    assert ssim(NOISE, 255 - NOISE) < -0.5


def test_shift_of_fine_structure_is_seen_though_its_noise_is_small() -> None:
    stripes = 128 + 10 * np.tile([-1.0, -1.0, 1.0, 1.0], (48, 16))
    shifted = np.roll(stripes, 2, axis=1)
    assert psnr(stripes, shifted) > 22
    assert ssim(stripes, shifted) < 0
