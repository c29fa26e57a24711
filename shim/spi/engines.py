"""The contract between the SDK and an engine: typed Protocols and the values they exchange.

Rules that hold for every Protocol here:

* Factories (the hooks) do no I/O; a synchronous method returns without waiting for the network.
* Methods are called on the event loop that `start()` ran on, unless the docstring says "any thread".
* The SDK has checked types, ranges and JSEP states before it calls: an engine reports what only it can
  know, as an error of :mod:`shim.spi.errors`, and changes nothing when it raises.
* Everything an engine has to say goes through the :class:`EventSink`, in order.
* An engine that is dropped without `close()` frees its threads, sockets and memory all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from fractions import Fraction

    from av import AudioFrame, VideoFrame
    from av.packet import Packet

    from shim.spi.events import Event

Kind = Literal["audio", "video"]
Direction = Literal["inactive", "sendonly", "recvonly", "sendrecv"]
SdpType = Literal["offer", "pranswer", "answer", "rollback"]
SignalingState = Literal[
    "stable", "have-local-offer", "have-remote-offer", "have-local-pranswer", "have-remote-pranswer", "closed"
]
IceGatheringState = Literal["new", "gathering", "complete"]
IceConnectionState = Literal["new", "checking", "connected", "completed", "disconnected", "failed", "closed"]
ConnectionState = Literal["new", "connecting", "connected", "disconnected", "failed", "closed"]
DtlsState = Literal["new", "connecting", "connected", "closed", "failed"]
SctpState = Literal["connecting", "connected", "closed"]
ChannelState = Literal["connecting", "open", "closing", "closed"]


# --- configuration -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server (RFC 7064, RFC 7065). `urls` have been checked to parse."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A DTLS certificate with its key, both PEM (PKCS#8 key)."""

    private_key: str
    certificate: str


@dataclass(frozen=True, slots=True)
class OpusParameters:
    """How Opus is sent (RFC 7587). `None` keeps the engine's default.

    :param bitrate: bits per second, 6000 to 510000.
    :param stereo: send two channels.
    :param fec: in-band forward error correction.
    :param dtx: discontinuous transmission.
    :param ptime: packet length in milliseconds: 10, 20, 40 or 60.
    """

    bitrate: int | None = None
    stereo: bool | None = None
    fec: bool | None = None
    dtx: bool | None = None
    ptime: int | None = None


