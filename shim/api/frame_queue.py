"""The bounded queue between an engine's threads and an application's ``recv()``."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from shim.spi.errors import MediaStreamError

QueuePolicy = Literal["latest", "drop_oldest", "block"]
"""What happens to a frame that finds the queue full.

* ``latest``: the queue holds one frame, the newest.
* ``drop_oldest``: the oldest frame makes room.
* ``block``: what is queued stays. A producer that may wait (an application's thread in ``PushTrack.push``) waits
  for room; one that may not (the network) drops the new frame.
"""
POLICIES: Final = ("latest", "drop_oldest", "block")

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class QueueStats:
    """What a queue has done so far.

    :param delivered: frames handed to the application.
    :param dropped: frames that nobody will see.
    :param queued: frames waiting now.
    """

    delivered: int
    dropped: int
    queued: int


class _Waiter:
    """A ``get()`` that found nothing; woken from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.future: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> None:
        if threading.get_ident() == self._thread:
            self._resolve()
            return
        with suppress(RuntimeError):  # its loop has been closed, and the waiter with it
            self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class FrameQueue(Generic[_Item]):
    """Frames from any thread to coroutines. A frame that nobody waits for wakes no loop.

    :param policy: see :data:`QueuePolicy`.
    :param maxsize: frames that it holds at most; at least 1.
    :raises ValueError: another policy or size.
    """

    def __init__(self, policy: QueuePolicy, maxsize: int) -> None:
        self._items: deque[_Item] = deque()
        self._waiters: deque[_Waiter] = deque()
        self._room = threading.Condition(threading.Lock())
        self._delivered = 0
        self._dropped = 0
        self._ended = False
        self._policy: QueuePolicy = policy
        self._maxsize = maxsize
        self.configure(policy, maxsize)

    def configure(self, policy: QueuePolicy, maxsize: int) -> None:
        """Change policy and size; what no longer fits is dropped."""
        if policy not in POLICIES:
            raise ValueError(f"queue policy must be one of {', '.join(POLICIES)} (got {policy!r})")
        if maxsize < 1:
            raise ValueError(f"queue maxsize must be at least 1 (got {maxsize})")
        with self._room:
            self._policy, self._maxsize = policy, 1 if policy == "latest" else maxsize
            while len(self._items) > self._maxsize:
                self._drop_one()
            self._room.notify_all()

    @property
    def stats(self) -> QueueStats:
        """Counts so far."""
        with self._room:
            return QueueStats(self._delivered, self._dropped, len(self._items))

    @property
    def is_ended(self) -> bool:
        """Whether nothing more is let in."""
        return self._ended

    @property
    def is_drained(self) -> bool:
        """Whether nothing will come out any more."""
        return self._ended and not self._items

    def put(self, item: _Item, *, wait: bool = False, timeout: float | None = None) -> bool:
        """Add a frame, from any thread; tell whether it was queued.

        :param wait: with the policy ``block``, wait for room.
        :param timeout: seconds to wait at most.
        """
        with self._room:
            if wait and self._policy == "block":
                self._room.wait_for(self._has_room, timeout)
            if self._ended or not self._make_room():
                self._dropped += 1
                return False
            self._items.append(item)
            waiter = self._waiters.popleft() if self._waiters else None
        if waiter is not None:
            waiter.wake()
        return True

    def end(self) -> None:
        """Let nothing more in. What is queued can still be read. Any thread."""
        with self._room:
            self._ended = True
            waiters, self._waiters = self._waiters, deque()
            self._room.notify_all()
        for waiter in waiters:
            waiter.wake()

    def discard(self) -> None:
        """End, and drop what is queued."""
        with self._room:
            self._dropped += len(self._items)
            self._items.clear()
        self.end()

    async def get(self) -> _Item:
        """Return the next frame, waiting for it.

        :raises MediaStreamError: the end has been reached.
        """
        while True:
            with self._room:
                if self._items:
                    self._delivered += 1
                    self._room.notify()
                    return self._items.popleft()
                if self._ended:
                    raise MediaStreamError("the track has ended")
                waiter = _Waiter()
                self._waiters.append(waiter)
            await self._wait(waiter)

    async def _wait(self, waiter: _Waiter) -> None:
        try:
            await waiter.future
        except asyncio.CancelledError:
            self._forget(waiter)
            raise

    def _forget(self, waiter: _Waiter) -> None:
        """Drop a waiter that was cancelled; if a frame woke it, the next one must be told instead."""
        with self._room:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                return
            successor = self._waiters.popleft() if self._items and self._waiters else None
        if successor is not None:
            successor.wake()

    def _has_room(self) -> bool:
        return self._ended or len(self._items) < self._maxsize

    def _make_room(self) -> bool:
        if len(self._items) < self._maxsize:
            return True
        if self._policy == "block":
            return False
        self._drop_one()
        return True

    def _drop_one(self) -> None:
        if self._policy == "block":
            self._items.pop()
        else:
            self._items.popleft()
        self._dropped += 1
