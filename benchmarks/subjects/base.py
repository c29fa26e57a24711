"""The contract between metrics and subjects: a pair of peers in one process, connected to each other.

Nothing here stands between a call and its engine on a path that is measured: a metric gets an engine's own methods.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from benchmarks.pacing import Pace
    from conformance.netsim import Network

Kind = Literal["audio", "video"]
Taker = Callable[[Any, float], None]
"""Called with each received frame, and when it came out."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One end of a data channel, as functions of the engine's own object.

    :param buffered: returns the bytes that are queued.
    :param on_message: has a function called with the data of each message.
    :param on_low: has a function called when no more than so many bytes are queued.
    """

    send: Callable[[bytes], object]
    buffered: Callable[[], int]
    on_message: Callable[[Callable[[Any], object]], object]
    on_low: Callable[[int, Callable[[], object]], object]


@dataclass(frozen=True, slots=True)
class Route:
    """How two peers reach each other.

    :param network: carries their packets; directly if there is none.
    :param delay: seconds that a description takes.
    """

    network: Network | None = None
    delay: float = 0.0

    async def carry(self, description: Any, side: Literal["a", "b"]) -> Any:  # noqa: ANN401 - every subject has its own
        """Return what the other side gets of a description, when it gets it."""
        if self.delay:
            await asyncio.sleep(self.delay)
        return description if self.network is None else self.network.description(description, side)


class Pair(Protocol):
    """Two peers, `near` and `far`. What is created before `connect()` becomes part of the offer of `near`."""

    def create_channel(self, *, ordered: bool = True, max_retransmits: int | None = None) -> Channel:
        """Create a channel at the near end."""
        ...

    async def far_channel(self) -> Channel:
        """Return the far end of the channel; both ends are open."""
        ...

    def send(self, pace: Pace, codec: str | None = None) -> None:
        """Send media from near to far.

        :param codec: e.g. ``"VP8"``; `None` for what the subject prefers.
        :raises UnsupportedError: the subject does not send it.
        """
        ...

    def receive(self, take: Taker) -> None:
        """Hand every frame that comes out of the far end to `take`."""
        ...

    async def connect(self, route: Route = ...) -> None:
        """Negotiate, and wait until both ends are connected."""
        ...

    async def close(self) -> None:
        """Close both ends."""
        ...


class Subject(Protocol):
    """Something that is measured."""

    @property
    def name(self) -> str:
        """As in ``--subjects``."""
        ...

    def load(self) -> str:
        """Load all libraries that a call needs; return the version of the engine.

        :raises UnsupportedError: it is not there.
        """
        ...

    def pair(self, *, bitrate: int | None = None, mtu: int | None = None) -> Pair:
        """Create two peers.

        :param bitrate: video bits per second to start at, where the subject can be told.
        :param mtu: largest IP packet in bytes; who cannot be told sends packets of some 1200 bytes anyway.
        """
        ...