@dataclass(frozen=True, slots=True)
class BitrateBounds:
    """Limits of what a connection sends, in bits per second. `None` keeps the engine's default."""

    min: int | None = None
    start: int | None = None
    max: int | None = None


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Everything an engine must know to serve one connection (webrtc-pc section 4.2.1, and our settings).

    :param port_range: lowest and highest local UDP port, inclusive; `None` for any.
    :param mtu: largest IP packet in bytes, 576 to 9000; `None` for the engine's default.
    :param jitter_target: wished-for receive delay in seconds; 0 is "as little as the network allows".
    :param ice_disconnected_after: seconds without an answer until the state is "disconnected".
    :param ice_failed_after: seconds without an answer until the state is "failed" (RFC 7675: 30).
    """

    ice_servers: tuple[IceServer, ...] = ()
    ice_transport_policy: Literal["all", "relay"] = "all"
    bundle_policy: Literal["balanced", "max-compat", "max-bundle"] = "balanced"
    always_negotiate_data_channels: bool = False
    certificates: tuple[Certificate, ...] = ()
    port_range: tuple[int, int] | None = None
    mtu: int | None = None
    jitter_target: float = 0.0
    bitrate: BitrateBounds = field(default_factory=BitrateBounds)
    opus: OpusParameters = field(default_factory=OpusParameters)
    ice_disconnected_after: float = 5.0
    ice_failed_after: float = 30.0


# --- session -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A session description (RFC 9429). `sdp` is empty for a rollback."""

    type: SdpType
    sdp: str


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A candidate as the wire spells it (RFC 8839 section 5.1).

    :param candidate: ``"candidate:..."``, without ``"a="``; empty for end of candidates of one section.
    :param sdp_mid: media identification; the SDK has resolved it against the remote description.
    :param sdp_mline_index: zero-based index of the media section.
    """

    candidate: str
    sdp_mid: str
    sdp_mline_index: int
    username_fragment: str | None = None


@dataclass(frozen=True, slots=True)
class TransceiverState:
    """A snapshot of one transceiver.

    :param engine: identity; the same object for the life of the transceiver.
    :param mid: `None` until a description has been applied.
    :param receive_track_id: id of the remote track, from the remote description's msid; `None` if not receiving.
    :param stream_ids: ids of the remote streams that the remote track belongs to.
    """

    engine: TransceiverEngine
    kind: Kind
    mid: str | None
    mline_index: int | None
    direction: Direction
    current_direction: Direction | None
    stopped: bool
    receive_track_id: str | None = None
    stream_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionState:
    """All that a description changes, taken at one moment. Local descriptions contain the candidates so far.

    :param sctp_mid: mid of the data section, `None` if there is none.
    """

    signaling_state: SignalingState
    current_local: SessionDescription | None
    pending_local: SessionDescription | None
    current_remote: SessionDescription | None
    pending_remote: SessionDescription | None
    transceivers: tuple[TransceiverState, ...]
    sctp_mid: str | None = None
    max_message_size: int | None = None


@dataclass(frozen=True, slots=True)
class TransportInfo:
    """A snapshot of the transport under one or more media sections.

    :param mids: media sections that it carries.
    :param remote_certificates: DER, leaf first; empty before DTLS is connected.
    :param local_candidates: candidate lines gathered.
    :param remote_candidates: candidate lines known.
    """

    mids: tuple[str, ...]
    dtls_state: DtlsState
    ice_state: IceConnectionState
    ice_role: Literal["controlling", "controlled", "unknown"]
    gathering_state: IceGatheringState
    local_candidates: tuple[str, ...] = ()
    remote_candidates: tuple[str, ...] = ()
    selected_local: str | None = None
    selected_remote: str | None = None
    remote_certificates: tuple[bytes, ...] = ()


# --- RTP ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec, as capability (`payload_type` is `None`) or as negotiated.

    :param mime_type: e.g. ``"video/VP8"``.
    :param parameters: fmtp parameters; a number where the SDP has one.
    """

    mime_type: str
    clock_rate: int
    channels: int | None = None
    payload_type: int | None = None
    parameters: Mapping[str, int | str | None] = field(default_factory=dict)
    rtcp_feedback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """An RTP header extension (RFC 8285); `id` is `None` in capabilities."""

    uri: str
    id: int | None = None


