"""Memory of a process: idle, with a data channel, with a call, and when all is closed."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from pathlib import Path

from benchmarks import machine
from benchmarks.media import Bursts, Ear, Eye, Pictures
from benchmarks.metric import Effort, Figure, Metric, Target
from benchmarks.metrics.data import open_pair
from benchmarks.pacing import Pace
from benchmarks.subjects.base import Subject


async def resident(subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Return the memory after each step, in MB (10^6 bytes). Needs a process that has done nothing yet."""
    found = {"imported": rss()}
    pair = subject.pair()
    try:
        found["created"] = rss()
        await open_pair(pair)
        found["data"] = rss()
    finally:
        await pair.close()
    found["audio"], _ = await call(subject, effort.pick(0.8, 0.5), video=False)
    found["call"], found["own"] = await call(subject, effort.pick(3.0, 1.0), video=True)
    found["after"] = rss()
    found["per_core"] = found["call"] / machine.cores()
    return found


async def call(subject: Subject, seconds: float, *, video: bool) -> tuple[float, float]:
    """Return the memory during a call, and the part of it that no file is behind, in MB. All is closed after it.

    :param seconds: from the connection to the measurement.
    """
    pair, sound, pictures = subject.pair(), Pace(Bursts()), Pace(Pictures(640, 480))
    ear, eye = Ear(sound), Eye(pictures)

    def take(frame: object, now: float) -> None:
        # Nothing is kept: the memory of what measures is not the subject's.
        (eye if hasattr(frame, "width") else ear).take(frame, now)  # type: ignore[arg-type]
        eye.forget()

    try:
        pair.send(sound)
        if video:
            pair.send(pictures, "VP8")
        pair.receive(take)
        await pair.connect()
        await asyncio.sleep(seconds)
        return rss(), anonymous()
    finally:
        await pair.close()


def rss() -> float:
    """Return the memory of this process in MB, garbage collected."""
    from shim.calls.usage import rss_mib

    gc.collect()
    return rss_mib() * (1 << 20) / 1e6


def anonymous() -> float:
    """Return the part of the memory in MB that no file is behind: 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) for line in lines if line.startswith("Anonymous:")) * 1024 / 1e6


METRICS = (
    Metric(
        name="memory",
        title="memory of a process",
        group="resources",
        about="Resident set in a process of its own: libraries loaded; two connections created, and not connected yet; "
        "with a data channel between them; during a call with Opus; during a call with Opus and VP8 640x480 at 30 per "
        "second in one direction, both ends in the process (as much coding as one end of a call in both directions); "
        "with all of these closed, after a garbage collection. The interpreter and what measures are in it: about "
        "20 MB, for everyone.",
        figures=(
            Figure("imported", "imported", "MB"),
            Figure("created", "two connections, idle", "MB"),
            Figure("data", "one data pair", "MB"),
            Figure("audio", "audio call", "MB"),
            Figure("call", "audio + video call", "MB", targets=(Target(0.67),)),
            Figure("after", "all closed", "MB"),
            Figure("own", "of it not of files", "MB", "neither"),
            Figure("per_core", "call, per core", "MB", targets=(Target(32, over=None),)),
        ),
        measure=resident,
        rounds=3,
        quick_rounds=3,
        isolated=True,
    ),
)
