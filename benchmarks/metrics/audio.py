"""How long sound takes from frame in to same frame out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from benchmarks.figures import quantile
from benchmarks.media import Bursts, Ear
from benchmarks.metric import Effort, Figure, Metric, Target
from benchmarks.pacing import Pace
from benchmarks.subjects.base import Subject

_SETTLE: Final = (0.8, 0.6)
"""Seconds that a jitter buffer gets to find its size; in a quick run."""
_LATEST: Final = 0.3
"""Seconds within which a burst must have come to count as arrived."""


async def one_way(subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Send bursts of sound."""
    pair, pace = subject.pair(), Pace(Bursts())
    ear = Ear(pace)
    try:
        pair.send(pace)
        pair.receive(ear.take)
        began = time.perf_counter()
        await pair.connect()
        await asyncio.sleep(effort.pick(*_SETTLE))
        ear.latencies.clear()
        since = time.perf_counter()
        await asyncio.sleep(effort.pick(3.0, 1.0))
        share = ear.arrived(since, time.perf_counter() - _LATEST)
    finally:
        await pair.close()
    if not ear.latencies:
        raise RuntimeError("no sound was recognised at the far end")
    latencies = {f"p{share}": quantile(ear.latencies, share / 100) * 1000 for share in (50, 95, 99)}
    return latencies | {"first": ((ear.first_at or began) - began) * 1000, "arrived": 100 * share}


METRICS = (
    Metric(
        name="audio",
        title="audio, one way",
        group="media",
        about="A frame of 20 ms handed to the sender until the frame in which it begins comes out of the receiver; "
        "the 20 ms themselves are not counted. Opus, 48 kHz stereo, recognised by pitch, default settings; beside it "
        "the share of bursts that was. "
        "First sound: from "
        "createOffer().",
        figures=(
            Figure("p50", "p50", "ms", targets=(Target(0.2), Target(3, over=None))),
            Figure("p95", "p95", "ms"),
            Figure("p99", "p99", "ms"),
            Figure("first", "first sound", "ms"),
            Figure("arrived", "arrived", "%", "higher", (Target(0.95, at_most=False),)),
        ),
        measure=one_way,
        rounds=6,
        settles=True,
    ),
)
