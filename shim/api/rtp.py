"""Senders, receivers and transceivers (webrtc-pc section 5)."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self

from shim.api.dtmf import RTCDTMFSender
from shim.api.emitter import DONE, Done
from shim.api.guard import EngineGuard
from shim.api.parameters import (
    RTCRtcpParameters,
    RTCRtpCapabilities,
    RTCRtpCodecCapability,
    RTCRtpCodecParameters,
    RTCRtpContributingSource,
    RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability,
    RTCRtpHeaderExtensionParameters,
    RTCRtpReceiveParameters,
    RTCRtpSendParameters,
    RTCRtpSynchronizationSource,
)
from shim.api.stats import RTCStatsReport
from shim.api.tracks import MediaStreamTrack, RemoteTrack, source_of
from shim.api.transforms import RTCRtpTransform, RTCTransformCounts, TransformSlot
from shim.api.transports import RTCDtlsTransport, TransportViews, no_ortc
from shim.spi.capabilities import Capability
from shim.spi.engines import (
    Codec,
    Direction,
    Encoding,
    FrameTransform,
    Kind,
    RtpCapabilities,
    SendParameters,
    TransceiverEngine,
    TransceiverState,
)
from shim.spi.errors import InvalidAccessError, InvalidModificationError, InvalidStateError

DIRECTIONS: tuple[Direction, ...] = ("inactive", "sendonly", "recvonly", "sendrecv")


class Owner(Protocol):
    """What an RTP object needs of its connection."""

    _guard: EngineGuard
    _views: TransportViews

    @property
    def signalingState(self) -> str: ...

    def _check_open(self) -> None: ...

    def _update_negotiation_needed(self) -> None: ...

    async def _stats(self, transceiver: TransceiverEngine, direction: str) -> RTCStatsReport: ...


@dataclass
class RTCTrackEvent:
    """A remote track was added.

    :param receiver: the receiver of the track.
    :param track: the track.
    :param transceiver: the transceiver of the receiver.
    """

    receiver: RTCRtpReceiver
    track: MediaStreamTrack
    transceiver: RTCRtpTransceiver


def capabilities(kind: str, *, sender: bool) -> RTCRtpCapabilities:
    """Return what the backend that a new connection would get can send or receive.

    :raises ValueError: `kind` is neither ``"audio"`` nor ``"video"``.
    """
    from shim._core.dispatch import rtp_capabilities

    if kind not in {"audio", "video"}:
        raise ValueError(f"cannot get capabilities for unknown media {kind}")
    found: RtpCapabilities = rtp_capabilities("audio" if kind == "audio" else "video", sender=sender)
    return RTCRtpCapabilities(
        codecs=[RTCRtpCodecCapability(c.mime_type, c.clock_rate, c.channels, dict(c.parameters)) for c in found.codecs],
        headerExtensions=[RTCRtpHeaderExtensionCapability(uri=e.uri) for e in found.header_extensions],
    )


class RTCRtpSender:
    """Sends a track (webrtc-pc section 5.2). Created by `addTrack` and `addTransceiver`."""

    def __init__(self, trackOrKind: MediaStreamTrack | str, transport: RTCDtlsTransport) -> None:
        no_ortc("RTCRtpSender")

    _transceiver: RTCRtpTransceiver
    _track: MediaStreamTrack | None
    _transaction: str | None
    _dtmf: RTCDTMFSender | None
    _transform: TransformSlot

    @classmethod
    def _of(cls, transceiver: RTCRtpTransceiver, track: MediaStreamTrack | None) -> Self:
        sender = cls.__new__(cls)
        sender._transceiver = transceiver
        sender._track = track
        sender._transaction = None
        sender._dtmf = None
        sender._transform = TransformSlot("RTCRtpSender.transform", "encryptFrame")
        return sender

    @property
    def kind(self) -> Kind:
        """``"audio"`` or ``"video"``."""
        return self._transceiver.kind

    @property
    def track(self) -> MediaStreamTrack | None:
        """The track that is sent; `None` after `removeTrack` or `replaceTrack(None)`."""
        return self._track

    @property
    def transport(self) -> RTCDtlsTransport:
        """View of the transport."""
        return self._transceiver._transport

    @property
    def dtmf(self) -> RTCDTMFSender | None:
        """Sends DTMF tones; `None` for video."""
        if self._dtmf is None and self.kind == "audio":
            self._dtmf = RTCDTMFSender._of(self._transceiver._engine, self._transceiver._owner._guard)
        return self._dtmf

    @property
    def transform(self) -> RTCRtpTransform | None:
        """What encoded frames pass through before they are packetised (webrtc-encoded-transform section 3).

        A callable, or an :class:`~shim.api.sframe.SFrame`, which encrypts. The callable gets a frame's bytes and an
        :class:`~shim.spi.engines.EncodedFrameInfo`, and returns bytes or `None`, which drops the frame; one that
        raises drops it, too. It may be called on any thread, never twice at once, and must not take long.
        """
        return self._transform.transform

    @transform.setter
    def transform(self, transform: RTCRtpTransform | None) -> None:
        self._transceiver._set_transform(self._transform, transform, self._transceiver._engine.set_sender_transform)

    @property
    def transformCounts(self) -> RTCTransformCounts:
        """How many frames `transform` took, dropped and failed on."""
        return self._transform.counts

    @classmethod
    def getCapabilities(cls, kind: str) -> RTCRtpCapabilities:
        """Return the codecs and header extensions that can be sent.

        :raises ValueError: `kind` is neither ``"audio"`` nor ``"video"``.
        """
        return capabilities(kind, sender=True)

    async def getStats(self) -> RTCStatsReport:
        """Return statistics of what is sent."""
        return await self._transceiver._owner._stats(self._transceiver._engine, "send")

    def replaceTrack(self, track: MediaStreamTrack | None) -> Done:
        """Send another track of the same kind, or nothing, without negotiation. May be awaited.

        :raises InvalidStateError: the transceiver is stopped.
        :raises TypeError: the track has another kind.
        """
        self._transceiver._check_alive("RTCRtpSender.replaceTrack")
        if track is not None and track.kind != self.kind:
            raise TypeError(f"RTCRtpSender.replaceTrack: cannot send a track of kind {track.kind!r} as {self.kind!r}")
        self._set_track(track)
        return DONE

    def getParameters(self) -> RTCRtpSendParameters:
        """Return what is sent; change `encodings` and give it to `setParameters`."""
        with self._transceiver._owner._guard.call("RTCRtpSender.getParameters"):
            found = self._transceiver._engine.get_parameters()
        self._transaction = found.transaction_id
        return RTCRtpSendParameters(
            codecs=[_codec_parameters(codec) for codec in found.codecs],
            headerExtensions=[
                RTCRtpHeaderExtensionParameters(id=e.id or 0, uri=e.uri) for e in found.header_extensions
            ],
            muxId=self._transceiver.mid or "",
            rtcp=RTCRtcpParameters(cname=found.cname, mux=True),
            encodings=[_encoding_parameters(encoding) for encoding in found.encodings],
            transactionId=found.transaction_id,
        )

    def setParameters(self, parameters: RTCRtpSendParameters) -> Done:
        """Apply encodings that `getParameters` returned and the application changed. May be awaited.

        :raises InvalidStateError: no `getParameters` precedes, or the transceiver is stopped.
        :raises InvalidModificationError: it is not the last answer of `getParameters`, or encodings were
            added, removed or renamed.
        :raises ValueError: a figure is out of range (`scaleResolutionDownBy` below 1, a negative rate).
        """
        owner = self._transceiver._owner
        owner._guard.require(Capability.SEND_PARAMETERS, "RTCRtpSender.setParameters")
        self._transceiver._check_alive("RTCRtpSender.setParameters")
        engine = self._transceiver._engine
        with owner._guard.call("RTCRtpSender.setParameters"):
            self._check_transaction(parameters)
            current = engine.get_parameters()
        encodings = self._checked_encodings(parameters.encodings, current.encodings)
        with owner._guard.call("RTCRtpSender.setParameters"):
            engine.set_parameters(SendParameters(current.transaction_id, encodings))
        self._transaction = None
        return DONE

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        """Not available: descriptions start the sender."""
        no_ortc("RTCRtpSender.send")

    async def stop(self) -> None:
        """Not available: use `RTCRtpTransceiver.stop`."""
        no_ortc("RTCRtpSender.stop")

    def setTransport(self, transport: RTCDtlsTransport) -> None:
        """Not available: negotiation decides the transport."""
        no_ortc("RTCRtpSender.setTransport")

    def _check_transaction(self, parameters: RTCRtpSendParameters) -> None:
        if self._transaction is None:
            raise InvalidStateError("RTCRtpSender.setParameters: call getParameters first", component="peer")
        if parameters.transactionId != self._transaction:
            raise InvalidModificationError(
                "RTCRtpSender.setParameters: these parameters are stale; change what getParameters returned last",
                component="peer",
            )

    def _checked_encodings(
        self, wanted: list[RTCRtpEncodingParameters], current: tuple[Encoding, ...]
    ) -> tuple[Encoding, ...]:
        if [encoding.rid for encoding in wanted] != [encoding.rid for encoding in current]:
            raise InvalidModificationError(
                "RTCRtpSender.setParameters: encodings cannot be added, removed or renamed",
                backend=self._transceiver._owner._guard.backend,
                component="peer",
            )
        return tuple(check_encoding(encoding) for encoding in wanted)

    def _set_track(self, track: MediaStreamTrack | None) -> None:
        with self._transceiver._owner._guard.call("RTCRtpSender.replaceTrack"):
            self._transceiver._engine.replace_source(None if track is None else source_of(track))
        self._track = track


class RTCRtpReceiver:
    """Receives a track (webrtc-pc section 5.3)."""

    def __init__(self, kind: str, transport: RTCDtlsTransport) -> None:
        no_ortc("RTCRtpReceiver")

    _transceiver: RTCRtpTransceiver
    _track: RemoteTrack | None
    _jitter_target: float | None
    _transform: TransformSlot

    @classmethod
    def _of(cls, transceiver: RTCRtpTransceiver) -> Self:
        receiver = cls.__new__(cls)
        receiver._transceiver = transceiver
        receiver._track = None
        receiver._jitter_target = None
        receiver._transform = TransformSlot("RTCRtpReceiver.transform", "decryptFrame")
        return receiver

    @property
    def track(self) -> MediaStreamTrack | None:
        """The remote track; `None` until the remote has offered to send."""
        return self._track

    @property
    def transport(self) -> RTCDtlsTransport:
        """View of the transport."""
        return self._transceiver._transport

    @property
    def jitterBufferTarget(self) -> float | None:
        """Wished-for delay in milliseconds, 0 to 4000; `None` for what the configuration says."""
        return self._jitter_target

    @jitterBufferTarget.setter
    def jitterBufferTarget(self, value: float | None) -> None:
        if value is not None and not 0 <= value <= 4000:
            raise ValueError(f"RTCRtpReceiver.jitterBufferTarget: {value} is not in 0-4000 ms")
        guard = self._transceiver._owner._guard
        guard.require(Capability.JITTER_TARGET, "RTCRtpReceiver.jitterBufferTarget")
        with guard.call("RTCRtpReceiver.jitterBufferTarget"):
            self._transceiver._engine.set_jitter_target(None if value is None else value / 1000)
        self._jitter_target = value

    @property
    def transform(self) -> RTCRtpTransform | None:
        """What whole encoded frames pass through before they are decoded; see `RTCRtpSender.transform`.

        An :class:`~shim.api.sframe.SFrame` decrypts here.
        """
        return self._transform.transform

    @transform.setter
    def transform(self, transform: RTCRtpTransform | None) -> None:
        self._transceiver._set_transform(self._transform, transform, self._transceiver._engine.set_receiver_transform)

    @property
    def transformCounts(self) -> RTCTransformCounts:
        """How many frames `transform` took, dropped and failed on."""
        return self._transform.counts

    @classmethod
    def getCapabilities(cls, kind: str) -> RTCRtpCapabilities:
        """Return the codecs and header extensions that can be received.

        :raises ValueError: `kind` is neither ``"audio"`` nor ``"video"``.
        """
        return capabilities(kind, sender=False)

    async def getStats(self) -> RTCStatsReport:
        """Return statistics of what is received."""
        return await self._transceiver._owner._stats(self._transceiver._engine, "receive")

    def getSynchronizationSources(self) -> list[RTCRtpSynchronizationSource]:
        """Return the SSRCs heard in the last ten seconds."""
        return [
            RTCRtpSynchronizationSource(timestamp=_datetime(s.timestamp), source=s.source)
            for s in self._transceiver._engine.sources()
            if not s.contributing
        ]

    def getContributingSources(self) -> list[RTCRtpContributingSource]:
        """Return the CSRCs heard in the last ten seconds."""
        return [
            RTCRtpContributingSource(timestamp=_datetime(s.timestamp), source=s.source)
            for s in self._transceiver._engine.sources()
            if s.contributing
        ]

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Not available: descriptions start the receiver."""
        no_ortc("RTCRtpReceiver.receive")

    async def stop(self) -> None:
        """Not available: use `RTCRtpTransceiver.stop`."""
        no_ortc("RTCRtpReceiver.stop")

    def setTransport(self, transport: RTCDtlsTransport) -> None:
        """Not available: negotiation decides the transport."""
        no_ortc("RTCRtpReceiver.setTransport")

    def _start(self, track_id: str) -> RemoteTrack:
        """Create the remote track and let the engine deliver to it."""
        self._track = RemoteTrack(self._transceiver.kind, track_id)
        with self._transceiver._owner._guard.call("RTCRtpReceiver"):
            self._transceiver._engine.attach(self._track)
        return self._track


