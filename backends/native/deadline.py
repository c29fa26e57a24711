"""A timer that is moved far more often than it goes off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls a function when its time has come. To move it costs no new timer.

    :param call: called once for each time that the deadline passes.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def move(self, seconds: float) -> asyncio.TimerHandle:
        """Set it to so many seconds from now; return the timer that will look at it."""
        self._due = due = self._loop.time() + seconds
        timer = self._timer
        if timer is not None and timer.when() <= due:
            return timer
        if timer is not None:
            timer.cancel()
        self._timer = timer = self._loop.call_at(due, self._look)
        return timer

    def clear(self) -> None:
        """Do not call, unless it is moved again."""
        self._due = None

    def close(self) -> None:
        """Clear it, and leave no timer behind."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self._due = None
            self._call()
