"""The values inside a session description: candidates, format parameters, H.264 profiles, groups.

Re-exported by :mod:`shim.api.sdp`, whose names are aiortc's.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shim.api.parameters import ParametersDict
from shim.api.values import RTCIceCandidate
from shim.spi.errors import SdpSyntaxError

DIRECTIONS: Final = ["inactive", "sendonly", "recvonly", "sendrecv"]
DTLS_ROLE_SETUP: Final = {"auto": "actpass", "client": "active", "server": "passive"}
DTLS_SETUP_ROLE: Final = {setup: role for role, setup in DTLS_ROLE_SETUP.items()}
FMTP_INT_PARAMETERS: Final = ["apt", "max-fr", "max-fs", "maxplaybackrate", "minptime", "stereo", "useinbandfec"]
SSRC_INFO_ATTRS: Final = ["cname", "msid", "mslabel", "label"]
EXCERPT_LENGTH: Final = 80

_ADDRESS = re.compile(r"IN (IP4|IP6) (\S+)")
_PROFILE_LEVEL_ID = re.compile(r"[0-9a-fA-F]{6}")


def number(text: str, highest: int = 0xFFFFFFFF) -> int:
    """Return a decimal number from 0 to `highest`.

    :raises SdpSyntaxError: `text` is something else.
    """
    # int() alone takes "1_0", " 1" and other scripts' digits, and is quadratic in their count.
    if not (text.isascii() and text.isdigit() and len(text) <= 20) or int(text) > highest:
        raise SdpSyntaxError(f"{excerpt(text)} is not a number from 0 to {highest}")
    return int(text)


def excerpt(text: str) -> str:
    """Return `text` quoted, and cut to what a message can hold."""
    return repr(text if len(text) <= EXCERPT_LENGTH else text[:EXCERPT_LENGTH] + "...")


# --- H.264 (RFC 6184 section 8.1, table 5) -----------------------------------------------------------


class H264Profile(enum.Enum):
    """An H.264 profile."""

    PROFILE_CONSTRAINED_BASELINE = 0
    PROFILE_BASELINE = 1
    PROFILE_MAIN = 2
    PROFILE_CONSTRAINED_HIGH = 3
    PROFILE_HIGH = 4
    PROFILE_PREDICTIVE_HIGH_444 = 5


class H264Level(enum.IntEnum):
    """An H.264 level; the value is level_idc but for level 1b."""

    LEVEL1_B = -1
    LEVEL1 = 10
    LEVEL1_1 = 11
    LEVEL1_2 = 12
    LEVEL1_3 = 13
    LEVEL2 = 20
    LEVEL2_1 = 21
    LEVEL2_2 = 22
    LEVEL3 = 30
    LEVEL3_1 = 31
    LEVEL3_2 = 32
    LEVEL4 = 40
    LEVEL4_1 = 41
    LEVEL4_2 = 42
    LEVEL5 = 50
    LEVEL5_1 = 51
    LEVEL5_2 = 52


class BitPattern:
    """A pattern of eight bits, each ``0``, ``1`` or ``x`` (either)."""

    def __init__(self, pattern: str) -> None:
        self._mask = int(pattern.replace("0", "1").replace("x", "0"), 2)
        self._value = int(pattern.replace("x", "0"), 2)

    def matches(self, value: int) -> bool:
        """Tell whether a byte fits."""
        return value & self._mask == self._value


H264_PROFILE_PATTERNS: Final = [
    (0x42, BitPattern("x1xx0000"), H264Profile.PROFILE_CONSTRAINED_BASELINE),
    (0x4D, BitPattern("1xxx0000"), H264Profile.PROFILE_CONSTRAINED_BASELINE),
    (0x58, BitPattern("11xx0000"), H264Profile.PROFILE_CONSTRAINED_BASELINE),
    (0x42, BitPattern("x0xx0000"), H264Profile.PROFILE_BASELINE),
    (0x58, BitPattern("10xx0000"), H264Profile.PROFILE_BASELINE),
    (0x4D, BitPattern("0x0x0000"), H264Profile.PROFILE_MAIN),
    (0x64, BitPattern("00000000"), H264Profile.PROFILE_HIGH),
    (0x64, BitPattern("00001100"), H264Profile.PROFILE_CONSTRAINED_HIGH),
    (0xF4, BitPattern("00000000"), H264Profile.PROFILE_PREDICTIVE_HIGH_444),
]


def parse_h264_profile_level_id(profile_str: str) -> tuple[H264Profile, H264Level]:
    """Return profile and level of a ``profile-level-id``.

    :raises SdpSyntaxError: not six hexadecimal digits, or an unknown profile or level.
    """
    if not isinstance(profile_str, str) or not _PROFILE_LEVEL_ID.match(profile_str):
        raise SdpSyntaxError("Expected a 6 character hexadecimal string")
    profile_idc, profile_iop, level_idc = bytes.fromhex(profile_str[:6])
    for idc, pattern, profile in H264_PROFILE_PATTERNS:
        if idc == profile_idc and pattern.matches(profile_iop):
            return profile, _h264_level(level_idc, profile_iop)
    raise SdpSyntaxError(f"Unrecognized profile_iop = {profile_iop}, profile_idc = {profile_idc}")


def _h264_level(level_idc: int, profile_iop: int) -> H264Level:
    if level_idc == H264Level.LEVEL1_1 and profile_iop & 0x10:
        return H264Level.LEVEL1_B
    try:
        return H264Level(level_idc)
    except ValueError as exc:
        raise SdpSyntaxError(f"{level_idc} is not a valid H264Level") from exc


# --- ICE ---------------------------------------------------------------------------------------------


def candidate_from_sdp(sdp: str) -> RTCIceCandidate:
    """Parse what follows ``candidate:`` (RFC 8839 section 5.1); the prefix itself is allowed too.

    :raises SdpSyntaxError: it is no candidate.
    """
    bits = sdp.removeprefix("a=").removeprefix("candidate:").split()
    if len(bits) < 8 or bits[6] != "typ":
        raise SdpSyntaxError(
            f"{excerpt(sdp)} is not a candidate: expected "
            "'foundation component transport priority address port typ type'"
        )
    candidate = RTCIceCandidate(
        component=number(bits[1], 256),
        foundation=bits[0],
        ip=bits[4],
        port=number(bits[5], 0xFFFF),
        priority=number(bits[3]),
        protocol=bits[2],
        type=bits[7],
    )
    _read_extensions(candidate, dict(zip(bits[8::2], bits[9::2], strict=False)))
    return candidate


def _read_extensions(candidate: RTCIceCandidate, extensions: dict[str, str]) -> None:
    candidate.relatedAddress = extensions.get("raddr")
    if "rport" in extensions:
        candidate.relatedPort = number(extensions["rport"], 0xFFFF)
    candidate.tcpType = extensions.get("tcptype")
    candidate.usernameFragment = extensions.get("ufrag")


def candidate_to_sdp(candidate: RTCIceCandidate) -> str:
    """Return what follows ``candidate:``."""
    sdp = (
        f"{candidate.foundation} {candidate.component} {candidate.protocol} "
        f"{candidate.priority} {candidate.ip} {candidate.port} typ {candidate.type}"
    )
    if candidate.relatedAddress is not None:
        sdp += f" raddr {candidate.relatedAddress}"
    if candidate.relatedPort is not None:
        sdp += f" rport {candidate.relatedPort}"
    if candidate.tcpType is not None:
        sdp += f" tcptype {candidate.tcpType}"
    return sdp


# --- attributes --------------------------------------------------------------------------------------


def ipaddress_from_sdp(sdp: str) -> str:
    """Return the address of ``IN IP4 ...`` or ``IN IP6 ...``.

    :raises SdpSyntaxError: it is something else.
    """
    match = _ADDRESS.fullmatch(sdp)
    if not match:
        raise SdpSyntaxError(f"{excerpt(sdp)} is not 'IN IP4 address' or 'IN IP6 address'")
    return match.group(2)


def ipaddress_to_sdp(addr: str) -> str:
    """Return ``IN IP4 addr`` or ``IN IP6 addr``; a host name counts as IP4 (RFC 8866 section 5.7)."""
    try:
        version = ipaddress.ip_address(addr.split("/", 1)[0]).version
    except ValueError:
        version = 4
    return f"IN IP{version} {addr}"


def parameters_from_sdp(sdp: str) -> ParametersDict:
    """Parse format parameters, e.g. ``minptime=10;useinbandfec=1``.

    :raises SdpSyntaxError: a parameter that is a number by definition has another value.
    """
    parameters: ParametersDict = {}
    for param in sdp.split(";"):
        name, equals, value = param.strip().partition("=")
        if name in FMTP_INT_PARAMETERS and equals:
            parameters[name] = number(value)
        elif name:
            parameters[name] = value if equals else None
    return parameters


def parameters_to_sdp(parameters: ParametersDict) -> str:
    """Return format parameters as a description spells them."""
    return ";".join(name if value is None else f"{name}={value}" for name, value in parameters.items())


def parse_attr(line: str) -> tuple[str, str | None]:
    """Split ``a=name:value`` or ``a=name``."""
    name, colon, value = line[2:].partition(":")
    return name, value if colon else None


@dataclass
class GroupDescription:
    """A group of media sections or sources, e.g. ``BUNDLE 0 1``."""

    semantic: str
    items: list[int | str]

    def __str__(self) -> str:
        return f"{self.semantic} {' '.join(map(str, self.items))}"


def parse_group(dest: list[GroupDescription], value: str, type: Callable[[str], int | str] = str) -> None:
    """Append the group that `value` spells, if it spells one; `type` converts each item."""
    bits = value.split()
    if bits:
        dest.append(GroupDescription(semantic=bits[0], items=[type(item) for item in bits[1:]]))


@dataclass
class SsrcDescription:
    """What a description says of one source (RFC 5576)."""

    ssrc: int
    cname: str | None = None
    msid: str | None = None
    mslabel: str | None = None
    label: str | None = None
