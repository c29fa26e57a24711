"""One WebRTC SDK with aiortc's API; the engine underneath is chosen by a flag.

Importing this package loads no backend, no FFmpeg and no aiortc: names are looked up on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shim.api.audio import AudioResampler
    from shim.api.audio_hybrid import HybridResampler
    from shim.api.audio_mixer import AudioMixer, MixerInputStats
    from shim.api.audio_process import AudioProcessor
    from shim.api.capture import ScreenCapture
    from shim.api.certificates import RTCCertificate
    from shim.api.configuration import RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCIceTransportPolicy
    from shim.api.datachannel import RTCDataChannel, RTCDataChannelParameters
    from shim.api.dtmf import RTCDTMFSender
    from shim.api.media import MediaBlackhole, MediaPlayer, MediaRecorder, MediaRelay
    from shim.api.parameters import (
        RTCRtcpParameters,
        RTCRtpCapabilities,
        RTCRtpCodecCapability,
        RTCRtpCodecParameters,
        RTCRtpContributingSource,
        RTCRtpEncodingParameters,
        RTCRtpHeaderExtensionCapability,
        RTCRtpHeaderExtensionParameters,
        RTCRtpParameters,
        RTCRtpSynchronizationSource,
    )
    from shim.api.peerconnection import RTCPeerConnection
    from shim.api.receiving import RTCIceCandidateErrorEvent
    from shim.api.rtp import RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver, RTCTrackEvent
    from shim.api.sframe import SFrame
    from shim.api.sframe_cipher import SFrameError
    from shim.api.stats import (
        RTCInboundRtpStreamStats,
        RTCOutboundRtpStreamStats,
        RTCRemoteInboundRtpStreamStats,
        RTCRemoteOutboundRtpStreamStats,
        RTCStatsReport,
        RTCTransportStats,
    )
    from shim.api.tracks import AudioStreamTrack, MediaStreamTrack, PushTrack, VideoStreamTrack
    from shim.api.transforms import RTCTransformCounts
    from shim.api.transports import RTCDtlsTransport, RTCIceGatherer, RTCIceTransport, RTCSctpTransport
    from shim.api.values import (
        RTCDtlsFingerprint,
        RTCDtlsParameters,
        RTCIceCandidate,
        RTCIceParameters,
        RTCSctpCapabilities,
        RTCSessionDescription,
    )
    from shim.api.video import VideoConverter
    from shim.api.video_codec import video_codecs
    from shim.api.video_decoder import VideoDecoder
    from shim.api.video_encoder import VideoEncoder
    from shim.flags.context import use_backend
    from shim.spi.capabilities import Capability, Component
    from shim.spi.engines import (
        BitrateBounds,
        CodecImplementation,
        EncodedFrameInfo,
        EncodedVideo,
        OpusParameters,
        ProcessorSettings,
        ProcessorStats,
        VideoCodecs,
    )
    from shim.spi.errors import (
        BackendContractError,
        BackendUnavailableError,
        CapabilityError,
        FlagConfigError,
        InternalError,
        InvalidAccessError,
        InvalidMediaError,
        InvalidModificationError,
        InvalidStateError,
        MediaStreamError,
        MessageSizeError,
        NotSupportedError,
        OperationError,
        SdpSyntaxError,
        ShimError,
    )
    from shim.spi.records import Decision

__version__ = "0.1.0"

__all__ = [
    "AudioMixer",
    "AudioProcessor",
    "AudioResampler",
    "AudioStreamTrack",
    "BackendContractError",
    "BackendUnavailableError",
    "BitrateBounds",
    "Capability",
    "CapabilityError",
    "CodecImplementation",
    "Component",
    "Decision",
    "EncodedFrameInfo",
    "EncodedVideo",
    "FlagConfigError",
    "HybridResampler",
    "InternalError",
    "InvalidAccessError",
    "InvalidMediaError",
    "InvalidModificationError",
    "InvalidStateError",
    "MediaBlackhole",
    "MediaPlayer",
    "MediaRecorder",
    "MediaRelay",
    "MediaStreamError",
    "MediaStreamTrack",
    "MessageSizeError",
    "MixerInputStats",
    "NotSupportedError",
    "OperationError",
    "OpusParameters",
    "ProcessorSettings",
    "ProcessorStats",
    "PushTrack",
    "RTCBundlePolicy",
    "RTCCertificate",
    "RTCConfiguration",
    "RTCDTMFSender",
    "RTCDataChannel",
    "RTCDataChannelParameters",
    "RTCDtlsFingerprint",
    "RTCDtlsParameters",
    "RTCDtlsTransport",
    "RTCIceCandidate",
    "RTCIceCandidateErrorEvent",
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
    "RTCRtpEncodingParameters",
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
    "RTCTrackEvent",
    "RTCTransformCounts",
    "RTCTransportStats",
    "SFrame",
    "SFrameError",
    "ScreenCapture",
    "SdpSyntaxError",
    "ShimError",
    "VideoCodecs",
    "VideoConverter",
    "VideoDecoder",
    "VideoEncoder",
    "VideoStreamTrack",
    "use_backend",
    "video_codecs",
]

_HOME: Final[dict[str, tuple[str, ...]]] = {
    "shim.api.audio": ("AudioResampler",),
    "shim.api.audio_hybrid": ("HybridResampler",),
    "shim.api.audio_mixer": (
        "AudioMixer",
        "MixerInputStats",
    ),
    "shim.api.audio_process": ("AudioProcessor",),
    "shim.api.capture": ("ScreenCapture",),
    "shim.api.certificates": ("RTCCertificate",),
    "shim.api.configuration": (
        "RTCBundlePolicy",
        "RTCConfiguration",
        "RTCIceServer",
        "RTCIceTransportPolicy",
    ),
    "shim.api.datachannel": (
        "RTCDataChannel",
        "RTCDataChannelParameters",
    ),
    "shim.api.dtmf": ("RTCDTMFSender",),
    "shim.api.media": (
        "MediaBlackhole",
        "MediaPlayer",
        "MediaRecorder",
        "MediaRelay",
    ),
    "shim.api.parameters": (
        "RTCRtcpParameters",
        "RTCRtpCapabilities",
        "RTCRtpCodecCapability",
        "RTCRtpCodecParameters",
        "RTCRtpContributingSource",
        "RTCRtpEncodingParameters",
        "RTCRtpHeaderExtensionCapability",
        "RTCRtpHeaderExtensionParameters",
        "RTCRtpParameters",
        "RTCRtpSynchronizationSource",
    ),
    "shim.api.peerconnection": ("RTCPeerConnection",),
    "shim.api.receiving": ("RTCIceCandidateErrorEvent",),
    "shim.api.rtp": (
        "RTCRtpReceiver",
        "RTCRtpSender",
        "RTCRtpTransceiver",
        "RTCTrackEvent",
    ),
    "shim.api.sframe": ("SFrame",),
    "shim.api.sframe_cipher": ("SFrameError",),
    "shim.api.stats": (
        "RTCInboundRtpStreamStats",
        "RTCOutboundRtpStreamStats",
        "RTCRemoteInboundRtpStreamStats",
        "RTCRemoteOutboundRtpStreamStats",
        "RTCStatsReport",
        "RTCTransportStats",
    ),
    "shim.api.tracks": (
        "AudioStreamTrack",
        "MediaStreamTrack",
        "PushTrack",
        "VideoStreamTrack",
    ),
    "shim.api.transforms": ("RTCTransformCounts",),
    "shim.api.transports": (
        "RTCDtlsTransport",
        "RTCIceGatherer",
        "RTCIceTransport",
        "RTCSctpTransport",
    ),
    "shim.api.values": (
        "RTCDtlsFingerprint",
        "RTCDtlsParameters",
        "RTCIceCandidate",
        "RTCIceParameters",
        "RTCSctpCapabilities",
        "RTCSessionDescription",
    ),
    "shim.api.video": ("VideoConverter",),
    "shim.api.video_codec": ("video_codecs",),
    "shim.api.video_decoder": ("VideoDecoder",),
    "shim.api.video_encoder": ("VideoEncoder",),
    "shim.flags.context": ("use_backend",),
    "shim.spi.capabilities": (
        "Capability",
        "Component",
    ),
    "shim.spi.engines": (
        "BitrateBounds",
        "CodecImplementation",
        "EncodedFrameInfo",
        "EncodedVideo",
        "OpusParameters",
        "ProcessorSettings",
        "ProcessorStats",
        "VideoCodecs",
    ),
    "shim.spi.errors": (
        "BackendContractError",
        "BackendUnavailableError",
        "CapabilityError",
        "FlagConfigError",
        "InternalError",
        "InvalidAccessError",
        "InvalidMediaError",
        "InvalidModificationError",
        "InvalidStateError",
        "MediaStreamError",
        "MessageSizeError",
        "NotSupportedError",
        "OperationError",
        "SdpSyntaxError",
        "ShimError",
    ),
    "shim.spi.records": ("Decision",),
}


def __getattr__(name: str) -> object:
    for module, names in _HOME.items():
        if name in names:
            value = globals()[name] = getattr(import_module(module), name)
            return value
    raise AttributeError(f"module 'shim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
