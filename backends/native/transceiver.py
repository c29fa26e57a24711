"""A transceiver: the seam's object over a sender, a receiver and the session's record of them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from aiortc.codecs import is_rtx
from aiortc.rtcrtpparameters import (
    RTCRtcpParameters,
    RTCRtpDecodingParameters,
    RTCRtpReceiveParameters,
    RTCRtpRtxParameters,
    RTCRtpSendParameters,
)

from backends.native.negotiation import receives, sends, to_codec, with_remote_parameters
from backends.native.receiver import MediaReceiver
from backends.native.records import Negotiated, TransceiverRecord
from backends.native.sender import MediaSender
from backends.native.transport import Transport
from shim.spi.engines import (
    Codec,
    Direction,
    Encoding,
    EngineConfig,
    FrameTransform,
    HeaderExtension,
    Kind,
    MediaSink,
    MediaSource,
    RtpSource,
    SendParameters,
    TransceiverEngine,
    TransceiverState,
)
from shim.spi.errors import NotSupportedError
from shim.spi.events import Event, ToneChanged

DEFAULT_PAYLOAD: Final = 1200
PACKET_OVERHEAD: Final = 100
"""IPv6, UDP, RTP with extensions, and SRTP: what an IP packet holds beside the payload."""


def payload_size(config: EngineConfig) -> int:
    """Return the largest RTP payload, bytes."""
    return DEFAULT_PAYLOAD if config.mtu is None else max(200, config.mtu - PACKET_OVERHEAD)


class TransceiverOwner(Protocol):
    """What a transceiver asks of its connection."""

    @property
    def config(self) -> EngineConfig: ...

    @property
    def cname(self) -> str: ...

    def post(self, event: Event) -> None: ...

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]: ...


def begin_sending(transceivers: Iterable[Transceiver]) -> None:
    """Let those send whose transport has just connected."""
    for transceiver in transceivers:
        transceiver.begin()


class Transceiver(TransceiverEngine):
    """Implements TransceiverEngine."""

    def __init__(self, owner: TransceiverOwner, kind: Kind, direction: Direction, transport: Transport) -> None:
        self._owner = owner
        self.transport = transport
        size = payload_size(owner.config)
        self.sender = MediaSender(kind, transport.dtls, config=owner.config, payload_size=size)
        self.receiver = MediaReceiver(kind, transport.dtls, config=owner.config)
        self.record = TransceiverRecord(kind, direction, self.sender, self)
        self._applied: tuple[Negotiated, bool] | None = None
        self._ended = False

    # --- TransceiverEngine ---

    def set_direction(self, direction: Direction) -> None:
        self.record.direction = direction
        self.record.pinned = self.record.pinned or sends(direction)

    def stop(self) -> None:
        if self.record.stopping:
            return
        self.record.stopping = True
        if self.record.negotiated.mid is None:
            self.record.negotiated = Negotiated(stopped=True)
        self._owner.spawn(self.end())

    def set_codec_preferences(self, codecs: Sequence[Codec]) -> None:
        self.record.preferences = tuple(codecs)

    def replace_source(self, source: MediaSource | None) -> None:
        self.record.pinned = self.record.pinned or source is not None
        self.sender.set_source(source)

    def set_stream_ids(self, stream_ids: Sequence[str]) -> None:
        """Name the streams that descriptions put the track into."""
        self.sender.stream_ids = tuple(stream_ids)

    def get_parameters(self) -> SendParameters:
        agreed = self.record.negotiated
        return SendParameters(
            transaction_id=str(uuid.uuid4()),
            encodings=self.sender.get_encodings(),
            codecs=tuple(to_codec(codec) for codec in agreed.codecs),
            header_extensions=tuple(HeaderExtension(e.uri, e.id) for e in agreed.extensions),
            cname=self._owner.cname,
        )

    def set_parameters(self, parameters: SendParameters) -> None:
        self.sender.set_encodings(parameters.encodings)

    def set_encodings(self, encodings: Sequence[Encoding]) -> None:
        """Set what a new transceiver sends."""
        self.sender.set_encodings(tuple(encodings))

    def attach(self, sink: MediaSink) -> None:
        self.receiver.attach(sink)

    def set_jitter_target(self, seconds: float | None) -> None:
        self.receiver.set_jitter_target(self._owner.config.jitter_target if seconds is None else seconds)

    def set_sender_transform(self, transform: FrameTransform | None) -> None:
        self.sender.set_transform(transform)

    def set_receiver_transform(self, transform: FrameTransform | None) -> None:
        self.receiver.set_transform(transform)

    def sources(self) -> tuple[RtpSource, ...]:
        return self.receiver.rtp_sources()

    def can_insert_dtmf(self) -> bool:
        return sends(self.record.negotiated.current_direction) and self.sender.can_insert_dtmf()

    def insert_dtmf(self, tones: str, duration: float, gap: float) -> None:
        self.sender.insert_dtmf(tones, duration, gap, self._tone_changed)

    def _tone_changed(self, tone: str) -> None:
        self._owner.post(ToneChanged(self, tone))

    # --- what the connection does ---

    def state(self) -> TransceiverState:
        """Take a snapshot."""
        record, agreed = self.record, self.record.negotiated
        return TransceiverState(
            engine=self,
            kind=record.kind,
            mid=agreed.mid,
            mline_index=agreed.index,
            direction=record.direction,
            current_direction=agreed.current_direction,
            stopped=agreed.stopped,
            receive_track_id=agreed.receive_track_id,
            stream_ids=agreed.stream_ids,
        )

    def use(self, transport: Transport) -> None:
        """Move to another transport, before packets flow."""
        if transport is not self.transport:
            self.transport = transport
            self.sender.setTransport(transport.dtls)
            self.receiver.setTransport(transport.dtls)

    def begin(self) -> None:
        """Send at once what is to be sent on a transport that has just connected.

        Whoever is told of it finds the sender ready (webrtc-pc 7.2: canInsertDTMF is true then). `follow()` does the
        rest, and complains of what cannot be sent.
        """
        agreed, followed = self.record.negotiated, self._applied is not None and self._applied[1]
        if self._ended or followed or agreed.stopped or self.transport.dtls_state != "connected":
            return
        if sends(agreed.current_direction):
            with suppress(NotSupportedError):
                self.sender.send(self._send_parameters(agreed))

    async def follow(self) -> None:
        """Make sender and receiver do what was negotiated. May be called again and again."""
        agreed, connected = self.record.negotiated, self.transport.dtls_state == "connected"
        if self._ended or (agreed, connected) == self._applied:
            return
        self._applied = (agreed, connected)
        if agreed.stopped:
            await self.end()
            return
        await self._follow_receiver(agreed)
        if connected:
            await self._follow_sender(agreed)

    async def _follow_receiver(self, agreed: Negotiated) -> None:
        # Registered before DTLS is up: the remote may send as soon as its side of the handshake is done.
        if receives(agreed.current_direction):
            await self.receiver.receive(self._receive_parameters(agreed))
        elif agreed.current_direction is not None:
            await self.receiver.pause()

    async def _follow_sender(self, agreed: Negotiated) -> None:
        if sends(agreed.current_direction):
            self.sender.limit(agreed.remote.bandwidth if agreed.remote is not None else None)
            self.sender.send(self._send_parameters(agreed))
        elif agreed.current_direction is not None:
            await self.sender.pause()

    def _send_parameters(self, agreed: Negotiated) -> RTCRtpSendParameters:
        rtcp = RTCRtcpParameters(cname=self._owner.cname, mux=True, ssrc=self.sender.ssrc)
        codecs = with_remote_parameters(agreed.codecs, agreed.remote)
        return RTCRtpSendParameters(
            codecs=codecs, headerExtensions=list(agreed.extensions), muxId=agreed.mid or "", rtcp=rtcp
        )

    def _receive_parameters(self, agreed: Negotiated) -> RTCRtpReceiveParameters:
        return RTCRtpReceiveParameters(
            codecs=list(agreed.codecs),
            headerExtensions=list(agreed.extensions),
            muxId=agreed.mid or "",
            rtcp=RTCRtcpParameters(mux=True, ssrc=self.sender.ssrc),
            encodings=_decodings(agreed),
        )

    async def end(self) -> None:
        """Stop for good."""
        if not self._ended:
            self._ended = True
            await self.receiver.stop()
            await self.sender.stop()


def _decodings(agreed: Negotiated) -> list[RTCRtpDecodingParameters]:
    media = agreed.remote.media if agreed.remote else None
    if media is None:
        return []
    pairs = {g.items[0]: g.items[1] for g in media.ssrc_group if g.semantic == "FID" and len(g.items) == 2}
    extra = set(pairs.values())
    numbers = [c.payloadType for c in agreed.codecs if not is_rtx(c) and c.payloadType is not None]
    found = []
    for ssrc in (item.ssrc for item in media.ssrc if item.ssrc not in extra):
        rtx = RTCRtpRtxParameters(ssrc=int(pairs[ssrc])) if ssrc in pairs else None
        found += [RTCRtpDecodingParameters(ssrc=ssrc, payloadType=number, rtx=rtx) for number in numbers]
    return found
