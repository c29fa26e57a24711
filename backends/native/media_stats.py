"""Statistics of senders and receivers, in W3C names and units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiortc.rtcrtpreceiver import StreamStatistics

from backends.native.decoding import DecodeCounters
from backends.native.reports import STREAMS_MAX
from backends.native.rtp_stream import RtpStream

if TYPE_CHECKING:
    from backends.native.video_encoders import Limitation


@dataclass(slots=True)
class InboundCounters:
    """What a receiver counts of one source."""

    packets: int = 0
    octets: int = 0
    header_octets: int = 0
    frames: int = 0
    dropped: int = 0
    discarded: int = 0
    nacks: int = 0
    plis: int = 0
    decoded: DecodeCounters = field(default_factory=DecodeCounters)


class InboundSources:
    """The counters of each source: one that comes back goes on where it was, a new one begins at nothing."""

    def __init__(self) -> None:
        self._counters: dict[int, InboundCounters] = {}

    def of(self, ssrc: int) -> InboundCounters:
        """Return the counters of a source; the one that was heard longest ago makes way."""
        counters = self._counters[ssrc] = self._counters.pop(ssrc, InboundCounters())
        if len(self._counters) > STREAMS_MAX:
            del self._counters[next(iter(self._counters))]
        return counters


@dataclass(slots=True)
class OutboundCounters:
    """What a sender counts. Seconds, pixels."""

    frames: int = 0
    encoded: int = 0
    key_frames: int = 0
    dropped: int = 0
    nacks: int = 0
    plis: int = 0
    firs: int = 0
    encode_seconds: float = 0.0
    width: int = 0
    height: int = 0


class Limitations:
    """How long the quality of what is sent was limited, and by what (webrtc-stats, RTCQualityLimitationReason)."""

    def __init__(self) -> None:
        self._reason: Limitation = "none"
        self._since: float | None = None
        self._seconds = dict.fromkeys(("none", "cpu", "bandwidth", "other"), 0.0)

    def note(self, reason: Limitation, now: float) -> None:
        """Note what limits it from now on, seconds of a monotonic clock."""
        if self._since is not None:
            self._seconds[self._reason] += now - self._since
        self._reason, self._since = reason, now

    def members(self) -> dict[str, object]:
        """Return the members of RTCOutboundRtpStreamStats."""
        return {"qualityLimitationReason": self._reason, "qualityLimitationDurations": dict(self._seconds)}


def inbound_members(
    kind: str, counters: InboundCounters, stream: StreamStatistics | None, clock_rate: int
) -> dict[str, object]:
    """Return the members of RTCInboundRtpStreamStats that both kinds have."""
    members: dict[str, object] = {
        "kind": kind,
        "packetsReceived": counters.packets,
        "bytesReceived": counters.octets,
        "headerBytesReceived": counters.header_octets,
        "packetsDiscarded": counters.discarded,
        "nackCount": counters.nacks,
        "jitterBufferDelay": counters.decoded.buffered_seconds,
        "jitterBufferEmittedCount": counters.decoded.samples,
    }
    if stream is None or not clock_rate:
        return members
    return members | {
        "packetsReceived": stream.packets_received,
        "packetsLost": stream.packets_lost,
        "jitter": stream.jitter / clock_rate,
    }


def inbound_video_members(counters: InboundCounters, rate: float) -> dict[str, object]:
    """Return the members of RTCInboundRtpStreamStats that only video has."""
    decoded = counters.decoded
    return {
        "framesReceived": counters.frames,
        "framesDecoded": decoded.frames,
        "keyFramesDecoded": decoded.key_frames,
        "framesDropped": counters.dropped + decoded.skipped + decoded.errors,
        "totalDecodeTime": decoded.seconds,
        "frameWidth": decoded.width,
        "frameHeight": decoded.height,
        "framesPerSecond": rate,
        "pliCount": counters.plis,
        "firCount": 0,
    }


def inbound_audio_members(counters: InboundCounters, level: float | None) -> dict[str, object]:
    """Return the members of RTCInboundRtpStreamStats that only audio has."""
    decoded = counters.decoded
    members: dict[str, object] = {
        "totalSamplesReceived": decoded.samples,
        "totalAudioEnergy": decoded.sound.energy,
        "totalSamplesDuration": decoded.sound.seconds,
    }
    return members if level is None else {**members, "audioLevel": level}


def outbound_members(kind: str, stream: RtpStream, counters: OutboundCounters) -> dict[str, object]:
    """Return the members of RTCOutboundRtpStreamStats that both kinds have."""
    return {
        "kind": kind,
        "packetsSent": stream.packets,
        "bytesSent": stream.octets,
        "headerBytesSent": stream.header_octets,
        "retransmittedPacketsSent": stream.retransmitted_packets,
        "retransmittedBytesSent": stream.retransmitted_octets,
        "nackCount": counters.nacks,
    }


def outbound_video_members(counters: OutboundCounters, rate: float) -> dict[str, object]:
    """Return the members of RTCOutboundRtpStreamStats that only video has."""
    return {
        "framesEncoded": counters.encoded,
        "keyFramesEncoded": counters.key_frames,
        "framesSent": counters.frames,
        "framesDropped": counters.dropped,
        "framesPerSecond": rate,
        "totalEncodeTime": counters.encode_seconds,
        "frameWidth": counters.width,
        "frameHeight": counters.height,
        "pliCount": counters.plis,
        "firCount": counters.firs,
    }
