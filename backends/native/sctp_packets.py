"""Reads and writes the SCTP packets that make up nearly all traffic (RFC 9260): data and acknowledgements. Pure."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from google_crc32c import value as crc32c

DATA: Final = 0
SACK: Final = 3
PAD: Final = 0x84
"""Chunk type of padding (RFC 4820 section 3)."""

LAST, FIRST, UNORDERED, IMMEDIATE = 1, 2, 4, 8
"""Flags of DATA (RFC 9260 section 3.3.1); the last one asks for an acknowledgement at once (RFC 7053)."""

COMMON_HEADER: Final = 12
CHUNK_HEADER: Final = 4
DATA_HEADER: Final = 16
PLAIN_SACK: Final = 16
"""Bytes of an acknowledgement without gaps and duplicates."""

_COMMON: Final = Struct("!HHLL")
_CHUNK: Final = Struct("!BBH")
_DATA: Final = Struct("!LHHL")
_SACK: Final = Struct("!BBHLLHH")
_CHECKSUM: Final = Struct("<L")
_NO_CHECKSUM: Final = b"\x00\x00\x00\x00"


class Data(NamedTuple):
    """A DATA chunk."""

    flags: int
    tsn: int
    stream_id: int
    stream_seq: int
    protocol: int
    body: bytes
    """With its header of 12 bytes."""

    @property
    def payload(self) -> bytes:
        """What the application gets."""
        return self.body[12:]


class Sack(NamedTuple):
    """An acknowledgement without gaps."""

    cumulative: int
    window: int


def read_plain(packet: bytes, tag: int) -> list[Data | Sack] | None:
    """Return the chunks of an intact packet that has nothing but data and plain acknowledgements.

    :param tag: the verification tag that it must have.
    :return: `None` if it is anything else, or malformed.
    """
    if len(packet) < COMMON_HEADER + PLAIN_SACK:
        return None
    _, _, found_tag, _ = _COMMON.unpack_from(packet)
    if found_tag != tag:
        return None
    chunks: list[Data | Sack] = []
    at, end = COMMON_HEADER, len(packet)
    while at + CHUNK_HEADER <= end:
        kind, flags, length = _CHUNK.unpack_from(packet, at)
        chunk = _read_chunk(packet, at, kind, flags, length) if at + length <= end else None
        if chunk is None:
            return None
        chunks.append(chunk)
        at += length + -length % 4
    return chunks if _is_intact(packet) else None


def _read_chunk(packet: bytes, at: int, kind: int, flags: int, length: int) -> Data | Sack | None:
    if kind == DATA and length > DATA_HEADER:
        body = packet[at + CHUNK_HEADER : at + length]
        tsn, stream_id, stream_seq, protocol = _DATA.unpack_from(body)
        return Data(flags, tsn, stream_id, stream_seq, protocol, body)
    if kind == SACK and length == PLAIN_SACK:
        *_, cumulative, window, gaps, duplicates = _SACK.unpack_from(packet, at)
        return None if gaps or duplicates else Sack(cumulative, window)
    return None


def _is_intact(packet: bytes) -> bool:
    blank = b"".join((packet[:8], _NO_CHECKSUM, packet[12:]))
    return bool(_CHECKSUM.unpack_from(packet, 8)[0] == crc32c(blank))


def write_sack(cumulative: int, window: int) -> bytes:
    """Write an acknowledgement without gaps."""
    return _SACK.pack(SACK, 0, PLAIN_SACK, cumulative, window, 0, 0)


def write_packet(source_port: int, destination_port: int, tag: int, *chunks: bytes) -> bytes:
    """Write a packet.

    :param chunks: padded to multiples of 4 bytes.
    """
    blank = _COMMON.pack(source_port, destination_port, tag, 0)
    body = b"".join(chunks)
    return b"".join((blank[:8], _CHECKSUM.pack(crc32c(blank + body)), body))


def write_padding(size: int) -> bytes:
    """Write a PAD chunk.

    :param size: of the whole chunk in bytes, a multiple of 4, from 4 to 65532.
    """
    return _CHUNK.pack(PAD, 0, size) + bytes(size - CHUNK_HEADER)
