"""One outgoing RTP stream: sequence numbers, timestamps, header extensions, retransmission, counters."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiortc import clock
from aiortc.rtcrtpparameters import RTCRtpSendParameters
from aiortc.rtp import (
    HeaderExtensionsMap,
    RtcpReceiverInfo,
    RtcpSenderInfo,
    RtpPacket,
    wrap_rtx,
)

from backends.native.encoded import EncodedFrame

HISTORY: Final = 512
RTP_HEADER_BYTES: Final = 12
RTT_ALPHA: Final = 0.85


class RtpStream:
    """Turns payloads into packets and sends them.

    :param send: protects and sends one packet.
    """

    def __init__(self, kind: str, ssrc: int, rtx_ssrc: int, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._kind = kind
        self._ssrc, self._rtx_ssrc = ssrc, rtx_ssrc
        self._send = send
        self._extensions = HeaderExtensionsMap()
        self._mid = ""
        self._history: dict[int, RtpPacket] = {}
        # Chosen in the lower half: a wrap within the first packets breaks SRTP of some receivers.
        self._sequence = random.randrange(1 << 15)
        self._rtx_sequence = random.randrange(1 << 15)
        self._origin = random.getrandbits(32)
        self._last = self._origin
        self._sent_at = 0.0
        self._clock_rate = 0
        self.rtx_payload_type: int | None = None
        self.packets = self.octets = self.header_octets = 0
        self.retransmitted_packets = self.retransmitted_octets = 0

    def configure(self, parameters: RTCRtpSendParameters) -> None:
        """Use the header extensions and the media id of these parameters."""
        self._extensions = HeaderExtensionsMap()
        self._extensions.configure(parameters)
        self._mid = parameters.muxId

    def rebase(self, clock_rate: int) -> None:
        """Go on where the last timestamp was, with an encoder that starts at 0."""
        self._origin = self.timestamp_now() if self.packets else self._origin
        self._clock_rate = clock_rate

    def timestamp_of(self, tick: int) -> int:
        """Return the RTP timestamp of a frame."""
        return (self._origin + tick) & 0xFFFFFFFF

    def timestamp_now(self) -> int:
        """Return the RTP timestamp of this moment."""
        if not self.packets:
            return self._origin
        passed = max(1, int((time.monotonic() - self._sent_at) * self._clock_rate))
        return (self._last + passed) & 0xFFFFFFFF

    async def send_frame(self, frame: EncodedFrame, payload_type: int) -> None:
        """Send all packets of a frame."""
        timestamp = self.timestamp_of(frame.timestamp)
        self._last, self._sent_at = timestamp, time.monotonic()
        last = len(frame.payloads) - 1
        for index, payload in enumerate(frame.payloads):
            packet = RtpPacket(payload_type, 0, 0, timestamp, self._ssrc, payload)
            packet.marker = int(index == last if self._kind == "video" else frame.starts)
            if frame.level is not None:
                packet.extensions.audio_level = (False, frame.level)
            await self._send_new(packet)

    async def send_event(self, payload: bytes, payload_type: int, timestamp: int, *, marker: bool) -> None:
        """Send a packet that belongs to no frame, with an absolute timestamp."""
        await self._send_new(RtpPacket(payload_type, int(marker), 0, timestamp & 0xFFFFFFFF, self._ssrc, payload))

    async def retransmit(self, sequence: int) -> None:
        """Send a packet again, if it is still known."""
        packet = self._history.get(sequence % HISTORY)
        if packet is None or packet.sequence_number != sequence:
            return
        if self.rtx_payload_type is not None:
            packet = wrap_rtx(packet, self.rtx_payload_type, self._rtx_sequence, self._rtx_ssrc)
            self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
        self.retransmitted_packets += 1
        self.retransmitted_octets += len(packet.payload)
        await self._send(packet.serialize(self._extensions))

    @property
    def clock_rate(self) -> int:
        """Ticks per second; 0 before there is an encoder."""
        return self._clock_rate

    def packets_until(self, sequence: int) -> int:
        """Return how many packets were sent up to the one with this sequence number, the last of that name.

        :param sequence: 16 bits, or more: an extended one.
        """
        return max(0, self.packets - ((self._sequence - 1 - sequence) & 0xFFFF))

    def sender_info(self) -> RtcpSenderInfo:
        """Return what a sender report says of this moment."""
        return RtcpSenderInfo(
            ntp_timestamp=clock.current_ntp_time(),
            rtp_timestamp=self.timestamp_now(),
            packet_count=self.packets & 0xFFFFFFFF,
            octet_count=self.octets & 0xFFFFFFFF,
        )

    async def _send_new(self, packet: RtpPacket) -> None:
        packet.sequence_number = self._sequence
        self._sequence = (self._sequence + 1) & 0xFFFF
        packet.extensions.mid = self._mid or None
        packet.extensions.abs_send_time = (clock.current_ntp_time() >> 14) & 0x00FFFFFF
        if self._kind == "video":
            self._history[packet.sequence_number % HISTORY] = packet
        data = packet.serialize(self._extensions)
        await self._send(data)
        self.packets += 1
        self.octets += len(packet.payload)
        self.header_octets += len(data) - len(packet.payload)


class RemoteReports:
    """What the receiver of a stream reports about it."""

    def __init__(self) -> None:
        self._lsr = 0
        self._sent_at = 0.0
        self.last: RtcpReceiverInfo | None = None
        self.round_trip: float | None = None
        self.round_trips = 0
        self.total_round_trip = 0.0
        self._received = 0

    def note_sent(self, info: RtcpSenderInfo) -> None:
        """Note a sender report that goes out now."""
        self._lsr, self._sent_at = (info.ntp_timestamp >> 16) & 0xFFFFFFFF, time.monotonic()

    def note(self, report: RtcpReceiverInfo, stream: RtpStream) -> None:
        """Note a report block about a stream."""
        self.last = report
        self._received = max(0, stream.packets_until(report.highest_sequence) - report.packets_lost)
        if report.lsr != self._lsr or not report.dlsr:
            return
        sample = max(0.0, time.monotonic() - self._sent_at - report.dlsr / 65536)
        self.round_trips += 1
        self.total_round_trip += sample
        known = self.round_trip
        self.round_trip = sample if known is None else RTT_ALPHA * known + (1 - RTT_ALPHA) * sample

    def members(self, stream: RtpStream) -> dict[str, object]:
        """Return the members of RTCRemoteInboundRtpStreamStats; a report has come. No round trip is made up."""
        assert self.last is not None
        known: dict[str, object] = {
            "packetsReceived": self._received,
            "packetsLost": self.last.packets_lost,
            "fractionLost": self.last.fraction_lost / 256,
            "totalRoundTripTime": self.total_round_trip,
            "roundTripTimeMeasurements": self.round_trips,
        }
        if stream.clock_rate:
            known["jitter"] = self.last.jitter / stream.clock_rate
        return known if self.round_trip is None else known | {"roundTripTime": self.round_trip}
