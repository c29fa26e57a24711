"""Mirror of ``aiortc.events``."""

from shim.api.rtp import RTCRtpReceiver, RTCRtpTransceiver, RTCTrackEvent
from shim.api.tracks import MediaStreamTrack

__all__ = [
    "MediaStreamTrack",
    "RTCRtpReceiver",
    "RTCRtpTransceiver",
    "RTCTrackEvent",
]
