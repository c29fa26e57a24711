"""RTP payload formats of video: VP8 (RFC 7741) and H264 (RFC 6184, packetization mode 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from aiortc.codecs.h264 import H264PayloadDescriptor
from aiortc.codecs.vpx import VpxPayloadDescriptor

from backends.native.payloads_av1 import unpack_av1
from backends.native.payloads_vp9 import unpack_vp9

H264_IDR: Final = 5
H264_SPS: Final = 7
H264_STAP_A: Final = 24
H264_FU_A: Final = 28


@dataclass(slots=True)
class Payload:
    """A payload without its header: see :class:`backends.native.jitter.MediaPacket` for the fields."""

    data: bytes
    starts: bool | None = True
    key: bool = True


def unpack(mime: str, payload: bytes) -> Payload:
    """Read a payload's header.

    :param mime: lower-case MIME type of the codec.
    :raises ValueError: the payload is malformed.
    """
    if mime == "video/vp8":
        return unpack_vp8(payload)
    if mime == "video/h264":
        return unpack_h264(payload)
    if mime == "video/vp9":
        return Payload(*unpack_vp9(payload))
    if mime == "video/av1":
        return Payload(*unpack_av1(payload))
    return Payload(payload)


def unpack_vp8(payload: bytes) -> Payload:
    """Read a VP8 payload descriptor; the P bit of the frame's first byte is 0 in a key frame."""
    descriptor, data = VpxPayloadDescriptor.parse(payload)
    starts = bool(descriptor.partition_start) and descriptor.partition_id == 0
    return Payload(data, starts, starts and bool(data) and not data[0] & 1)


def unpack_h264(payload: bytes) -> Payload:
    """Turn NAL units, whole, aggregated or fragmented, into a byte stream."""
    _, data = H264PayloadDescriptor.parse(payload)
    kind = payload[0] & 0x1F
    if kind == H264_FU_A:
        first = bool(payload[1] & 0x80)
        return Payload(data, None if first else False, first and payload[1] & 0x1F in (H264_IDR, H264_SPS))
    kinds = {nal[0] & 0x1F for nal in split_nals(data) if nal}
    return Payload(data, True if H264_SPS in kinds else None, bool(kinds & {H264_IDR, H264_SPS}))


def packetize_vp8(data: bytes, picture_id: int, limit: int) -> list[bytes]:
    """Split a frame into payloads of at most `limit` bytes, as equal as can be."""
    count = -(-len(data) // (limit - 4))
    picture = bytes([0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF])
    bounds = [len(data) * i // count for i in range(count + 1)] if count else []
    return [(b"\x80" if start else b"\x90") + b"\x80" + picture + data[start:stop] for start, stop in pairwise(bounds)]


def split_nals(data: bytes) -> Iterator[bytes]:
    """Yield the NAL units of a byte stream with start codes (H.264 annex B)."""
    start = data.find(b"\0\0\1")
    while start >= 0:
        start += 3
        end = data.find(b"\0\0\1", start)
        yield data[start:] if end < 0 else data[start:end].rstrip(b"\0")
        start = end


def packetize_h264(data: bytes, limit: int) -> list[bytes]:
    """Pack the NAL units of a frame into payloads of at most `limit` bytes."""
    payloads: list[bytes] = []
    batch: list[bytes] = []
    for nal in split_nals(data):
        if batch and 1 + sum(len(n) + 2 for n in (*batch, nal)) > limit:
            payloads.append(_aggregate(batch))
            batch = []
        if len(nal) > limit:
            payloads += _fragment(nal, limit)
        elif nal:
            batch.append(nal)
    return [*payloads, _aggregate(batch)] if batch else payloads


def _aggregate(nals: list[bytes]) -> bytes:
    if len(nals) == 1:
        return nals[0]
    header = max(nal[0] & 0x60 for nal in nals) | H264_STAP_A
    return bytes([header]) + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)


def _fragment(nal: bytes, limit: int) -> list[bytes]:
    body, count = nal[1:], -(-(len(nal) - 1) // (limit - 2))
    bounds = [len(body) * i // count for i in range(count + 1)]
    indicator, kind = nal[0] & 0xE0 | H264_FU_A, nal[0] & 0x1F
    return [
        bytes([indicator, kind | (0x80 if i == 0 else 0) | (0x40 if i == count - 1 else 0)])
        + body[bounds[i] : bounds[i + 1]]
        for i in range(count)
    ]
