"""Connections that do not end, end badly, or leave something behind."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any, ClassVar, Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy, SinkProxy
from shim.spi import events as ev

TOPIC: Final = Topic("lifecycle", "test_lifecycle.py", "test_handshake.py")


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
class CloseDuringDtlsHangs(EngineProxy):
    """Never return from closing while DTLS shakes hands."""

    async def close(self) -> None:
        found = self.transports()
        is_shaking = any(t.dtls_state == "connecting" and t.ice_state in {"connected", "completed"} for t in found)
        await super().close()
        if is_shaking:
            await asyncio.Event().wait()


@TOPIC.proxy
class LossWhileConnectingNotNoticed(SinkProxy):
    """Do not notice that the peer has gone unless it was connected before."""

    _was_connected = False

    def tell(self, event: ev.Event) -> None:
        self._was_connected |= event == ev.ConnectionChanged("connected")
        is_end = isinstance(event, ev.ConnectionChanged) and event.state in {"disconnected", "failed", "closed"}
        if self._was_connected or not is_end:
            super().tell(event)


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
