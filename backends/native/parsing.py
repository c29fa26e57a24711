"""Reads session descriptions of any origin: what aiortc's parser cannot take is dropped or repaired first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from aiortc.sdp import FMTP_INT_PARAMETERS, MediaDescription, SessionDescription, candidate_from_sdp

from backends.native.errors import BACKEND, sdp_errors
from shim.spi.engines import Kind
from shim.spi.errors import SdpSyntaxError

MAX_SECTIONS: Final = 512
MAX_REPEATS: Final = 256
"""How often an attribute that aiortc searches linearly may occur in a section."""

STATIC_CODECS: Final = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
"""RFC 3551 section 6; those that we know."""

_MLINE = re.compile(r"m=(\S+) (\d+)(?:/\d+)? (\S+) (.+)")
_BANDWIDTH = re.compile(r"b=(AS|TIAS):(\d{1,9})\s*$")
_RTP = re.compile(r"(UDP|TCP)/TLS/RTP/SAVPF?|RTP/SAVPF?|RTP/AVPF?")


@dataclass(eq=False)
class Section:
    """One media section: aiortc's view of it, and what that leaves out.

    :param mid: made up from the index if the description has none.
    :param formats: as the m-line spells them.
    :param streams: (stream id, track id) of each ``a=msid`` line.
    :param bandwidth: the most that its author wants to receive, bits per second (RFC 8866 section 5.8).
    """

    kind: str
    index: int
    port: int
    protocol: str
    formats: list[str]
    media: MediaDescription
    mid: str = ""
    streams: list[tuple[str, str]] = field(default_factory=list)
    bundle_only: bool = False
    bandwidth: int | None = None

    @property
    def media_kind(self) -> Kind | None:
        """``"audio"`` or ``"video"``, if it is media that can be carried."""
        if self.kind in {"audio", "video"} and _RTP.fullmatch(self.protocol):
            return "audio" if self.kind == "audio" else "video"
        return None

    @property
    def is_data(self) -> bool:
        """Whether it is an SCTP section of data channels."""
        return self.kind == "application" and self.protocol in {"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"}

    @property
    def rejected(self) -> bool:
        """Whether the port says so (RFC 9429 section 5.3.1); a bundle-only section has port zero too."""
        return self.port == 0 and not self.bundle_only

    @property
    def sctp_port(self) -> int:
        """The remote's SCTP port."""
        legacy = self.protocol == "DTLS/SCTP" and self.formats[0].isdigit()
        return int(self.formats[0]) if legacy else (self.media.sctp_port or 5000)


@dataclass
class Parsed:
    """A session description with its sections."""

    text: str
    sdp: SessionDescription
    sections: list[Section]

    @property
    def bundle(self) -> tuple[str, ...]:
        """Mids of the first BUNDLE group."""
        for group in self.sdp.group:
            if group.semantic == "BUNDLE":
                return tuple(str(item) for item in group.items)
        return ()


def parse(text: str) -> Parsed:
    """Parse a description.

    :raises SdpSyntaxError: it cannot be understood.
    """
    lines = text.splitlines()
    if not lines or not lines[0].startswith("v="):
        raise SdpSyntaxError('the session description does not start with "v="', line=1, backend=BACKEND)
    head, groups = _split(lines)
    if len(groups) > MAX_SECTIONS:
        raise SdpSyntaxError(f"the session description has more than {MAX_SECTIONS} sections", backend=BACKEND)
    sections = [_read_mline(index, group) for index, group in enumerate(groups)]
    cleaned = [line for line in head if not line.startswith("c=")]
    for (kind, _, _, formats), group in zip(sections, groups, strict=True):
        cleaned += _clean_section(kind, formats, group)
    with sdp_errors():
        sdp = SessionDescription.parse("\r\n".join(cleaned) + "\r\n")
    return Parsed(text, sdp, [_section(i, *sections[i], m, groups[i]) for i, m in enumerate(sdp.media)])


def _split(lines: list[str]) -> tuple[list[str], list[list[str]]]:
    head: list[str] = []
    groups: list[list[str]] = []
    for line in lines:
        if line.startswith("m="):
            groups.append([])
        (groups[-1] if groups else head).append(line)
    return head, groups


def _read_mline(index: int, group: list[str]) -> tuple[str, int, str, list[str]]:
    match = _MLINE.fullmatch(group[0].rstrip())
    if match is None:
        raise SdpSyntaxError(f"media section {index} has a malformed m-line: {group[0][:100]!r}", backend=BACKEND)
    return match[1], int(match[2]), match[3], match[4].split()


