"""Which part of an encoded frame RTP needs in the clear, and how the rest is sealed so that it survives packets.

Payload formats read a little of what they carry: VP8 whether a frame is a key frame and how large it is; H264 its NAL
units, the parameter sets, and which of those a slice refers to. Browsers leave the same parts in the clear.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shim.spi.engines import EncodedFrameInfo

VP8_KEY_CLEAR: Final = 10
"""Frame tag, start code and size (RFC 6386 section 9.1)."""
VP8_DELTA_CLEAR: Final = 3
"""Frame tag."""
SLICE_CLEAR: Final = 5
"""NAL header, and the numbers of first macroblock, slice type and parameter set, with room for large pictures."""
START: Final = b"\0\0\0\1"
GUARD: Final = b"\x80"
"""Before what is sealed, lest it make a start code with zeros in front of it; and after it: no NAL unit ends in 0."""
_VCL: Final = re.compile(rb"\x00\x00\x01[\x01\x05\x21\x25\x41\x45\x61\x65]")
"""The start of a slice (H.264 table 7-1: type 1 or 5), whatever its importance."""

Cipher = Callable[[bytes, bytes], bytes]
"""Takes what is to be sealed or opened, and what is only authenticated."""


@dataclass(frozen=True, slots=True)
class _Slice:
    """A frame of H264, from its first slice on: what is before holds no picture."""

    head: bytes
    clear: bytes
    rest: bytes


def seal(data: bytes, info: EncodedFrameInfo, cipher: Cipher) -> bytes:
    """Return the frame with all sealed that RTP does not need."""
    mime = info.mime_type.lower()
    if mime == "video/h264":
        return _seal_h264(data, cipher)
    clear = _vp8_clear(data) if mime == "video/vp8" else 0
    return data[:clear] + cipher(data[clear:], data[:clear])


def unseal(data: bytes, info: EncodedFrameInfo, cipher: Cipher) -> bytes:
    """Undo :func:`seal`."""
    mime = info.mime_type.lower()
    if mime == "video/h264":
        return _unseal_h264(data, cipher)
    clear = _vp8_clear(data) if mime == "video/vp8" else 0
    return data[:clear] + cipher(data[clear:], data[:clear])


def _vp8_clear(data: bytes) -> int:
    """Return how much is clear; the lowest bit of a VP8 frame is 0 in key frames."""
    return VP8_DELTA_CLEAR if data and data[0] & 1 else VP8_KEY_CLEAR


def _seal_h264(data: bytes, cipher: Cipher) -> bytes:
    parts = _slice_of(data)
    if parts is None:
        return data
    return parts.head + START + parts.clear + GUARD + _escape(cipher(parts.rest, parts.clear)) + GUARD


def _unseal_h264(data: bytes, cipher: Cipher) -> bytes:
    parts = _slice_of(data)
    if parts is None:
        return data
    sealed = _unescape(parts.rest[len(GUARD) : -len(GUARD)])
    return parts.head + START + parts.clear + cipher(sealed, parts.clear)


def _slice_of(data: bytes) -> _Slice | None:
    found = _VCL.search(data)
    if found is None:
        return None
    start = found.start() + 3
    return _Slice(data[: found.start()].rstrip(b"\0"), data[start : start + SLICE_CLEAR], data[start + SLICE_CLEAR :])


def _escape(data: bytes) -> bytes:
    """Break up what would be a start code (H.264 section 7.4.1.1)."""
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\0\0\3", data)


def _unescape(data: bytes) -> bytes:
    return data.replace(b"\0\0\3", b"\0\0")
