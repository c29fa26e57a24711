"""What the ``legacy`` backend says of itself."""

from __future__ import annotations

from typing import Final

from backends.legacy import ffi
from shim.spi.capabilities import CORE, Capability, Component
from shim.spi.errors import ShimError
from shim.spi.records import BackendInfo, ProbeResult

NAME: Final = "legacy"
VERSION: Final = "0.1.0"
ENGINE: Final = "libwebrtc M109 (tg_owt 2023-01-05)"

CAPABILITIES: Final = CORE | {
    Capability.ROLLBACK,
    Capability.PRANSWER,
    Capability.TRICKLE,
    Capability.ICE_RESTART,
    Capability.ICE_RELAY,
    Capability.ICE_DISCONNECTED,
    Capability.CANDIDATE_ERRORS,
    Capability.PORT_RANGE,
    Capability.SET_CONFIGURATION,
    Capability.CERTIFICATES,
    Capability.DATA_MAX_RETRANSMITS,
    Capability.DATA_MAX_LIFETIME,
    Capability.VIDEO_H264,
    Capability.VIDEO_VP9,
    Capability.CODEC_PREFERENCES,
    Capability.TRANSCEIVER_STOP,
    Capability.SEND_PARAMETERS,
    Capability.SIMULCAST,
    Capability.DTMF,
    Capability.BITRATE_BOUNDS,
    Capability.ENCODED_TRANSFORM,
    Capability.JITTER_TARGET,
    Capability.OPUS_PARAMETERS,
    Capability.AUDIO_NOISE_LEVELS,
    Capability.AUDIO_ECHO_STATS,
}

COMPONENTS: Final = frozenset(
    {
        Component.PEER,
        Component.VIDEO_CONVERT,
        Component.AUDIO_RESAMPLE,
        Component.AUDIO_PROCESS,
        Component.VIDEO_ENCODE,
        Component.VIDEO_DECODE,
    }
)


def backend_info() -> BackendInfo:
    """Describe the backend without loading the library."""
    loaded = ffi.loaded()
    return BackendInfo(
        name=NAME,
        version=VERSION,
        engine=ENGINE if loaded is None else loaded.version,
        components=COMPONENTS,
        capabilities=frozenset(CAPABILITIES),
        install=ffi.INSTALL,
    )


def probe() -> ProbeResult:
    """Tell whether the library is here, has the right ABI and can be loaded."""
    try:
        return ProbeResult(True, ffi.load().version)
    except ShimError as exc:
        return ProbeResult(False, str(exc))
