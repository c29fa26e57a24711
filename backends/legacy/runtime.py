"""What one process holds once: the libwebrtc factory, shared by all connections, and its orderly end."""

from __future__ import annotations

import asyncio
import atexit
import itertools
import os
import threading
import weakref
from typing import Final

from backends.legacy.errors import check
from backends.legacy.eventqueue import EventQueue
from backends.legacy.ffi import Library, load
from shim.spi.errors import BackendUnavailableError

_lock: Final = threading.RLock()  # re-entrant: a finalizer may run while its own thread holds it
_runtimes: list[Runtime] = []
owners: Final = itertools.count(1)
"""Numbers for what receives events. Far below handles, which are above 2**48."""


class Runtime:
    """The factory, made when the first connection is, and the event queue of each event loop.

    The factory's threads live until :func:`shutdown` or the end of the process: to make them anew for each
    connection would cost more than the connection.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.pid = os.getpid()
        self._factory = 0
        self._queues: weakref.WeakValueDictionary[int, EventQueue] = weakref.WeakValueDictionary()
        # Interpreters that exit with open connections crash now and then unless everything is freed first.
        atexit.register(self.shutdown)

    @property
    def forked(self) -> bool:
        """Whether this is a copy in a child process, where libwebrtc's threads do not exist."""
        return self.pid != os.getpid()

    def factory(self) -> int:
        """Return the factory's handle; the first call starts libwebrtc's threads."""
        with _lock:
            if not self._factory:
                handle = self.library.lib.rtc_factory_new(self.library.ffi.NULL)
                self._factory = check(self.library, handle, "starting libwebrtc")
            return self._factory

    def acquire_queue(self) -> EventQueue:
        """Return the queue of the running loop, or a fresh one if no loop runs. The caller releases it."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return EventQueue(self.library).acquire()
        with _lock:
            queue = self._queues.get(id(loop))
            if queue is None or not queue.serves(loop):
                queue = EventQueue(self.library)
                queue.bind(loop)
                self._queues[id(loop)] = queue
            return queue.acquire()

    def shutdown(self) -> None:
        """Close every connection and join libwebrtc's threads. Does nothing in a forked child."""
        with _lock:
            if not self.forked:
                self.library.lib.rtc_shutdown_all()
            self._factory = 0
            self._queues.clear()


def current() -> Runtime:
    """Return the runtime of this process.

    :raises BackendUnavailableError: the library is missing, or this process was forked from one that used it.
    """
    with _lock:
        if not _runtimes:
            _runtimes.append(Runtime(load()))
        runtime = _runtimes[0]
    if runtime.forked:
        raise BackendUnavailableError(
            "backend legacy: this process was forked from one in which libwebrtc was running, and its threads do not "
            'exist here. Start the process with multiprocessing\'s "spawn" method, or before the first connection.',
            backend="legacy",
        )
    return runtime


def shutdown() -> None:
    """Close every connection of this process and end libwebrtc's threads; the next connection starts them again."""
    with _lock:
        runtimes = tuple(_runtimes)
    for runtime in runtimes:
        runtime.shutdown()
