"""The few things that are read from, or written into, descriptions as text (RFC 8866, RFC 7587)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from shim.spi.engines import OpusParameters

DEFAULT_MAX_MESSAGE_SIZE: Final = 65536
"""Of a remote that does not say (RFC 8841 section 6.1)."""

LARGEST_MESSAGE: Final = 262144
"""What libwebrtc's SCTP sends at most, whatever the remote accepts."""

_SCOPED: Final = re.compile(r"^(m=\S+ \d+)/1(?= )|^(c=IN IP4 [\d.]+)/\d+", re.MULTILINE)
_PEER_REFLEXIVE: Final = re.compile(r"^((?:a=)?candidate:.* typ )prflx\b", re.MULTILINE)
_RECEIVED_LAYERS: Final = re.compile(r"^(a=simulcast:(?:.* )?recv )(\S+)", re.MULTILINE)
_REJECTED: Final = re.compile(r"(m=(?:audio|video) 0 \S+ \d+)[\d ]*")
_OF_FORMAT: Final = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):(\d+) ")
_RTPMAP_OPUS: Final = re.compile(r"^a=rtpmap:(\d+) opus/48000", re.IGNORECASE)


def sections(sdp: str) -> Iterator[list[str]]:
    """Yield the lines of each media section, its ``m=`` line first."""
    section: list[str] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            if section:
                yield section
            section = [line]
        elif section:
            section.append(line)
    if section:
        yield section


def mid_of(section: list[str]) -> str | None:
    """Return the media identification of a section."""
    return next((line[6:] for line in section if line.startswith("a=mid:")), None)


def mids(sdp: str) -> list[str]:
    """Return the mid of each section, empty where it has none."""
    return [mid_of(section) or "" for section in sections(sdp)]


def candidates(sdp: str) -> dict[str, tuple[str, ...]]:
    """Return the candidate lines of each section by mid."""
    return {
        mid_of(section) or "": tuple(line[2:] for line in section if line.startswith("a=candidate:"))
        for section in sections(sdp)
    }


def data_section(sdp: str) -> list[str] | None:
    """Return the lines of the section that carries data channels."""
    return next((section for section in sections(sdp) if section[0].startswith("m=application")), None)


def max_message_size(sdp: str) -> int | None:
    """Return how large a message can be sent to whoever wrote this description; `None` without data section."""
    section = data_section(sdp)
    if section is None:
        return None
    text = next((line[19:] for line in section if line.startswith("a=max-message-size:")), "")
    if not text.strip().isdigit():
        return DEFAULT_MAX_MESSAGE_SIZE
    return min(int(text), LARGEST_MESSAGE) or LARGEST_MESSAGE


def readable(sdp: str) -> str:
    """Return a remote description without what libwebrtc refuses and RFC 8866 allows, or what makes it abort.

    That is a number of ports that is one (section 5.14) and the time to live of an address (section 5.7), for which ICE
    has no use, and peer reflexive candidates.
    """
    return with_known_candidates(_SCOPED.sub(r"\1\2", sdp))


def with_layers_off(answer: str, off: Mapping[str, Collection[str]]) -> str:
    """Return an answer which pauses what is off: libwebrtc turns every layer on that an answer does not pause.

    :param off: rids by mid (RFC 8853 section 5.1).
    """
    head, *parts = re.split(r"^(?=m=)", answer, flags=re.MULTILINE)
    return head + "".join(_with_pauses(part, off.get(mid_of(part.splitlines()) or "", ())) for part in parts)


def _with_pauses(section: str, rids: Collection[str]) -> str:
    def paused(found: re.Match[str]) -> str:
        return found[1] + re.sub(r"(?<![^;,])[^;,~]+", lambda rid: "~" * (rid[0] in rids) + rid[0], found[2])

    return _RECEIVED_LAYERS.sub(paused, section)


def with_rejected_in_short(made: str) -> str:
    """Return a description whose rejected sections have one format: they need no more (RFC 9429 section 5.2.2).

    Offering a section anew that it answered and that was stopped since, libwebrtc maps a payload type twice.
    """
    head, *parts = re.split(r"^(?=m=)", made, flags=re.MULTILINE)
    return head + "".join(_in_short(part) if _is_rejected(part) else part for part in parts)


def _is_rejected(section: str) -> bool:
    return _REJECTED.match(section) is not None and "a=bundle-only" not in section


def _in_short(section: str) -> str:
    first = section.split(maxsplit=4)[3]
    lines = _REJECTED.sub(r"\1", section).splitlines(keepends=True)
    return "".join(line for line in lines if (found := _OF_FORMAT.match(line)) is None or found[1] == first)


def with_known_candidates(lines: str) -> str:
    """Return candidate lines without peer reflexive ones: writing one of them aborts libwebrtc's process.

    To whoever is told of it, such a candidate is a server reflexive one.
    """
    return _PEER_REFLEXIVE.sub(r"\1srflx", lines)


def opus_wishes(opus: OpusParameters, *, local: bool) -> dict[str, str]:
    """Return the fmtp parameters that make libwebrtc send Opus as asked.

    libwebrtc encodes what the remote's fmtp wishes for, so these belong into the remote description. Of the
    local one it takes how to decode: only stereo matters there.
    """
    wishes = {"stereo": opus.stereo, "useinbandfec": opus.fec, "usedtx": opus.dtx}
    found = {key: str(int(value)) for key, value in wishes.items() if value is not None}
    if local:
        return {"stereo": "1", "sprop-stereo": "1"} if opus.stereo else {}
    if opus.bitrate is not None:
        found["maxaveragebitrate"] = str(opus.bitrate)
    if opus.ptime is not None:
        found |= {"ptime": str(opus.ptime), "minptime": "10"}
    return found


def with_opus(sdp: str, wishes: dict[str, str]) -> str:
    """Return the description with these parameters in the fmtp line of each Opus."""
    if not wishes:
        return sdp
    lines: list[str] = []
    for line in sdp.splitlines():
        found = _RTPMAP_OPUS.match(line)
        if found:
            lines += [line, _fmtp_line(sdp, found[1], wishes)]
        elif not _is_opus_fmtp(sdp, line):
            lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def _fmtp_line(sdp: str, payload_type: str, wishes: dict[str, str]) -> str:
    old = re.search(rf"^a=fmtp:{payload_type} (.*?)\r?$", sdp, re.MULTILINE)
    parameters = dict(item.strip().partition("=")[::2] for item in old[1].split(";")) if old else {}
    parameters |= wishes
    return f"a=fmtp:{payload_type} " + ";".join(f"{key}={value}" for key, value in parameters.items() if key)


def _is_opus_fmtp(sdp: str, line: str) -> bool:
    found = re.match(r"a=fmtp:(\d+) ", line)
    return bool(found and re.search(rf"^a=rtpmap:{found[1]} opus/48000", sdp, re.MULTILINE | re.IGNORECASE))
