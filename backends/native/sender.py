"""The sending end of a media section: frames in, RTP out."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSourceInfo,
    RtcpSrPacket,
    unpack_remb_fci,
)
from av import AudioFrame, Packet, VideoFrame

from backends.native.audio_encoders import AudioEncoder
from backends.native.decoding import FrameRate
from backends.native.dtmf import ToneEvent, TonePlayer
from backends.native.encoded import EncodedFrame
from backends.native.encoders import get_encoder, is_media, rtx_for, tones_for
from backends.native.frame_gates import FrameGate
from backends.native.media_sources import MediaData, SourceFeed, SourceFigures
from backends.native.media_stats import (
    Limitations,
    OutboundCounters,
    outbound_members,
    outbound_video_members,
)
from backends.native.private import RtpSenderEnd
from backends.native.rtp_stream import RemoteReports, RtpStream
from backends.native.transforming import SenderTransform
from backends.native.video_encoders import Picture, VideoEncoder
from shim.spi.engines import Encoding, EngineConfig, FrameTransform, MediaSource
from shim.spi.errors import NotSupportedError

logger = logging.getLogger(__name__)

STOP_SECONDS: Final = 1.0
AUDIO_LEVEL_URI: Final = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


class MediaSender(RtpSenderEnd):
    """Pulls a source, encodes what it gives, and sends it.

    :param kind: ``"audio"`` or ``"video"``.
    :param transport: where packets go.
    :param config: `bitrate` and `opus` are read.
    :param payload_size: largest RTP payload in bytes.
    """

    def __init__(
        self, kind: str, transport: RTCDtlsTransport, *, config: EngineConfig, payload_size: int = 1200
    ) -> None:
        super().__init__(transport, random.getrandbits(32))
        self.kind = kind
        self.rtx_ssrc = random.getrandbits(32)
        self.stream_ids: tuple[str, ...] = ()
        self._config = config
        self._payload_size = payload_size
        self._feed = SourceFeed(kind)
        self._pulled = SourceFigures()
        self._encodings: tuple[Encoding, ...] = (Encoding(),)
        self._remote_limit: int | None = None
        self._parameters: RTCRtpSendParameters | None = None
        self._codec: RTCRtpCodecParameters | None = None
        self._tones: RTCRtpCodecParameters | None = None
        self._with_level = False
        self._encoder: AudioEncoder | VideoEncoder | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._gate = FrameGate()
        self._force_key = False
        self._estimate: int | None = None
        self._sending = False
        self._stopped = False
        self._warned = False
        self._task: asyncio.Task[None] | None = None
        self._rtcp_task: asyncio.Task[None] | None = None
        self._stream = RtpStream(kind, self.ssrc, self.rtx_ssrc, self.send_packet)
        self._player = TonePlayer(self._send_tone, self._start_tone)
        self._remote = RemoteReports()
        self._rate = FrameRate()
        self._counters = OutboundCounters()
        self._limitations = Limitations()
        self._transform = SenderTransform("audio" if kind == "audio" else "video", self.ssrc)

    # --- what the session calls ---

    @property
    def transport(self) -> RTCDtlsTransport:
        """Where packets go."""
        return self._transport

    @property
    def source(self) -> MediaSource | None:
        """What is being sent."""
        return self._feed.source

    @property
    def source_id(self) -> str:
        """Id of the source, or of the last one; a random one if there never was any."""
        return self._feed.source_id

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

    def set_source(self, source: MediaSource | None) -> None:
        """Send this source from now on, or nothing. Times go on without a jump."""
        if source is self._feed.source:
            return
        self._warned, self._pulled = False, SourceFigures()
        if self._encoder is not None:
            self._encoder.restart()
            self._measure(self._encoder)
        self._feed.set(source)

    def get_encodings(self) -> tuple[Encoding, ...]:
        """Return how the source is encoded."""
        return self._encodings

    def set_encodings(self, encodings: Sequence[Encoding]) -> None:
        """Change how the source is encoded, from the next frame on. Only the first encoding is sent."""
        was_active = self._encoding.active
        self._encodings = tuple(encodings) or (Encoding(),)
        self._force_key = self._force_key or (self._encoding.active and not was_active)

    def limit(self, bitrate: int | None) -> None:
        """Send no more than the remote wants to receive.

        :param bitrate: bits per second; `None` if it does not say.
        """
        self._remote_limit = bitrate

    def set_transform(self, transform: FrameTransform | None) -> None:
        """Let what is encoded pass through this before it is packetised."""
        self._transform.transform = transform

    def can_insert_dtmf(self) -> bool:
        """Tell whether tones can be sent now."""
        return self._tones is not None and self._sending and not self._stopped

    def insert_dtmf(self, tones: str, duration: float, gap: float, on_tone: Callable[[str], None]) -> None:
        """Replace the tone buffer. Seconds. `on_tone` is told each tone as it starts, and "" at the end."""
        self._player.insert(tones, duration, gap, on_tone)

    def send(self, parameters: RTCRtpSendParameters) -> None:
        """Start to send, go on after `pause()`, or follow a renegotiation. May be called again and again.

        :raises NotSupportedError: no codec of the parameters can be sent.
        """
        if self._stopped:
            return
        codec = next((codec for codec in parameters.codecs if is_media(codec)), None)
        if codec is None:
            raise NotSupportedError(
                f"cannot send {self.kind}: none of the codecs agreed on ({', '.join(map(str, parameters.codecs))}) "
                "can be encoded. Negotiate another one.",
                backend="native",
                component="peer",
            )
        if self._parameters is not None:
            self.unregister()
        self._parameters = parameters
        self.register(parameters)
        self._force_key = self._force_key or not self._sending
        self._use(codec, parameters)
        self._sending = True
        if self._task is None:
            self._task = asyncio.create_task(self._run())
            self._rtcp_task = asyncio.create_task(self._run_rtcp())

    async def pause(self) -> None:
        """Send nothing until `send()` is called again; the source is still pulled, so that it does not pile up."""
        self._sending = False

    async def stop(self) -> None:
        """Stop for good and stop the source: no thread or task is left. May be called more than once.

        A source that does not let itself be cancelled is waited for one second.
        """
        if not self._stopped:
            self._stopped, self._sending = True, False
            if self._parameters is not None:
                self.unregister()
        await self._player.stop()
        tasks = [task for task in (self._task, self._rtcp_task) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=STOP_SECONDS)
                await self._send_rtcp(RtcpByePacket(sources=[self.ssrc]))
            await self._close_encoder()
        finally:
            if self._task is not None:
                self._feed.end()

    # --- media ---

    @property
    def _encoding(self) -> Encoding:
        encoding = self._encodings[0]
        if self._remote_limit is None:
            return encoding
        return replace(encoding, max_bitrate=min(encoding.max_bitrate or self._remote_limit, self._remote_limit))

    def _use(self, codec: RTCRtpCodecParameters, parameters: RTCRtpSendParameters) -> None:
        rtx = rtx_for(codec, parameters.codecs)
        self._stream.configure(parameters)
        self._stream.rtx_payload_type = rtx.payloadType if rtx is not None else None
        self._tones = tones_for(codec, parameters.codecs) if self.kind == "audio" else None
        with_level = any(extension.uri == AUDIO_LEVEL_URI for extension in parameters.headerExtensions)
        known = self._codec
        same = known is not None and (known.mimeType, known.parameters) == (codec.mimeType, codec.parameters)
        if not same or with_level != self._with_level:
            self._encoder, self._with_level, self._force_key = None, with_level, True
        self._codec = codec

    async def _run(self) -> None:
        try:
            while not self._stopped:
                data = await self._feed.next()
                if data is not None:
                    self._pulled.note(data)
                if data is not None and self._sending and self._encoding.active and not self._player.playing:
                    await self._send_data(data)
        except Exception:
            logger.warning("sending %s failed for good; the connection lives on", self.kind, exc_info=True)
            self._feed.end()

    async def _send_data(self, data: MediaData) -> None:
        try:
            frames = await self._encode(data)
        except Exception:
            # One unusable frame, or a stream of them, is the source's fault and no reason to end the call.
            self._counters.dropped += 1
            if not self._warned:
                logger.warning(
                    "a frame of %s track %s cannot be encoded and is dropped", self.kind, self.source_id, exc_info=True
                )
            self._warned = True
            if self._encoder is not None:
                self._encoder.reset()
            return
        for frame in frames:
            if self._sending:  # it may have been paused while this was encoded
                await self._send_frame(frame)
        if self.kind == "audio":
            # A source that never waits must not starve the loop: nothing above is sure to give way.
            await asyncio.sleep(0)

    async def _send_frame(self, frame: EncodedFrame) -> None:
        if not frame.payloads or self._codec is None or self._codec.payloadType is None:
            return
        try:
            await self._stream.send_frame(frame, self._codec.payloadType)
        except ConnectionError:
            self._counters.dropped += 1
            self._force_key = True
            if self._transport.state in ("closed", "failed"):
                self._feed.end()
            return
        self._counters.frames += 1
        self._rate.note(time.monotonic())

    async def _encode(self, data: MediaData) -> list[EncodedFrame]:
        now = time.monotonic()
        encoder = self._encoder or self._create_encoder()
        if isinstance(encoder, VideoEncoder):
            return await self._encode_video(encoder, data, now)
        encoder.set_max_bitrate(self._encoding.max_bitrate)
        if isinstance(data, Packet):
            return self._transformed(encoder.pack(data, now))
        if not isinstance(data, AudioFrame):
            raise TypeError(f"expected an AudioFrame or a Packet, got {type(data).__name__}")
        # 20 ms of Opus take 0.1 ms to encode: less than two changes of threads.
        frames = encoder.encode(data, now)
        self._note_encoded(now, len(frames))
        return self._transformed(frames)

    def _transformed(self, frames: list[EncodedFrame]) -> list[EncodedFrame]:
        """Let sound pass through the transform; each frame is one payload."""
        for frame in frames:
            sealed = (self._transform_frame(payload, frame.timestamp, frame.key) for payload in frame.payloads)
            frame.payloads = [payload for payload in sealed if payload]
        return frames

    def _transform_frame(self, data: bytes, tick: int, key: bool) -> bytes:
        assert self._codec is not None
        return self._transform.apply(data, self._codec.mimeType, self._stream.timestamp_of(tick), key=key)

    async def _encode_video(self, encoder: VideoEncoder, data: MediaData, now: float) -> list[EncodedFrame]:
        if not isinstance(data, VideoFrame | Packet):
            raise TypeError(f"expected a VideoFrame or a Packet, got {type(data).__name__}")
        tick = encoder.tick(data.pts, data.time_base, now)
        if isinstance(data, Packet):
            return [encoder.pack(data, tick)]
        encoding = self._encoding
        if not (self._gate.passes(tick, encoding.max_framerate) and encoder.admits(tick, encoding.max_bitrate, now)):
            self._counters.dropped += 1
            return []
        picture = Picture(self._force_key, encoding.scale_resolution_down_by or 1.0, encoding.max_bitrate)
        self._force_key = False
        encoder.target.estimate = self._estimate
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="native-encoder")
        loop = asyncio.get_running_loop()
        frames = await loop.run_in_executor(self._executor, encoder.encode, data, tick, picture, now)
        self._note_encoded(now, len(frames))
        self._limitations.note(encoder.limitation, now)
        for frame in frames:
            self._counters.key_frames += frame.key
            self._counters.width, self._counters.height = frame.width, frame.height
        self._force_key = self._transform.take_dropped() or self._force_key
        return frames

    def _create_encoder(self) -> AudioEncoder | VideoEncoder:
        assert self._codec is not None
        encoder = get_encoder(self._codec, self._config, payload_size=self._payload_size, with_level=self._with_level)
        if isinstance(encoder, VideoEncoder):
            encoder.transform = self._transform_frame
        self._measure(encoder)
        self._stream.rebase(encoder.clock_rate)
        self._encoder = encoder
        return encoder

    def _measure(self, encoder: AudioEncoder | VideoEncoder) -> None:
        if isinstance(encoder, AudioEncoder):
            encoder.sound = self._pulled.sound

    def _note_encoded(self, started: float, count: int) -> None:
        self._counters.encode_seconds += time.monotonic() - started
        self._counters.encoded += count

    async def _close_encoder(self) -> None:
        executor, self._executor, self._encoder = self._executor, None, None
        if executor is not None:
            # Once this has run the thread is idle, so that joining it takes no time.
            await asyncio.wrap_future(executor.submit(lambda: None))
            executor.shutdown()

    # --- tones ---

    def _start_tone(self) -> tuple[int, int] | None:
        if self._tones is None or not self._sending:
            return None
        if self._encoder is None:
            self._create_encoder()
        return self._stream.timestamp_now(), self._tones.clockRate

    async def _send_tone(self, event: ToneEvent, timestamp: int) -> None:
        if self._tones is None or self._tones.payloadType is None or not self._sending:
            return
        try:
            await self._stream.send_event(
                event.payload, self._tones.payloadType, timestamp + event.offset, marker=event.marker
            )
        except ConnectionError:
            logger.debug("a tone was not sent: the transport is not connected")

    # --- feedback ---

    async def on_rtcp(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == self.ssrc:
                    self._remote.note(report, self._stream)
        elif isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            self._counters.nacks += 1
            await self._retransmit(packet.lost)
        elif isinstance(packet, RtcpPsfbPacket):
            self._on_payload_feedback(packet)

    def _on_payload_feedback(self, packet: RtcpPsfbPacket) -> None:
        if packet.fmt == RTCP_PSFB_PLI:
            self._counters.plis += 1
            self._force_key = True
        elif packet.fmt == RTCP_PSFB_FIR:
            self._counters.firs += 1
            self._force_key = True
        elif packet.fmt == RTCP_PSFB_APP:
            try:
                bitrate, ssrcs = unpack_remb_fci(packet.fci)
            except ValueError:
                return
            if self.ssrc in ssrcs:
                self._estimate = bitrate

    async def _retransmit(self, lost: list[int]) -> None:
        try:
            for sequence in lost:
                await self._stream.retransmit(sequence)
        except ConnectionError:
            logger.debug("not retransmitted: the transport is not connected")

    async def _run_rtcp(self) -> None:
        while True:
            await asyncio.sleep(0.5 + random.random())
            if self._sending and self._stream.packets:
                await self._send_report()

    async def _send_report(self) -> None:
        info = self._stream.sender_info()
        packets: list[AnyRtcpPacket] = [RtcpSrPacket(ssrc=self.ssrc, sender_info=info)]
        if self._parameters is not None and (cname := self._parameters.rtcp.cname) is not None:
            packets.append(RtcpSdesPacket(chunks=[RtcpSourceInfo(ssrc=self.ssrc, items=[(1, cname.encode())])]))
        self._remote.note_sent(info)
        await self._send_rtcp(*packets)

    async def _send_rtcp(self, *packets: AnyRtcpPacket) -> None:
        try:
            await self.send_packet(b"".join(map(bytes, packets)))
        except ConnectionError:
            logger.debug("RTCP not sent: the transport is not connected")

    # --- statistics ---

    def source_stats(self) -> dict[str, object]:
        """Return the members of the source's statistics that are measured, in W3C names and units."""
        return self._pulled.members()

    def remote_stats(self) -> dict[str, object]:
        """Return the members of RTCRemoteInboundRtpStreamStats that are known; nothing before a report came."""
        return {"ssrc": self.ssrc, **self._remote.members(self._stream)} if self._remote.last is not None else {}

    def media_stats(self) -> dict[str, object]:
        """Return the members of RTCOutboundRtpStreamStats that are known, in W3C names and units."""
        stats = outbound_members(self.kind, self._stream, self._counters)
        stats |= {"ssrc": self.ssrc, "active": self._sending and self._encoding.active}
        if self._parameters is not None and self._parameters.muxId:
            stats["mid"] = self._parameters.muxId
        if self.kind == "video":
            stats |= outbound_video_members(self._counters, self._rate.value(time.monotonic()))
            stats["rtxSsrc"] = self.rtx_ssrc
        if isinstance(self._encoder, VideoEncoder):
            pixels = self._counters.width * self._counters.height
            stats["targetBitrate"] = self._encoder.target.value(pixels, self._encoding.max_bitrate)
            stats |= self._limitations.members() | {"encoderImplementation": self._encoder.implementation}
        return stats
