"""The hooks of the ``wrtc`` backend. Importing this module loads neither libwebrtc nor PyAV."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from shim.spi.capabilities import CORE, Component
from shim.spi.capabilities import Capability as Can
from shim.spi.hookspecs import hookimpl
from shim.spi.records import BackendInfo, ProbeResult

if TYPE_CHECKING:
    from shim.spi.engines import EngineConfig, EventSink, Kind, PeerEngine, RtpCapabilities

SESSION: Final = {Can.ROLLBACK, Can.PRANSWER, Can.SET_CONFIGURATION, Can.CODEC_PREFERENCES, Can.TRANSCEIVER_STOP}
ICE: Final = {Can.TRICKLE, Can.ICE_RESTART, Can.ICE_RELAY, Can.ICE_DISCONNECTED, Can.CANDIDATE_ERRORS, Can.PORT_RANGE}
DATA: Final = {Can.DATA_MAX_RETRANSMITS, Can.DATA_MAX_LIFETIME}
MEDIA: Final = {Can.VIDEO_VP9, Can.VIDEO_AV1, Can.SEND_PARAMETERS, Can.SIMULCAST, Can.DTMF, Can.JITTER_TARGET}


@hookimpl
def shim_backend_info() -> BackendInfo:
    """Describe the backend. H.264 is there once the application has called ``webrtc.openh264.install()``."""
    return BackendInfo(
        name="wrtc",
        version="0.1.0",
        engine=f"libwebrtc M152 (wrtc {_version()})",
        components=frozenset({Component.PEER}),
        capabilities=CORE | SESSION | ICE | DATA | MEDIA | ({Can.VIDEO_H264} if _has_h264() else set()),
        install="pip install webrtc-shim-wrtc",
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
