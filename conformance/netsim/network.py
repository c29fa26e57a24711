"""A network between peers: what an application or a test holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from conformance.netsim.courier import Courier
from conformance.netsim.model import Link
from conformance.netsim.pipe import Pipe
from conformance.netsim.relay import Relay, Side
from conformance.netsim.rewriting import Address, rewrite_candidate, rewrite_description

if TYPE_CHECKING:
    from shim import RTCIceCandidate, RTCPeerConnection, RTCSessionDescription

D = TypeVar("D", bound="RTCSessionDescription")
C = TypeVar("C", bound="RTCIceCandidate")
PATIENCE: Final = 30.0


class Network:
    """A network with two sides, ``a`` and ``b``; peers of different sides reach each other through it only.

    Use it as an asynchronous context manager, on the event loop of the peers. One network may carry many
    connections: they then share its two links.

    :param seed: what chance depends on, with the direction and the number of the packet.
    :param a_to_b: how packets from side a to side b are treated.
    :param b_to_a: how packets from side b to side a are treated; like `a_to_b` by default.
    :param host: loopback address whose sockets stand for the peers: its family decides which candidates are used.
    """

    def __init__(
        self, seed: int = 0, a_to_b: Link | None = None, b_to_a: Link | None = None, *, host: str = "127.0.0.1"
    ) -> None:
        self.seed = seed
        self._links = (a_to_b or Link(), b_to_a or a_to_b or Link())
        self._host = host
        self._parts: tuple[Pipe, Pipe, Relay] | None = None
        self._couriers: dict[RTCPeerConnection, Courier] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every socket; no packet passes from now on. May be called more than once."""
        self._closed = True
        for courier in self._couriers.values():
            courier.stop()
        self._couriers.clear()
        if self._parts is not None:
            self._parts[2].close()

    # --- the two directions ---

    @property
    def a_to_b(self) -> Pipe:
        """The direction from side a to side b."""
        return self._open()[0]

    @property
    def b_to_a(self) -> Pipe:
        """The direction from side b to side a."""
        return self._open()[1]

    def set_links(self, a_to_b: Link, b_to_a: Link | None = None) -> None:
        """Treat packets in another way from now on.

        :param b_to_a: like `a_to_b` by default.
        """
        self.a_to_b.link, self.b_to_a.link = a_to_b, b_to_a or a_to_b

    def blackout(self, seconds: float | None = None) -> None:
        """Lose all packets of both directions.

        :param seconds: for how long; `None` until `restore()`.
        """
        for pipe in (self.a_to_b, self.b_to_a):
            pipe.blackout(seconds)

    def restore(self) -> None:
        """End a blackout of both directions."""
        for pipe in (self.a_to_b, self.b_to_a):
            pipe.restore()

    def rebind(self, side: Side, *, host: str | None = None) -> None:
        """Change every port under which the peers of a side are seen, as a NAT does that forgot its bindings.

        The old ports are dead: what the other side sends there is lost until it has learnt the new ones.

        :param host: change the address too, as when a phone leaves the Wi-Fi: another loopback address, e.g.
            ``127.0.0.2``. The address that the side has by default.
        :raises OSError: this machine has no such address. Nothing changes then.
        :raises ValueError: it is of the other IP version.
        """
        relay = self._open()[2]
        relay.move(side, host or relay.hosts[side])

    # --- signaling ---

    def description(self, description: D, side: Side) -> D:
        """Return what the other side must be given instead of a description of this side."""
        relay = self._open()[2]
        return rewrite_description(description, relay.version, self._translation(side))

    def candidate(self, candidate: C, side: Side) -> C | None:
        """Return what the other side must be given instead of a candidate of this side.

        `None` means nothing: the candidate is of TCP, of the other IP version, or a name.
        """
        relay = self._open()[2]
        return rewrite_candidate(candidate, relay.version, self._translation(side))

    async def negotiate(self, offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
        """Exchange an offer and an answer through the network, and candidates that trickle.

        Whoever offers first is on side a, and stays there. Call it again to renegotiate, in either direction.
        """
        if offerer not in self._couriers:
            self._couriers[offerer] = Courier(offerer, answerer, SideRewriter(self, "a"))
            self._couriers[answerer] = Courier(answerer, offerer, SideRewriter(self, "b"))
        await self._couriers[offerer].describe(await offerer.createOffer())
        await self._couriers[answerer].describe(await answerer.createAnswer())

    async def connect(self, a: RTCPeerConnection, b: RTCPeerConnection, timeout: float = PATIENCE) -> None:
        """Negotiate, and wait until both ends are connected.

        :param timeout: seconds to wait.
        :raises ConnectionError: one end failed, or was closed.
        :raises TimeoutError: it took too long.
        """
        async with asyncio.timeout(timeout):
            await self.negotiate(a, b)
            await asyncio.gather(_connected(a), _connected(b))

    # --- inside ---

    def _open(self) -> tuple[Pipe, Pipe, Relay]:
        if self._closed:
            raise RuntimeError("Network: it is closed. Make another one.")
        if self._parts is None:
            loop = asyncio.get_running_loop()
            a_to_b = Pipe(self._links[0], self.seed, "a_to_b", loop)
            b_to_a = Pipe(self._links[1], self.seed, "b_to_a", loop)
            self._parts = a_to_b, b_to_a, Relay(a_to_b, b_to_a, self._host, loop)
        return self._parts

    def _translation(self, side: Side) -> Callable[[Address], Address]:
        relay = self._open()[2]
        return lambda address: relay.endpoint(side, address).shown


class SideRewriter:
    """Rewrites what the peers of one side say."""

    def __init__(self, network: Network, side: Side) -> None:
        self._network = network
        self._side: Side = side

    def description(self, description: RTCSessionDescription) -> RTCSessionDescription:
        """Return what the other side is given."""
        return self._network.description(description, self._side)

    def candidate(self, candidate: RTCIceCandidate) -> RTCIceCandidate | None:
        """Return what the other side is given; `None` for nothing."""
        return self._network.candidate(candidate, self._side)


async def _connected(pc: RTCPeerConnection) -> None:
    met = asyncio.get_running_loop().create_future()

    def look() -> None:
        state = pc.connectionState
        if met.done():
            return
        if state == "connected":
            met.set_result(None)
        elif state in {"failed", "closed"}:
            met.set_exception(ConnectionError(f"Network.connect: a peer is {state}, and not connected"))

    pc.on("connectionstatechange", look)
    look()
    try:
        await met
    finally:
        if look in pc.listeners("connectionstatechange"):
            pc.remove_listener("connectionstatechange", look)
