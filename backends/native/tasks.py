"""The background tasks of one connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any, Final

logger = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 0.05


class Tasks:
    """Keeps tasks alive, reports their failures, and ends them together."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine on the current loop."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ConnectionError):
            logger.debug("the transport closed under a background task", exc_info=error)
        elif error is not None:
            logger.error("a background task of the connection failed", exc_info=error)

    async def cancel(self) -> None:
        """Cancel every task but the calling one, and wait until they have ended."""
        await end(self._running - {asyncio.current_task()})


async def end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel tasks and wait until they have ended."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        # Again and again, because before Python 3.12 `asyncio.wait_for` loses a cancellation that meets a result.
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
