"""Pairs that are connected through a simulated network, and messages that are recognised on it by their size."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from conformance.asserts import ChannelArrivals, Endpoint, Link, opened
from conformance.netsim import Network, Packet

if TYPE_CHECKING:
    from conformance.targets import Pair, Peers
    from shim import RTCConfiguration

MESSAGE: Final = 900
"""Bytes of a message that shares its packet with no other."""
ROOM: Final = 120
"""Bytes that DTLS, SCTP and an acknowledgement add at most. A probe of the path is larger than message and room."""


async def link_through(
    network: Network, peers: Peers, pair: Pair, configuration: RTCConfiguration | None = None, **options: Any
) -> Link:
    """Connect a pair through a network, over one data channel.

    :param options: of `createDataChannel`.
    """
    offerer, answerer = peers.open_pair(pair, configuration)
    arrivals = ChannelArrivals(answerer)
    near = Endpoint.of(offerer.createDataChannel("chat", **options))
    await network.connect(offerer, answerer)
    await opened(near.channel)
    return Link(offerer, answerer, near, await arrivals.next())


def numbered(number: int, size: int = MESSAGE) -> bytes:
    """Return a message with a number in it.

    :param size: bytes, a multiple of 4.
    """
    return number.to_bytes(4, "big") * (size // 4)


def numbers_of(messages: Iterable[bytes]) -> list[int]:
    """Return the numbers in messages."""
    return [int.from_bytes(message[:4], "big") for message in messages]


def holds_message(packet: Packet, size: int = MESSAGE) -> bool:
    """Tell whether a packet holds one whole message of `size` bytes."""
    return packet.kind == "dtls" and size < packet.size <= size + ROOM


def first(wanted: Callable[[Packet], bool]) -> Callable[[Packet], bool]:
    """Choose the first packet of a sort, and no other."""
    left = iter([True])
    return lambda packet: wanted(packet) and next(left, False)
