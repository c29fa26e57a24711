"""Mirror of ``aiortc.rtcrtptransceiver``."""

from shim.api.parameters import RTCRtpCodecCapability, RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters
from shim.api.rtp import RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver
from shim.api.sdp import DIRECTIONS

__all__ = [
    "DIRECTIONS",
    "RTCRtpCodecCapability",
    "RTCRtpCodecParameters",
    "RTCRtpHeaderExtensionParameters",
    "RTCRtpReceiver",
    "RTCRtpSender",
    "RTCRtpTransceiver",
]
