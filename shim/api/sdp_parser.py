"""The parser of session descriptions: one pass, one small function per attribute, every error with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from shim.api.parameters import RTCRtcpFeedback, RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters
from shim.api.sdp_descriptions import MediaDescription, SessionDescription
from shim.api.sdp_values import (
    DIRECTIONS,
    DTLS_SETUP_ROLE,
    SSRC_INFO_ATTRS,
    SsrcDescription,
    candidate_from_sdp,
    excerpt,
    ipaddress_from_sdp,
    number,
    parameters_from_sdp,
    parse_attr,
    parse_group,
)
from shim.api.values import RTCDtlsFingerprint, RTCDtlsParameters, RTCIceParameters, RTCSctpCapabilities
from shim.spi.errors import SdpSyntaxError

MAX_SECTIONS: Final = 1024
"""Media sections of one description. With the other limits it keeps parsing linear in the length."""
MAX_FINGERPRINTS: Final = 32
MAX_WILDCARD_FEEDBACK: Final = 32
FORBIDDEN_PAYLOAD_TYPES: Final = range(72, 77)
"""Payload types that would be mistaken for RTCP on the same port (RFC 5761 section 4)."""

_LINE = re.compile(r"[a-z]=")
_MEDIA = re.compile(r"m=(\S+) ([0-9]{1,5})(?:/[0-9]+)? ([A-Za-z0-9/._-]+) (.+)")
_Target = TypeVar("_Target")


@dataclass
class _SessionScope:
    """What session-level attributes give to every section that follows."""

    description: SessionDescription
    fingerprints: list[RTCDtlsFingerprint] = field(default_factory=list)
    role: str | None = None
    ice: RTCIceParameters = field(default_factory=RTCIceParameters)
    ice_options: str | None = None


@dataclass
class _MediaScope:
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


_TransportScope = _SessionScope | _MediaScope


class SdpParser:
    """Parses one description into `session`."""

    def __init__(self, session: SessionDescription) -> None:
        self._session = _SessionScope(session)
        self._media: _MediaScope | None = None
        self._line = 0

    def parse(self, sdp: str) -> SessionDescription:
        """Read all lines. CRLF, LF and CR end a line; blank lines are skipped."""
        for text in split_lines(sdp):
            self._line += 1
            if text:
                _guarded(self._line, text, partial(self._dispatch, text))
        self._end_section()
        return self._session.description

    def _dispatch(self, text: str) -> None:
        if not _LINE.match(text):
            raise ValueError("a line must start with a lower-case letter and '='")
        if text.startswith("m="):
            self._end_section()
            self._begin_section(text)
        elif text.startswith("a="):
            self._read_attribute(text, *parse_attr(text))
        elif text.startswith("c=") and self._media is not None:
            self._media.media.host = ipaddress_from_sdp(text[2:].strip())
        elif self._media is None:
            self._read_session_line(text[0], text[2:].strip())

    def _read_session_line(self, letter: str, value: str) -> None:
        session = self._session.description
        match letter:
            case "v":
                session.version = number(value)
            case "o":
                session.origin = value
            case "s":
                session.name = value
            case "c":
                session.host = ipaddress_from_sdp(value)
            case "t":
                session.time = value

    def _read_attribute(self, text: str, name: str, value: str | None) -> None:
        if self._media is None:
            _read_by(_SESSION_ATTRIBUTES, _SESSION_FLAGS, self._session, name, value)
        elif name in _CODEC_ATTRIBUTES:
            read = partial(_CODEC_ATTRIBUTES[name], self._media, value or "")
            self._media.deferred.append((self._line, text, read))
        elif name in DIRECTIONS:
            self._media.media.direction = name
        else:
            _read_by(_MEDIA_ATTRIBUTES, _MEDIA_FLAGS, self._media, name, value)

    def _begin_section(self, text: str) -> None:
        if len(self._session.description.media) >= MAX_SECTIONS:
            raise ValueError(f"more than {MAX_SECTIONS} media sections")
        session = self._session
        media = _media_from_line(text)
        media.line = self._line
        media.dtls = RTCDtlsParameters(fingerprints=session.fingerprints[:])
        media.ice = RTCIceParameters(session.ice.usernameFragment, session.ice.password, session.ice.iceLite)
        session.description.media.append(media)
        self._media = _MediaScope(media, media.dtls.fingerprints, session.role, media.ice, session.ice_options)

    def _end_section(self) -> None:
        scope = self._media
        if scope is None:
            return
        media = scope.media
        media.ice_options = scope.ice_options
        media.ssrc = list(scope.sources.values())
        media.rtp.codecs = list(scope.codecs.values())
        media.dtls = RTCDtlsParameters(scope.fingerprints, scope.role) if scope.role else None
        for line, text, read in scope.deferred:
            _guarded(line, text, read)


def _guarded(line: int, text: str, read: Callable[[], None]) -> None:
    try:
        read()
    except ValueError as exc:
        if isinstance(exc, SdpSyntaxError) and exc.line is not None:
            raise  # the end of a section reads earlier lines
        raise SdpSyntaxError(f"line {line}: {exc}: {excerpt(text)}", line=line) from exc


def split_lines(sdp: str) -> list[str]:
    """Return the lines of a description; blank where a line holds nothing.

    :raises SdpSyntaxError: a line holds what no description can: NUL, or half a surrogate pair.
    """
    lines = sdp.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if "\0" in sdp or not _is_encodable(sdp):
        for line, text in enumerate(lines, 1):
            if "\0" in text or not _is_encodable(text):
                raise SdpSyntaxError(f"line {line}: not text: {excerpt(text)}", line=line)
    return ["" if text.isspace() else text for text in lines]


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_by(
    readers: Mapping[str, Callable[[_Target, str], None]],
    flags: Mapping[str, Callable[[_Target], None]],
    target: _Target,
    name: str,
    value: str | None,
) -> None:
    if name in readers:
        if value is None:
            raise ValueError(f"attribute {name} needs a value")
        readers[name](target, value)
    elif name in flags:
        flags[name](target)


def _media_from_line(text: str) -> MediaDescription:
    match = _MEDIA.fullmatch(text.rstrip())
    if not match:
        raise ValueError("a media line is 'm=kind port profile formats'")
    kind, port, profile, formats = match.groups()
    fmt: list[int | str] = list(formats.split())
    if kind in {"audio", "video"}:
        fmt = [_payload_type(item) for item in formats.split()]
    return MediaDescription(kind, number(port, 0xFFFF), profile, fmt)


def _payload_type(text: str) -> int:
    payload_type = number(text, 255)
    if payload_type in FORBIDDEN_PAYLOAD_TYPES:
        raise ValueError(f"payload type {payload_type} cannot be told from RTCP")
    return payload_type


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


def _read_ice_lite(scope: _SessionScope) -> None:
    scope.ice.iceLite = True


def _read_group(scope: _SessionScope, value: str) -> None:
    parse_group(scope.description.group, value)


def _read_msid_semantic(scope: _SessionScope, value: str) -> None:
    parse_group(scope.description.msid_semantic, value)


# --- attributes of a section -------------------------------------------------------------------------


def _read_candidate(scope: _MediaScope, value: str) -> None:
    scope.media.ice_candidates.append(candidate_from_sdp(value))


def _read_extmap(scope: _MediaScope, value: str) -> None:
    # RFC 8285: id[/direction] uri [attributes]
    identity, uri = _pair(value, exact=False)
    extension = RTCRtpHeaderExtensionParameters(id=number(identity.partition("/")[0], 4351), uri=uri)
    scope.media.rtp.headerExtensions.append(extension)


def _read_max_message_size(scope: _MediaScope, value: str) -> None:
    scope.media.sctpCapabilities = RTCSctpCapabilities(maxMessageSize=number(value, 2**64 - 1))


def _read_mid(scope: _MediaScope, value: str) -> None:
    scope.media.rtp.muxId = value


def _read_msid(scope: _MediaScope, value: str) -> None:
    scope.media.msid = value


def _read_rtcp(scope: _MediaScope, value: str) -> None:
    port, _, address = value.strip().partition(" ")
    scope.media.rtcp_port = number(port, 0xFFFF)
    if address:
        scope.media.rtcp_host = ipaddress_from_sdp(address)


def _read_rtpmap(scope: _MediaScope, value: str) -> None:
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


def _read_sctpmap(scope: _MediaScope, value: str) -> None:
    port, _, description = value.partition(" ")
    scope.media.sctpmap[number(port, 0xFFFF)] = description


def _read_sctp_port(scope: _MediaScope, value: str) -> None:
    scope.media.sctp_port = number(value, 0xFFFF)


def _read_ssrc_group(scope: _MediaScope, value: str) -> None:
    parse_group(scope.media.ssrc_group, value, type=number)


def _read_ssrc(scope: _MediaScope, value: str) -> None:
    identity, _, attribute = value.partition(" ")
    ssrc = number(identity)
    source = scope.sources.setdefault(ssrc, SsrcDescription(ssrc=ssrc))
    name, colon, text = attribute.partition(":")
    if colon and name in SSRC_INFO_ATTRS:
        setattr(source, name, text)


def _set_rtcp_mux(scope: _MediaScope) -> None:
    scope.media.rtcp_mux = True


def _set_bundle_only(scope: _MediaScope) -> None:
    scope.media.bundle_only = True


def _set_candidates_complete(scope: _MediaScope) -> None:
    scope.media.ice_candidates_complete = True


def _read_parameters(scope: _MediaScope, value: str) -> None:
    payload_type, _, description = value.partition(" ")
    if scope.media.kind in {"audio", "video"} and (codec := scope.codecs.get(number(payload_type, 255))):
        codec.parameters = parameters_from_sdp(description)


def _read_feedback(scope: _MediaScope, value: str) -> None:
    target, *bits = value.split(" ", 2)
    if not bits:
        raise ValueError("rtcp-fb is 'payload-type type [parameter]'")
    for codec in _feedback_codecs(scope, target):
        codec.rtcpFeedback.append(RTCRtcpFeedback(bits[0], bits[1] if len(bits) > 1 else None))


def _feedback_codecs(scope: _MediaScope, target: str) -> list[RTCRtpCodecParameters]:
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


_SESSION_ATTRIBUTES: Final[Mapping[str, Callable[[_SessionScope, str], None]]] = {
    "fingerprint": _read_fingerprint,
    "group": _read_group,
    "ice-options": _read_ice_options,
    "ice-pwd": _read_password,
    "ice-ufrag": _read_ufrag,
    "msid-semantic": _read_msid_semantic,
    "setup": _read_setup,
}
_SESSION_FLAGS: Final[Mapping[str, Callable[[_SessionScope], None]]] = {"ice-lite": _read_ice_lite}
_MEDIA_ATTRIBUTES: Final[Mapping[str, Callable[[_MediaScope, str], None]]] = {
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
_CODEC_ATTRIBUTES: Final[Mapping[str, Callable[[_MediaScope, str], None]]] = {
    "fmtp": _read_parameters,
    "rtcp-fb": _read_feedback,
}
_MEDIA_FLAGS: Final[Mapping[str, Callable[[_MediaScope], None]]] = {
    "bundle-only": _set_bundle_only,
    "end-of-candidates": _set_candidates_complete,
    "rtcp-mux": _set_rtcp_mux,
}
