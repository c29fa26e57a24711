"""What the SDK costs over the engine beneath it, and over plain aiortc."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from benchmarks.figures import quantile
from benchmarks.metric import Effort, Figure, Metric, Target
from benchmarks.metrics.data import Flood, open_pair, ping
from benchmarks.subjects.base import Subject

_MESSAGE: Final = 16384
_AT_MOST: Final = (Target(1.05, over="aiortc"),)
_AT_LEAST: Final = (Target(0.95, over="aiortc", at_most=False),)
_MAPPED: Final = 1 << 22
"""Bytes of which glibc's malloc asks the system directly, at first."""


def settle_malloc() -> None:
    """Let malloc keep large buffers from now on.

    asyncio reads each datagram into 256 KiB. glibc maps and unmaps those, at half as much again per round trip of plain
    aiortc, until a larger block has been freed: which an import does, or does not.
    """
    bytearray(_MAPPED)


async def own_cost(subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Measure one data channel, in time and in processor time."""
    settle_malloc()
    pair = subject.pair()
    try:
        near, far = await open_pair(pair)
        before = time.process_time()
        trips = await ping(near, far, effort.pick(1500, 400))
        trip_cpu = (time.process_time() - before) / len(trips)
    finally:
        await pair.close()
    pair = subject.pair()
    try:
        flood = Flood(*await open_pair(pair), bytes(_MESSAGE))
        await flood.run(0.15)
        flood.arrived, before = 0, time.process_time()
        rate = await flood.run(effort.pick(0.8, 0.3))
        message_cpu = (time.process_time() - before) / max(1, flood.arrived)
    finally:
        await pair.close()
    return {
        "trip": quantile(trips, 0.5) * 1e6,
        "trip_cpu": trip_cpu * 1e6,
        "rate": rate / 1e6,
        "message_cpu": message_cpu * 1e6,
    }


METRICS = (
    Metric(
        name="own_cost",
        title="what the SDK costs",
        group="own cost",
        about="The SDK on the native engine against plain aiortc and against that engine driven through the "
        "SPI, which is there to tell where the time goes. Processor time is what to look at on a busy machine. All "
        "have a malloc that keeps large buffers.",
        figures=(
            Figure("trip", "round trip 64 B, p50", "us", targets=_AT_MOST),
            Figure("trip_cpu", "CPU per round trip", "us", targets=_AT_MOST),
            Figure("rate", "throughput 16 KiB", "MB/s", "higher", _AT_LEAST),
            Figure("message_cpu", "CPU per 16 KiB message", "us", targets=_AT_MOST),
        ),
        measure=own_cost,
        subjects=("native", "aiortc", "bare"),
        rounds=9,
        quick_rounds=3,
    ),
)
