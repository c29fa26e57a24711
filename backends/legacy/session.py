"""Builds the seam's snapshots from libwebrtc's JSON."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from backends.legacy import sdp
from shim.spi.engines import SessionDescription, SessionState, TransceiverEngine, TransceiverState, TransportInfo

Json = Mapping[str, Any]
Lookup = Callable[[int, str], TransceiverEngine]
"""Returns the engine of a transceiver handle, made if need be; the second argument is its kind."""


def session_state(json: Json, lookup: Lookup, receiving: Iterable[int]) -> SessionState:
    """Build the state of the session.

    :param receiving: handles of the transceivers on which the remote sends.
    """
    remote = _description(json["currentRemote"]), _description(json["pendingRemote"])
    known = remote[1] or remote[0]
    handles = frozenset(receiving)
    return SessionState(
        signaling_state=json["signalingState"],
        current_local=_description(json["currentLocal"]),
        pending_local=_description(json["pendingLocal"]),
        current_remote=remote[0],
        pending_remote=remote[1],
        transceivers=tuple(_transceiver(item, lookup, item["id"] in handles) for item in json["transceivers"]),
        sctp_mid=_sctp_mid(json),
        max_message_size=sdp.max_message_size(known.sdp) if known else None,
    )


def _description(json: Json | None) -> SessionDescription | None:
    return None if json is None else SessionDescription(json["type"], json["sdp"])


def _sctp_mid(json: Json) -> str | None:
    sctp = json["sctp"]
    if sctp is not None and sctp["mid"]:
        return str(sctp["mid"])
    for name in ("pendingLocal", "pendingRemote", "currentLocal"):
        section = sdp.data_section(json[name]["sdp"]) if json[name] else None
        if section is not None and not section[0].startswith("m=application 0 "):
            return sdp.mid_of(section)
    return None


def _transceiver(json: Json, lookup: Lookup, receiving: bool) -> TransceiverState:
    return TransceiverState(
        engine=lookup(json["id"], json["kind"]),
        kind=json["kind"],
        mid=json["mid"],
        mline_index=json["mlineIndex"],
        direction="inactive" if json["direction"] == "stopped" else json["direction"],
        current_direction=None if json["currentDirection"] == "stopped" else json["currentDirection"],
        stopped=json["stopped"],
        receive_track_id=json["receiver"]["trackId"] if receiving else None,
        stream_ids=tuple(json["receiver"]["streamIds"]) if receiving else (),
    )


def transport_infos(json: Json, session: SessionState) -> tuple[TransportInfo, ...]:
    """Build the snapshot of each transport, in order of the first section that it carries."""
    local = _candidates(session.pending_local or session.current_local)
    remote = _candidates(session.pending_remote or session.current_remote)
    groups: dict[Any, list[Json]] = {}
    for item in json["transports"]:
        groups.setdefault(item.get("transport", item["mid"]), []).append(item)
    return tuple(_transport(items, local, remote) for items in groups.values())


def _candidates(description: SessionDescription | None) -> dict[str, tuple[str, ...]]:
    return sdp.candidates(description.sdp) if description else {}


def _transport(
    items: list[Json], local: Mapping[str, tuple[str, ...]], remote: Mapping[str, tuple[str, ...]]
) -> TransportInfo:
    first = items[0]
    mids = tuple(item["mid"] for item in items)
    pair = first["selectedPair"]
    return TransportInfo(
        mids=mids,
        dtls_state=first["dtlsState"],
        ice_state=first["iceState"],
        ice_role=first["iceRole"],
        gathering_state=first["gatheringState"],
        local_candidates=_of_first(mids, local),
        remote_candidates=_of_first(mids, remote),
        selected_local=pair["local"]["candidate"] if pair else None,
        selected_remote=pair["remote"]["candidate"] if pair else None,
        remote_certificates=tuple(base64.b64decode(text) for text in first["remoteCertificates"]),
    )


def _of_first(mids: tuple[str, ...], lines: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    # The other sections of a bundle list candidates of transports that bundling gave up.
    return next((lines[mid] for mid in mids if lines.get(mid)), ())
