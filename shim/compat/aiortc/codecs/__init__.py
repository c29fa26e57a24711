"""Mirror of ``aiortc.codecs``: the constants that applications patch, and what can be negotiated."""

from __future__ import annotations

from typing import Final

from shim.api.parameters import (
    RTCRtcpFeedback,
    RTCRtpCapabilities,
    RTCRtpCodecCapability,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionCapability,
    RTCRtpHeaderExtensionParameters,
)
from shim.api.rtp import RTCRtpSender
from shim.compat.absences import absent
from shim.compat.aiortc.codecs import h264, opus, vpx

__all__ = [
    "G722_CODEC",
    "PCMA_CODEC",
    "PCMU_CODEC",
    "RTCRtcpFeedback",
    "RTCRtpCapabilities",
    "RTCRtpCodecCapability",
    "RTCRtpCodecParameters",
    "RTCRtpHeaderExtensionCapability",
    "RTCRtpHeaderExtensionParameters",
    "RTCRtpSender",
    "get_capabilities",
    "h264",
    "is_rtx",
    "opus",
    "vpx",
]

G722_CODEC: Final = RTCRtpCodecParameters(mimeType="audio/G722", clockRate=8000, channels=1, payloadType=9)
PCMU_CODEC: Final = RTCRtpCodecParameters(mimeType="audio/PCMU", clockRate=8000, channels=1, payloadType=0)
PCMA_CODEC: Final = RTCRtpCodecParameters(mimeType="audio/PCMA", clockRate=8000, channels=1, payloadType=8)


def get_capabilities(kind: str) -> RTCRtpCapabilities:
    """Return what can be sent of one kind, on the backend that would be chosen now.

    :raises ValueError: `kind` is neither ``"audio"`` nor ``"video"``.
    """
    if kind not in {"audio", "video"}:
        raise ValueError(f"cannot get capabilities for unknown media {kind}")
    return RTCRtpSender.getCapabilities(kind)


def is_rtx(codec: RTCRtpCodecCapability | RTCRtpCodecParameters) -> bool:
    """Tell whether a codec is retransmission (RFC 4588)."""
    return codec.name.lower() == "rtx"


__getattr__ = absent("codecs")
