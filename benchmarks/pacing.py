"""Media at its own pace: tracks which note when each frame was handed over, and what making it cost."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from benchmarks.metric import AnyFrame


class Source(Protocol):
    """Makes frames."""

    kind: Any
    interval: float
    """Seconds from one frame to the next."""

    def make(self, index: int) -> AnyFrame:
        """Return the frame of this number."""
        ...


class Pace:
    """A camera or a microphone: a frame exists at its time, and is lost if nobody fetches it.

    :param source: makes the frames.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.sent_at: dict[int, float] = {}
        self.cost = 0.0
        """Processor seconds that making frames took so far."""
        self._started: float | None = None
        self._index = -1

    async def next(self) -> AnyFrame:
        """Return the next frame when its time has come."""
        index = self._next_index()
        before = time.thread_time()
        frame = self.source.make(index)
        self.cost += time.thread_time() - before
        assert self._started is not None
        await asyncio.sleep(max(0.0, self._started + index * self.source.interval - time.perf_counter()))
        self.sent_at[index] = time.perf_counter()
        return frame

    def due(self, index: int) -> float:
        """Return when a frame should have been handed over."""
        return (self._started or 0.0) + index * self.source.interval

    def _next_index(self) -> int:
        now = time.perf_counter()
        if self._started is None:
            self._started = now
        # A frame may be a little late, as from any device; one that is over is not made.
        self._index = max(self._index + 1, int((now - self._started) / self.source.interval))
        return self._index


def paced_track(base: type, pace: Pace) -> Any:  # noqa: ANN401 - of any library
    """Return a track of the class that a library sends."""

    async def recv(_: object) -> AnyFrame:
        return await pace.next()

    return type("PacedTrack", (base,), {"kind": pace.source.kind, "recv": recv})()
