"""Which receiver gets an RTP packet."""

from __future__ import annotations

from aiortc.rtcdtlstransport import RtpReceiver, RtpRouter
from aiortc.rtp import RtpPacket


class MidRouter(RtpRouter):
    """Routes by the MID header extension first (RFC 8843 section 9.2), then as aiortc does."""

    def route_rtp(self, packet: RtpPacket) -> RtpReceiver | None:
        if packet.ssrc not in self.ssrc_table and packet.extensions.mid is not None:
            receiver = self.mid_table.get(packet.extensions.mid)
            if receiver is not None and receiver in self.payload_type_table.get(packet.payload_type, ()):
                self.ssrc_table[packet.ssrc] = receiver
                return receiver
        return super().route_rtp(packet)
