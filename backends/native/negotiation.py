"""Codecs, header extensions and directions of offers and answers (RFC 9429, RFC 3264). Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, cast

from aiortc.codecs import is_rtx
from aiortc.rtcpeerconnection import is_codec_compatible
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters
from aiortc.rtp import DYNAMIC_PAYLOAD_TYPES

from backends.native.parsing import Section
from shim.spi.engines import Codec, Direction

DIRECTIONS: Final[tuple[Direction, ...]] = ("inactive", "sendonly", "recvonly", "sendrecv")

_WISHES: Final = {
    *("cbr", "maxaveragebitrate", "maxplaybackrate", "maxptime", "minptime", "ptime"),
    *("sprop-stereo", "stereo", "usedtx", "useinbandfec"),
}
"""Parameters of Opus that do not make it another format (RFC 7587 section 6.1)."""
_PROFILES: Final = {"video/vp9": "profile-id", "video/av1": "profile"}


def sends(direction: str | None) -> bool:
    """Whether this side sends."""
    return direction in {"sendonly", "sendrecv"}


def receives(direction: str | None) -> bool:
    """Whether this side receives."""
    return direction in {"recvonly", "sendrecv"}


def both(a: Direction, b: Direction) -> Direction:
    """Return what is allowed by both."""
    return DIRECTIONS[DIRECTIONS.index(a) & DIRECTIONS.index(b)]


def reverse(direction: str | None) -> Direction:
    """Return a direction as the other side sees it; a section that has none is ``"sendrecv"``."""
    flipped = {"sendonly": "recvonly", "recvonly": "sendonly"}
    return cast("Direction", flipped.get(direction or "sendrecv", direction or "sendrecv"))


def compatible(local: RTCRtpCodecParameters, remote: RTCRtpCodecParameters) -> bool:
    """Whether two codecs are the same, profile included."""
    if not is_codec_compatible(local, remote) or (local.channels or 1) != (remote.channels or 1):
        return False
    profile = _PROFILES.get(local.mimeType.lower())
    return profile is None or str(local.parameters.get(profile, 0)) == str(remote.parameters.get(profile, 0))


def common_codecs(
    local: Sequence[RTCRtpCodecParameters], remote: Sequence[RTCRtpCodecParameters]
) -> list[RTCRtpCodecParameters]:
    """Intersect, in the remote's order and with its payload types (RFC 9429 section 5.3.1)."""
    found: dict[int, RTCRtpCodecParameters] = {}
    for theirs in remote:
        ours = next((c for c in local if not is_rtx(c) and not is_rtx(theirs) and compatible(c, theirs)), None)
        if ours is not None and theirs.payloadType is not None:
            found[theirs.payloadType] = _adapt(ours, theirs)
    if any(is_rtx(codec) for codec in local):
        extra = (c for c in remote if is_rtx(c) and _base_of(c) in found and c.payloadType is not None)
        found |= {codec.payloadType: copy.deepcopy(codec) for codec in extra if codec.payloadType is not None}
    return [found[codec.payloadType] for codec in remote if codec.payloadType in found]


def carries_media(codecs: Iterable[RTCRtpCodecParameters]) -> bool:
    """Whether something beside retransmissions and tones can be sent."""
    return any(codec.name.lower() not in {"rtx", "telephone-event"} for codec in codecs)


def _base_of(codec: RTCRtpCodecParameters) -> int:
    base = codec.parameters.get("apt")
    return base if isinstance(base, int) else -1


def _adapt(ours: RTCRtpCodecParameters, theirs: RTCRtpCodecParameters) -> RTCRtpCodecParameters:
    codec = copy.deepcopy(ours)
    codec.payloadType = theirs.payloadType
    codec.rtcpFeedback = [item for item in codec.rtcpFeedback if item in theirs.rtcpFeedback]
    return codec


def preferred(codecs: Sequence[RTCRtpCodecParameters], preferences: Sequence[Codec]) -> list[RTCRtpCodecParameters]:
    """Restrict and order codecs; no preferences, or none that fits, leave them as they are."""
    if not preferences:
        return list(codecs)
    with_rtx = any(preference.mime_type.lower().endswith("/rtx") for preference in preferences)
    chosen: list[RTCRtpCodecParameters] = []
    for preference in preferences:
        for codec in codecs:
            if not is_rtx(codec) and codec not in chosen and _is_preferred(codec, preference):
                chosen.append(codec)
                chosen += [c for c in codecs if with_rtx and is_rtx(c) and _base_of(c) == codec.payloadType]
    return chosen or list(codecs)


def _is_preferred(codec: RTCRtpCodecParameters, preference: Codec) -> bool:
    same_name = codec.mimeType.lower() == preference.mime_type.lower() and codec.clockRate == preference.clock_rate
    return same_name and _format(codec.parameters) == _format(preference.parameters)


