"""libwebrtc's audio processing through the C ABI: bad calls are refused, and none of them crashes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from backends.legacy.tests.abi_world import check, ffi, last_error, lib

pytestmark = pytest.mark.skipif(lib is None, reason="backends/legacy/libwebrtc is not built: run its build.py")

BAD_ARGUMENT = -101
BAD_HANDLE = -100


def options(**wish: int) -> Any:  # noqa: ANN401 - cffi has no static types
    made = ffi.new("rtc_processor_options *")
    for key, value in ({"rate": 16000, "channels": 1, "echo_cancellation": 1, "noise_suppression": 3} | wish).items():
        setattr(made, key, value)
    return made


@pytest.fixture
def processor() -> Iterator[int]:
    handle = check(lib.rtc_processor_new(options()))
    yield handle
    lib.rtc_processor_free(handle)


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        ({"rate": 0}, "rate"),
        ({"rate": -48000}, "rate"),
        ({"rate": 44100}, "rate"),
        ({"channels": 0}, "channels"),
        ({"channels": 3}, "channels"),
        ({"channels": -1}, "channels"),
        ({"noise_suppression": 5}, "noise"),
        ({"noise_suppression": -1}, "noise"),
    ],
    ids=str,
)
def test_impossible_options_are_refused(wish: dict[str, int], complaint: str) -> None:
    assert lib.rtc_processor_new(options(**wish)) == BAD_ARGUMENT
    assert complaint in last_error()


def test_missing_options_are_refused() -> None:
    assert lib.rtc_processor_new(ffi.NULL) == BAD_ARGUMENT


@pytest.mark.parametrize(("size", "samples"), [(320, 161), (318, 160), (0, 160), (320, -160), (320, 320)])
def test_impossible_lengths_are_refused(processor: int, size: int, samples: int) -> None:
    data = ffi.new("int16_t[]", 160)
    for reverse in (0, 1):
        assert lib.rtc_processor_run(processor, data, size, samples, reverse) == BAD_ARGUMENT


def test_missing_and_misaligned_samples_are_refused(processor: int) -> None:
    assert lib.rtc_processor_run(processor, ffi.NULL, 320, 160, 0) == BAD_ARGUMENT
    odd = ffi.cast("int16_t *", ffi.cast("uint8_t *", ffi.new("int16_t[]", 200)) + 1)
    assert lib.rtc_processor_run(processor, odd, 320, 160, 0) == BAD_ARGUMENT
    assert lib.rtc_processor_run(processor, ffi.NULL, 0, 0, 0) == 0


@pytest.mark.parametrize("delay", [-1, 501, 1 << 30])
def test_impossible_delay_is_refused(processor: int, delay: int) -> None:
    assert lib.rtc_processor_set_delay(processor, delay) == BAD_ARGUMENT


def test_freed_processor_is_known_no_more() -> None:
    handle, data, stats = lib.rtc_processor_new(options()), ffi.new("int16_t[]", 160), ffi.new("rtc_processor_stats *")
    assert lib.rtc_processor_free(handle) == 0
    results = [
        lib.rtc_processor_free(handle),
        lib.rtc_processor_run(handle, data, 320, 160, 0),
        lib.rtc_processor_set_delay(handle, 1),
        lib.rtc_processor_get_stats(handle, stats),
    ]
    assert results == [BAD_HANDLE] * 4


def test_full_scale_noise_does_no_harm(processor: int) -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        for reverse in (1, 0):
            samples = rng.choice(np.array([-32768, 32767, 0], np.int16), 480)
            data = ffi.from_buffer("int16_t[]", samples)
            assert check(lib.rtc_processor_run(processor, data, samples.nbytes, 480, reverse)) == 0
