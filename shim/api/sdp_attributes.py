"""The attributes of a session description, one small function each; tables say which name calls which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shim.api.parameters import RTCRtcpFeedback, RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters
from shim.api.sdp_descriptions import MediaDescription, SessionDescription
from shim.api.sdp_values import (
    DTLS_SETUP_ROLE,
    SSRC_INFO_ATTRS,
    SsrcDescription,
    candidate_from_sdp,
    ipaddress_from_sdp,
    number,
    parameters_from_sdp,
    parse_group,
)
from shim.api.values import RTCDtlsFingerprint, RTCIceParameters, RTCSctpCapabilities

MAX_FINGERPRINTS: Final = 32
"""Fingerprints of one scope. With the other limits it keeps parsing linear in the length."""
MAX_WILDCARD_FEEDBACK: Final = 32
"""Feedback attributes of one section that are for all its codecs."""


@dataclass
class SessionScope:
    """What session-level attributes give to every section that follows."""

    description: SessionDescription
    fingerprints: list[RTCDtlsFingerprint] = field(default_factory=list)
    role: str | None = None
    ice: RTCIceParameters = field(default_factory=RTCIceParameters)
    ice_options: str | None = None


@dataclass
class MediaScope:
    """A section being read. What needs the codecs waits until the section has ended."""

    media: MediaDescription
    fingerprints: list[RTCDtlsFingerprint]
    role: str | None
    ice: RTCIceParameters
    ice_options: str | None
    codecs: dict[int, RTCRtpCodecParameters] = field(default_factory=dict)
    sources: dict[int, SsrcDescription] = field(default_factory=dict)
    deferred: list[tuple[int, str, Callable[[], None]]] = field(default_factory=list)
    wildcards: int = 0


_TransportScope = SessionScope | MediaScope


# --- attributes of the transport, in both scopes -----------------------------------------------------


def _read_fingerprint(scope: _TransportScope, value: str) -> None:
    algorithm, fingerprint = _pair(value)
    if len(scope.fingerprints) >= MAX_FINGERPRINTS:
        raise ValueError(f"more than {MAX_FINGERPRINTS} fingerprints")
    scope.fingerprints.append(RTCDtlsFingerprint(algorithm, fingerprint))


def _read_setup(scope: _TransportScope, value: str) -> None:
    if value not in DTLS_SETUP_ROLE:
        raise ValueError(f"setup is one of {', '.join(DTLS_SETUP_ROLE)}")
    scope.role = DTLS_SETUP_ROLE[value]


def _read_ufrag(scope: _TransportScope, value: str) -> None:
    scope.ice.usernameFragment = value


def _read_password(scope: _TransportScope, value: str) -> None:
    scope.ice.password = value


def _read_ice_options(scope: _TransportScope, value: str) -> None:
    scope.ice_options = value


def _read_ice_lite(scope: SessionScope) -> None:
    scope.ice.iceLite = True


def _read_group(scope: SessionScope, value: str) -> None:
    parse_group(scope.description.group, value)


def _read_msid_semantic(scope: SessionScope, value: str) -> None:
    parse_group(scope.description.msid_semantic, value)


# --- attributes of a section -------------------------------------------------------------------------


def _read_candidate(scope: MediaScope, value: str) -> None:
    scope.media.ice_candidates.append(candidate_from_sdp(value))


def _read_extmap(scope: MediaScope, value: str) -> None:
    # RFC 8285: id[/direction] uri [attributes]
    identity, uri = _pair(value, exact=False)
    extension = RTCRtpHeaderExtensionParameters(id=number(identity.partition("/")[0], 4351), uri=uri)
    scope.media.rtp.headerExtensions.append(extension)


def _read_max_message_size(scope: MediaScope, value: str) -> None:
    scope.media.sctpCapabilities = RTCSctpCapabilities(maxMessageSize=number(value, 2**64 - 1))


def _read_mid(scope: MediaScope, value: str) -> None:
    scope.media.rtp.muxId = value


def _read_msid(scope: MediaScope, value: str) -> None:
    scope.media.msid = value


def _read_rtcp(scope: MediaScope, value: str) -> None:
    port, _, address = value.strip().partition(" ")
    scope.media.rtcp_port = number(port, 0xFFFF)
    if address:
        scope.media.rtcp_host = ipaddress_from_sdp(address)


def _read_rtpmap(scope: MediaScope, value: str) -> None:
    payload_type, description = _pair(value)
    name, *details = description.split("/")
    if not name or not details:
        raise ValueError("rtpmap is 'payload-type name/clock-rate[/channels]'")
    is_audio = scope.media.kind == "audio"
    codec = RTCRtpCodecParameters(
        mimeType=f"{scope.media.kind}/{name}",
        clockRate=number(details[0]),
        channels=(number(details[1], 255) if len(details) > 1 else 1) if is_audio else None,
        payloadType=number(payload_type, 255),
    )
    if scope.codecs.setdefault(number(payload_type, 255), codec) != codec:
        raise ValueError(f"payload type {payload_type} is mapped twice")


def _read_sctpmap(scope: MediaScope, value: str) -> None:
    port, _, description = value.partition(" ")
    scope.media.sctpmap[number(port, 0xFFFF)] = description


def _read_sctp_port(scope: MediaScope, value: str) -> None:
    scope.media.sctp_port = number(value, 0xFFFF)


def _read_ssrc_group(scope: MediaScope, value: str) -> None:
    parse_group(scope.media.ssrc_group, value, type=number)


def _read_ssrc(scope: MediaScope, value: str) -> None:
    identity, _, attribute = value.partition(" ")
    ssrc = number(identity)
    source = scope.sources.setdefault(ssrc, SsrcDescription(ssrc=ssrc))
    name, colon, text = attribute.partition(":")
    if colon and name in SSRC_INFO_ATTRS:
        setattr(source, name, text)


def _set_rtcp_mux(scope: MediaScope) -> None:
    scope.media.rtcp_mux = True


def _set_bundle_only(scope: MediaScope) -> None:
    scope.media.bundle_only = True


def _set_candidates_complete(scope: MediaScope) -> None:
    scope.media.ice_candidates_complete = True


def _read_parameters(scope: MediaScope, value: str) -> None:
    payload_type, _, description = value.partition(" ")
    if scope.media.kind in {"audio", "video"} and (codec := scope.codecs.get(number(payload_type, 255))):
        codec.parameters = parameters_from_sdp(description)


def _read_feedback(scope: MediaScope, value: str) -> None:
    target, *bits = value.split(" ", 2)
    if not bits:
        raise ValueError("rtcp-fb is 'payload-type type [parameter]'")
    for codec in _feedback_codecs(scope, target):
        codec.rtcpFeedback.append(RTCRtcpFeedback(bits[0], bits[1] if len(bits) > 1 else None))


def _feedback_codecs(scope: MediaScope, target: str) -> list[RTCRtpCodecParameters]:
    if target != "*":
        codec = scope.codecs.get(number(target, 255))
        return [codec] if codec else []
    scope.wildcards += 1
    if scope.wildcards > MAX_WILDCARD_FEEDBACK:
        raise ValueError(f"more than {MAX_WILDCARD_FEEDBACK} rtcp-fb attributes for all payload types")
    return scope.media.rtp.codecs


def _pair(value: str, *, exact: bool = True) -> tuple[str, str]:
    bits = value.split()
    if len(bits) < 2 or (exact and len(bits) > 2):
        raise ValueError("two words are expected")
    return bits[0], bits[1]


SESSION_ATTRIBUTES: Final[Mapping[str, Callable[[SessionScope, str], None]]] = {
    "fingerprint": _read_fingerprint,
    "group": _read_group,
    "ice-options": _read_ice_options,
    "ice-pwd": _read_password,
    "ice-ufrag": _read_ufrag,
    "msid-semantic": _read_msid_semantic,
    "setup": _read_setup,
}
SESSION_FLAGS: Final[Mapping[str, Callable[[SessionScope], None]]] = {"ice-lite": _read_ice_lite}
MEDIA_ATTRIBUTES: Final[Mapping[str, Callable[[MediaScope, str], None]]] = {
    "candidate": _read_candidate,
    "extmap": _read_extmap,
    "fingerprint": _read_fingerprint,
    "ice-options": _read_ice_options,
    "ice-pwd": _read_password,
    "ice-ufrag": _read_ufrag,
    "max-message-size": _read_max_message_size,
    "mid": _read_mid,
    "msid": _read_msid,
    "rtcp": _read_rtcp,
    "rtpmap": _read_rtpmap,
    "sctp-port": _read_sctp_port,
    "sctpmap": _read_sctpmap,
    "setup": _read_setup,
    "ssrc": _read_ssrc,
    "ssrc-group": _read_ssrc_group,
}
CODEC_ATTRIBUTES: Final[Mapping[str, Callable[[MediaScope, str], None]]] = {
    "fmtp": _read_parameters,
    "rtcp-fb": _read_feedback,
}
MEDIA_FLAGS: Final[Mapping[str, Callable[[MediaScope], None]]] = {
    "bundle-only": _set_bundle_only,
    "end-of-candidates": _set_candidates_complete,
    "rtcp-mux": _set_rtcp_mux,
}
