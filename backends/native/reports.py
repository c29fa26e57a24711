"""What a receiver reports to the sender, and knows about it (RFC 3550 section 6.4)."""

from __future__ import annotations

import time
from typing import Final

from aiortc import clock
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtcpReceiverInfo, RtcpSrPacket, RtpPacket

from shim.spi.engines import RtpSource

SOURCE_SECONDS: Final = 10.0
SOURCES_MAX: Final = 64
STREAMS_MAX: Final = 31


class ReceptionReports:
    """Statistics per synchronization source, and the reports made of them."""

    def __init__(self) -> None:
        self.streams: dict[int, StreamStatistics] = {}
        self._reports: dict[int, tuple[int, float]] = {}
        self._last: RtcpSrPacket | None = None

    def add(self, packet: RtpPacket, clock_rate: int) -> None:
        """Count a packet."""
        stream = self.streams.get(packet.ssrc)
        if stream is None:
            # A report has room for 31 sources (RFC 3550 section 6.4.2): the oldest one makes way.
            if len(self.streams) >= STREAMS_MAX:
                del self.streams[next(iter(self.streams))]
            stream = self.streams[packet.ssrc] = StreamStatistics(clock_rate)
        stream.add(packet)

    def note(self, packet: RtcpSrPacket) -> None:
        """Note a sender report."""
        self._last = packet
        self._reports[packet.ssrc] = (packet.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF, time.monotonic()
        if len(self._reports) > STREAMS_MAX:
            del self._reports[next(iter(self._reports))]

    def sender_members(self) -> dict[str, object]:
        """Return the last sender report as members of RTCRemoteOutboundRtpStreamStats."""
        if self._last is None:
            return {}
        told = self._last.sender_info
        return {
            "ssrc": self._last.ssrc,
            "packetsSent": told.packet_count,
            "bytesSent": told.octet_count,
            "remoteTimestamp": clock.datetime_from_ntp(told.ntp_timestamp).timestamp() * 1000,
        }

    def build(self) -> list[RtcpReceiverInfo]:
        """Return a report block per source."""
        return [self._block(ssrc, stream) for ssrc, stream in self.streams.items()]

    def _block(self, ssrc: int, stream: StreamStatistics) -> RtcpReceiverInfo:
        lsr, at = self._reports.get(ssrc, (0, 0.0))
        delay = int((time.monotonic() - at) * 65536) if lsr else 0
        return RtcpReceiverInfo(
            ssrc=ssrc,
            fraction_lost=stream.fraction_lost,
            packets_lost=stream.packets_lost,
            highest_sequence=(stream.cycles + (stream.max_seq or 0)) & 0xFFFFFFFF,
            jitter=stream.jitter,
            lsr=lsr,
            dlsr=min(delay, 0xFFFFFFFF),
        )


class HeardSources:
    """Who was heard lately, and how loud (webrtc-pc section 5.3)."""

    def __init__(self) -> None:
        self._heard: dict[tuple[int, bool], RtpSource] = {}

    def note(self, packet: RtpPacket) -> None:
        """Note the sources of a packet."""
        level = packet.extensions.audio_level
        loudness = None if level is None else 0.0 if level[1] == 127 else 10 ** (-level[1] / 20)
        now = time.time()
        self._heard[packet.ssrc, False] = RtpSource(now, packet.ssrc, False, loudness)
        for csrc in packet.csrc:
            self._heard[csrc, True] = RtpSource(now, csrc, True)
        if len(self._heard) > SOURCES_MAX:
            self._forget(now)

    def recent(self) -> tuple[RtpSource, ...]:
        """Return who was heard in the last ten seconds."""
        self._forget(time.time())
        return tuple(self._heard.values())

    def level(self, ssrc: int | None) -> float | None:
        """Return how loud a synchronization source was last, 0 to 1."""
        source = self._heard.get((ssrc, False)) if ssrc is not None else None
        return source.audio_level if source is not None else None

    def _forget(self, now: float) -> None:
        self._heard = {k: s for k, s in self._heard.items() if now - s.timestamp <= SOURCE_SECONDS}
