"""RTP parameters and capabilities (webrtc-pc section 5, aiortc's ``rtcrtpparameters``). All plain data."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

ParametersDict = dict[str, int | str | None]
"""Parameters of a format: a number where the specification has one, `None` where there is no value."""


@dataclass
class RTCRtcpFeedback:
    """A kind of RTCP feedback (RFC 4585 section 4.2), e.g. ``nack`` with parameter ``pli``."""

    type: str
    parameter: str | None = None


@dataclass
class RTCRtcpParameters:
    """RTCP settings.

    :param cname: canonical name of the sender.
    :param mux: RTP and RTCP share a port (RFC 5761).
    :param ssrc: synchronization source.
    """

    cname: str | None = None
    mux: bool = False
    ssrc: int | None = None


@dataclass
class RTCRtpCodecCapability:
    """A codec that can be negotiated (webrtc-pc section 5.2.8).

    :param mimeType: e.g. ``"audio/PCMU"``.
    :param clockRate: in hertz.
    :param channels: e.g. 2 for stereo; `None` for video.
    :param parameters: format parameters for signaling.
    """

    mimeType: str
    clockRate: int
    channels: int | None = None
    parameters: ParametersDict = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The subtype, e.g. ``"PCMU"``."""
        return self.mimeType.split("/")[1]


@dataclass
class RTCRtpCodecParameters:
    """A codec as negotiated; see :class:`RTCRtpCodecCapability`.

    :param payloadType: 0 to 127, as in the RTP header.
    """

    mimeType: str
    clockRate: int
    channels: int | None = None
    payloadType: int | None = None
    rtcpFeedback: list[RTCRtcpFeedback] = field(default_factory=list)
    parameters: ParametersDict = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The subtype, e.g. ``"PCMU"``."""
        return self.mimeType.split("/")[1]

    def __str__(self) -> str:
        channels = "/2" if self.channels == 2 else ""
        return f"{self.name}/{self.clockRate}{channels}"


@dataclass
class RTCRtpHeaderExtensionCapability:
    """An RTP header extension that can be negotiated (RFC 8285)."""

    uri: str


@dataclass
class RTCRtpHeaderExtensionParameters:
    """An RTP header extension as negotiated.

    :param id: 1 to 255, as in the packet.
    """

    id: int
    uri: str


@dataclass
class RTCRtpCapabilities:
    """What can be sent or received of one kind (webrtc-pc section 5.2.7)."""

    codecs: list[RTCRtpCodecCapability] = field(default_factory=list)
    headerExtensions: list[RTCRtpHeaderExtensionCapability] = field(default_factory=list)


@dataclass
class RTCRtpRtxParameters:
    """The stream that carries retransmissions (RFC 4588)."""

    ssrc: int


@dataclass
class RTCRtpCodingParameters:
    """One stream as it is sent or received. `None` where the engine does not tell."""

    ssrc: int | None = None
    payloadType: int | None = None
    rtx: RTCRtpRtxParameters | None = None


@dataclass
class RTCRtpDecodingParameters(RTCRtpCodingParameters):
    """One stream that is received."""


@dataclass
class RTCRtpEncodingParameters(RTCRtpCodingParameters):
    """One stream that is sent (webrtc-pc section 5.2.5).

    :param rid: RTP stream id of a simulcast layer.
    :param active: whether it is sent at all.
    :param maxBitrate: bits per second, at least 1.
    :param maxFramerate: frames per second, at least 0.
    :param scaleResolutionDownBy: width and height are divided by this, at least 1.0.
    """

    rid: str | None = None
    active: bool = True
    maxBitrate: int | None = None
    maxFramerate: float | None = None
    scaleResolutionDownBy: float | None = None


@dataclass
class RTCRtpParameters:
    """How a sender or receiver is configured (webrtc-pc section 5.2.1).

    :param muxId: media identification of the section, empty if unset.
    """

    codecs: list[RTCRtpCodecParameters] = field(default_factory=list)
    headerExtensions: list[RTCRtpHeaderExtensionParameters] = field(default_factory=list)
    muxId: str = ""
    rtcp: RTCRtcpParameters = field(default_factory=RTCRtcpParameters)


@dataclass
class RTCRtpReceiveParameters(RTCRtpParameters):
    """How a receiver is configured (webrtc-pc section 5.2.3)."""

    encodings: list[RTCRtpDecodingParameters] = field(default_factory=list)


@dataclass
class RTCRtpSendParameters(RTCRtpParameters):
    """How a sender is configured (webrtc-pc section 5.2.2).

    :param transactionId: pairs a ``setParameters`` with the ``getParameters`` before it.
    """

    encodings: list[RTCRtpEncodingParameters] = field(default_factory=list)
    transactionId: str = ""


@dataclass
class RTCRtpContributingSource:
    """A source that a mixer combined into the stream (webrtc-pc section 5.3).

    :param timestamp: when it was last heard.
    :param source: CSRC.
    :param audioLevel: 0.0 (silence) to 1.0, if known.
    """

    timestamp: datetime.datetime
    source: int
    audioLevel: float | None = None


@dataclass
class RTCRtpSynchronizationSource:
    """A stream that was heard (webrtc-pc section 5.3); `source` is its SSRC."""

    timestamp: datetime.datetime
    source: int
    audioLevel: float | None = None
