"""What the native backend says of itself."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from shim.spi.capabilities import CORE, Capability, Component
from shim.spi.records import BackendInfo

CAPABILITIES = CORE | {
    Capability.ROLLBACK,
    Capability.PRANSWER,
    Capability.TRICKLE,
    Capability.ICE_RESTART,
    Capability.ICE_RELAY,
    Capability.ICE_MDNS,
    Capability.ICE_DISCONNECTED,
    Capability.CANDIDATE_ERRORS,
    Capability.PORT_RANGE,
    Capability.SET_CONFIGURATION,
    Capability.MTU,
    Capability.CERTIFICATES,
    Capability.DATA_MAX_RETRANSMITS,
    Capability.DATA_MAX_LIFETIME,
    Capability.VIDEO_H264,
    Capability.VIDEO_VP9,
    Capability.VIDEO_AV1,
    Capability.CODEC_PREFERENCES,
    Capability.TRANSCEIVER_STOP,
    Capability.SEND_PARAMETERS,
    Capability.DTMF,
    Capability.ENCODED_SEND,
    Capability.ENCODED_TRANSFORM,
    Capability.BITRATE_BOUNDS,
    Capability.JITTER_TARGET,
    Capability.OPUS_PARAMETERS,
}


def backend_info() -> BackendInfo:
    """Describe the backend without importing the libraries inside."""
    return BackendInfo(
        name="native",
        version=_version("webrtc-shim"),
        engine=f"aiortc {_version('aiortc')}",
        components=frozenset(
            {
                Component.PEER,
                Component.VIDEO_CONVERT,
                Component.AUDIO_RESAMPLE,
                Component.AUDIO_PROCESS,
                Component.VIDEO_ENCODE,
                Component.VIDEO_DECODE,
                Component.SCREEN_CAPTURE,
            }
        ),
        capabilities=CAPABILITIES,
        install="pip install webrtc-shim",
    )


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