@dataclass(frozen=True, slots=True)
class RtpCapabilities:
    """What can be sent or received of one kind (webrtc-pc section 5.2)."""

    codecs: tuple[Codec, ...]
    header_extensions: tuple[HeaderExtension, ...]


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encoding of a sender (webrtc-pc section 5.2.5). Bit rates in bits per second."""

    rid: str | None = None
    active: bool = True
    max_bitrate: int | None = None
    max_framerate: float | None = None
    scale_resolution_down_by: float | None = None


@dataclass(frozen=True, slots=True)
class SendParameters:
    """What a sender is doing (webrtc-pc section 5.2.4). `transaction_id` pairs a get with a set."""

    transaction_id: str
    encodings: tuple[Encoding, ...]
    codecs: tuple[Codec, ...] = ()
    header_extensions: tuple[HeaderExtension, ...] = ()
    cname: str | None = None


@dataclass(frozen=True, slots=True)
class RtpSource:
    """Something heard in the last ten seconds (webrtc-pc section 5.3).

    :param timestamp: seconds since the epoch.
    :param source: SSRC or CSRC.
    :param contributing: true for a CSRC.
    :param audio_level: 0.0 to 1.0, if known.
    """

    timestamp: float
    source: int
    contributing: bool = False
    audio_level: float | None = None


class MediaSource(Protocol):
    """Where an engine pulls the media it sends: a track of the application.

    `recv()` raises :class:`~shim.spi.errors.MediaStreamError` when the track has ended, and may raise
    anything else: the engine then stops sending, logs it, and the connection lives on.
    """

    @property
    def kind(self) -> str: ...

    @property
    def id(self) -> str: ...

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        """Return the next frame (any pixel format, size, rate or layout) or encoded packet."""
        ...

    def stop(self) -> None:
        """End the track. The engine calls this when its sender ends, as aiortc does."""
        ...


class MediaSink(Protocol):
    """Where an engine puts the media it receives. Both methods may be called from any thread."""

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        """Hand over one decoded frame with `pts` and `time_base` set. Never blocks."""
        ...

    def end(self) -> None:
        """Say that no frame will follow."""
        ...


@dataclass(frozen=True, slots=True)
class EncodedFrameInfo:
    """What is known of an encoded frame (webrtc-encoded-transform section 4).

    :param mime_type: of its codec, e.g. ``"video/VP8"``.
    :param key_frame: it refers to no other; true for audio.
    :param timestamp: RTP timestamp, 32 bits.
    :param ssrc: of its RTP stream.
    """

    kind: Kind
    mime_type: str
    key_frame: bool
    timestamp: int
    ssrc: int


FrameTransform = Callable[[bytes, EncodedFrameInfo], bytes | None]
"""Takes an encoded frame and returns what goes on in its place, or `None` to drop it. Never raises: the SDK counts
errors. An engine calls it for each frame, in order, one call at a time for each sender and for each receiver, on a
thread of its own that encodes, or on the loop; never on one that the network I/O of other connections waits for."""


class TransceiverEngine(Protocol):
    """A sender and a receiver that share a media section (webrtc-pc section 5.4)."""

    def set_direction(self, direction: Direction) -> None:
        """Set what the next offer or answer asks for."""
        ...

    def stop(self) -> None:
        """Stop sending and receiving for good; the next negotiation rejects the section."""
        ...

    def set_codec_preferences(self, codecs: Sequence[Codec]) -> None:
        """Restrict and order what is negotiated next; an empty sequence restores the default."""
        ...

    def replace_source(self, source: MediaSource | None) -> None:
        """Send another track of the same kind from now on, or nothing, without negotiation."""
        ...

    def get_parameters(self) -> SendParameters:
        """Return the sender's parameters under a new transaction id."""
        ...

    def set_parameters(self, parameters: SendParameters) -> None:
        """Apply encodings. Transaction and ranges have been checked."""
        ...

    def attach(self, sink: MediaSink) -> None:
        """Deliver what is received to `sink` from now on. Called once, before frames are missed."""
        ...

    def set_jitter_target(self, seconds: float | None) -> None:
        """Ask for a receive delay; `None` restores the configured one."""
        ...

    def set_sender_transform(self, transform: FrameTransform | None) -> None:
        """Let what is encoded pass through `transform` before it is cut into packets; `None`: no more.

        Takes effect with the next frame, whatever is negotiated. Frames that wait for it are bounded and lost, not
        sent as they are, when the connection closes. Called only with the capability ``rtp.encoded_transform``.
        """
        ...

    def set_receiver_transform(self, transform: FrameTransform | None) -> None:
        """Let whole frames pass through `transform` before they are decoded; `None`: no more.

        After a frame of video that was dropped, the remote is asked for a key frame as after a loss.
        """
        ...

    def sources(self) -> tuple[RtpSource, ...]:
        """Return SSRCs and CSRCs heard in the last ten seconds."""
        ...

    def can_insert_dtmf(self) -> bool:
        """Tell whether tones can be sent now."""
        ...

    def insert_dtmf(self, tones: str, duration: float, gap: float) -> None:
        """Replace the tone buffer (RFC 4733). Seconds. Posts a ToneChanged for each tone and one at the end."""
        ...


# --- data channels -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DataChannelInit:
    """How a data channel behaves (RFC 8832, webrtc-pc section 6.2)."""

    label: str
    protocol: str = ""
    ordered: bool = True
    max_packet_life_time: int | None = None
    max_retransmits: int | None = None
    negotiated: bool = False
    id: int | None = None


class DataChannelEngine(Protocol):
    """A data channel. Its events carry this object as `channel`."""

    @property
    def id(self) -> int | None:
        """Stream id, once known."""
        ...

    @property
    def buffered_amount(self) -> int:
        """Bytes queued that have not been handed to the network."""
        ...

    def set_buffered_amount_low_threshold(self, threshold: int) -> None:
        """Post a ChannelBufferedAmountLow whenever the amount falls from above to this or below."""
        ...

    def send(self, data: bytes | str) -> None:
        """Queue one message; the state is "open" and the size within the remote's limit.

        :raises OperationError: the send queue is full. The message is not queued, the channel stays open.
        """
        ...

    def close(self) -> None:
        """Start the closing procedure (RFC 8831 section 6.7). Posts closing and closed."""
        ...


