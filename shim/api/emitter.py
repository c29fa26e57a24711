"""Event emission as aiortc applications know it, and async iteration over events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from pyee.asyncio import AsyncIOEventEmitter

_END: Final = object()


class Emitter(AsyncIOEventEmitter):
    """Base of every object with events. Handlers may be functions or coroutine functions."""

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:  # noqa: ANN401 - whatever handlers take
        """Call the handlers of an event; say whether there are any.

        :raises Exception: the argument of an ``error`` that nobody handles.
        """
        # Most events have no handler, and pyee makes a list of none under a lock.
        if event not in self._events and event != "error":
            return False
        return super().emit(event, *args, **kwargs)

    def _iterate(self, event: str, end: str) -> AsyncIterator[Any]:
        """Yield the argument of each `event` until `end` is emitted. Listens from now on."""
        queue: asyncio.Queue[Any] = asyncio.Queue()
        put = queue.put_nowait
        self.add_listener(event, put)
        self.add_listener(end, lambda *_: put(_END))

        def stop() -> None:
            if put in self.listeners(event):
                self.remove_listener(event, put)

        return self._consume(queue, stop)

    @staticmethod
    async def _consume(queue: asyncio.Queue[Any], stop: Callable[[], None]) -> AsyncIterator[Any]:
        try:
            while (item := await queue.get()) is not _END:
                yield item
        finally:
            stop()


class Done:
    """What a method returns that aiortc made synchronous and W3C asynchronous: may be awaited or ignored."""

    def __await__(self) -> Iterator[None]:
        return iter(())


DONE: Final = Done()
