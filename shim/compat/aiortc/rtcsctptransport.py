"""Mirror of ``aiortc.rtcsctptransport``."""

from shim.api.datachannel import RTCDataChannel, RTCDataChannelParameters
from shim.api.transports import RTCSctpTransport
from shim.api.values import RTCSctpCapabilities
from shim.compat.absences import absent

__all__ = [
    "RTCDataChannel",
    "RTCDataChannelParameters",
    "RTCSctpCapabilities",
    "RTCSctpTransport",
]

__getattr__ = absent("rtcsctptransport")
