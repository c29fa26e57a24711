"""How long pictures take from frame in to same frame out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Final

from benchmarks.figures import quantile
from benchmarks.media import Eye, Pictures
from benchmarks.metric import AnyFrame, Effort, Figure, Metric, Target
from benchmarks.pacing import Pace
from benchmarks.subjects.base import Subject

SIZES: Final = {"480p": (640, 480, 1_500_000), "720p": (1280, 720, 2_500_000)}
"""Width, height, and bits per second at which an encoder starts, where it can be told."""
_SETTLE: Final = (0.8, 0.6)
"""Seconds; in a quick run."""
_PATIENCE: Final = 45.0
"""Seconds that a sender gets to reach the full size."""


async def one_way(size: str, codec: str, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Send pictures."""
    width, height, bitrate = SIZES[size]
    pair, pace = subject.pair(bitrate=bitrate), Pace(Pictures(width, height))
    eye = Eye(pace)
    try:
        pair.send(pace, codec)
        pair.receive(eye.take)
        began = time.perf_counter()
        await pair.connect()
        await asyncio.sleep(effort.pick(*_SETTLE))
        eye.latencies.clear()
        seen, sent = len(eye.seen), len(pace.sent_at)
        await asyncio.sleep(effort.pick(2.0, 1.0))
        share = (len(eye.seen) - seen) / (len(pace.sent_at) - sent)
    finally:
        await pair.close()
    if not eye.latencies:
        raise RuntimeError("no picture was recognised at the far end")
    latencies = {f"p{share}": quantile(eye.latencies, share / 100) * 1000 for share in (50, 95, 99)}
    found = {"first": ((eye.first_at or began) - began) * 1000, "arrived": 100 * share}
    quality = eye.quality()
    return latencies | found | {key: value * (100 if key == "size" else 1) for key, value in quality.items()}


def _metric(size: str, codec: str) -> Metric:
    return Metric(
        name=f"video_{size}_{codec.lower()}",
        title=f"video, one way, {size} {codec}",
        group="media",
        about=f"{SIZES[size][0]}x{SIZES[size][1]} at 30 pictures per second, handed to the sender until the "
        "same picture comes "
        "out, recognised by bars; started at "
        f"{SIZES[size][2] / 1e6:g} Mbit/s where that can be set. Beside it, because a fast bad picture is no "
        "use: how many "
        "came, at which size, how much like what was sent. First picture: from createOffer().",
        figures=(
            Figure("p50", "p50", "ms", targets=(Target(0.5),)),
            Figure("p95", "p95", "ms"),
            Figure("p99", "p99", "ms"),
            Figure("first", "first picture", "ms"),
            Figure("psnr", "PSNR", "dB", "higher"),
            Figure("arrived", "arrived", "%", "higher", (Target(0.95, at_most=False),)),
            Figure("size", "size, of what was sent", "%", "higher", (Target(0.99, at_most=False),)),
        ),
        measure=partial(one_way, size, codec),
        rounds=6,
        settles=True,
        quick_rounds=3 if (size, codec) == ("480p", "VP8") else 0,
    )


async def full_size(subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Send 720p with nothing said about rates, until a picture comes out as large as it was."""
    pair, pace = subject.pair(), Pace(Pictures(*SIZES["720p"][:2]))
    eye, large = Eye(pace), asyncio.Event()

    def take(frame: AnyFrame, now: float) -> None:
        eye.take(frame, now)
        eye.forget()
        if (frame.width, frame.height) == SIZES["720p"][:2]:
            large.set()

    try:
        pair.send(pace, "VP8")
        pair.receive(take)
        await pair.connect()
        began = time.perf_counter()
        await asyncio.wait_for(large.wait(), _PATIENCE)
        return {"seconds": time.perf_counter() - began}
    finally:
        await pair.close()


METRICS = (
    *(_metric(size, codec) for size in SIZES for codec in ("VP8", "H264")),
    Metric(
        name="video_720p_full_size",
        title="video, until 720p is sent at full size",
        group="media",
        about="1280x720 at 30 pictures per second, VP8, default settings; from connected to the first picture of that "
        "size. libwebrtc begins small, and grows as it learns what the path carries.",
        figures=(Figure("seconds", "full size after", "s"),),
        measure=full_size,
        rounds=3,
        quick_rounds=0,
        settles=True,
        timeout=_PATIENCE + 15,
    ),
)
