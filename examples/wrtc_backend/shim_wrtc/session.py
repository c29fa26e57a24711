"""Builds the seam's snapshots from wrtc's objects and the few lines of descriptions that they do not tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import webrtc

from shim.spi import engines as e
from shim_wrtc.transceiver import WrtcTransceiver

LARGEST_MESSAGE: Final = 262144
"""What libwebrtc's SCTP sends at most, whatever the remote accepts."""
DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")
Rename = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Section:
    """What is read from one media section (RFC 8866, RFC 8830)."""

    kind: str
    rejected: bool
    mid: str | None
    sends: bool
    track_id: str | None
    stream_ids: tuple[str, ...]


def sections(sdp: str) -> Iterator[Section]:
    """Read the media sections of a description."""
    for block in ("\n" + sdp).split("\nm=")[1:]:
        lines = [line.strip() for line in block.splitlines()]
        values = [line[2:].partition(":")[::2] for line in lines if line.startswith("a=")]
        direction = next((name for name, _ in values if name in DIRECTIONS), "sendrecv")
        msids = [value.split() for name, value in values if name == "msid"]
        yield Section(
            kind=lines[0].split()[0],
            rejected=lines[0].split()[1] == "0",
            mid=next((value for name, value in values if name == "mid"), None),
            sends=direction in {"sendrecv", "sendonly"},
            track_id=msids[0][1] if msids and len(msids[0]) > 1 else None,
            stream_ids=tuple(msid[0] for msid in msids if msid[0] != "-"),
        )


def session_state(
    pc: webrtc.RTCPeerConnection, transceivers: Iterable[WrtcTransceiver], rename: Rename
) -> e.SessionState:
    """Take a snapshot.

    :param rename: puts the application's track ids into local descriptions.
    """
    current_local = _described(pc.current_local_description, rename)
    pending_local = _described(pc.pending_local_description, rename)
    current_remote = _described(pc.current_remote_description)
    pending_remote = _described(pc.pending_remote_description)
    local, remote = pending_local or current_local, pending_remote or current_remote
    places = _places(pending_remote or pending_local or current_local)
    theirs = {s.mid: s for s in sections(remote.sdp)} if remote else {}
    size = pc.sctp.max_message_size if pc.sctp is not None else None
    return e.SessionState(
        signaling_state=str(pc.signaling_state),  # type: ignore[arg-type]
        current_local=current_local,
        pending_local=pending_local,
        current_remote=current_remote,
        pending_remote=pending_remote,
        transceivers=tuple(_transceiver(t, places, theirs, pending_remote is not None) for t in transceivers),
        sctp_mid=next((mid for d in (local, remote) if d and (mid := _data_mid(d.sdp)) is not None), None),
        max_message_size=message_size(size),
    )


def message_size(size: float | None) -> int | None:
    """Return how much can be sent at once."""
    return None if size is None else LARGEST_MESSAGE if math.isinf(size) else min(int(size), LARGEST_MESSAGE)


def _described(native: webrtc.RTCSessionDescription | None, rename: Rename = str) -> e.SessionDescription | None:
    return None if native is None else e.SessionDescription(str(native.type), rename(native.sdp))  # type: ignore[arg-type]


def _places(description: e.SessionDescription | None) -> dict[str | None, int]:
    return {s.mid: index for index, s in enumerate(sections(description.sdp))} if description else {}


def _data_mid(sdp: str) -> str | None:
    return next((s.mid for s in sections(sdp) if s.kind == "application" and not s.rejected), None)


def _transceiver(
    transceiver: WrtcTransceiver, places: Mapping[str | None, int], theirs: Mapping[str | None, Section], offered: bool
) -> e.TransceiverState:
    native = transceiver.native
    current = None if native.current_direction is None else str(native.current_direction)
    section = theirs.get(native.mid) if native.mid is not None else None
    receiving = section is not None and section.sends and (offered or current in {"sendrecv", "recvonly"})
    return e.TransceiverState(
        engine=transceiver,
        kind=transceiver.kind,
        mid=native.mid,
        mline_index=places.get(native.mid) if native.mid is not None else None,
        direction="inactive" if native.direction == "stopped" else str(native.direction),  # type: ignore[arg-type]
        current_direction=None if current == "stopped" else current,  # type: ignore[arg-type]
        stopped=native.stopped,
        receive_track_id=(section.track_id or native.receiver.track.id) if section and receiving else None,
        stream_ids=section.stream_ids if section and receiving else (),
    )


# --- transports --------------------------------------------------------------------------------------------


def native_transports(pc: webrtc.RTCPeerConnection) -> dict[webrtc.RTCDtlsTransport, list[str]]:
    """Return each transport in use with the mids of its sections, in their order."""
    found: dict[webrtc.RTCDtlsTransport, list[str]] = {}
    for transceiver in pc.get_transceivers():
        transport = transceiver.sender.transport
        if transport is not None and transceiver.mid is not None and not transceiver.stopped:
            found.setdefault(transport, []).append(transceiver.mid)
    if pc.sctp is not None:
        description = pc.local_description or pc.remote_description
        mid = _data_mid(description.sdp) if description is not None else None
        found.setdefault(pc.sctp.transport, []).extend([mid] if mid is not None else [])
    return found


def transport_info(transport: webrtc.RTCDtlsTransport, mids: Iterable[str]) -> e.TransportInfo:
    """Take a snapshot of one transport."""
    ice: Any = transport.ice_transport
    pair = ice.get_selected_candidate_pair()
    return e.TransportInfo(
        mids=tuple(mids),
        dtls_state=str(transport.state),  # type: ignore[arg-type]
        ice_state=str(ice.state),  # type: ignore[arg-type]
        ice_role=str(ice.role or "unknown"),  # type: ignore[arg-type]
        gathering_state=str(ice.gathering_state),  # type: ignore[arg-type]
        local_candidates=tuple(c.candidate for c in ice.get_local_candidates()),
        remote_candidates=tuple(c.candidate for c in ice.get_remote_candidates()),
        selected_local=pair.local.candidate if pair else None,
        selected_remote=pair.remote.candidate if pair else None,
        remote_certificates=tuple(transport.get_remote_certificates()),
    )
