"""Carries what one peer says to the other: descriptions, and the candidates that trickle after them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from shim import RTCIceCandidate, RTCPeerConnection, RTCSessionDescription


class Rewriter(Protocol):
    """Puts the network's addresses in the place of a peer's."""

    def description(self, description: RTCSessionDescription) -> RTCSessionDescription:
        """Return what the other side is given."""

    def candidate(self, candidate: RTCIceCandidate) -> RTCIceCandidate | None:
        """Return what the other side is given; `None` for nothing."""


class Courier:
    """Carries from one peer to one other.

    A candidate waits until its description has been delivered, and is not told again if it is part of it.
    """

    def __init__(self, source: RTCPeerConnection, target: RTCPeerConnection, rewriter: Rewriter) -> None:
        self._source = source
        self._target = target
        self._rewriter = rewriter
        self._found: asyncio.Queue[RTCIceCandidate | None] = asyncio.Queue()
        self._described = asyncio.Event()
        self._told = ""
        source.on("icecandidate", self._take)
        self._delivery = asyncio.get_running_loop().create_task(self._deliver())

    async def describe(self, description: RTCSessionDescription) -> None:
        """Set a description on the source and, through the network, on the target."""
        self._described.clear()
        await self._source.setLocalDescription(description)
        local = self._source.localDescription
        if local is None:
            raise ConnectionError("Network.negotiate: a peer was closed while it was negotiating")
        relayed = self._rewriter.description(local)
        await self._target.setRemoteDescription(relayed)
        self._told = relayed.sdp
        self._described.set()

    def stop(self) -> asyncio.Task[None]:
        """Tell nothing more; return the task that ends now."""
        if self._take in self._source.listeners("icecandidate"):
            self._source.remove_listener("icecandidate", self._take)
        self._delivery.cancel()
        return self._delivery

    def _take(self, candidate: RTCIceCandidate | None) -> None:
        self._found.put_nowait(candidate)

    async def _deliver(self) -> None:
        while True:
            candidate = await self._found.get()
            await self._described.wait()
            if self._target.connectionState == "closed":
                return
            relayed = candidate and self._rewriter.candidate(candidate)
            if self._is_news(candidate, relayed):
                await self._target.addIceCandidate(relayed)

    def _is_news(self, candidate: RTCIceCandidate | None, relayed: RTCIceCandidate | None) -> bool:
        if relayed is not None:
            return f" {relayed.ip} {relayed.port} typ " not in self._told
        return candidate is None and "a=end-of-candidates" not in self._told
