"""Running an engine's coroutines: one start, the operations chain, and an end that nothing can hold up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from shim._core.sink import Sink
from shim.api.guard import EngineGuard
from shim.spi.engines import PeerEngine
from shim.spi.errors import InvalidStateError

T = TypeVar("T")
HOLD_SECONDS: Final = 3600.0


class Operations:
    """The operations chain of one connection (webrtc-pc section 4.4.1.2) over its engine.

    Bound to the running loop at creation if there is one, else by the first coroutine.

    :param engine: started by the first operation.
    """

    def __init__(self, engine: PeerEngine, sink: Sink, guard: EngineGuard) -> None:
        self._engine = engine
        self._sink = sink
        self._guard = guard
        self._started: asyncio.Task[None] | None = None
        self._aborted: asyncio.Future[None] | None = None
        self._anchor: asyncio.TimerHandle | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._chain = asyncio.Lock()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver events on this loop from now on; the second time nothing happens."""
        if self.loop is None:
            self.loop = loop
            self._aborted = loop.create_future()
            self._sink.bind(loop)

    @asynccontextmanager
    async def step(self) -> AsyncIterator[None]:
        """Take a step of the negotiation: one after the other, and with errors that name the backend."""
        async with self._chain:
            with self._guard.naming():
                yield

    async def run(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine of the engine.

        :raises InvalidStateError: the connection was closed meanwhile.
        """
        with self._guard.call(what):
            await self._start()
            task = asyncio.ensure_future(call())
            await self.wait(task)
            if not task.done():
                task.cancel()
                raise InvalidStateError(f"{what}: the connection was closed meanwhile", component="peer")
            return task.result()

    async def wait(self, future: asyncio.Future[Any]) -> None:
        """Wait until a future is done or the connection is closed, whichever comes first."""
        assert self._aborted is not None
        await asyncio.wait({future, self._aborted}, return_when=asyncio.FIRST_COMPLETED)

    def hold(self, owner: object) -> None:
        """Keep a connection alive while its loop runs, whoever else forgets it (webrtc-pc section 4.4.4).

        A timer of the loop refers to it: that ends with the loop, and leaves no task behind.
        """
        if self.loop is not None and self._aborted is not None and not self._aborted.done():
            self._anchor = self._anchor or self.loop.call_later(HOLD_SECONDS, self._hold_again, owner)

    def _hold_again(self, owner: object) -> None:
        self._anchor = None
        self.hold(owner)

    def abort(self) -> None:
        """End every wait, and let go of the connection."""
        if self._anchor is not None:
            self._anchor.cancel()
        if self._aborted is not None and not self._aborted.done():
            self._aborted.set_result(None)

    def report(self, exc: Exception) -> None:
        """Tell the loop that a handler of the application raised."""
        if self.loop is not None:
            self.loop.call_exception_handler({"message": "an event handler raised", "exception": exc})

    async def _start(self) -> None:
        """Start the engine once; later callers wait for the same start."""
        if self._started is None:
            self.bind(asyncio.get_running_loop())
            self._started = asyncio.ensure_future(self._engine.start())
        await asyncio.shield(self._started)
