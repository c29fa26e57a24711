"""Value objects that the session description and the transports share (webrtc-pc, ORTC). All plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

SDP_TYPES: Final = ("offer", "pranswer", "answer", "rollback")


@dataclass
class RTCIceCandidate:
    """One address at which a peer may be reached (webrtc-pc section 4.8.1, RFC 8839 section 5.1).

    :param component: 1 for RTP (or everything, with rtcp-mux), 2 for RTCP.
    :param foundation: token that groups candidates of the same base and type.
    :param ip: IP address or mDNS name.
    :param port: 0 to 65535.
    :param priority: 0 to 2**32 - 1, higher is better.
    :param protocol: ``"udp"`` or ``"tcp"``.
    :param type: ``"host"``, ``"srflx"``, ``"prflx"`` or ``"relay"``.
    :param tcpType: ``"active"``, ``"passive"`` or ``"so"`` for TCP.
    :param usernameFragment: the ICE generation it belongs to, if the candidate line says so.
    """

    component: int
    foundation: str
    ip: str
    port: int
    priority: int
    protocol: str
    type: str
    relatedAddress: str | None = None
    relatedPort: int | None = None
    sdpMid: str | None = None
    sdpMLineIndex: int | None = None
    tcpType: str | None = None
    usernameFragment: str | None = None


@dataclass
class RTCIceParameters:
    """ICE credentials of one side of a transport (RFC 8839 section 5.4)."""

    usernameFragment: str | None = None
    password: str | None = None
    iceLite: bool = False


@dataclass
class RTCDtlsFingerprint:
    """The hash of a certificate (RFC 8122 section 5).

    :param algorithm: hash name, e.g. ``"sha-256"``.
    :param value: upper case hexadecimal bytes, separated by colons.
    """

    algorithm: str
    value: str


@dataclass
class RTCDtlsParameters:
    """How a DTLS transport proves who it is, and which side starts.

    :param fingerprints: one per certificate.
    :param role: ``"auto"``, ``"client"`` or ``"server"``.
    """

    fingerprints: list[RTCDtlsFingerprint] = field(default_factory=list)
    role: str = "auto"


@dataclass
class RTCSctpCapabilities:
    """What an SCTP transport can do.

    :param maxMessageSize: largest message in bytes; 0 for any size (RFC 8841 section 6).
    """

    maxMessageSize: int


@dataclass
class RTCSessionDescription:
    """One end of a connection and how it is configured (webrtc-pc section 4.7.1).

    :param sdp: the description, empty for a rollback.
    :param type: ``"offer"``, ``"pranswer"``, ``"answer"`` or ``"rollback"``.
    :raises ValueError: `type` is something else.
    """

    sdp: str
    type: str

    def __post_init__(self) -> None:
        if self.type not in SDP_TYPES:
            raise ValueError(f"'type' must be in {list(SDP_TYPES)} (got '{self.type}')")
