"""How long a picture takes from one pixel format to another."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

from benchmarks.figures import median
from benchmarks.metric import Effort, Figure, Metric, Target
from benchmarks.subjects.base import Subject

if TYPE_CHECKING:
    from shim import VideoConverter

_CONVERSIONS: Final = (
    ("i420_rgba", "I420 to RGBA", "yuv420p", "rgba"),
    ("nv12_i420", "NV12 to I420", "nv12", "yuv420p"),
    ("rgba_i420", "RGBA to I420", "rgba", "yuv420p"),
)
_SIZES: Final = {"1080p": (1920, 1080), "4k": (3840, 2160)}


@lru_cache(maxsize=1)
def _converter(backend: str) -> VideoConverter:
    from shim import VideoConverter

    return VideoConverter(backend=backend)


@lru_cache(maxsize=2)
def _frame(format: str, width: int, height: int) -> Any:  # noqa: ANN401 - of PyAV
    import numpy as np
    from av import VideoFrame

    from shim import VideoConverter

    frame, rng = VideoFrame(width, height, format), np.random.default_rng(1)
    for view in VideoConverter.to_ndarray(frame):
        view[:] = rng.integers(16, 236, view.shape, np.uint8)
    return frame


async def convert(width: int, height: int, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Convert one picture again and again, as an application does: each result is let go when the next one is there."""
    converter, found = _converter(subject.name), {}
    for key, _, source, target in _CONVERSIONS:
        frame = _frame(source, width, height)
        times: list[float] = []
        result = converter.convert(frame, target)
        cpu, end = time.process_time(), time.perf_counter() + effort.pick(0.5, 0.15)
        while time.perf_counter() < end or len(times) < 3:
            started = time.perf_counter()
            result = converter.convert(frame, target)
            times.append(time.perf_counter() - started)
        found[key] = median(times) * 1000
        cpu = (time.process_time() - cpu) / len(times) * 1000
        found[f"{key}_error"], psnr = _distance(frame, result)
        if key == "i420_rgba":
            found |= {"fastest": min(times) * 1000, "cpu": cpu, "psnr": psnr}
    return found


_ROWS: Final = 64


def _distance(frame: Any, result: Any) -> tuple[float, float]:  # noqa: ANN401
    """Return the largest distance from the exact values, in levels of 255, and the PSNR, of the upper rows."""
    import numpy as np

    from conformance.reference_video import convert as exactly
    from conformance.reference_video import worst

    wanted = exactly(_upper(frame), frame.format.name, result.format.name, "bt601", full=False)
    found = _upper(result)
    # Without alpha, which is always right.
    off = np.concatenate([(a[..., :3] - b[..., :3]).ravel() for a, b in zip(found, wanted, strict=True)])
    power = float((off**2).mean())
    return worst(found, wanted), 10 * math.log10(255**2 / power) if power else 99.0


def _upper(frame: Any) -> list[Any]:  # noqa: ANN401
    from shim import VideoConverter

    return [plane[: _ROWS * len(plane) // frame.height] for plane in VideoConverter.to_ndarray(frame)]


def _metric(name: str, width: int, height: int) -> Metric:
    times = (
        Figure(key, title, "ms", targets=(Target(1.0),) if key == "i420_rgba" else ())
        for key, title, _, _ in _CONVERSIONS
    )
    return Metric(
        name=f"video_convert_{name}",
        title=f"pixel formats, {name}",
        group="components",
        about="VideoConverter.convert() from frame to frame, memory for the result included. Noise in every sample; "
        "errors are those against exact values. CPU: of all threads.",
        figures=(
            *times,
            Figure("fastest", "I420 to RGBA, fastest", "ms"),
            Figure("cpu", "CPU, I420 to RGBA", "ms"),
            Figure("psnr", "PSNR, I420 to RGBA", "dB", "higher"),
            *(Figure(f"{key}_error", f"largest error, {title}", "levels") for key, title, _, _ in _CONVERSIONS),
        ),
        measure=partial(convert, width, height),
        subjects=("native", "legacy"),
        rounds=7,
        quick_rounds=3,
    )


METRICS = tuple(_metric(name, *size) for name, size in _SIZES.items())
