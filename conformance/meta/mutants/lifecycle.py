"""Connections that do not end, end badly, or leave something behind."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any, ClassVar, Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy

TOPIC: Final = Topic("lifecycle", "test_lifecycle.py")


@TOPIC.proxy
class ThreadPerConnection(EngineProxy):
    """Leave a thread behind for each connection."""

    async def start(self) -> None:
        await super().start()
        threading.Thread(target=threading.Event().wait, daemon=True).start()


@TOPIC.proxy
class DescriptorPerConnection(EngineProxy):
    """Leave a file open for each connection."""

    async def start(self) -> None:
        await super().start()
        os.pipe()


@TOPIC.proxy
class TaskPerConnection(EngineProxy):
    """Leave a task behind for each connection."""

    _kept: ClassVar[set[asyncio.Task[Any]]] = set()

    async def start(self) -> None:
        await super().start()
        self._kept.add(asyncio.ensure_future(asyncio.Event().wait()))


@TOPIC.proxy
class CloseDoesNothing(EngineProxy):
    """Go on after closing."""

    async def close(self) -> None:
        pass


@TOPIC.proxy
class CloseHangs(EngineProxy):
    """Never return from closing."""

    async def close(self) -> None:
        await super().close()
        await asyncio.Event().wait()


@TOPIC.proxy
class CloseRaises(EngineProxy):
    """Raise an error from closing."""

    async def close(self) -> None:
        await super().close()
        raise RuntimeError("something is still going on")


@TOPIC.proxy
class CloseOfNewHangs(EngineProxy):
    """Never return from closing a connection that was not negotiated."""

    async def close(self) -> None:
        is_new = self.inner.local_state().current_local is None
        await super().close()
        if is_new:
            await asyncio.Event().wait()


@TOPIC.proxy
class CloseLate(EngineProxy):
    """Close only six seconds later."""

    async def close(self) -> None:
        self._later = asyncio.ensure_future(self._close_late())

    async def _close_late(self) -> None:
        await asyncio.sleep(6)
        await self.inner.close()


@TOPIC.proxy
class SecondConnectionFails(EngineProxy):
    """Connect only the first few times in a process."""

    _count: ClassVar[int] = 0

    async def start(self) -> None:
        type(self)._count += 1
        if self._count > 30:
            await asyncio.Event().wait()
        await super().start()


TOPIC.on("legacy", "thread-per-connection")
