"""Mirror of ``aiortc.rtcpeerconnection``."""

from shim.api.certificates import RTCCertificate
from shim.api.configuration import RTCBundlePolicy, RTCConfiguration
from shim.api.datachannel import RTCDataChannel, RTCDataChannelParameters
from shim.api.negotiation import reverse as reverse_direction
from shim.api.peerconnection import RTCPeerConnection
from shim.api.rtp import RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver, RTCTrackEvent
from shim.api.stats import RTCStatsReport
from shim.api.tracks import MediaStreamTrack
from shim.api.tracks import RemoteTrack as RemoteStreamTrack
from shim.api.transports import RTCDtlsTransport, RTCIceGatherer, RTCIceTransport, RTCSctpTransport
from shim.api.values import RTCIceCandidate, RTCSessionDescription
from shim.compat.absences import absent
from shim.spi.errors import InternalError, InvalidAccessError, InvalidStateError, OperationError

__all__ = [
    "MEDIA_KINDS",
    "InternalError",
    "InvalidAccessError",
    "InvalidStateError",
    "MediaStreamTrack",
    "OperationError",
    "RTCBundlePolicy",
    "RTCCertificate",
    "RTCConfiguration",
    "RTCDataChannel",
    "RTCDataChannelParameters",
    "RTCDtlsTransport",
    "RTCIceCandidate",
    "RTCIceGatherer",
    "RTCIceTransport",
    "RTCPeerConnection",
    "RTCRtpReceiver",
    "RTCRtpSender",
    "RTCRtpTransceiver",
    "RTCSctpTransport",
    "RTCSessionDescription",
    "RTCStatsReport",
    "RTCTrackEvent",
    "RemoteStreamTrack",
    "reverse_direction",
]

MEDIA_KINDS = ["audio", "video"]

__getattr__ = absent("rtcpeerconnection")
