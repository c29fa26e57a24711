"""The receiving end of a media section: RTP in, decoded frames out."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import replace
from typing import Final

from aiortc.codecs import is_rtx
from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
    unwrap_rtx,
)

from backends.native.decoders import can_decode
from backends.native.decoding import DecodeThread, FrameDecoder, Outlet
from backends.native.encoders import TELEPHONE_EVENT
from backends.native.jitter import AudioBuffer, MediaFrame, MediaPacket, PtsClock
from backends.native.media_stats import (
    InboundCounters,
    InboundSources,
    inbound_audio_members,
    inbound_members,
    inbound_video_members,
)
from backends.native.payloads import unpack
from backends.native.private import RtpReceiverEnd
from backends.native.reports import HeardSources, ReceptionReports
from backends.native.transforming import ReceiverTransform
from backends.native.video_jitter import VideoBuffer
from shim.spi.engines import EngineConfig, FrameTransform, MediaSink, RtpSource

logger = logging.getLogger(__name__)

SWITCH_SECONDS: Final = 1.0


class MediaReceiver(RtpReceiverEnd):
    """Receives one track, puts it in order, decodes it and hands it to a sink.

    An RTCP BYE does not end the track (the source may come back, e.g. after a hold); `stop()` and the loss of
    the transport do.

    :param kind: ``"audio"`` or ``"video"``.
    :param transport: where packets come from.
    :param config: `jitter_target` is read.
    """

    def __init__(self, kind: str, transport: RTCDtlsTransport, *, config: EngineConfig) -> None:
        super().__init__(transport)
        self.kind = kind
        self.rtcp_ssrc = random.getrandbits(32)
        self._target = config.jitter_target
        self._parameters: RTCRtpReceiveParameters | None = None
        self._codecs: dict[int, RTCRtpCodecParameters] = {}
        self._mimes: dict[int, str] = {}
        self._rtx: dict[int, int] = {}
        self._active = False
        self._stopped = False
        self._ssrc: int | None = None
        self._retired: int | None = None
        self._heard_at = 0.0
        self._clock_rate = 0
        self._buffer: AudioBuffer | VideoBuffer | None = None
        self._pts = PtsClock()
        self._outlet = Outlet()
        self._decoder = FrameDecoder(self._outlet, self._decode_failed)
        self._thread: DecodeThread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._rtcp_task: asyncio.Task[None] | None = None
        self._feedback_task: asyncio.Task[None] | None = None
        self._estimator = RemoteBitrateEstimator() if kind == "video" else None
        self._reports = ReceptionReports()
        self._sources = HeardSources()
        self._known, self._counters = InboundSources(), InboundCounters()
        self._transform = ReceiverTransform("audio" if kind == "audio" else "video")

    # --- what the session calls ---

    @property
    def transport(self) -> RTCDtlsTransport:
        """Where packets come from."""
        return self._transport

    def setTransport(self, transport: RTCDtlsTransport) -> None:
        """Use another transport, after bundling."""
        if transport is self._transport:
            return
        registered = self._parameters is not None and not self._stopped
        if registered:
            self.unregister()
        self._transport = transport
        if registered and self._parameters is not None:
            self.register(self._parameters)

    def attach(self, sink: MediaSink) -> None:
        """Deliver to this sink from now on."""
        self._outlet.attach(sink)

    def set_jitter_target(self, seconds: float | None) -> None:
        """Wish for a receive delay in seconds; `None` or 0 is as little as possible."""
        self._target = seconds or 0.0
        if self._buffer is not None:
            self._buffer.set_target(self._target)
            self._on_timer()

    def set_transform(self, transform: FrameTransform | None) -> None:
        """Let whole frames pass through this before they are decoded."""
        self._transform.use(transform)

    def rtp_sources(self) -> tuple[RtpSource, ...]:
        """Return who was heard in the last ten seconds."""
        return self._sources.recent()

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Start to receive, go on after `pause()`, or follow a renegotiation. May be called again and again."""
        if self._stopped:
            return
        if self._parameters is not None:
            self.unregister()
        self._parameters = parameters
        self._codecs = {c.payloadType: c for c in parameters.codecs if c.payloadType is not None}
        self._mimes = {number: codec.mimeType.lower() for number, codec in self._codecs.items()}
        self._rtx = {e.rtx.ssrc: e.ssrc for e in parameters.encodings if e.rtx}
        if parameters.rtcp.ssrc is not None:
            self.rtcp_ssrc = parameters.rtcp.ssrc
        self.register(parameters)
        if not self._active:
            self._restart()
        self._active = True
        if self._rtcp_task is None:
            self._loop = asyncio.get_running_loop()
            self._rtcp_task = asyncio.create_task(self._run_rtcp())

    async def pause(self) -> None:
        """Ignore what comes, until `receive()` is called again."""
        self._active = False
        self._cancel_timer()

    async def stop(self) -> None:
        """Stop for good: no thread or task is left, and the sink has ended. May be called more than once."""
        if not self._stopped:
            self._stopped, self._active = True, False
            if self._parameters is not None:
                self.unregister()
        self._cancel_timer()
        tasks = [task for task in (self._rtcp_task, self._feedback_task) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        try:
            if self._thread is not None:
                await self._thread.close()
        finally:
            self._outlet.end()

    # --- packets ---

    async def on_rtp(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        if not self._active or self._loop is None:
            return
        await self._estimate(packet, arrival_time_ms)
        codec = self._codecs.get(packet.payload_type)
        if codec is None:
            return
        original = self._unwrap(packet) if is_rtx(codec) else packet
        now = time.monotonic()
        is_followed = original is not None and self._select(original.ssrc, now)
        self._count(packet, codec)
        if original is None or not is_followed:
            return
        media = self._read(original)
        if media is not None:
            media.resent = original is not packet
            self._deliver(self._buffer_for(media).insert(media, now), now)
            await self._give_feedback(now)
            self._arm(now)

    async def on_rtcp(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket):
            self._reports.note(packet)
        elif isinstance(packet, RtcpByePacket) and self._ssrc in packet.sources:
            self._retired, self._ssrc = self._ssrc, None

    def on_disconnect(self) -> None:
        self._active = False
        self._cancel_timer()
        if self._thread is not None:
            self._thread.finish(self._outlet.end)
        else:
            self._outlet.end()

    def _count(self, packet: RtpPacket, codec: RTCRtpCodecParameters) -> None:
        self._counters.packets += 1
        self._counters.octets += len(packet.payload)
        self._counters.header_octets += self.header_size(packet) + packet.padding_size
        self._reports.add(packet, codec.clockRate)
        if not is_rtx(codec):
            self._sources.note(packet)

    def _unwrap(self, packet: RtpPacket) -> RtpPacket | None:
        apt = self._codecs[packet.payload_type].parameters.get("apt")
        ssrc = self._rtx.get(packet.ssrc, self._ssrc)
        if ssrc is None or len(packet.payload) < 2 or not isinstance(apt, int) or apt not in self._codecs:
            return None
        return unwrap_rtx(packet, payload_type=apt, ssrc=ssrc)

    def _select(self, ssrc: int, now: float) -> bool:
        """Follow a stream that goes on under another SSRC, but not one that fades out."""
        if ssrc != self._ssrc:
            if ssrc == self._retired and self._ssrc is not None and now - self._heard_at < SWITCH_SECONDS:
                return False
            if self._ssrc is not None:
                self._retired = self._ssrc
            self._ssrc = ssrc
            self._restart()
            self._counters = self._known.of(ssrc)
            self._decoder.counters = self._counters.decoded
        self._heard_at = now
        return True

    def _read(self, packet: RtpPacket) -> MediaPacket | None:
        mime = self._mimes[packet.payload_type]
        media = MediaPacket(packet.sequence_number, packet.timestamp, packet.payload_type, marker=bool(packet.marker))
        if mime == TELEPHONE_EVENT:
            media.is_event, media.data = True, packet.payload
            return media
        if not packet.payload or not can_decode(mime):
            media.filler = True
            return media
        try:
            payload = unpack(mime, packet.payload)
        except (ValueError, IndexError) as exc:
            logger.debug("dropped a malformed %s payload: %s", mime, exc)
            return None
        media.data, media.starts, media.key = payload.data, payload.starts, payload.key
        return media

    def _buffer_for(self, media: MediaPacket) -> AudioBuffer | VideoBuffer:
        rate = self._codecs[media.payload_type].clockRate
        if self._buffer is None or (rate != self._clock_rate and not (media.filler or media.is_event)):
            self._take_counts(self._counters)
            self._clock_rate = rate
            self._buffer = (AudioBuffer if self.kind == "audio" else VideoBuffer)(rate, self._target)
        return self._buffer

    def _restart(self) -> None:
        """Expect a stream that has nothing to do with what was received before."""
        self._take_counts(self._counters)
        self._buffer = None
        self._pts.restart()

    # --- frames ---

    def _deliver(self, frames: list[MediaFrame], now: float) -> None:
        for frame in frames:
            codec = self._codecs.get(frame.payload_type)
            if codec is None:
                continue
            self._counters.frames += 1
            pts = self._pts.map(frame.timestamp, codec.clockRate, now)
            if (mime := self._mimes[frame.payload_type]) == TELEPHONE_EVENT:
                self._decoder.play(frame, pts, codec.clockRate)
            elif self._transform.apply(frame, codec.mimeType, self._ssrc or 0):
                self._decode(mime, frame, pts)
            elif self._transform.asks_for_key_frame(now):
                self._want_key_frame()

    def _decode(self, mime: str, frame: MediaFrame, pts: int) -> None:
        if self.kind == "audio":
            # 20 ms of Opus take 0.04 ms to decode: less than a change of threads.
            self._decoder.decode(mime, frame, pts)
            return
        if self._thread is None:
            self._thread = DecodeThread(self._decoder, self._want_key_frame)
        self._thread.decode(mime, frame, pts)

    def _decode_failed(self) -> None:
        if self.kind == "video" and self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._want_key_frame)
            except RuntimeError:  # the loop has been closed
                logger.debug("a frame could not be decoded after the loop was closed")

    def _want_key_frame(self) -> None:
        if isinstance(self._buffer, VideoBuffer) and self._loop is not None and self._active:
            now = time.monotonic()
            self._buffer.want_key_frame(now)
            self._arm(now)

    # --- time ---

    def _arm(self, now: float) -> None:
        deadline = self._buffer.deadline() if self._buffer is not None and self._active else None
        if deadline is None:
            self._cancel_timer()
        elif self._timer is None or self._timer_at > deadline + 0.001:
            self._cancel_timer()
            assert self._loop is not None
            self._timer, self._timer_at = self._loop.call_later(max(deadline - now, 0), self._on_timer), deadline

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        if not self._active or self._buffer is None or self._loop is None:
            return
        now = time.monotonic()
        self._deliver(self._buffer.poll(now), now)
        if isinstance(self._buffer, VideoBuffer) and (self._feedback_task is None or self._feedback_task.done()):
            self._feedback_task = asyncio.ensure_future(self._give_feedback(now))
        self._arm(now + 0.001)

    # --- feedback ---

    async def _give_feedback(self, now: float) -> None:
        buffer = self._buffer
        if not isinstance(buffer, VideoBuffer) or self._ssrc is None:
            return
        if len(buffer.losses) and (lost := buffer.losses.due(now)):
            self._counters.nacks += 1
            nack = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=self.rtcp_ssrc, media_ssrc=self._ssrc)
            nack.lost = lost
            await self._send_rtcp(nack)
        if buffer.key_frame_due(now):
            self._counters.plis += 1
            await self._send_rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=self.rtcp_ssrc, media_ssrc=self._ssrc))

    async def _estimate(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        sent = packet.extensions.abs_send_time
        if self._estimator is None or sent is None:
            return
        size = len(packet.payload) + packet.padding_size
        estimate = self._estimator.add(arrival_time_ms, abs_send_time=sent, payload_size=size, ssrc=packet.ssrc)
        if estimate is not None:
            remb = pack_remb_fci(*estimate)
            await self._send_rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=self.rtcp_ssrc, media_ssrc=0, fci=remb))

    async def _run_rtcp(self) -> None:
        while True:
            await asyncio.sleep(0.5 + random.random())
            reports = self._reports.build()
            if reports and self._active:
                await self._send_rtcp(RtcpRrPacket(ssrc=self.rtcp_ssrc, reports=reports))

    async def _send_rtcp(self, packet: AnyRtcpPacket) -> None:
        try:
            await self.send_packet(bytes(packet))
        except ConnectionError:
            logger.debug("RTCP not sent: the transport is not connected")

    # --- statistics ---

    def remote_stats(self) -> dict[str, object]:
        """Return the members of RTCRemoteOutboundRtpStreamStats that are known; nothing before a report came."""
        return self._reports.sender_members()

    def media_stats(self) -> dict[str, object]:
        """Return the members of RTCInboundRtpStreamStats that are known, in W3C names and units."""
        ssrc = self._retired if self._ssrc is None else self._ssrc
        stream = None if ssrc is None else self._reports.streams.get(ssrc)
        self._take_counts(counters := replace(self._counters))
        stats = inbound_members(self.kind, counters, stream, self._clock_rate)
        stats |= {} if ssrc is None else {"ssrc": ssrc}
        if self.kind == "video":
            return stats | inbound_video_members(counters, self._decoder.rate.value(time.monotonic()))
        return stats | inbound_audio_members(counters, self._sources.level(ssrc))

    def _take_counts(self, counters: InboundCounters) -> None:
        """Add what the buffer has counted since it exists."""
        if self._buffer is not None:
            counters.discarded += self._buffer.discarded
        if isinstance(self._buffer, VideoBuffer):
            counters.dropped += self._buffer.dropped
            counters.frames += self._buffer.dropped
