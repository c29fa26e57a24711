"""Mirror of ``aiortc.rtcrtpreceiver``."""

from shim.api.parameters import RTCRtpCapabilities, RTCRtpContributingSource, RTCRtpSynchronizationSource
from shim.api.rtp import RTCRtpReceiver
from shim.api.tracks import MediaStreamTrack
from shim.api.tracks import RemoteTrack as RemoteStreamTrack
from shim.compat.absences import absent
from shim.spi.errors import InvalidStateError, MediaStreamError

__all__ = [
    "InvalidStateError",
    "MediaStreamError",
    "MediaStreamTrack",
    "RTCRtpCapabilities",
    "RTCRtpContributingSource",
    "RTCRtpReceiver",
    "RTCRtpSynchronizationSource",
    "RemoteStreamTrack",
]

__getattr__ = absent("rtcrtpreceiver")
