"""RTP payload format of VP9 (RFC 9628): one spatial layer, flexible mode."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

I_BIT: Final = 0x80
P_BIT: Final = 0x40
L_BIT: Final = 0x20
F_BIT: Final = 0x10
B_BIT: Final = 0x08
E_BIT: Final = 0x04
V_BIT: Final = 0x02
PREVIOUS: Final = bytes([1 << 1])
"""One reference: the picture before (P_DIFF 1, no further reference)."""
HEADER: Final = 4
MAX_REFERENCES: Final = 3


def packetize_vp9(data: bytes, picture_id: int, limit: int, *, key: bool) -> list[bytes]:
    """Split a frame into payloads of at most `limit` bytes, as equal as can be.

    :param picture_id: 15 bits, one more for each frame.
    :param key: the frame refers to no other.
    """
    count = -(-len(data) // (limit - HEADER))
    bounds = [len(data) * i // count for i in range(count + 1)] if count else []
    picture = bytes([0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF])
    rest = picture if key else picture + PREVIOUS
    flags = I_BIT | F_BIT | (0 if key else P_BIT)
    return [
        bytes([flags | (B_BIT if start == 0 else 0) | (E_BIT if stop == len(data) else 0)]) + rest + data[start:stop]
        for start, stop in pairwise(bounds)
    ]


def unpack_vp9(payload: bytes) -> tuple[bytes, bool, bool]:
    """Read a payload descriptor.

    :returns: the frame's bytes, whether they start a picture, and whether it is a key picture.
    :raises ValueError: the descriptor is truncated.
    """
    try:
        return _unpack(payload)
    except IndexError as exc:
        raise ValueError("VP9 payload descriptor is truncated") from exc


def _unpack(payload: bytes) -> tuple[bytes, bool, bool]:
    flags, at, spatial = payload[0], 1, 0
    if flags & I_BIT:
        at += 2 if payload[at] & 0x80 else 1
    if flags & L_BIT:
        spatial = payload[at] >> 1 & 7
        at += 1 if flags & F_BIT else 2
    if flags & P_BIT and flags & F_BIT:
        at = _after_references(payload, at)
    if flags & V_BIT:
        at = _after_structure(payload, at)
    if at > len(payload):
        raise ValueError("VP9 payload descriptor is truncated")
    starts = bool(flags & B_BIT) and spatial == 0
    return payload[at:], starts, starts and not flags & P_BIT


def _after_references(payload: bytes, at: int) -> int:
    for _ in range(MAX_REFERENCES):
        at += 1
        if not payload[at - 1] & 1:
            return at
    return at


def _after_structure(payload: bytes, at: int) -> int:
    """Skip a scalability structure (section 4.2.1)."""
    header = payload[at]
    at += 1
    if header & 0x10:
        at += 4 * ((header >> 5) + 1)
    if not header & 0x08:
        return at
    pictures = payload[at]
    at += 1
    for _ in range(pictures):
        at += 1 + (payload[at] >> 2 & 3)
    return at
