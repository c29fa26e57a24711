"""Session descriptions: parsing, writing and checking. The public face; the names are aiortc's ``aiortc.sdp``."""

from __future__ import annotations

from shim.api.parameters import ParametersDict
from shim.api.sdp_descriptions import MediaDescription, SessionDescription
from shim.api.sdp_rules import canonical, check_answer_matches, validate
from shim.api.sdp_values import (
    DIRECTIONS,
    DTLS_ROLE_SETUP,
    DTLS_SETUP_ROLE,
    FMTP_INT_PARAMETERS,
    H264_PROFILE_PATTERNS,
    SSRC_INFO_ATTRS,
    BitPattern,
    GroupDescription,
    H264Level,
    H264Profile,
    SsrcDescription,
    candidate_from_sdp,
    candidate_to_sdp,
    ipaddress_from_sdp,
    ipaddress_to_sdp,
    parameters_from_sdp,
    parameters_to_sdp,
    parse_attr,
    parse_group,
    parse_h264_profile_level_id,
)

__all__ = [
    "DIRECTIONS",
    "DTLS_ROLE_SETUP",
    "DTLS_SETUP_ROLE",
    "FMTP_INT_PARAMETERS",
    "H264_PROFILE_PATTERNS",
    "SSRC_INFO_ATTRS",
    "BitPattern",
    "GroupDescription",
    "H264Level",
    "H264Profile",
    "MediaDescription",
    "ParametersDict",
    "SessionDescription",
    "SsrcDescription",
    "candidate_from_sdp",
    "candidate_to_sdp",
    "canonical",
    "check_answer_matches",
    "grouplines",
    "ipaddress_from_sdp",
    "ipaddress_to_sdp",
    "parameters_from_sdp",
    "parameters_to_sdp",
    "parse_attr",
    "parse_group",
    "parse_h264_profile_level_id",
    "validate",
]


def grouplines(sdp: str) -> tuple[list[str], list[list[str]]]:
    """Return the lines of the session part, and those of each media section."""
    session: list[str] = []
    media: list[list[str]] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            media.append([line])
        else:
            (media[-1] if media else session).append(line)
    return session, media