class RTCRtpTransceiver:
    """A sender and a receiver that share a media section (webrtc-pc section 5.4)."""

    def __init__(self, kind: str, receiver: RTCRtpReceiver, sender: RTCRtpSender, direction: str = "sendrecv") -> None:
        no_ortc("RTCRtpTransceiver")

    _engine: TransceiverEngine
    _owner: Owner
    _state: TransceiverState
    _sender: RTCRtpSender
    _receiver: RTCRtpReceiver
    _stopping: bool
    _transport: RTCDtlsTransport

    @classmethod
    def _of(cls, owner: Owner, state: TransceiverState, track: MediaStreamTrack | None) -> Self:
        transceiver = cls.__new__(cls)
        transceiver._engine = state.engine
        transceiver._owner = owner
        transceiver._state = state
        transceiver._stopping = False
        transceiver._transport = owner._views.first()
        transceiver._sender = RTCRtpSender._of(transceiver, track)
        transceiver._receiver = RTCRtpReceiver._of(transceiver)
        return transceiver

    @property
    def currentDirection(self) -> Direction | None:
        """The negotiated direction; `None` before, ``"stopped"`` is told by `stopped`."""
        return self._state.current_direction

    @property
    def direction(self) -> Direction:
        """The direction that the next offer or answer asks for."""
        return self._state.direction

    @direction.setter
    def direction(self, direction: Direction) -> None:
        if direction not in DIRECTIONS:
            raise ValueError(f"RTCRtpTransceiver.direction: {direction!r} is not one of {', '.join(DIRECTIONS)}")
        self._check_alive("RTCRtpTransceiver.direction")
        self._set_direction(direction)

    @property
    def kind(self) -> Kind:
        """``"audio"`` or ``"video"``."""
        return self._state.kind

    @property
    def mid(self) -> str | None:
        """Media identification (RFC 8843); `None` until negotiated."""
        return self._state.mid

    @property
    def receiver(self) -> RTCRtpReceiver:
        """The receiver."""
        return self._receiver

    @property
    def sender(self) -> RTCRtpSender:
        """The sender."""
        return self._sender

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called, the remote rejected the section, or the connection is closed."""
        return self._stopping or self._state.stopped or self._owner.signalingState == "closed"

    def setCodecPreferences(self, codecs: list[RTCRtpCodecCapability]) -> None:
        """Restrict and order the codecs of the next negotiation; an empty list restores the default.

        :raises ValueError: a codec is not among the capabilities, or only auxiliary ones are left.
        """
        guard = self._owner._guard
        guard.require(Capability.CODEC_PREFERENCES, "RTCRtpTransceiver.setCodecPreferences")
        known = self._known_codecs()
        unique: list[RTCRtpCodecCapability] = []
        for codec in codecs:
            if codec not in known:
                raise ValueError("Codec is not in capabilities")
            if codec not in unique:
                unique.append(codec)
        if unique and all(_is_auxiliary(codec) for codec in unique):
            raise ValueError("RTCRtpTransceiver.setCodecPreferences: name at least one codec that carries media")
        with guard.call("RTCRtpTransceiver.setCodecPreferences"):
            self._engine.set_codec_preferences(
                [Codec(c.mimeType, c.clockRate, c.channels, None, dict(c.parameters)) for c in unique]
            )

    def stop(self) -> Done:
        """Stop sending and receiving for good; the next negotiation tells the remote. May be awaited."""
        if not self.stopped:
            self._owner._guard.require(Capability.TRANSCEIVER_STOP, "RTCRtpTransceiver.stop")
            with self._owner._guard.call("RTCRtpTransceiver.stop"):
                self._engine.stop()
            self._stopping = True
            self._end_track()
            self._owner._update_negotiation_needed()
        return DONE

    def _known_codecs(self) -> list[RTCRtpCodecCapability]:
        from shim._core.dispatch import rtp_capabilities

        backend = self._owner._guard.backend
        found = [*rtp_capabilities(self.kind, sender=True, backend=backend).codecs]
        found += rtp_capabilities(self.kind, sender=False, backend=backend).codecs
        return [RTCRtpCodecCapability(c.mime_type, c.clock_rate, c.channels, dict(c.parameters)) for c in found]

    def _set_transform(
        self,
        slot: TransformSlot,
        transform: RTCRtpTransform | None,
        install: Callable[[FrameTransform | None], None],
    ) -> None:
        guard = self._owner._guard
        guard.require(Capability.ENCODED_TRANSFORM, slot.what)
        self._check_alive(slot.what)
        call = slot.use(transform)
        with guard.call(slot.what):
            install(call)

    def _check_alive(self, what: str) -> None:
        self._owner._check_open()
        if self.stopped:
            raise InvalidStateError(
                f"{what}: the transceiver is stopped; add another",
                backend=self._owner._guard.backend,
                component="peer",
            )

    def _set_direction(self, direction: Direction) -> None:
        if direction == self._state.direction:
            return
        with self._owner._guard.call("RTCRtpTransceiver.direction"):
            self._engine.set_direction(direction)
        self._state = _with_direction(self._state, direction)
        self._owner._update_negotiation_needed()

    def _wished(self) -> TransceiverState:
        """Return the state with what the application asked for and no negotiation has told the engine yet."""
        return replace(self._state, stopped=self.stopped)

    def _update(self, state: TransceiverState) -> None:
        self._state = state
        self._transport = self._owner._views.of(state.mid)
        if state.stopped:
            self._end_track()

    def _end_track(self) -> None:
        if self._receiver._track is not None:
            self._receiver._track.end()


def _with_direction(state: TransceiverState, direction: Direction) -> TransceiverState:
    return replace(state, direction=direction)


def _datetime(timestamp: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(timestamp, tz=datetime.UTC)


def _is_auxiliary(codec: RTCRtpCodecCapability) -> bool:
    return codec.name.lower() in {"rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "cn"}


def _codec_parameters(codec: Codec) -> RTCRtpCodecParameters:
    return RTCRtpCodecParameters(
        mimeType=codec.mime_type,
        clockRate=codec.clock_rate,
        channels=codec.channels,
        payloadType=codec.payload_type,
        parameters=dict(codec.parameters),
    )


def _encoding_parameters(encoding: Encoding) -> RTCRtpEncodingParameters:
    return RTCRtpEncodingParameters(
        rid=encoding.rid,
        active=encoding.active,
        maxBitrate=encoding.max_bitrate,
        maxFramerate=encoding.max_framerate,
        scaleResolutionDownBy=encoding.scale_resolution_down_by,
    )


def check_encoding(encoding: RTCRtpEncodingParameters) -> Encoding:
    """Check ranges (webrtc-pc section 5.2.5) and translate for engines.

    :raises ValueError: a figure is out of range.
    """
    scale, rate, bits = encoding.scaleResolutionDownBy, encoding.maxFramerate, encoding.maxBitrate
    if scale is not None and scale < 1:
        raise ValueError(f"scaleResolutionDownBy {scale} is below 1")
    if rate is not None and rate < 0:
        raise ValueError(f"maxFramerate {rate} is negative")
    if bits is not None and bits < 0:
        raise ValueError(f"maxBitrate {bits} is negative")
    return Encoding(encoding.rid, encoding.active, bits, rate, scale)


def find_sender(transceivers: Mapping[TransceiverEngine, RTCRtpTransceiver], track: MediaStreamTrack) -> None:
    """Make sure that no sender has this track.

    :raises InvalidAccessError: one has.
    """
    if any(t.sender.track is track for t in transceivers.values()):
        raise InvalidAccessError("Track already has a sender", component="peer")


if TYPE_CHECKING:
    from shim.api.peerconnection import RTCPeerConnection

    _: type[Owner] = RTCPeerConnection
