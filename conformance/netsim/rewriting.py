"""Rewrites descriptions and candidates so that a peer learns the network's addresses instead of the other's."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from shim import RTCIceCandidate, RTCSessionDescription

Address = tuple[str, int]
Translate = Callable[[Address], Address]
"""Returns the address of the network that stands for one of a peer."""
D = TypeVar("D", bound="RTCSessionDescription")
C = TypeVar("C", bound="RTCIceCandidate")

_CANDIDATE: Final = re.compile(
    r"a=candidate:(?P<foundation>\S+) (?P<component>\d+) (?P<transport>\S+) (?P<priority>\d+)"
    r" (?P<host>\S+) (?P<port>\d+) typ (?P<type>\S+)(?P<rest>.*)"
)
_RELATED: Final = re.compile(r" raddr \S+ rport \d+")
_DISCARD: Final = 9
"""The port of a section without candidates (RFC 8840 section 4.1.1)."""


def rewrite_description(description: D, version: int, translate: Translate) -> D:
    """Return the description with every address replaced.

    :param version: 4 or 6, the IP version of the candidates that stay. The others go, and so does TCP.
    """
    head, *sections = re.split(r"(?m)^(?=m=)", description.sdp)
    return type(description)(
        sdp="".join([head, *(_rewrite_section(section, version, translate) for section in sections)]),
        type=description.type,
    )


def rewrite_candidate(candidate: C, version: int, translate: Translate) -> C | None:
    """Return the candidate with its address replaced; `None` if it is one that goes."""
    if not _stays(candidate.protocol, candidate.component, candidate.ip, version):
        return None
    host, port = translate((candidate.ip, candidate.port))
    return dataclasses.replace(candidate, ip=host, port=port, relatedAddress=None, relatedPort=None)


def _rewrite_section(section: str, version: int, translate: Translate) -> str:
    newline = "\r\n" if "\r\n" in section else "\n"
    lines, default = [], None
    for line in section.split(newline):
        match = _CANDIDATE.fullmatch(line)
        if match is None:
            lines.append(line)
        elif _stays(match["transport"], int(match["component"]), match["host"], version):
            host, port = translate((match["host"], int(match["port"])))
            default = default or (host, port)
            lines.append(_candidate_line(match, host, port))
    return newline.join(_with_default(line, default) for line in lines)


def _stays(transport: str, component: int, host: str, version: int) -> bool:
    # A name (mDNS) can go: its packets are relayed by where they come from, as peer reflexive.
    return transport.lower() == "udp" and component == 1 and _version(host) == version


def _version(host: str) -> int | None:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None


def _candidate_line(match: re.Match[str], host: str, port: int) -> str:
    related = " raddr 0.0.0.0 rport 0" if match["type"] != "host" else ""
    start = f"a=candidate:{match['foundation']} 1 {match['transport']} {match['priority']}"
    return f"{start} {host} {port} typ {match['type']}{related}{_RELATED.sub('', match['rest'])}"


def _with_default(line: str, default: Address | None) -> str:
    """Replace the default destination (RFC 8839 section 4.2.1.2)."""
    host, port = default or ("0.0.0.0", _DISCARD)
    family = "IP6" if ":" in host else "IP4"
    if line.startswith("m="):
        kind, old_port, rest = line.split(" ", 2)
        return line if old_port == "0" else f"{kind} {port} {rest}"
    if line.startswith("c=IN "):
        return f"c=IN {family} {host}"
    if line.startswith("a=rtcp:"):
        return f"a=rtcp:{port} IN {family} {host}"
    return line
