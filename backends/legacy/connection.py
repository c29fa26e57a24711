"""A C++ peer connection seen from Python: its handle, its requests, and its release."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from backends.legacy import errors
from backends.legacy.config import ConfigHandle
from backends.legacy.eventqueue import DONE, EventQueue, EventStruct
from backends.legacy.runtime import Runtime, owners
from shim.spi.engines import EngineConfig
from shim.spi.errors import InvalidStateError, ShimError

T = TypeVar("T")
Refusal = Callable[[int, str, str], ShimError]
"""Makes an error from a code, the message and, for a description, the offending line."""


class Part(Protocol):
    """Something of a connection that holds tasks or native objects."""

    def release(self) -> None:
        """End it; nothing may be posted. Any thread."""
        ...


class Connection:
    """The handle of a C++ connection, and everything that must be freed with it.

    Knows nothing of the engine that uses it, so that the engine can be collected and its finalizer can call
    `release` here.
    """

    def __init__(self, runtime: Runtime, config: EngineConfig) -> None:
        self.library = runtime.library
        self.ffi = runtime.library.ffi
        self.lib = runtime.library.lib
        self.config = config
        self.factory = runtime.factory()
        self.owner = next(owners)
        self._runtime = runtime
        self.closed = False
        self.senders: set[Part] = set()
        # Weakly: a sink may lead to what the application holds, and so to the engine that is to be collected.
        self.receivers: weakref.WeakSet[Part] = weakref.WeakSet()
        self._pending: set[asyncio.Future[Any]] = set()
        self._start_bitrate_set = False
        with ConfigHandle(self.library, config) as handle:
            self.queue: EventQueue = runtime.acquire_queue()
            self.handle: int = self.lib.rtc_pc_new(self.factory, self.queue.handle, handle, self.owner)
        if self.handle < 0:
            self.queue.release()
        self.check(self.handle, "creating a peer connection")
        self._apply_bitrate(config.bitrate.start)

    def check(self, result: int, what: str) -> int:
        """Return `result` if the call succeeded; raise its error otherwise."""
        return errors.check(self.library, result, what)

    def request(
        self,
        what: str,
        submit: Callable[[int], int],
        convert: Callable[[EventStruct], T],
        refuse: Refusal | None = None,
    ) -> asyncio.Future[T]:
        """Start an asynchronous call and return the future of its result.

        :param submit: makes the call with a request number.
        :param convert: makes the result from the answer; runs in order with the other events, even if nobody
            waits for the result any more.
        :param refuse: makes the error of an answer that is one.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)

        def answered(event: EventStruct) -> None:
            try:
                result = convert(self._successful(event, what, refuse))
            except Exception as exc:
                if not future.done():
                    future.set_exception(exc)
                return
            if not future.done():
                future.set_result(result)

        number = self.queue.expect(answered)
        accepted = submit(number)
        if accepted < 0:
            self.queue.forget(number)
            text = self.library.last_error()
            future.cancel()
            raise refuse(accepted, text, "") if refuse else errors.error_for(accepted, what, text)
        return future

    def _successful(self, event: EventStruct, what: str, refuse: Refusal | None) -> EventStruct:
        if event.type == DONE:
            return event
        code, text = event.i0, self.library.text(event.data, event.len)
        if refuse is None:
            raise errors.error_for(code, what, text)
        raise refuse(code, text, self.library.text(event.data2, event.len2))

    def suggest_start_bitrate(self, bitrate: int) -> None:
        """Start the bandwidth estimate here, unless the application chose a value. First call counts."""
        if not self._start_bitrate_set:
            self._apply_bitrate(bitrate)

    def _apply_bitrate(self, start: int | None) -> None:
        bounds = self.config.bitrate
        if start is None and bounds.min is None and bounds.max is None:
            return
        self._start_bitrate_set = start is not None
        if start is not None:
            start = max(bounds.min or 0, min(start, bounds.max or start))
        result = self.lib.rtc_pc_set_bitrate(self.handle, bounds.min or 0, start or 0, bounds.max or 0)
        if not self.closed:
            self.check(result, "setting bitrate bounds")

    def reconfigure(self, config: EngineConfig) -> None:
        """Take over what a new configuration changes outside libwebrtc's own."""
        changed, self.config = config.bitrate != self.config.bitrate, config
        if changed:
            self._apply_bitrate(config.bitrate.start)

    def release(self) -> None:
        """Free everything: native objects, tasks, the queue if nobody else uses it. Any thread, any time, once."""
        self.detach()
        if not self._runtime.forked:
            self.lib.rtc_pc_free(self.handle)
            self.queue.release()

    async def close(self) -> None:
        """Free everything, once, without keeping the loop waiting for libwebrtc's threads."""
        self.detach()
        self.abandon_requests()
        if self._runtime.forked:
            return
        # libwebrtc takes milliseconds to take a connection down. A thread of its own, as one of the loop's pool
        # would stay behind.
        finished = asyncio.get_running_loop().create_future()
        thread = threading.Thread(target=self._free, args=(finished,), name="legacy-close")
        thread.start()
        try:
            await finished
        finally:
            self.queue.release()
        thread.join()

    def _free(self, finished: asyncio.Future[None]) -> None:
        self.lib.rtc_pc_free(self.handle)
        # The loop may have ended without waiting.
        with contextlib.suppress(RuntimeError):
            finished.get_loop().call_soon_threadsafe(_resolve, finished)

    def detach(self) -> None:
        """End all media, and ignore events from now on."""
        self.closed = True
        if self._runtime.forked:  # what was inherited belongs to the parent
            return
        self.end_media()
        self.queue.unsubscribe(self.owner)

    @property
    def gone(self) -> bool:
        """Whether native objects are freed with the connection, or belong to another process."""
        return self.closed or self._runtime.forked

    def end_media(self) -> None:
        """End every sender and receiver."""
        for part in (*self.senders, *self.receivers):
            part.release()
        self.senders.clear()
        self.receivers.clear()

    def abandon_requests(self) -> None:
        """Fail whatever still waits for an answer."""
        for future in tuple(self._pending):
            if not future.done():
                future.set_exception(InvalidStateError("the connection was closed meanwhile", backend="legacy"))


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
