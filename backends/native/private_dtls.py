"""DTLS records on the shortest way: names private parts of aiortc, as :mod:`backends.native.private` does.

aiortc reads records of up to 1500 bytes, by way of a queue and a task, and asks OpenSSL for output after each one. Here
a record may have any size that DTLS allows, and is handled where its datagram arrives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol, cast

import pylibsrtp
from aiortc import clock
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport, State
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtp import is_rtcp
from OpenSSL import SSL

logger = logging.getLogger(__name__)

NAMES: Final[Mapping[type, Mapping[str, tuple[str, ...]]]] = {
    RTCDtlsTransport: {
        "_recv_next": (),
        "_send_data": ("data",),
        "_write_ssl": (),
        "_handle_rtp_data": ("data", "arrival_time_ms"),
        "_handle_rtcp_data": ("data",),
    },
}
"""Methods that are called or overridden, with their parameters."""

ATTRIBUTES: Final[Mapping[type, tuple[str, ...]]] = {
    RTCDtlsTransport: (
        "_data_receiver",
        "_rx_srtp",
        "_ssl",
        "_state",
        "_task",
        "__handshake_done",
        "__rx_bytes",
        "__rx_packets",
        "__tx_bytes",
        "__tx_packets",
    ),
}
"""Attributes that are read or set."""

HEADER: Final = 13
APPLICATION_DATA: Final = 23
LARGEST: Final = 16384
"""Bytes that a record carries at most (RFC 6347 section 4.1.1, RFC 8446 section 5.1)."""
_RECORD: Final = LARGEST + 512
_OWN: Final = "_RTCDtlsTransport__"


class DatagramLink(Protocol):
    """What DTLS runs over."""

    take: Callable[[bytes], bool] | None

    @property
    def role(self) -> str: ...

    async def _recv(self) -> bytes: ...

    async def _send(self, data: bytes) -> None: ...

    def send_now(self, data: bytes) -> None: ...

    def send_whole(self, data: bytes) -> bool: ...

    def allow_pieces(self) -> None: ...


def run_now(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that has nothing to wait for.

    :raises RuntimeError: it waited.
    """
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError(f"{coroutine} waits, where it has to end at once")


class QuickDtlsTransport(RTCDtlsTransport):
    """A DTLS transport that takes large records, and hands data over where it arrives."""

    def __init__(self, link: DatagramLink, certificate: RTCCertificate) -> None:
        super().__init__(cast("RTCIceTransport", link), [certificate])
        self._link = link
        self._counts = vars(self)
        link.take = self._take

    def send_whole(self, data: bytes) -> bool:
        """Send data in a datagram that must not be cut; say whether it was sent."""
        if self._state is not State.CONNECTED:
            return False
        record = self._seal(data)
        self._count("tx", record)
        return self._link.send_whole(record)

    def allow_pieces(self) -> None:
        """Let the network cut datagrams that are too large for it."""
        self._link.allow_pieces()

    async def _send_data(self, data: bytes) -> None:
        if self._state is not State.CONNECTED:
            raise ConnectionError("Cannot send encrypted data, not connected")
        record = self._seal(data)
        self._link.send_now(record)
        self._count("tx", record)

    def _seal(self, data: bytes) -> bytes:
        assert self._ssl is not None
        self._ssl.send(data)
        return bytes(self._ssl.bio_read(_RECORD))

    def _count(self, direction: str, data: bytes) -> None:
        self._counts[f"{_OWN}{direction}_bytes"] += len(data)
        self._counts[f"{_OWN}{direction}_packets"] += 1

    def _take(self, datagram: bytes) -> bool:
        """Take a datagram that is one record of data, once the data pump runs."""
        if datagram[0] != APPLICATION_DATA or self._task is None or self._state is not State.CONNECTED:
            return False
        if not self._counts[f"{_OWN}handshake_done"] or not _is_single(datagram) or self._data_receiver is None:
            return False
        self._count("rx", datagram)
        assert self._ssl is not None
        self._ssl.bio_write(datagram)
        data = self._open()
        try:
            if data:
                run_now(self._data_receiver._handle_data(data))
        except ConnectionError:
            logger.debug("the transport closed while data arrived")
        return True

    def _open(self) -> bytes | None:
        """Return the data of the next record, nothing if there is none, `None` after the last one."""
        assert self._ssl is not None
        try:
            return bytes(self._ssl.recv(LARGEST))
        except SSL.ZeroReturnError:
            return None
        except SSL.Error:
            return b""

    async def _recv_next(self) -> None:
        if not self._counts[f"{_OWN}handshake_done"]:
            await super()._recv_next()
            return
        datagram = await self._link._recv()
        self._count("rx", datagram)
        if 19 < datagram[0] < 64:
            await self._take_records(datagram)
        elif 127 < datagram[0] < 192 and self._rx_srtp:
            await self._take_srtp(datagram)

    async def _take_records(self, datagram: bytes) -> None:
        assert self._ssl is not None
        self._ssl.bio_write(datagram)
        while data := self._open():
            if self._data_receiver is not None:
                await self._data_receiver._handle_data(data)
            if _is_single(datagram):
                return
        await self._write_ssl()
        if data is None:
            raise ConnectionError("the remote has shut DTLS down")

    async def _take_srtp(self, packet: bytes) -> None:
        arrival = clock.current_ms()
        try:
            if is_rtcp(packet):
                await self._handle_rtcp_data(self._rx_srtp.unprotect_rtcp(packet))
            else:
                await self._handle_rtp_data(self._rx_srtp.unprotect(packet), arrival_time_ms=arrival)
        except pylibsrtp.Error as exc:
            logger.debug("dropped an SRTP packet: %s", exc)


def _is_single(datagram: bytes) -> bool:
    """Tell whether a datagram is one record of DTLS 1.2, of data, and no more."""
    size = len(datagram) - HEADER
    return size > 0 and datagram[0] == APPLICATION_DATA and datagram[11] << 8 | datagram[12] == size
