"""The parser of session descriptions: one pass over the lines, and every error with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from shim.api.sdp_attributes import (
    CODEC_ATTRIBUTES,
    MEDIA_ATTRIBUTES,
    MEDIA_FLAGS,
    SESSION_ATTRIBUTES,
    SESSION_FLAGS,
    MediaScope,
    SessionScope,
)
from shim.api.sdp_descriptions import MediaDescription, SessionDescription
from shim.api.sdp_values import DIRECTIONS, excerpt, ipaddress_from_sdp, number, parse_attr
from shim.api.values import RTCDtlsParameters, RTCIceParameters
from shim.spi.errors import SdpSyntaxError

MAX_SECTIONS: Final = 1024
"""Media sections of one description. With the other limits it keeps parsing linear in the length."""
FORBIDDEN_PAYLOAD_TYPES: Final = range(72, 77)
"""Payload types that would be mistaken for RTCP on the same port (RFC 5761 section 4)."""

_LINE = re.compile(r"[a-z]=")
_MEDIA = re.compile(r"m=(\S+) ([0-9]{1,5})(?:/[0-9]+)? ([A-Za-z0-9/._-]+) (.+)")
_Target = TypeVar("_Target")


class SdpParser:
    """Parses one description into `session`."""

    def __init__(self, session: SessionDescription) -> None:
        self._session = SessionScope(session)
        self._media: MediaScope | None = None
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
            _read_by(SESSION_ATTRIBUTES, SESSION_FLAGS, self._session, name, value)
        elif name in CODEC_ATTRIBUTES:
            read = partial(CODEC_ATTRIBUTES[name], self._media, value or "")
            self._media.deferred.append((self._line, text, read))
        elif name in DIRECTIONS:
            self._media.media.direction = name
        else:
            _read_by(MEDIA_ATTRIBUTES, MEDIA_FLAGS, self._media, name, value)

    def _begin_section(self, text: str) -> None:
        if len(self._session.description.media) >= MAX_SECTIONS:
            raise ValueError(f"more than {MAX_SECTIONS} media sections")
        session = self._session
        media = _media_from_line(text)
        media.line = self._line
        media.dtls = RTCDtlsParameters(fingerprints=session.fingerprints[:])
        media.ice = RTCIceParameters(session.ice.usernameFragment, session.ice.password, session.ice.iceLite)
        session.description.media.append(media)
        self._media = MediaScope(media, media.dtls.fingerprints, session.role, media.ice, session.ice_options)

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
