"""What arrives on a socket: STUN, or something for DTLS."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from aioice.ice import StunProtocol
from aioice.stun import Message
from aioice.turn import TurnTransport

logger = logging.getLogger(__name__)

LARGEST: Final = 1 << 16
"""Bytes of a buffer that every datagram fits into."""


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
