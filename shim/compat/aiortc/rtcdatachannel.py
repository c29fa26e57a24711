"""Mirror of ``aiortc.rtcdatachannel``."""

from shim.api.datachannel import RTCDataChannel, RTCDataChannelParameters
from shim.spi.errors import InvalidStateError

__all__ = [
    "InvalidStateError",
    "RTCDataChannel",
    "RTCDataChannelParameters",
]
