"""What really crossed a simulated network: RTP streams, counted by what everybody can read of a protected packet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from conformance.netsim import Packet, Pipe, Verdict

TAGS: Final = (10, 16)
"""Bytes that SRTP adds to a packet: AES_CM_128_HMAC_SHA1_80 (RFC 3711), AEAD_AES_GCM (RFC 7714)."""


@dataclass
class Stream:
    """One RTP stream.

    :param packets: how many were sent.
    :param lost: how many of them the network lost.
    :param payload: bytes after the headers, with what SRTP added; of all that were sent.
    :param header: bytes of headers and their extensions.
    :param payload_type: of the last packet.
    """

    packets: int = 0
    lost: int = 0
    payload: int = 0
    header: int = 0
    payload_type: int = -1

    def payload_sizes(self) -> set[int]:
        """Return how many bytes these were before SRTP, for each cipher that may have been agreed on."""
        return {self.payload - self.packets * tag for tag in TAGS}


class Wiretap:
    """Counts the RTP packets that enter one direction of a network, by SSRC."""

    def __init__(self, pipe: Pipe) -> None:
        self.streams: dict[int, Stream] = {}
        pipe.on_packet(self._count)

    def of(self, packet: Packet) -> Stream:
        """Return the stream of an RTP packet."""
        return self.streams.setdefault(int.from_bytes(packet.data[8:12], "big"), Stream())

    def _count(self, packet: Packet, verdict: Verdict) -> None:
        if packet.kind != "rtp":
            return
        data, header = packet.data, 12 + 4 * (packet.data[0] & 0x0F)
        if data[0] & 0x10:
            header += 4 + 4 * int.from_bytes(data[header + 2 : header + 4], "big")
        stream = self.of(packet)
        stream.packets += 1
        stream.lost += verdict.dropped is not None
        stream.header += header
        stream.payload += len(data) - header
        stream.payload_type = data[1] & 0x7F
