"""aiortc's module tree over this SDK: ``python -m shim run app.py`` gives it to an unmodified program as ``aiortc``."""

from shim.api.certificates import RTCCertificate
from shim.api.configuration import RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCIceTransportPolicy
from shim.api.datachannel import RTCDataChannel, RTCDataChannelParameters
from shim.api.parameters import (
    RTCRtcpParameters,
    RTCRtpCapabilities,
    RTCRtpCodecCapability,
    RTCRtpCodecParameters,
    RTCRtpContributingSource,
    RTCRtpHeaderExtensionCapability,
    RTCRtpHeaderExtensionParameters,
    RTCRtpParameters,
    RTCRtpSynchronizationSource,
)
from shim.api.peerconnection import RTCPeerConnection
from shim.api.rtp import RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver
from shim.api.stats import (
    RTCInboundRtpStreamStats,
    RTCOutboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
    RTCRemoteOutboundRtpStreamStats,
    RTCStatsReport,
    RTCTransportStats,
)
from shim.api.tracks import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack
from shim.api.transports import RTCDtlsTransport, RTCIceGatherer, RTCIceTransport, RTCSctpTransport
from shim.api.values import (
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCIceCandidate,
    RTCIceParameters,
    RTCSctpCapabilities,
    RTCSessionDescription,
)
from shim.compat.aiortc import (
    clock,
    events,
    exceptions,
    mediastreams,
    rtcconfiguration,
    rtcdatachannel,
    rtcdtlstransport,
    rtcicetransport,
    rtcpeerconnection,
    rtcrtpparameters,
    rtcrtpreceiver,
    rtcrtpsender,
    rtcrtptransceiver,
    rtcsctptransport,
    rtcsessiondescription,
    sdp,
    stats,
    utils,
)
from shim.spi.errors import InvalidAccessError, InvalidStateError, MediaStreamError

__version__ = "1.16.0"

__all__ = [
    "AudioStreamTrack",
    "InvalidAccessError",
    "InvalidStateError",
    "MediaStreamError",
    "MediaStreamTrack",
    "RTCBundlePolicy",
    "RTCCertificate",
    "RTCConfiguration",
    "RTCDataChannel",
    "RTCDataChannelParameters",
    "RTCDtlsFingerprint",
    "RTCDtlsParameters",
    "RTCDtlsTransport",
    "RTCIceCandidate",
    "RTCIceGatherer",
    "RTCIceParameters",
    "RTCIceServer",
    "RTCIceTransport",
    "RTCIceTransportPolicy",
    "RTCInboundRtpStreamStats",
    "RTCOutboundRtpStreamStats",
    "RTCPeerConnection",
    "RTCRemoteInboundRtpStreamStats",
    "RTCRemoteOutboundRtpStreamStats",
    "RTCRtcpParameters",
    "RTCRtpCapabilities",
    "RTCRtpCodecCapability",
    "RTCRtpCodecParameters",
    "RTCRtpContributingSource",
    "RTCRtpHeaderExtensionCapability",
    "RTCRtpHeaderExtensionParameters",
    "RTCRtpParameters",
    "RTCRtpReceiver",
    "RTCRtpSender",
    "RTCRtpSynchronizationSource",
    "RTCRtpTransceiver",
    "RTCSctpCapabilities",
    "RTCSctpTransport",
    "RTCSessionDescription",
    "RTCStatsReport",
    "RTCTransportStats",
    "VideoStreamTrack",
]
