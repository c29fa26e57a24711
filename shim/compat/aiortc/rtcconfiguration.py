"""Mirror of ``aiortc.rtcconfiguration``."""

from shim.api.configuration import RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCIceTransportPolicy

__all__ = [
    "RTCBundlePolicy",
    "RTCConfiguration",
    "RTCIceServer",
    "RTCIceTransportPolicy",
]
