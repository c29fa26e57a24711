"""The hooks of the ``wrtc`` backend. Importing this module loads neither libwebrtc nor PyAV."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from shim.spi.capabilities import CORE, Capability, Component
from shim.spi.hookspecs import hookimpl
from shim.spi.records import BackendInfo, ProbeResult

if TYPE_CHECKING:
    from shim.spi.engines import EngineConfig, EventSink, Kind, PeerEngine, RtpCapabilities

INSTALL: Final = "pip install webrtc-shim-wrtc"
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
    Capability.DATA_MAX_RETRANSMITS,
    Capability.DATA_MAX_LIFETIME,
    Capability.VIDEO_VP9,
    Capability.VIDEO_AV1,
    Capability.CODEC_PREFERENCES,
    Capability.TRANSCEIVER_STOP,
    Capability.SEND_PARAMETERS,
    Capability.SIMULCAST,
    Capability.DTMF,
    Capability.JITTER_TARGET,
}


@hookimpl
def shim_backend_info() -> BackendInfo:
    """Describe the backend. H.264 is there once the application has called ``webrtc.openh264.install()``."""
    return BackendInfo(
        name="wrtc",
        version="0.1.0",
        engine=f"libwebrtc M152 (wrtc {_version()})",
        components=frozenset({Component.PEER}),
        capabilities=CAPABILITIES | ({Capability.VIDEO_H264} if _has_h264() else set()),
        install=INSTALL,
    )


@hookimpl
def shim_probe() -> ProbeResult:
    """Load libwebrtc, and tell why not if that fails."""
    try:
        import webrtc  # noqa: F401
    except (ImportError, OSError) as exc:
        return ProbeResult(available=False, reason=f"wrtc cannot be loaded: {exc}")
    return ProbeResult(available=True, reason=f"wrtc {_version()}")


@hookimpl
def shim_rtp_capabilities(kind: Kind, sender: bool) -> RtpCapabilities:
    """Ask libwebrtc's codec factories."""
    from shim_wrtc.values import rtp_capabilities

    return rtp_capabilities(kind, sender)


@hookimpl
def shim_create_peer_engine(config: EngineConfig, sink: EventSink) -> PeerEngine:
    """Create a connection; the first one starts libwebrtc's threads."""
    from shim_wrtc.engine import WrtcPeerEngine

    return WrtcPeerEngine(config, sink)


def _version() -> str:
    try:
        return version("wrtc")
    except PackageNotFoundError:
        return "not installed"


def _has_h264() -> bool:
    loaded = sys.modules.get("webrtc.openh264")
    return loaded is not None and bool(loaded.is_enabled())
