"""Mirror of ``aiortc.rtcdtlstransport``."""

from shim.api.certificates import RTCCertificate
from shim.api.stats import RTCStatsReport, RTCTransportStats
from shim.api.transports import RTCDtlsTransport, RTCIceTransport
from shim.api.values import RTCDtlsFingerprint, RTCDtlsParameters
from shim.compat.absences import absent

__all__ = [
    "RTCCertificate",
    "RTCDtlsFingerprint",
    "RTCDtlsParameters",
    "RTCDtlsTransport",
    "RTCIceTransport",
    "RTCStatsReport",
    "RTCTransportStats",
]

__getattr__ = absent("rtcdtlstransport")
