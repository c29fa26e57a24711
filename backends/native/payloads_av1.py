"""RTP payload format of AV1 (AOMedia, "RTP Payload Format For AV1" v1.0), without scalability.

A temporal unit is a sequence of OBUs (AV1 specification, section 5.3). In RTP they come without their size and
without the temporal delimiter; a decoder wants both back. A payload is therefore handed on with its length in
front, and :func:`assemble` makes a temporal unit of all payloads of a frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

Z_BIT: Final = 0x80
Y_BIT: Final = 0x40
N_BIT: Final = 0x08
W_MASK: Final = 0x30
HAS_EXTENSION: Final = 0x04
HAS_SIZE: Final = 0x02
SEQUENCE_HEADER: Final = 1
TEMPORAL_DELIMITER: Final = 2
TILE_LIST: Final = 8
PADDING: Final = 15
IGNORED: Final = frozenset({TEMPORAL_DELIMITER, TILE_LIST})
"""Kinds that a sender should leave out and a receiver must ignore (section 5)."""
NOT_SENT: Final = IGNORED | {PADDING}
DELIMITER: Final = bytes([TEMPORAL_DELIMITER << 3 | HAS_SIZE, 0])
LENGTH_BYTES: Final = 4
MIN_FRAGMENT: Final = 16
"""Bytes of an OBU that are worth a place at the end of a packet."""


def packetize_av1(data: bytes, limit: int, *, key: bool) -> list[bytes]:
    """Pack a temporal unit into payloads of at most `limit` bytes.

    :param key: it starts a coded video sequence (N bit of the first payload).
    :raises ValueError: the bytes are not a sequence of OBUs.
    """
    packer = _Packer(limit)
    for obu in split_obus(data):
        if _kind(obu) not in NOT_SENT:
            packer.add(obu)
    payloads = packer.finish()
    if payloads and key:
        payloads[0] = bytes([payloads[0][0] | N_BIT]) + payloads[0][1:]
    return payloads


class _Packer:
    """Fills payloads with OBU elements, each behind its length (W = 0)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._payloads: list[bytes] = []
        self._body = bytearray()
        self._continues = False

    def add(self, obu: bytes) -> None:
        """Put one OBU into this payload and, if it does not fit, the next ones."""
        while True:
            room = self._limit - 1 - len(self._body)
            if len(obu) + _leb128_size(len(obu)) <= room:
                self._put(obu)
                return
            part = room - _leb128_size(room)
            if part >= MIN_FRAGMENT:
                self._put(obu[:part])
                obu = obu[part:]
                self._flush(splits=True)
            else:
                self._flush(splits=False)

    def finish(self) -> list[bytes]:
        """Return the payloads."""
        if self._body:
            self._flush(splits=False)
        return self._payloads

    def _put(self, element: bytes) -> None:
        self._body += write_leb128(len(element)) + element

    def _flush(self, *, splits: bool) -> None:
        header = (Z_BIT if self._continues else 0) | (Y_BIT if splits else 0)
        self._payloads.append(bytes([header]) + self._body)
        self._body.clear()
        self._continues = splits


def unpack_av1(payload: bytes) -> tuple[bytes, bool, bool]:
    """Read an aggregation header.

    :returns: the payload behind its length, whether it may start a temporal unit, and whether that is a key one.
    :raises ValueError: the payload is empty or its elements run over.
    """
    if len(payload) < 2:
        raise ValueError("AV1 payload is too short")
    for _ in _elements(payload):
        pass
    starts = not payload[0] & Z_BIT
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload, starts, bool(payload[0] & N_BIT)


def assemble(joined: bytes) -> bytes:
    """Make a temporal unit of the payloads of a frame, as `unpack_av1` handed them on, one after the other.

    :raises ValueError: fragments do not fit together.
    """
    unit, fragment, at = bytearray(DELIMITER), b"", 0
    while at < len(joined):
        length = int.from_bytes(joined[at : at + LENGTH_BYTES], "big")
        at += LENGTH_BYTES
        payload = joined[at : at + length]
        at += length
        elements = list(_elements(payload)) if payload else []
        if not elements or bool(payload[0] & Z_BIT) != bool(fragment):
            raise ValueError("AV1 fragments do not follow each other")
        elements[0] = fragment + elements[0]
        fragment = elements.pop() if payload[0] & Y_BIT else b""
        for obu in elements:
            unit += b"" if obu and _kind(obu) in IGNORED else with_size(obu)
    if fragment:
        raise ValueError("the last AV1 fragment is missing")
    return bytes(unit)


def _elements(payload: bytes) -> Iterator[bytes]:
    """Yield the OBU elements of a payload (section 4.3)."""
    count, at, index = (payload[0] & W_MASK) >> 4, 1, 0
    while at < len(payload):
        index += 1
        if count and index == count:
            size = len(payload) - at
        else:
            size, at = read_leb128(payload, at)
        if at + size > len(payload):
            raise ValueError("an AV1 OBU element runs over the end of its payload")
        yield payload[at : at + size]
        at += size


def split_obus(data: bytes) -> Iterator[bytes]:
    """Yield the OBUs of a low-overhead byte stream (AV1 section 5.2), without their size fields.

    :raises ValueError: a size runs over the end.
    """
    at = 0
    while at < len(data):
        header = data[at]
        head = 2 if header & HAS_EXTENSION else 1
        start, size = at + head, len(data) - at - head
        if header & HAS_SIZE:
            size, start = read_leb128(data, start)
        if size < 0 or start + size > len(data):
            raise ValueError("an AV1 OBU runs over the end of its temporal unit")
        yield bytes([header & ~HAS_SIZE]) + data[at + 1 : at + head] + data[start : start + size]
        at = start + size


def with_size(obu: bytes) -> bytes:
    """Put the size field back into an OBU; an empty one vanishes.

    :raises ValueError: its header is truncated.
    """
    if not obu:
        return b""
    if obu[0] & HAS_SIZE:
        return obu
    head = 2 if obu[0] & HAS_EXTENSION else 1
    if len(obu) < head:
        raise ValueError("an AV1 OBU header is truncated")
    return bytes([obu[0] | HAS_SIZE]) + obu[1:head] + write_leb128(len(obu) - head) + obu[head:]


def _kind(obu: bytes) -> int:
    return obu[0] >> 3 & 15


def write_leb128(value: int) -> bytes:
    """Encode an unsigned integer (AV1 section 4.10.5)."""
    encoded = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        encoded.append(low | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def read_leb128(data: bytes, at: int) -> tuple[int, int]:
    """Decode an unsigned integer; return it and where it ends.

    :raises ValueError: it does not end within eight bytes or the data.
    """
    value = 0
    for index, byte in enumerate(data[at : at + 8]):
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, at + index + 1
    raise ValueError("an AV1 length is truncated")


def _leb128_size(value: int) -> int:
    return max(1, -(-value.bit_length() // 7))
