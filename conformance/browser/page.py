"""The browser's end of a call, as a test holds it, and how the two ends are brought together."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from conformance.asserts import Arrivals, local_of
from conformance.browser.chromium import PATIENCE, SHOW_ADDRESSES, Chromium, cancel
from conformance.scenes import described
from shim.api.sdp import candidate_from_sdp, candidate_to_sdp

if TYPE_CHECKING:
    from shim import RTCPeerConnection

PAGE: Final = Path(__file__).with_name("page.html").as_uri()
Offerer = Literal["backend", "browser"]
DAY: Final = 86400.0


class Page:
    """A page with one peer connection.

    :param flags: options of the browser.
    """

    def __init__(self, *flags: str) -> None:
        self._told: dict[str, asyncio.Queue[Any]] = defaultdict(asyncio.Queue)
        self._browser = Chromium(PAGE, self._take, *flags)

    async def __aenter__(self) -> Page:
        await self._browser.__aenter__()
        await self.call("open")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._browser.__aexit__()

    async def call(self, function: str, *arguments: Any) -> Any:
        """Call one of the page's functions."""
        return await self._browser.evaluate(f"{function}({', '.join(map(json.dumps, arguments))})")

    async def told(self, kind: str) -> Any:
        """Wait for the next thing of a kind that the page says."""
        return await asyncio.wait_for(self._told[kind].get(), PATIENCE)

    async def candidate(self) -> dict[str, Any] | None:
        """Wait for the next candidate, however long that takes; `None` is the end of them."""
        found: dict[str, Any] | None = await self._told["candidate"].get()
        return found

    async def reach(self, state: str) -> None:
        """Wait for a connection state."""
        while await self.told("connection") != state:
            pass

    def _take(self, message: str) -> None:
        kind, value = json.loads(message)
        self._told[kind].put_nowait(value)


class Call:
    """A backend's connection and a page, which trickle candidates to each other."""

    def __init__(self, pc: RTCPeerConnection, page: Page) -> None:
        self.pc = pc
        self.page = page
        self.addresses: list[str] = []
        self._found = Arrivals(pc, "icecandidate")
        self._negotiating = asyncio.Lock()

    async def negotiate(self, offerer: Offerer, *, restart: bool = False) -> None:
        """Exchange an offer and an answer; candidates wait meanwhile."""
        pc, page = self.pc, self.page
        async with self._negotiating:
            if offerer == "backend":
                if restart:
                    pc.restartIce()
                await pc.setLocalDescription()
                await pc.setRemoteDescription(described("answer", await page.call("answer", local_of(pc).sdp)))
            else:
                await pc.setRemoteDescription(described("offer", await page.call("offer", restart)))
                await pc.setLocalDescription()
                await page.call("accept", local_of(pc).sdp)

    async def to_page(self) -> None:
        """Give the page our candidates."""
        while True:
            found = await self._found.next(patience=DAY)
            if found is not None:
                line = f"candidate:{candidate_to_sdp(found)}"
                named = {"sdpMid": found.sdpMid, "usernameFragment": found.usernameFragment}
                async with self._negotiating:
                    await self.page.call("add", {"candidate": line, **named})

    async def from_page(self) -> None:
        """Take the page's candidates."""
        while True:
            found = await self.page.candidate()
            candidate = None if found is None else candidate_from_sdp(found["candidate"])
            if found is not None and candidate is not None:
                candidate.sdpMid, candidate.sdpMLineIndex = found["sdpMid"], found["sdpMLineIndex"]
                self.addresses.append(candidate.ip)
            async with self._negotiating:
                if self.pc.signalingState != "closed":
                    await self.pc.addIceCandidate(candidate)


@asynccontextmanager
async def calling(pc: RTCPeerConnection, *, hidden: bool = False) -> AsyncIterator[Call]:
    """Open a browser for a connection, and carry candidates between the two.

    :param hidden: let the browser hide its addresses behind names of multicast DNS, as browsers do by default.
    """
    async with Page(*([] if hidden else [SHOW_ADDRESSES])) as page:
        call = Call(pc, page)
        pumps = [asyncio.create_task(call.to_page()), asyncio.create_task(call.from_page())]
        try:
            yield call
        finally:
            await cancel(*pumps)
        for pump in pumps:
            if not pump.cancelled():
                pump.result()
