"""The way events come from libwebrtc's threads to an event loop: a C queue with an eventfd, drained in batches."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final, Protocol

from backends.legacy.errors import check
from backends.legacy.ffi import Library

logger = logging.getLogger(__name__)

BATCH: Final = 256
DONE: Final = 1
ERROR: Final = 2
VIDEO_FRAME: Final = 61

EventStruct = Any
"""A ``struct rtc_event``: valid until the handler that it was given to returns."""


class Target(Protocol):
    """Something that receives the events of one owner number."""

    def on_event(self, event: EventStruct) -> None: ...


class EventQueue:
    """One queue of one event loop, shared by the connections that were made on it.

    Holds its targets weakly: a connection that nobody holds can go, although events may come for it.
    """

    def __init__(self, library: Library) -> None:
        fd = library.ffi.new("int *")
        self._library = library
        self.handle = check(library, library.lib.rtc_queue_new(fd), "creating an event queue")
        self._fd: int = fd[0]
        self._events = library.ffi.new("rtc_event[]", BATCH)
        self._targets: dict[int, weakref.ref[Target]] = {}
        self._requests: dict[int, Callable[[EventStruct], None]] = {}
        self._numbers = itertools.count(1)
        self._loop: weakref.ref[asyncio.AbstractEventLoop] | None = None
        self._thread = 0
        self._users = 0
        self._lock = threading.RLock()  # re-entrant: the garbage collector may release a user at any point
        self._draining = False

    def serves(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Tell whether this is a living queue of that loop."""
        return self.handle != 0 and self._loop is not None and self._loop() is loop

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver on this loop, which runs on the calling thread; what waits comes first."""
        self._loop = weakref.ref(loop)
        self._thread = threading.get_ident()
        loop.add_reader(self._fd, self.drain)

    @property
    def bound(self) -> bool:
        """Whether a loop drains the queue."""
        return self._loop is not None

    def acquire(self) -> EventQueue:
        """Count one more user; returns the queue."""
        with self._lock:
            self._users += 1
        return self

    def release(self) -> None:
        """Count one user less; the last one frees the queue. Any thread."""
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last:
            self._on_loop_thread(self._free)

    def subscribe(self, owner: int, target: Target) -> None:
        """Deliver events of `owner` to `target`, while someone holds it."""
        self._targets[owner] = weakref.ref(target)

    def unsubscribe(self, owner: int) -> None:
        """Ignore events of `owner` from now on."""
        self._targets.pop(owner, None)

    def expect(self, handler: Callable[[EventStruct], None]) -> int:
        """Return a new request number whose one answer goes to `handler`."""
        number = next(self._numbers)
        self._requests[number] = handler
        return number

    def forget(self, request: int) -> None:
        """Take back a request that was not accepted."""
        self._requests.pop(request, None)

    def drain(self) -> None:
        """Deliver one batch; the eventfd stays readable while more waits, so other callbacks get their turn."""
        if not self.handle or self._draining:
            return
        self._draining = True
        try:
            for index in range(self._library.lib.rtc_queue_drain(self.handle, self._events, BATCH)):
                self._deliver_safely(self._events[index])
        finally:
            self._draining = False
        if self._users == 0:
            self._free()

    def _deliver_safely(self, event: EventStruct) -> None:
        try:
            self._deliver(event)
        except Exception:
            logger.exception("an event of libwebrtc could not be handled")

    def _deliver(self, event: EventStruct) -> None:
        reference = self._targets.get(event.owner)
        target = None if reference is None else reference()
        if event.type <= ERROR:
            handler = self._requests.pop(event.request, None)
            if handler is not None:
                handler(event)
        elif target is not None:
            target.on_event(event)
        elif event.type == VIDEO_FRAME:
            self._library.lib.rtc_frame_free(event.object)

    def _on_loop_thread(self, action: Callable[[], None]) -> None:
        loop = None if self._loop is None else self._loop()
        if loop is None or loop.is_closed() or threading.get_ident() == self._thread:
            action()
            return
        try:
            loop.call_soon_threadsafe(action)
        except RuntimeError:  # closed meanwhile
            action()

    def _free(self) -> None:
        with self._lock:
            # The events being delivered point into the queue, and a new user may have come since.
            if self._draining or self._users or not self.handle:
                return
            handle, self.handle = self.handle, 0
        loop = None if self._loop is None else self._loop()
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._fd)
        self._library.lib.rtc_queue_free(handle)
        self._targets.clear()
        self._requests.clear()
