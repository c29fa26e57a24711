"""How much a data channel carries, and how quickly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Final

from benchmarks.figures import quantile
from benchmarks.metric import Effort, Figure, Metric, Target
from benchmarks.subjects.base import Channel, Pair, Subject

SIZES: Final = {"1k": 1024, "16k": 16384, "64k": 65536}
PING_BYTES: Final = 64
_FULL: Final = 1 << 18
"""Bytes that may be queued before the sender waits."""
_BREATH: Final = 1 << 16
"""Bytes after which the sender lets the loop do other things."""
_QUIET: Final = 0.3
"""Seconds without an arrival after which what has not come is lost."""


class Flood:
    """Sends as fast as a channel takes it, and counts what arrives.

    :param near: sends.
    :param far: receives.
    """

    def __init__(self, near: Channel, far: Channel, message: bytes) -> None:
        self._near, self._message = near, message
        self._drained = asyncio.Event()
        self.sent = self.arrived = 0
        self._arrival = asyncio.Event()
        near.on_low(_FULL // 2, self._drained.set)
        far.on_message(self._take)

    def _take(self, data: bytes) -> None:
        self.arrived += 1
        self._arrival.set()

    async def run(self, seconds: float) -> float:
        """Send for so long; return how many bytes per second arrived in that time."""
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            await self._send_some()
        return self.arrived * len(self._message) / (time.perf_counter() - began)

    async def _send_some(self) -> None:
        if self._near.buffered() > _FULL:
            self._drained.clear()
            await self._drained.wait()
        for _ in range(max(1, _BREATH // len(self._message))):
            self._near.send(self._message)
            self.sent += 1
        await asyncio.sleep(0)

    async def drain(self) -> None:
        """Wait until everything has arrived, or nothing comes any more."""
        with suppress(TimeoutError):
            while self.arrived < self.sent:
                self._arrival.clear()
                await asyncio.wait_for(self._arrival.wait(), _QUIET)


async def open_pair(pair: Pair, *, ordered: bool = True, max_retransmits: int | None = None) -> tuple[Channel, Channel]:
    """Connect a pair; return both ends of a channel."""
    near = pair.create_channel(ordered=ordered, max_retransmits=max_retransmits)
    await pair.connect()
    return near, await pair.far_channel()


async def throughput(size: int, mtu: int | None, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Measure a reliable, ordered channel."""
    pair = subject.pair(mtu=mtu)
    try:
        flood = Flood(*await open_pair(pair), bytes(size))
        await flood.run(effort.pick(0.3, 0.15))
        flood.arrived = 0
        before, arrived = time.process_time(), await flood.run(effort.pick(0.7, 0.4))
        cpu = (time.process_time() - before) / max(1, flood.arrived * size)
        return {"rate": arrived / 1e6, "cpu": cpu * 1e9}
    finally:
        await pair.close()


async def unreliable(subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Measure a channel on which nothing is sent again."""
    pair = subject.pair()
    try:
        flood = Flood(*await open_pair(pair, ordered=False, max_retransmits=0), bytes(SIZES["16k"]))
        rate = await flood.run(effort.pick(0.8, 0.5))
        await flood.drain()
        return {"rate": rate / 1e6, "share": 100 * flood.arrived / flood.sent}
    finally:
        await pair.close()


async def ping(near: Channel, far: Channel, count: int) -> list[float]:
    """Return the seconds of round trips, one after the other, from callback to callback."""
    message, done, moments = bytes(PING_BYTES), asyncio.Event(), []
    far.on_message(far.send)

    def again(_: object) -> None:
        moments.append(time.perf_counter())
        if len(moments) > count:
            done.set()
        else:
            near.send(message)

    near.on_message(again)
    again(None)
    await done.wait()
    return [after - before for before, after in pairwise(moments)]


async def round_trip(subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Measure round trips of small messages."""
    pair = subject.pair()
    try:
        near, far = await open_pair(pair)
        found = await ping(near, far, effort.pick(1500, 500))
        return {"p50": quantile(found, 0.5) * 1000, "p99": quantile(found, 0.99) * 1000}
    finally:
        await pair.close()


def _throughput_metric(name: str, size: int) -> Metric:
    return Metric(
        name=f"throughput_{name}",
        title=f"data throughput, {size // 1024} KiB messages",
        group="data",
        about="Reliable and ordered, one direction, both ends in one process, 256 KiB queued at most: what "
        "arrives per second, "
        "and the processor time of both ends.",
        figures=(
            Figure("rate", "rate", "MB/s", "higher", (Target(1.0, at_most=False),) if name == "16k" else ()),
            Figure("cpu", "CPU per byte", "ns"),
        ),
        measure=partial(throughput, size, None),
        quick_rounds=3 if name == "16k" else 0,
    )


METRICS = (
    *(_throughput_metric(name, size) for name, size in SIZES.items()),
    Metric(
        name="throughput_small_packets",
        title="data throughput, 16 KiB messages in packets of 1280 bytes",
        group="data",
        about="As above, on a path that carries no more than IPv6 promises: loopback lets packets grow to 16 KiB.",
        figures=(Figure("rate", "rate", "MB/s", "higher"), Figure("cpu", "CPU per byte", "ns")),
        measure=partial(throughput, SIZES["16k"], 1280),
        quick_rounds=0,
    ),
    Metric(
        name="unordered",
        title="data throughput, unordered, maxRetransmits 0, 16 KiB",
        group="data",
        about="As fast as the channel takes it; of what was sent, the share that has arrived when nothing comes "
        "any more.",
        figures=(
            Figure("rate", "delivered", "MB/s", "higher"),
            Figure("share", "share delivered", "%", "higher"),
        ),
        measure=unreliable,
        quick_rounds=0,
    ),
    Metric(
        name="round_trip",
        title="data round trip, 64 B",
        group="data",
        about="One message at a time, sent back from the callback of the far end, both ends in one process.",
        figures=(Figure("p50", "p50", "ms"), Figure("p99", "p99", "ms")),
        measure=round_trip,
        rounds=7,
    ),
)
