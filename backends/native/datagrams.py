"""What arrives on a socket: STUN, or something for DTLS."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from aioice.ice import CandidatePair, Connection, StunProtocol
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


@dataclass(slots=True)
class PairFigures:
    """What crossed a socket to and from one address: the figures of a candidate pair. Seconds.

    Of a request that had to be repeated it is not known which one was answered: it gives no round trip.

    :param requests: checks that were sent, those for consent included; repetitions are not counted.
    :param checks: checks of the peer, each of which was answered.
    """

    requests: int = 0
    consent_requests: int = 0
    responses: int = 0
    checks: int = 0
    round_trip: float | None = None
    total_round_trip: float = 0.0
    packets_sent: int = 0
    bytes_sent: int = 0
    packets_received: int = 0
    bytes_received: int = 0

    def note_round_trip(self, seconds: float) -> None:
        """Note how long an answer took."""
        self.round_trip = seconds
        self.total_round_trip += seconds

    def note_sent(self, size: int) -> None:
        """Count a datagram that is not STUN."""
        self.packets_sent += 1
        self.bytes_sent += size

    def note_received(self, size: int) -> None:
        """Count a datagram that is not STUN."""
        self.packets_received += 1
        self.bytes_received += size


class DatagramProtocol(StunProtocol):
    """Tells STUN from the rest by the first byte (RFC 7983), and survives garbage."""

    def __init__(self, receiver: Connection) -> None:
        super().__init__(receiver)
        self._figures: dict[tuple[str, int], PairFigures] = {}
        self._tries: dict[bytes, int] = {}

    def figures(self, addr: tuple[str, int]) -> PairFigures:
        """Return what is counted of an address that is asked, or that has shown that it knows the password."""
        return self._figures.setdefault(addr, PairFigures())

    async def request(
        self,
        request: Message,
        addr: tuple[str, int],
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[Message, tuple[str, int]]:
        figures, asked = self.figures(addr), time.monotonic()
        figures.requests += 1
        self._tries[request.transaction_id] = 0
        try:
            answer = await super().request(request, addr, integrity_key, retransmissions)
            figures.responses += 1
            if self._tries[request.transaction_id] == 1:
                figures.note_round_trip(time.monotonic() - asked)
            return answer
        finally:
            del self._tries[request.transaction_id]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio reads into 256 KiB, for which malloc may ask the system anew with each datagram: 50 us of page faults.
        if hasattr(transport, "max_size"):
            transport.max_size = LARGEST
        super().connection_made(transport)

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if not data:
            return
        if isinstance(data, bytes) and data[0] > 3:
            if (figures := self._figures.get(addr[:2])) is not None:
                figures.note_received(len(data))
            self.receiver.data_received(data, 1)
            return
        try:
            super().datagram_received(data, addr)
        except Exception:
            logger.debug("dropped a malformed STUN message from %s", addr, exc_info=True)

    def send_stun(self, message: Message, addr: tuple[str, int]) -> None:
        if message.transaction_id in self._tries:
            self._tries[message.transaction_id] += 1
        # A lost socket must not make retransmissions raise. A relay looks after itself.
        if isinstance(self.transport, TurnTransport) or not self.transport.is_closing():
            super().send_stun(message, addr)


def figures_of(pair: CandidatePair) -> PairFigures:
    """Return what is counted of a pair; its protocol is a :class:`DatagramProtocol`."""
    return cast("DatagramProtocol", pair.protocol).figures(pair.remote_addr)
