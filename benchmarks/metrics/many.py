"""Many connections in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Final

from benchmarks.figures import quantile
from benchmarks.metric import Effort, Figure, Metric
from benchmarks.metrics.data import open_pair
from benchmarks.metrics.memory import rss
from benchmarks.subjects.base import Channel, Pair, Subject

_PINGS: Final = 2
"""Of each pair, a second apart."""


class Echo:
    """The near end of a channel whose far end sends everything back."""

    def __init__(self, near: Channel, far: Channel) -> None:
        self._send = near.send
        self._sent_at = 0.0
        self.trips: list[float] = []
        far.on_message(far.send)
        near.on_message(self._take)

    def ping(self) -> None:
        """Send a message."""
        self._sent_at = time.perf_counter()
        self._send(b"ping")

    def _take(self, _: object) -> None:
        self.trips.append(time.perf_counter() - self._sent_at)


async def crowd(count: int, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Connect many pairs at once, and ping each once a second."""
    first = subject.pair()
    await open_pair(first)
    memory, pairs = rss(), [subject.pair() for _ in range(count)]
    try:
        began = time.perf_counter()
        ends = await asyncio.gather(*(open_pair(pair) for pair in pairs))
        seconds = time.perf_counter() - began
        per_connection = (rss() - memory) * 1000 / (2 * count)
        echoes = [Echo(near, far) for near, far in ends]
        cpu = await _ping(echoes, effort.pick(_PINGS, 1))
    finally:
        await _close([first, *pairs])
    trips = [trip for echo in echoes for trip in echo.trips]
    return {
        "connect": seconds,
        "memory": per_connection,
        "cpu": cpu,
        "p99": quantile(trips, 0.99) * 1000,
    }


async def _ping(echoes: list[Echo], times: int) -> float:
    """Ping everyone, spread over each second; return the share of a core that it took, in percent."""
    wall, cpu = time.perf_counter(), time.process_time()
    for number in range(times * len(echoes)):
        await asyncio.sleep(max(0.0, wall + number / len(echoes) - time.perf_counter()))
        echoes[number % len(echoes)].ping()
    await asyncio.sleep(0.2)
    return 100 * (time.process_time() - cpu) / (time.perf_counter() - wall)


async def _close(pairs: list[Pair]) -> None:
    await asyncio.gather(*(pair.close() for pair in pairs))


def _metric(count: int, rounds: int) -> Metric:
    return Metric(
        name=f"pairs_{count}",
        title=f"{count} pairs in one process",
        group="resources",
        about="All connected at once, a data channel each; memory per connection is what they add to one pair, "
        "over twice "
        "their number. Then each is pinged once a second.",
        figures=(
            Figure("connect", "connect all", "s"),
            Figure("memory", "memory per connection", "KB"),
            Figure("cpu", "CPU while pinged", "%"),
            Figure("p99", "ping p99", "ms"),
        ),
        measure=partial(crowd, count),
        rounds=rounds,
        quick_rounds=0,
        isolated=True,
    )


METRICS = tuple(_metric(count, 3) for count in (50, 100, 250))
