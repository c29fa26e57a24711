"""Mirror of ``aiortc.rtcrtpsender``."""

from shim.api.parameters import RTCRtpCapabilities, RTCRtpSendParameters
from shim.api.rtp import RTCRtpSender
from shim.api.tracks import MediaStreamTrack
from shim.compat.absences import absent
from shim.spi.errors import InvalidStateError, MediaStreamError

__all__ = [
    "InvalidStateError",
    "MediaStreamError",
    "MediaStreamTrack",
    "RTCRtpCapabilities",
    "RTCRtpSendParameters",
    "RTCRtpSender",
]

__getattr__ = absent("rtcrtpsender")