# --- peer --------------------------------------------------------------------------------------------


class EventSink(Protocol):
    """Where an engine posts. Any thread; never blocks; delivers in order on the owning loop."""

    def post(self, event: Event) -> None: ...


class PeerEngine(Protocol):
    """A peer connection (RFC 9429, webrtc-pc section 4.4)."""

    async def start(self) -> None:
        """Bind to the running loop and do what creation may not: called once, before any other coroutine.

        Synchronous methods may be called earlier, on the same thread.
        """
        ...

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription: ...

    async def create_answer(self) -> SessionDescription: ...

    async def set_local_description(self, description: SessionDescription) -> None:
        """Apply a description, or roll back.

        Posts one SessionChanged before it returns. Starts gathering and does not wait for it.

        :raises InvalidModificationError: the description does not fit the session.
        """
        ...

    async def set_remote_description(self, description: SessionDescription) -> None:
        """Apply a description, or roll back. Posts one SessionChanged before it returns."""
        ...

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        """Add a remote candidate; `None` ends candidates of all sections. A remote description is set.

        :raises OperationError: the candidate cannot be used.
        """
        ...

    def restart_ice(self) -> None:
        """Make the next offer carry new ICE credentials."""
        ...

    def set_configuration(self, config: EngineConfig) -> None:
        """Use other ICE servers or policy from the next gathering on."""
        ...

    def add_transceiver(
        self,
        kind: Kind,
        direction: Direction,
        source: MediaSource | None,
        stream_ids: Sequence[str] = (),
        encodings: Sequence[Encoding] = (),
    ) -> TransceiverEngine: ...

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        """Create a channel; it opens when the transport does.

        :raises ChannelIdInUseError: `init.id` is taken.
        """
        ...

    def local_state(self) -> SessionState:
        """Return the session as it is now (candidates gathered since included). Cheap, no I/O."""
        ...

    def transports(self) -> tuple[TransportInfo, ...]:
        """Return a snapshot of each transport in use, in order of media sections."""
        ...

    async def get_stats(self, transceiver: TransceiverEngine | None = None) -> Mapping[str, Mapping[str, object]]:
        """Return statistics: id -> W3C dictionary (`type`, `timestamp` in ms since the epoch, ...)."""
        ...

    async def close(self) -> None:
        """End everything. Afterwards no thread, task, socket or memory is left, and nothing is posted.

        Never raises, may be called in any state and more than once.
        """
        ...


# --- the other components ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Conversion:
    """What becomes of a picture: converted and scaled, then turned clockwise, then mirrored left to right.

    :param format: PyAV's name of a format in :data:`PIXEL_FORMATS`.
    :param width: of the result, 1 to 16384.
    :param height: of the result.
    :param matrix: what Y, U and V mean, on whichever side is YUV; between two YUV formats it stays.
    :param full_range: Y, U and V use every value, not 16 to 235 and 240; likewise.
    """

    format: str
    width: int
    height: int
    rotation: Literal[0, 90, 180, 270] = 0
    mirror: bool = False
    matrix: Literal["bt601", "bt709", "bt2020"] = "bt601"
    full_range: bool = False


PIXEL_FORMATS: Final = (
    "yuv420p",
    "yuv422p",
    "yuv444p",
    "nv12",
    "yuv420p10le",
    "bgra",
    "rgba",
    "argb",
    "abgr",
    "bgr24",
    "rgb24",
)
"""What a converter reads and writes; FFmpeg's ``yuvj...`` twins are read as well, as full range."""


class VideoConverter(Protocol):
    """Converts, scales and rotates pictures. Pure; one thread at a time."""

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        """Return a new frame; something is to be done. Its times and colour tags are the SDK's to set."""
        ...


@dataclass(frozen=True, slots=True)
class SoundForm:
    """How sound is written down.

    :param rate: samples per second, 8000 to 192000.
    :param layout: PyAV's name, with 1 to 8 channels.
    :param format: ``"s16"``, ``"s16p"``, ``"flt"`` or ``"fltp"``.
    """

    rate: int
    layout: str
    format: str


