"""Plain aiortc, used as its own documentation says: the reference of what the SDK costs."""

from __future__ import annotations

from importlib.metadata import version

from benchmarks.subjects.peers import Api, ApiPair


class AiortcSubject:
    """Two aiortc peers, with nothing of the SDK."""

    name = "aiortc"

    def load(self) -> str:
        """Import aiortc."""
        import aiortc

        return str(aiortc.__version__) if hasattr(aiortc, "__version__") else version("aiortc")

    def pair(self, *, bitrate: int | None = None, mtu: int | None = None) -> ApiPair:
        """Create two peers."""
        import aiortc
        from aiortc.codecs import h264, vpx

        if bitrate:
            # aiortc has no setting for it; these names are what its users change.
            for codec in (vpx, h264):
                vars(codec).update(DEFAULT_BITRATE=bitrate, MAX_BITRATE=bitrate * 2)
        configuration = aiortc.RTCConfiguration(iceServers=[])
        return ApiPair(
            Api(
                connect=lambda: aiortc.RTCPeerConnection(configuration),
                track_base=aiortc.MediaStreamTrack,
                track_error=aiortc.mediastreams.MediaStreamError,
                codecs=lambda kind: aiortc.RTCRtpSender.getCapabilities(kind).codecs,
                description=aiortc.RTCSessionDescription,
            )
        )
