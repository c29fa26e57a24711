"""What arrives on a socket: STUN, or something for DTLS."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Mapping
from typing import Any, Final, Protocol

from aioice.ice import StunProtocol
from aioice.stun import Message
from aioice.turn import TurnTransport

logger = logging.getLogger(__name__)

LARGEST: Final = 1 << 16
"""Bytes of a buffer that every datagram fits into."""


_DISCOVERY: Final[Mapping[int, tuple[int, int]]] = {
    socket.AF_INET: (socket.IPPROTO_IP, 10),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 23),
}
"""IP_MTU_DISCOVER and IPV6_MTU_DISCOVER of Linux, which Python has no names for."""
_DONT, _WANT, _PROBE = 0, 1, 3
"""Its values: cut in pieces, by routers too; cut in pieces here, by what is known of the path; never cut."""


class Socket(Protocol):
    """What is needed of a socket."""

    @property
    def family(self) -> int: ...

    def setsockopt(self, level: int, name: int, value: int, /) -> None: ...

    def dup(self) -> socket.socket: ...


def send_whole(sock: Socket, data: bytes, address: tuple[str, int]) -> bool:
    """Send a datagram that is lost where it does not fit in one piece; say whether that is possible."""
    if not _set_discovery(sock, _PROBE):
        return False
    try:
        with sock.dup() as same:
            same.sendto(data, address)
    except OSError:  # larger than the network of this machine takes
        return False
    finally:
        _set_discovery(sock, _WANT)
    return True


def allow_pieces(sock: Socket) -> None:
    """Let routers cut datagrams that are too large for what follows."""
    _set_discovery(sock, _DONT)


def _set_discovery(sock: Socket, value: int) -> bool:
    option = _DISCOVERY.get(sock.family) if sys.platform == "linux" else None
    try:
        if option is not None:
            sock.setsockopt(*option, value)
    except OSError:
        return False
    return option is not None


class DatagramProtocol(StunProtocol):
    """Tells STUN from the rest by the first byte (RFC 7983), and survives garbage."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio reads into 256 KiB, for which malloc may ask the system anew with each datagram: 50 us of page faults.
        if hasattr(transport, "max_size"):
            transport.max_size = LARGEST
        super().connection_made(transport)

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if not data:
            return
        if isinstance(data, bytes) and data[0] > 3:
            self.receiver.data_received(data, 1)
            return
        try:
            super().datagram_received(data, addr)
        except Exception:
            logger.debug("dropped a malformed STUN message from %s", addr, exc_info=True)

    def send_stun(self, message: Message, addr: tuple[str, int]) -> None:
        # A lost socket must not make retransmissions raise. A relay looks after itself.
        if isinstance(self.transport, TurnTransport) or not self.transport.is_closing():
            super().send_stun(message, addr)
