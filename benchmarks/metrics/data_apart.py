"""How much a data channel carries from one process to another."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from benchmarks.metric import Effort, Figure, Metric, Target
from benchmarks.metrics.data import SIZES, Flood
from benchmarks.subjects.base import Channel, Subject
from benchmarks.subjects.peers import as_channel, words_of

if TYPE_CHECKING:
    from benchmarks.subjects.peers import ApiPair

_GRACE: Final = 10.0


class FarEnd:
    """The process at the far end.

    :param process: runs :mod:`benchmarks.far`.
    """

    def __init__(self, process: Process) -> None:
        self._process = process

    async def ask(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Return its answer.

        :raises RuntimeError: it has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wish).encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the far end's process ended with status {await self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _GRACE)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def _start(subject: Subject) -> FarEnd:
    program = (sys.executable, "-P", "-m", "benchmarks.far", subject.name)
    return FarEnd(await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE, limit=1 << 20))


async def _open(pair: ApiPair, far: FarEnd) -> Channel:
    channel, is_open = pair.near.createDataChannel("bench"), asyncio.Event()
    channel.on("open", is_open.set)
    await pair.near.setLocalDescription(await pair.near.createOffer())
    answer = await far.ask(words_of(pair.near.localDescription))
    await pair.near.setRemoteDescription(pair.description(answer))
    await is_open.wait()
    return as_channel(channel)


async def apart(size: int, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Send from this process to another."""
    pair: Any = subject.pair()
    far = await _start(subject)
    try:
        near = await _open(pair, far)
        deaf = Channel(near.send, near.buffered, on_message=lambda _: None, on_low=near.on_low)
        flood = Flood(near, deaf, bytes(size))
        await flood.run(effort.pick(0.4, 0.2))
        before, cpu, began = await far.ask({}), time.process_time(), time.perf_counter()
        await flood.run(effort.pick(1.0, 0.5))
        after, seconds = await far.ask({}), time.perf_counter() - began
        arrived = max(1, after["bytes"] - before["bytes"])
        spent = time.process_time() - cpu + after["cpu"] - before["cpu"]
        return {"rate": arrived / seconds / 1e6, "cpu": spent / arrived * 1e9}
    finally:
        await far.close()
        await pair.close()


def _metric(name: str) -> Metric:
    return Metric(
        name=f"apart_{name}",
        title=f"data throughput between two processes, {SIZES[name] // 1024} KiB messages",
        group="data",
        about="Reliable and ordered, one direction, each end in a process of its own, 256 KiB queued at most: what "
        "arrives per second, and the processor time of both.",
        figures=(
            Figure("rate", "rate", "MB/s", "higher", (Target(1.0, at_most=False),) if name == "16k" else ()),
            Figure("cpu", "CPU per byte", "ns"),
        ),
        measure=partial(apart, SIZES[name]),
        rounds=6 if name == "16k" else 4,
        quick_rounds=0,
        settles=True,
    )


METRICS = tuple(_metric(name) for name in SIZES)
