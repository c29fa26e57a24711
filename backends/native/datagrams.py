"""What arrives on a socket: STUN, or something for DTLS."""

from __future__ import annotations

import logging
from typing import Any

from aioice.ice import StunProtocol
from aioice.stun import Message
from aioice.turn import TurnTransport

logger = logging.getLogger(__name__)


class DatagramProtocol(StunProtocol):
    """Tells STUN from the rest by the first byte (RFC 7983), and survives garbage."""

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
