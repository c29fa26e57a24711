"""Carries what one peer says to the other: descriptions, and the candidates that trickle after them."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from shim.spi.errors import InvalidStateError

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
        self._found: deque[RTCIceCandidate | None] = deque()
        self._told: str | None = None
        self._delivery: asyncio.Task[None] | None = None
        source.on("icecandidate", self._take)

    async def describe(self, description: RTCSessionDescription) -> None:
        """Set a description on the source and, through the network, on the target."""
        self._told = None
        await self._source.setLocalDescription(description)
        local = self._source.localDescription
        if local is None:
            raise ConnectionError("Network.negotiate: a peer was closed while it was negotiating")
        relayed = self._rewriter.description(local)
        await self._target.setRemoteDescription(relayed)
        self._told = relayed.sdp
        self._proceed()

    def stop(self) -> None:
        """Tell nothing more."""
        if self._take in self._source.listeners("icecandidate"):
            self._source.remove_listener("icecandidate", self._take)
        self._found.clear()

    def _take(self, candidate: RTCIceCandidate | None) -> None:
        self._found.append(candidate)
        self._proceed()

    def _proceed(self) -> None:
        if self._found and self._told is not None and self._delivery is None:
            self._delivery = asyncio.get_running_loop().create_task(self._deliver())

    async def _deliver(self) -> None:
        try:
            while self._found and self._told is not None and self._target.connectionState != "closed":
                candidate = self._found.popleft()
                relayed = candidate and self._rewriter.candidate(candidate)
                if self._is_news(candidate, relayed, self._told):
                    with suppress(InvalidStateError):  # it was closed meanwhile
                        await self._target.addIceCandidate(relayed)
        finally:
            self._delivery = None

    @staticmethod
    def _is_news(candidate: RTCIceCandidate | None, relayed: RTCIceCandidate | None, told: str) -> bool:
        if relayed is not None:
            return f" {relayed.ip} {relayed.port} typ " not in told
        return candidate is None and "a=end-of-candidates" not in told
