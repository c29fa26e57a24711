"""The one sink: events from any thread, delivered in order on the loop that owns the connection."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

from shim.spi.events import Event


class Sink:
    """Delivers what an engine posts to one receiver, in order.

    An event posted on the owning loop's thread is delivered at once, unless a delivery is going on
    (then right after it); one from another thread wakes the loop. Nothing is dropped: media does not
    come this way. A receiver that raises is reported to the loop's exception handler and does not stop
    the events that follow.

    :param receive: called on the loop's thread, once per event.
    """

    def __init__(self, receive: Callable[[Event], None]) -> None:
        self._receive: Callable[[Event], None] | None = receive
        self._events: deque[Event] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._draining = False
        self._scheduled = False

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver on this loop, which runs on the calling thread. What was posted before comes first."""
        self._loop = loop
        self._thread = threading.get_ident()
        self._drain()

    def close(self) -> None:
        """Deliver nothing any more."""
        self._receive = None
        self._events.clear()

    def post(self, event: Event) -> None:
        """Deliver an event. Any thread; never blocks."""
        self._events.append(event)
        if self._loop is None:
            return
        if threading.get_ident() == self._thread:
            self._drain()
        elif not self._scheduled:
            # A second wake-up is harmless, a missing one is not: the flag is cleared before draining.
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # the loop has been closed: nobody is left to tell
                self._events.clear()

    def _wake(self) -> None:
        self._scheduled = False
        self._drain()

    def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        try:
            while self._events and self._receive is not None:
                try:
                    self._receive(self._events.popleft())
                except Exception as exc:
                    self._report(exc)
        finally:
            self._draining = False

    def _report(self, exc: Exception) -> None:
        assert self._loop is not None
        self._loop.call_exception_handler({"message": "an event handler raised", "exception": exc})
