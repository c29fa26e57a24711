"""Mirror of ``aiortc.contrib.signaling``."""

from shim.api.sdp import candidate_from_sdp, candidate_to_sdp
from shim.api.signaling import (
    BYE,
    BaseSignaling,
    CopyAndPasteSignaling,
    SignalingBye,
    TcpSocketSignaling,
    UnixSocketSignaling,
    add_signaling_arguments,
    create_signaling,
    object_from_string,
    object_to_string,
)
from shim.api.values import RTCIceCandidate, RTCSessionDescription

__all__ = [
    "BYE",
    "BaseSignaling",
    "CopyAndPasteSignaling",
    "RTCIceCandidate",
    "RTCSessionDescription",
    "SignalingBye",
    "TcpSocketSignaling",
    "UnixSocketSignaling",
    "add_signaling_arguments",
    "candidate_from_sdp",
    "candidate_to_sdp",
    "create_signaling",
    "object_from_string",
    "object_to_string",
]
