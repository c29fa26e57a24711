"""Proxies around a good engine. Each passes everything on; a mutant overrides one method of one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from conformance.meta.components import (
    CapturerProxy,
    ConverterProxy,
    DecoderProxy,
    EncoderProxy,
    ProcessorProxy,
    ResamplerProxy,
)
from conformance.meta.naming import in_our_name
from shim.spi import events as ev
from shim.spi.engines import (
    Codec,
    DataChannelEngine,
    DataChannelInit,
    Direction,
    Encoding,
    EngineConfig,
    EventSink,
    FrameTransform,
    IceCandidate,
    Kind,
    MediaSink,
    MediaSource,
    PeerEngine,
    RtpCapabilities,
    RtpSource,
    SendParameters,
    SessionDescription,
    SessionState,
    TransceiverEngine,
    TransportInfo,
)

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
    from av.packet import Packet

Report = Mapping[str, Mapping[str, object]]
CreatePeer = Callable[[EngineConfig, EventSink], PeerEngine]
T = TypeVar("T")


def unchanged(value: T) -> T:
    """Return what it is given."""
    return value


# --- media -------------------------------------------------------------------------------------------


class MediaSinkProxy:
    """Takes what an engine received, on its way to the SDK."""

    def __init__(self, inner: MediaSink, kind: Kind) -> None:
        self.inner = inner
        self.kind = kind

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        self.inner.put(frame)

    def end(self) -> None:
        self.inner.end()


class MediaSourceProxy:
    """Gives an engine what it sends, from a track of the application."""

    def __init__(self, inner: MediaSource) -> None:
        self.inner = inner

    @property
    def kind(self) -> str:
        return self.inner.kind

    @property
    def id(self) -> str:
        return self.inner.id

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        return await self.inner.recv()

    def stop(self) -> None:
        self.inner.stop()


class TransceiverProxy(TransceiverEngine):
    """Stands for a transceiver of the good engine."""

    def __init__(self, inner: TransceiverEngine, kind: Kind, parts: Parts) -> None:
        self.inner = inner
        self.kind = kind
        self.parts = parts

    def set_direction(self, direction: Direction) -> None:
        self.inner.set_direction(direction)

    def stop(self) -> None:
        self.inner.stop()

    def set_codec_preferences(self, codecs: Sequence[Codec]) -> None:
        with in_our_name():
            self.inner.set_codec_preferences(codecs)

    def replace_source(self, source: MediaSource | None) -> None:
        self.inner.replace_source(None if source is None else self.parts.media_source(source))

    def get_parameters(self) -> SendParameters:
        return self.inner.get_parameters()

    def set_parameters(self, parameters: SendParameters) -> None:
        with in_our_name():
            self.inner.set_parameters(parameters)

    def attach(self, sink: MediaSink) -> None:
        self.inner.attach(self.parts.media_sink(sink, self.kind))

    def set_jitter_target(self, seconds: float | None) -> None:
        self.inner.set_jitter_target(seconds)

    def set_sender_transform(self, transform: FrameTransform | None) -> None:
        self.inner.set_sender_transform(transform)

    def set_receiver_transform(self, transform: FrameTransform | None) -> None:
        self.inner.set_receiver_transform(transform)

    def sources(self) -> tuple[RtpSource, ...]:
        return self.inner.sources()

    def can_insert_dtmf(self) -> bool:
        return self.inner.can_insert_dtmf()

    def insert_dtmf(self, tones: str, duration: float, gap: float) -> None:
        self.inner.insert_dtmf(tones, duration, gap)


# --- data --------------------------------------------------------------------------------------------


class ChannelProxy(DataChannelEngine):
    """Stands for a data channel of the good engine."""

    def __init__(self, inner: DataChannelEngine, init: DataChannelInit) -> None:
        self.inner = inner
        self.init = init

    @property
    def id(self) -> int | None:
        return self.inner.id

    @property
    def buffered_amount(self) -> int:
        return self.inner.buffered_amount

    def set_buffered_amount_low_threshold(self, threshold: int) -> None:
        self.inner.set_buffered_amount_low_threshold(threshold)

    def send(self, data: bytes | str) -> None:
        with in_our_name():
            self.inner.send(data)

    def close(self) -> None:
        self.inner.close()


# --- the connection ----------------------------------------------------------------------------------


class Wiring:
    """Which proxy stands for which object of the good engine, within one connection."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._channels: dict[DataChannelEngine, ChannelProxy] = {}
        self._transceivers: dict[TransceiverEngine, TransceiverProxy] = {}

    def channel(self, inner: DataChannelEngine, init: DataChannelInit) -> ChannelProxy:
        """Return the proxy of a channel."""
        if inner not in self._channels:
            self._channels[inner] = self.parts.channel(inner, init)
        return self._channels[inner]

    def transceiver(self, inner: TransceiverEngine, kind: Kind) -> TransceiverProxy:
        """Return the proxy of a transceiver."""
        if inner not in self._transceivers:
            self._transceivers[inner] = self.parts.transceiver(inner, kind, self.parts)
        return self._transceivers[inner]

    def event(self, event: ev.Event) -> ev.Event:
        """Return an event about proxies."""
        if isinstance(event, ev.SessionChanged):
            return ev.SessionChanged(self.session(event.state))
        if isinstance(event, ev.ToneChanged):
            return replace(event, transceiver=self._transceivers[event.transceiver])
        if isinstance(event, ev.ChannelAnnounced):
            return replace(event, channel=self.channel(event.channel, event.init))
        if isinstance(event, CHANNEL_EVENTS):
            return replace(event, channel=self._channels[event.channel])
        return event

    def session(self, state: SessionState) -> SessionState:
        """Return a state about proxies."""
        transceivers = tuple(replace(t, engine=self.transceiver(t.engine, t.kind)) for t in state.transceivers)
        state = replace(
            state,
            transceivers=transceivers,
            current_local=self._described(state.current_local),
            pending_local=self._described(state.pending_local),
        )
        return self.parts.session(state)

    def _described(self, description: SessionDescription | None) -> SessionDescription | None:
        return description and self.parts.description(description)


