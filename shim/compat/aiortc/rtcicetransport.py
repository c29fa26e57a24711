"""Mirror of ``aiortc.rtcicetransport``."""

from shim.api.configuration import RTCIceServer, RTCIceTransportPolicy
from shim.api.transports import RTCIceGatherer, RTCIceTransport
from shim.api.values import RTCIceCandidate, RTCIceParameters
from shim.compat.absences import absent
from shim.spi.errors import InvalidStateError

__all__ = [
    "InvalidStateError",
    "RTCIceCandidate",
    "RTCIceGatherer",
    "RTCIceParameters",
    "RTCIceServer",
    "RTCIceTransport",
    "RTCIceTransportPolicy",
]

__getattr__ = absent("rtcicetransport")