def _format(parameters: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in parameters.items() if key not in _WISHES}


def with_remote_parameters(
    codecs: Iterable[RTCRtpCodecParameters], section: Section | None
) -> list[RTCRtpCodecParameters]:
    """Return audio codecs as the remote wants to receive them; pictures are sent in the format agreed on."""
    theirs = {codec.payloadType: codec for codec in section.media.rtp.codecs} if section is not None else {}
    return [
        replace(codec, parameters=dict(theirs[codec.payloadType].parameters))
        if codec.payloadType in theirs and codec.mimeType.lower().startswith("audio/")
        else codec
        for codec in codecs
    ]


class PayloadTypes:
    """Keeps each payload type bound to one codec for the life of a session (RFC 3264 section 8.3.2).

    :param negotiated: codecs of every section, as agreed on so far.
    """

    def __init__(self, negotiated: Iterable[RTCRtpCodecParameters]) -> None:
        self._bound: dict[int, RTCRtpCodecParameters] = {}
        for codec in negotiated:
            if codec.payloadType is not None:
                self._bound.setdefault(codec.payloadType, codec)

    def renumber(self, codecs: Sequence[RTCRtpCodecParameters]) -> list[RTCRtpCodecParameters]:
        """Return copies with payload types that contradict nothing."""
        moved: dict[int, int] = {}
        result = []
        for original in codecs:
            codec = copy.deepcopy(original)
            if is_rtx(codec):
                codec.parameters["apt"] = moved.get(_base_of(codec), _base_of(codec))
            before = codec.payloadType or 0
            codec.payloadType = moved[before] = self._number(codec)
            self._bound[codec.payloadType] = codec
            result.append(codec)
        return result

    def _number(self, codec: RTCRtpCodecParameters) -> int:
        for number, bound in self._bound.items():
            if self._same(codec, bound):
                return number
        wanted = codec.payloadType or 0
        if wanted not in self._bound:
            return wanted
        free = (number for number in (*DYNAMIC_PAYLOAD_TYPES, *range(35, 64)) if number not in self._bound)
        return next(free, wanted)

    @staticmethod
    def _same(a: RTCRtpCodecParameters, b: RTCRtpCodecParameters) -> bool:
        if is_rtx(a) or is_rtx(b):
            return is_rtx(a) and is_rtx(b) and a.mimeType == b.mimeType and _base_of(a) == _base_of(b)
        return compatible(a, b) and _format(a.parameters) == _format(b.parameters)


def common_extensions(
    local: Sequence[RTCRtpHeaderExtensionParameters], remote: Sequence[RTCRtpHeaderExtensionParameters]
) -> list[RTCRtpHeaderExtensionParameters]:
    """Intersect, with the remote's ids."""
    known = {extension.uri for extension in local}
    return [extension for extension in remote if extension.uri in known]


def offered_extensions(
    local: Sequence[RTCRtpHeaderExtensionParameters], negotiated: Iterable[RTCRtpHeaderExtensionParameters]
) -> list[RTCRtpHeaderExtensionParameters]:
    """Keep ids agreed on; others take a free id of the one-byte form (RFC 8285 section 4.2)."""
    ids = {extension.uri: extension.id for extension in negotiated}
    result = []
    for extension in local:
        number = ids.get(extension.uri)
        if number is None:
            taken = set(ids.values())
            candidates = (extension.id, *range(1, 15))
            number = next((n for n in candidates if n not in taken), extension.id)
            ids[extension.uri] = number
        result.append(RTCRtpHeaderExtensionParameters(id=number, uri=extension.uri))
    return result


def to_codec(codec: RTCRtpCodecParameters) -> Codec:
    """Turn a negotiated codec into the seam's type."""
    feedback = tuple(f"{item.type} {item.parameter}" if item.parameter else item.type for item in codec.rtcpFeedback)
    return Codec(
        mime_type=codec.mimeType,
        clock_rate=codec.clockRate,
        channels=codec.channels,
        payload_type=codec.payloadType,
        parameters=dict(codec.parameters),
        rtcp_feedback=feedback,
    )


def track_of(section: Section) -> tuple[str | None, tuple[str, ...]]:
    """Return the id of the remote track, if it is signalled, and those of its streams."""
    track = next((track for _, track in section.streams if track), None)
    streams = tuple(dict.fromkeys(stream for stream, _ in section.streams if stream != "-"))
    if not section.streams:
        msids = [ssrc.msid.split() for ssrc in section.media.ssrc if ssrc.msid]
        if msids and len(msids[0]) == 2:
            return msids[0][1], (msids[0][0],)
    return track, streams
