"""Refuses SCTP packets that aiortc's parser would never finish with. Pure."""

from __future__ import annotations

from typing import Final

COMMON_HEADER: Final = 12
CHUNK_HEADER: Final = 4
DATA: Final = 0
SACK: Final = 3
PLAIN_SACK: Final = 16

PARAMETERS_AT: Final = {1: 16, 2: 16, 4: 0, 5: 0, 6: 0, 9: 0, 130: 0}
"""Chunk type -> where its parameters start (RFC 9260 section 3.3, RFC 6525 section 3.1)."""


def is_endless(packet: bytes) -> bool:
    """Tell whether a packet has a length that leads nowhere, or gaps that overlap."""
    if _is_plain(packet):
        return False
    at = COMMON_HEADER
    while at + CHUNK_HEADER <= len(packet):
        kind, length = packet[at], _number(packet, at + 2)
        if length < CHUNK_HEADER:
            return True
        body = packet[at + CHUNK_HEADER : at + length]
        if kind in PARAMETERS_AT and _has_empty_parameter(body[PARAMETERS_AT[kind] :]):
            return True
        if kind == SACK and _has_overlapping_gaps(body):
            return True
        at += length + -length % 4
    return False


def _is_plain(packet: bytes) -> bool:
    """Tell whether it is one chunk of data, or one acknowledgement without gaps: nearly every packet is."""
    if len(packet) <= COMMON_HEADER + CHUNK_HEADER:
        return False
    kind, length = packet[COMMON_HEADER], packet[14] << 8 | packet[15]
    is_alone = COMMON_HEADER + length + -length % 4 >= len(packet)
    return is_alone and ((kind == DATA and length > CHUNK_HEADER) or (kind == SACK and length == PLAIN_SACK))


def _has_empty_parameter(body: bytes) -> bool:
    at = 0
    while at + 4 <= len(body):
        length = _number(body, at + 2)
        if length < 4:
            return True
        at += length + -length % 4
    return False


def _has_overlapping_gaps(body: bytes) -> bool:
    covered = 0
    for index in range(_number(body, 8)):
        covered += _number(body, 14 + 4 * index) - _number(body, 12 + 4 * index) + 1
        if covered > 65536:
            return True
    return False


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")