Mix = tuple[tuple[float, ...], ...]
"""A row for each channel of the output, with the weight of each channel of the input."""


class AudioResampler(Protocol):
    """Brings streams of sound into one form, one stream after the other. One thread at a time.

    Sample n of the output belongs to the time n / rate, whatever the filter: the output begins with the input. It
    does not depend on how the input is cut into frames. n samples in give ceil(n * rate out / rate in) after the flush.
    """

    @property
    def delay(self) -> float:
        """Seconds, the longest that sound of the stream is held back before the flush."""
        ...

    def start(self, source: SoundForm, mix: Mix | None) -> None:
        """Begin a stream.

        :param mix: makes the channels of the output; `None` if they are those of the input.
        """
        ...

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        """Take one frame of the stream, of at least one sample; returns what is ready. Times are the SDK's to set."""
        ...

    def flush(self) -> list[AudioFrame]:
        """End the stream; returns the rest."""
        ...


NoiseSuppression = Literal["off", "low", "moderate", "high", "very_high"]


@dataclass(frozen=True, slots=True)
class ProcessorSettings:
    """What is to be done to the sound of a microphone.

    :param rate: of both ends: 8000, 16000, 32000 or 48000 Hz.
    :param channels: of both ends: 1 or 2.
    :param noise_suppression: other than ``"off"`` and ``"high"`` only if the backend has ``audio.noise_levels``.
    """

    rate: int
    channels: int
    echo_cancellation: bool
    noise_suppression: NoiseSuppression
    gain_control: bool
    high_pass: bool


@dataclass(frozen=True, slots=True)
class ProcessorStats:
    """How the processing fares; `None` where the engine does not tell, or cannot yet.

    :param echo_return_loss: how much weaker than what is played its echo is, in dB.
    :param echo_return_loss_enhancement: how much weaker than that the rest of it is in the output, in dB.
    :param echo_delay: seconds from what is played to its echo, as the canceller found them.
    """

    echo_return_loss: float | None = None
    echo_return_loss_enhancement: float | None = None
    echo_delay: float | None = None


class AudioProcessor(Protocol):
    """Cleans the sound of a microphone (the near end) of noise and of what is played (the far end).

    All frames are ``s16``, of the rate and channels of the settings, and a whole number of blocks of 10 ms, at least
    one. One thread at a time.
    """

    def process(self, frame: AudioFrame) -> AudioFrame:
        """Return as many samples, processed; the frame may be changed. Times are the SDK's to set."""
        ...

    def process_reverse(self, frame: AudioFrame) -> None:
        """Listen to what is about to be played; the frame may be changed."""
        ...

    def set_delay(self, seconds: float) -> None:
        """Tell how long after `process_reverse` the echo of a block is processed, 0 to 0.5. A hint."""
        ...

    def stats(self) -> ProcessorStats:
        """Tell how it fares."""
        ...


VideoCodec = Literal["VP8", "VP9", "H264", "H265", "AV1"]
"""Names of encodings, as in SDP."""

