"""What an application can see of a connection, in terms that do not depend on the engine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from conformance.jsep_model import SENDING

if TYPE_CHECKING:
    from shim import RTCPeerConnection, RTCSessionDescription

DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")
CODECS: Final = ("opus", "pcmu", "pcma", "vp8", "h264")
"""Codecs whose order is compared: what every backend has."""


def alive(pc: RTCPeerConnection) -> list[Any]:
    """Return the transceivers that are not stopped."""
    return [found for found in pc.getTransceivers() if not found.stopped]


def descriptions(pc: RTCPeerConnection) -> tuple[RTCSessionDescription | None, ...]:
    """Return the local ones and the remote ones, the current one first."""
    return (
        pc.currentLocalDescription,
        pc.pendingLocalDescription,
        pc.currentRemoteDescription,
        pc.pendingRemoteDescription,
    )


def mids_of(sdp: str) -> list[str]:
    """Return the mid of each section."""
    return re.findall(r"(?m)^a=mid:(\S+)", sdp)


def parsed(description: RTCSessionDescription | None) -> dict[str, Any] | None:
    """Return the parts of a description that do not depend on who wrote it."""
    if description is None:
        return None
    session, *sections = re.split(r"(?m)^(?=m=)", description.sdp.replace("\r\n", "\n"))
    mids = [mids_of(section)[0] for section in sections]
    alive = [mid for mid, section in zip(mids, sections, strict=True) if not _is_rejected(section)]
    bundle = re.search(r"(?m)^a=group:BUNDLE(.*)$", session)
    assert len(set(mids)) == len(mids), f"mids {mids}"
    assert (bundle[1].split() if bundle else []) == alive, f"BUNDLE {bundle and bundle[0]} of sections {alive}"
    return {"type": description.type, "sections": [_section(section) for section in sections]}


def _is_rejected(section: str) -> bool:
    return section.split()[1] == "0"


def _section(section: str) -> tuple[object, ...]:
    kind = section[2:].split(maxsplit=1)[0]
    if _is_rejected(section):
        return kind, "rejected"
    direction = re.search(rf"(?m)^a=({'|'.join(DIRECTIONS)})$", section)
    setup = re.search(r"(?m)^a=setup:(\w+)$", section)
    assert setup is not None, section
    role = "chosen" if setup[1] in {"active", "passive"} else setup[1]
    sends = direction is not None and direction[1] in SENDING
    msid = "msid" if sends and re.search(r"(?m)^a=msid:", section) else ""
    rids = tuple(re.findall(r"(?m)^a=rid:(\S+ \w+)", section))
    return kind, direction[1] if direction else "", role, msid, tuple(codecs_of(section)[0]), rids


def codecs_of(sdp: str) -> list[list[str]]:
    """Return the codecs of each section that every backend has, in their order."""
    sections = re.split(r"(?m)^(?=m=)", sdp)[1:]
    named = [re.findall(r"(?m)^a=rtpmap:\d+ ([^/\s]+)", section) for section in sections]
    return [list(dict.fromkeys(name.lower() for name in names if name.lower() in CODECS)) for names in named]