class SinkProxy:
    """Takes what the good engine posts. Any thread."""

    def __init__(self, inner: EventSink, wiring: Wiring) -> None:
        self.inner = inner
        self.wiring = wiring

    def post(self, event: ev.Event) -> None:
        self.tell(self.wiring.event(event))

    def tell(self, event: ev.Event) -> None:
        """Pass on an event; it is about proxies already."""
        self.inner.post(event)


class EngineProxy(PeerEngine):
    """Stands for a peer of the good engine.

    :param create: creates that.
    """

    def __init__(self, create: CreatePeer, config: EngineConfig, sink: EventSink, parts: Parts) -> None:
        self.wiring = Wiring(parts)
        self.sink = parts.sink(sink, self.wiring)
        with in_our_name():
            self.inner = create(self.configured(config), self.sink)
        self._originals: dict[str, str] = {}

    # What a mutant may override besides the methods of the engine.

    def configured(self, config: EngineConfig) -> EngineConfig:
        """Return the configuration that the good engine gets."""
        return config

    def reported(self, report: Report) -> Report:
        """Return the statistics that the application gets."""
        return report

    # --- PeerEngine ---

    async def start(self) -> None:
        await self.inner.start()

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        with in_our_name():
            return self._created(await self.inner.create_offer(ice_restart=ice_restart))

    async def create_answer(self) -> SessionDescription:
        with in_our_name():
            return self._created(await self.inner.create_answer())

    async def set_local_description(self, description: SessionDescription) -> None:
        original = replace(description, sdp=self._originals.get(description.sdp, description.sdp))
        with in_our_name():
            await self.inner.set_local_description(original)

    async def set_remote_description(self, description: SessionDescription) -> None:
        with in_our_name():
            await self.inner.set_remote_description(description)

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        with in_our_name():
            await self.inner.add_ice_candidate(candidate)

    def restart_ice(self) -> None:
        self.inner.restart_ice()

    def set_configuration(self, config: EngineConfig) -> None:
        with in_our_name():
            self.inner.set_configuration(self.configured(config))

    def add_transceiver(
        self,
        kind: Kind,
        direction: Direction,
        source: MediaSource | None,
        stream_ids: Sequence[str] = (),
        encodings: Sequence[Encoding] = (),
    ) -> TransceiverEngine:
        sent = None if source is None else self.wiring.parts.media_source(source)
        with in_our_name():
            inner = self.inner.add_transceiver(kind, direction, sent, stream_ids, encodings)
        return self.wiring.transceiver(inner, kind)

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        with in_our_name():
            return self.wiring.channel(self.inner.create_data_channel(init), init)

    def local_state(self) -> SessionState:
        return self.wiring.session(self.inner.local_state())

    def transports(self) -> tuple[TransportInfo, ...]:
        return self.inner.transports()

    async def get_stats(self, transceiver: TransceiverEngine | None = None) -> Report:
        inner = transceiver.inner if isinstance(transceiver, TransceiverProxy) else None
        return self.reported(await self.inner.get_stats(inner))

    async def close(self) -> None:
        await self.inner.close()

    def _created(self, original: SessionDescription) -> SessionDescription:
        """Return what the application gets; remember what the good engine meant, for when it comes back."""
        told = self.wiring.parts.description(original)
        self._originals[told.sdp] = original.sdp
        return told


CHANNEL_EVENTS: Final = (
    ev.ChannelOpened,
    ev.ChannelMessage,
    ev.ChannelBufferedAmountLow,
    ev.ChannelClosing,
    ev.ChannelClosed,
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a backend is made of: proxies, one of which a mutant replaces.

    :param session: changes every session state that the SDK sees.
    :param description: changes every local description that the SDK sees.
    :param capabilities: changes what can be sent and received.
    """

    engine: type[EngineProxy] = EngineProxy
    sink: type[SinkProxy] = SinkProxy
    channel: type[ChannelProxy] = ChannelProxy
    transceiver: type[TransceiverProxy] = TransceiverProxy
    media_sink: type[MediaSinkProxy] = MediaSinkProxy
    media_source: type[MediaSourceProxy] = MediaSourceProxy
    converter: type[ConverterProxy] = ConverterProxy
    resampler: type[ResamplerProxy] = ResamplerProxy
    processor: type[ProcessorProxy] = ProcessorProxy
    encoder: type[EncoderProxy] = EncoderProxy
    decoder: type[DecoderProxy] = DecoderProxy
    capturer: type[CapturerProxy] = CapturerProxy
    session: Callable[[SessionState], SessionState] = unchanged
    description: Callable[[SessionDescription], SessionDescription] = unchanged
    capabilities: Callable[[RtpCapabilities], RtpCapabilities] = unchanged
