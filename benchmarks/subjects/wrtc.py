"""PyPI ``wrtc``: libwebrtc M152, through its layer with aiortc's API. A reference that nobody here wrote."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version

from benchmarks.metric import UnsupportedError
from benchmarks.subjects.peers import Api, ApiPair


class WrtcSubject:
    """Two libwebrtc M152 peers."""

    name = "wrtc"

    def load(self) -> str:
        """Import the library and its aiortc layer."""
        try:
            import_module("webrtc.aiortc")
        except ImportError as exc:
            raise UnsupportedError(f"not installed ({exc}). Get it with: pip install wrtc") from exc
        return f"{version('wrtc')} (libwebrtc M152)"

    def pair(self, *, bitrate: int | None = None, mtu: int | None = None) -> ApiPair:
        """Create two peers; the bitrate is what the library makes of it."""
        api = import_module("webrtc.aiortc")
        configuration = api.RTCConfiguration(iceServers=[])
        return ApiPair(
            Api(
                connect=lambda: api.RTCPeerConnection(configuration),
                track_base=api.MediaStreamTrack,
                track_error=api.MediaStreamError,
                codecs=lambda kind: api.RTCRtpSender.getCapabilities(kind).codecs,
                description=api.RTCSessionDescription,
            )
        )
