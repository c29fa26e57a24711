"""Processor time of a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Final

from benchmarks.media import Bursts, Ear, Eye, Pictures
from benchmarks.metric import Effort, Figure, Metric
from benchmarks.pacing import Pace, Source
from benchmarks.subjects.base import Subject

_SETTLE: Final = 1.0


async def processor_time(video: bool, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Let media flow; return processor seconds per minute, without those of making frames."""
    source: Source = Pictures(1280, 720) if video else Bursts()
    pair, pace = subject.pair(bitrate=2_500_000), Pace(source)
    ear, eye = Ear(pace), Eye(pace)
    try:
        pair.send(pace, "VP8" if video else None)
        pair.receive(eye.take if video else ear.take)
        await pair.connect()
        await asyncio.sleep(_SETTLE)
        wall, cpu, cost = time.perf_counter(), time.process_time(), pace.cost
        await asyncio.sleep(effort.pick(3.0, 1.5))
        used = time.process_time() - cpu - (pace.cost - cost)
        per_minute = 60 * used / (time.perf_counter() - wall)
    finally:
        await pair.close()
    return {"cpu": per_minute} | {key: value for key, value in eye.quality().items() if key == "psnr"}


def _metric(name: str, title: str, video: bool) -> Metric:
    quality = (Figure("psnr", "PSNR", "dB", "higher"),) if video else ()
    return Metric(
        name=name,
        title=title,
        group="resources",
        about="Processor time of all threads while media flows in one direction, sender and receiver in one "
        "process: as much "
        "coding as one end of a call in both directions. What making the frames costs is taken off.",
        figures=(Figure("cpu", "CPU s per minute", "s"), *quality),
        measure=partial(processor_time, video),
        rounds=3,
        settles=True,
        quick_rounds=0,
    )


METRICS = (
    _metric("cpu_audio", "processor time of an audio call", video=False),
    _metric("cpu_video", "processor time of a 720p30 VP8 call", video=True),
)
