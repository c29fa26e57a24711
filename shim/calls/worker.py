"""Work beside the call, on a thread of its own whose processor time is known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Worker:
    """Runs what it is given one after the other, on one thread.

    :param name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._pending = 0
        self._failure: BaseException | None = None

    @property
    def pending(self) -> int:
        """How much waits or runs."""
        return self._pending

    def put(self, work: Callable[[], object]) -> None:
        """Run something soon. Call it on one thread only."""
        self._pending += 1
        self._pool.submit(work).add_done_callback(self._done)

    async def flush(self) -> float:
        """Wait until everything put so far has run; return the processor seconds that the thread has used.

        :raises Exception: what the first piece of work that failed raised.
        """
        used = await asyncio.wrap_future(self._pool.submit(time.thread_time))
        if self._failure is not None:
            raise self._failure
        return used

    def close(self) -> None:
        """End the thread after what runs now; what waits is forgotten."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _done(self, future: Future[object]) -> None:
        self._pending -= 1
        if not future.cancelled() and self._failure is None:
            self._failure = future.exception()
