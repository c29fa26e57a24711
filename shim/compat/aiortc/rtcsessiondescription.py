"""Mirror of ``aiortc.rtcsessiondescription``."""

from shim.api.values import RTCSessionDescription

__all__ = [
    "RTCSessionDescription",
]
