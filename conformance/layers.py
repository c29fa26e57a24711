"""A peer that takes the layers of simulcast as a media server does: plain aiortc, its packets read by their headers."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from conformance.asserts import local_of
from conformance.scenes import described
from conformance.targets import REFERENCE, Peers, ReferenceTarget

if TYPE_CHECKING:
    from aiortc.rtp import RtpPacket

    from shim import RTCPeerConnection

STREAM_ID: Final = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
KEY_FRAME_START: Final = b"\x9d\x01\x2a"
"""What follows the three bytes of the frame tag of a key frame (RFC 6386 section 9.1)."""


class LayerPeer:
    """Answers an offer of simulcast, and notes of each layer what really arrives.

    :param layers: the ids (rids) that it accepts.
    """

    def __init__(self, peers: Peers, *layers: str) -> None:
        self._pc = peers.open(ReferenceTarget(REFERENCE))
        self._layers = layers
        self._source: dict[int, str] = {}
        self._news = asyncio.Event()
        self.sizes: dict[str, tuple[int, int]] = {}
        """Width and height of each layer, from its last key frame."""

    async def answer(self, offerer: RTCPeerConnection) -> None:
        """Negotiate with who has made an offer of one video section."""
        offer = local_of(offerer).sdp
        await self._pc.setRemoteDescription(described("offer", offer))
        self._listen(_extension_id(offer))
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        accepted = [f"a=extmap:{_extension_id(offer)} {STREAM_ID}", *(f"a=rid:{rid} recv" for rid in self._layers)]
        accepted.append(f"a=simulcast:recv {';'.join(self._layers)}")
        answer = local_of(self._pc).sdp + "".join(f"{line}\r\n" for line in accepted)
        await offerer.setRemoteDescription(described("answer", answer))

    async def until(self, *layers: str) -> None:
        """Wait until a key frame of each of these has come."""
        while not self.sizes.keys() >= set(layers):
            self._news.clear()
            await self._news.wait()

    def _listen(self, extension_id: int) -> None:
        from aiortc.rtp import RtpPacket

        # What aiortc has decrypted is taken before it looks for a receiver: it has none for layers.
        transport: Any = self._pc.getTransceivers()[0].receiver.transport
        extensions = transport._rtp_header_extensions_map

        async def take(data: bytes, arrival_time_ms: int) -> None:
            extension: Any = SimpleNamespace(id=extension_id, uri=STREAM_ID)
            extensions.configure(SimpleNamespace(headerExtensions=[extension]))
            self._take(RtpPacket.parse(data, extensions))

        transport._handle_rtp_data = take

    def _take(self, packet: RtpPacket) -> None:
        if packet.extensions.rtp_stream_id is not None:
            self._source[packet.ssrc] = packet.extensions.rtp_stream_id
        rid = self._source.get(packet.ssrc)
        if rid is None:
            return
        if (size := _size_of(packet.payload)) is not None:
            self.sizes[rid] = size
            self._news.set()


def _extension_id(offer: str) -> int:
    found = re.search(rf"^a=extmap:(\d+)(?:/\w+)? {re.escape(STREAM_ID)}\s*$", offer, re.MULTILINE)
    assert found is not None, "simulcast is offered without the header extension that tells layers apart (RFC 8853 5.5)"
    return int(found[1])


def _size_of(payload: bytes) -> tuple[int, int] | None:
    """Return the size in a packet that begins a key frame of VP8 (RFC 7741 section 4.3, RFC 6386 section 9.1)."""
    from aiortc.codecs.vpx import VpxPayloadDescriptor

    try:
        descriptor, frame = VpxPayloadDescriptor.parse(payload)
    except ValueError:
        return None  # padding
    begins_key_frame = descriptor.partition_start and not descriptor.partition_id and frame[3:6] == KEY_FRAME_START
    if not begins_key_frame or len(frame) < 10:
        return None
    width, height = (int.from_bytes(frame[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width, height