Hardware = Literal["never", "prefer", "require"]


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What a video encoder is to do. Real time: no look-ahead, a picture in gives a picture out.

    :param codec: one that the backend names in ``shim_video_codecs``.
    :param width: of the pictures to begin with, 16 to 16384; a picture of another size changes it in flight.
    :param height: likewise.
    :param bitrate: bits per second, at least 10000.
    :param framerate: pictures per second, above 0, at most 240.
    :param key_interval: pictures from one key frame to the next; `None`: only the first, and where one is asked for.
    :param temporal_layers: 1 to 3.
    :param speed: 0 (best quality) to 10 (fastest); `None`: the backend's choice, which it may change.
    :param hardware: whether to look for an encoder in hardware.
    :param threads: at most; `None`: what the machine has.
    :param screen: the content is a desktop or slides.
    """

    codec: VideoCodec
    width: int
    height: int
    bitrate: int
    framerate: float = 30.0
    key_interval: int | None = None
    temporal_layers: int = 1
    speed: int | None = None
    hardware: Hardware = "never"
    threads: int | None = None
    screen: bool = False


@dataclass(frozen=True, slots=True)
class EncodedVideo:
    """One encoded picture (an EncodedVideoChunk of WebCodecs).

    :param data: the bitstream: an Annex B access unit of H264 and H265, a temporal unit without delimiter of AV1.
    :param pts: in units of `time_base`.
    :param time_base: seconds.
    :param key_frame: decoding may begin here.
    :param temporal_layer: 0 is needed by all others.
    """

    data: bytes
    pts: int
    time_base: Fraction
    key_frame: bool
    width: int
    height: int
    temporal_layer: int = 0


@dataclass(frozen=True, slots=True)
class CodecImplementation:
    """What encodes or decodes, and why that: for people to read.

    :param name: e.g. ``"libsvtav1"``, ``"h264_nvenc"``, ``"OpenH264"``.
    :param hardware: it is no software.
    :param reason: why this one, what was tried before it; one line.
    :param speed: the setting in use, in the words of the implementation, e.g. ``"preset 12"``.
    """

    name: str
    hardware: bool
    reason: str
    speed: str = ""


@dataclass(frozen=True, slots=True)
class VideoCodecs:
    """What a backend encodes and decodes, best first."""

    encode: tuple[VideoCodec, ...]
    decode: tuple[VideoCodec, ...]


class VideoEncoder(Protocol):
    """Encodes one stream. One thread at a time."""

    @property
    def implementation(self) -> CodecImplementation:
        """What encodes now. It may change: an encoder that falls behind may step down, and says so in the reason."""
        ...

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[EncodedVideo]:
        """Encode a picture of any size and of any of :data:`PIXEL_FORMATS`; may return earlier ones or none.

        :param frame: with a `pts` above that of the one before, and a `time_base`.
        :raises CapabilityError: the codec has no such size here. The encoder lives, and goes on with a key frame.
        :raises OperationError: the encoder failed at this picture. Likewise.
        """
        ...

    def set_rates(self, bitrate: int, framerate: float) -> None:
        """Aim at this from the next picture on, without a key frame."""
        ...

    def flush(self) -> list[EncodedVideo]:
        """Return what is still held; the encoder goes on with a key frame."""
        ...

    def close(self) -> None:
        """Free everything. May be called more than once."""
        ...


class VideoDecoder(Protocol):
    """Decodes one stream. One thread at a time."""

    @property
    def implementation(self) -> CodecImplementation:
        """What decodes."""
        ...

    def decode(self, data: bytes, pts: int, time_base: Fraction, *, key_frame: bool) -> list[VideoFrame]:
        """Decode one picture, of any bytes; returns what is ready, with `pts` and `time_base`.

        :raises OperationError: the bitstream is damaged, or what it refers to is missing. The decoder lives, and
            goes on with the next key frame.
        """
        ...

    def flush(self) -> list[VideoFrame]:
        """Return what is still held; the decoder goes on with a key frame."""
        ...

    def close(self) -> None:
        """Free everything. May be called more than once."""
        ...


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """What of the screen is captured, and how.

    :param display: as the system names it, e.g. ``":0"`` under X11; `None` for the one of the session.
    :param region: left, top, width and height in pixels, from 0, 0 and 1, 1 on; `None` for all of it.
    :param framerate: pictures per second, above 0, at most 240.
    :param cursor: show the pointer.
    """

    display: str | None = None
    region: tuple[int, int, int, int] | None = None
    framerate: float = 30.0
    cursor: bool = True


class ScreenCapturer(Protocol):
    """Captures the screen, once."""

    def start(self, sink: MediaSink) -> None:
        """Put pictures, of any of :data:`PIXEL_FORMATS`, with times that begin at 0, from any thread; end at the end.

        :raises CapabilityError: this system has no screen that could be captured, or not in this way.
        :raises OperationError: the display cannot be opened.
        :raises InvalidMediaError: the region is not on the screen.
        """
        ...

    def close(self) -> None:
        """Stop, and leave no thread behind. Does not end the sink. May be called more than once, any thread."""
        ...


class DataTransport(Protocol):
    """Carries data channels instead of SCTP."""

    async def start(self) -> None: ...

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine: ...

    async def close(self) -> None: ...


class Surface(Protocol):
    """Shows decoded frames."""

    def show(self, frame: VideoFrame) -> None: ...

    def close(self) -> None: ...