def _section(
    index: int, kind: str, port: int, protocol: str, formats: list[str], media: MediaDescription, lines: list[str]
) -> Section:
    media.port, media.profile = port, protocol
    if kind in {"audio", "video"}:
        # The m-line ranks the formats (RFC 3264 section 5.1), the order of the rtpmap lines means nothing.
        described = {codec.payloadType: codec for codec in media.rtp.codecs}
        media.rtp.codecs = [described[number] for number in media.fmt if number in described]
    else:
        media.fmt = formats
    section = Section(kind, index, port, protocol, formats, media, media.rtp.muxId)
    for line in lines:
        if line.startswith("a=msid:"):
            stream, _, track = line[7:].strip().partition(" ")
            section.streams.append((stream, track))
        elif line.startswith("a=bundle-only"):
            section.bundle_only = True
        elif limit := _BANDWIDTH.match(line):
            section.bandwidth = int(limit[2]) * (1000 if limit[1] == "AS" else 1) or None
    if len(section.streams) > 1:  # aiortc keeps one line only; rendered, this is one for each stream
        media.msid = "\r\na=msid:".join(f"{stream} {track}".strip() for stream, track in section.streams)
    return section


# --- repairs ---


def _clean_section(kind: str, formats: list[str], group: list[str]) -> Iterator[str]:
    media = kind in {"audio", "video"}
    yield f"m={kind} 9 RTP/AVP {' '.join(formats) if media else '0'}"
    known = _known_formats(group)
    if media:
        for number in formats:
            if number in STATIC_CODECS and number not in known:
                known.add(number)
                yield f"a=rtpmap:{number} {STATIC_CODECS[number]}"
    repeats: dict[str, int] = {}
    for line in group[1:]:
        name = line.partition(":")[0]
        repeats[name] = repeats.get(name, 0) + 1
        if repeats[name] <= MAX_REPEATS:
            cleaned = _clean_line(name, line, known)
            if cleaned is not None:
                yield cleaned


def _known_formats(group: list[str]) -> set[str]:
    found = (re.match(r"a=rtpmap:(\d+) [^/ ]+/\d+(/\d+)?\s*$", line) for line in group)
    return {match[1] for match in found if match}


def _clean_line(name: str, line: str, known: set[str]) -> str | None:
    if name.startswith("c="):
        return None
    rule = _RULES.get(name)
    return line if rule is None else rule(line, known)


def _keep_if(pattern: str) -> Callable[[str, set[str]], str | None]:
    compiled = re.compile(pattern)
    return lambda line, known: line if compiled.fullmatch(line.rstrip()) else None


def _clean_format(line: str, known: set[str]) -> str | None:
    number, _, parameters = line.partition(":")[2].partition(" ")
    if number not in known or not parameters:
        return None
    kept = []
    for parameter in parameters.split(";"):
        key, has_value, value = parameter.strip().partition("=")
        if key and not (key in FMTP_INT_PARAMETERS and has_value and not value.strip().isdigit()):
            kept.append(f"{key}{has_value}{value.strip()}")
    return f"a=fmtp:{number} {';'.join(kept)}" if kept else None


def _clean_extension(line: str, known: set[str]) -> str | None:
    match = re.match(r"a=extmap:(\d+(?:/\w+)?) (\S+)", line)
    return match[0] if match else None


def _clean_candidate(line: str, known: set[str]) -> str | None:
    try:
        candidate_from_sdp(line.partition(":")[2])
    except (ValueError, AssertionError):
        return None
    return line


_RULES: Final[dict[str, Callable[[str, set[str]], str | None]]] = {
    "a=rtpmap": _keep_if(r"a=rtpmap:\d+ [^/ ]+/\d+(/\d+)?"),
    "a=fmtp": _clean_format,
    "a=rtcp-fb": _keep_if(r"a=rtcp-fb:(\*|\d+) .+"),
    "a=extmap": _clean_extension,
    "a=candidate": _clean_candidate,
    "a=ssrc": _keep_if(r"a=ssrc:\d+ [^:]+:.*"),
    "a=ssrc-group": _keep_if(r"a=ssrc-group:\S+( \d+)+"),
    "a=rtcp": _keep_if(r"a=rtcp:\d+( IN IP[46] \S+)?"),
}
