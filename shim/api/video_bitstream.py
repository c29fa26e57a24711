"""Tells key frames by their bitstream, as far as that needs no decoding."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shim.spi.engines import VideoCodec

_START_CODE: Final = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)
_SEQUENCE_HEADER: Final = 1
_LONGEST_LEB128: Final = 8


def begins_anew(data: bytes, codec: VideoCodec) -> bool:
    """Tell whether decoding may begin with this picture. Damaged bytes may be told to be either."""
    if not data:
        return False
    if codec == "VP8":
        return data[0] & 1 == 0  # RFC 6386 section 9.1
    if codec == "VP9":
        return _is_vp9_key(data)
    if codec == "AV1":
        return _SEQUENCE_HEADER in _obu_types(data)
    headers = [match[1][0] for match in _START_CODE.finditer(data)]
    if codec == "H264":
        return any(header & 0x1F == 5 for header in headers)  # H.264 table 7-1: IDR
    return any(16 <= header >> 1 & 0x3F <= 21 for header in headers)  # H.265 table 7-1: IRAP


def _is_vp9_key(data: bytes) -> bool:
    """VP9 bitstream specification 6.2: marker 2, profile 1 + 1, (reserved,) show existing, then the frame type."""
    first = data[0]
    shift = 1 if first & 0x30 == 0x30 else 0
    return first >> 6 == 2 and not first >> (3 - shift) & 1 and not first >> (2 - shift) & 1


def _obu_types(data: bytes) -> Iterator[int]:
    """AV1 specification 5.3.2."""
    position = 0
    while position < len(data):
        header = data[position]
        yield header >> 3 & 15
        position += 2 if header & 4 else 1
        if not header & 2:
            return
        size = shift = 0
        for byte in data[position : position + _LONGEST_LEB128]:
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        position += size
