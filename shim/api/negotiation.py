"""Whether a negotiation is needed (webrtc-pc section 4.7.3), decided once for every engine."""

from __future__ import annotations

from typing import Final

from shim.api.sdp import MediaDescription, SessionDescription
from shim.spi.engines import Direction, SessionState, TransceiverState

_REVERSED: Final[dict[str, str]] = {"sendonly": "recvonly", "recvonly": "sendonly"}


def negotiation_needed(
    state: SessionState, transceivers: tuple[TransceiverState, ...], *, wants_data: bool, wants_restart: bool
) -> bool:
    """Tell whether the session differs from what was negotiated.

    :param state: the session as last applied.
    :param transceivers: as they are now, with the directions that the application asked for.
    :param wants_data: a data channel exists.
    :param wants_restart: an ICE restart was asked for.
    """
    if wants_restart:
        return True
    if state.current_local is None or state.current_remote is None:
        return wants_data or any(not t.stopped for t in transceivers)
    local = SessionDescription.parse(state.current_local.sdp)
    remote = SessionDescription.parse(state.current_remote.sdp)
    if wants_data and not any(media.kind == "application" for media in local.media):
        return True
    sections = {media.rtp.muxId: media for media in local.media}
    offered = {media.rtp.muxId: media for media in remote.media}
    is_offer = state.current_local.type == "offer"
    return any(_differs(t, sections, offered, is_offer=is_offer) for t in transceivers)


def _differs(
    transceiver: TransceiverState,
    local: dict[str, MediaDescription],
    remote: dict[str, MediaDescription],
    *,
    is_offer: bool,
) -> bool:
    ours, theirs = local.get(transceiver.mid or ""), remote.get(transceiver.mid or "")
    if transceiver.mid is None or ours is None or theirs is None:
        return not transceiver.stopped
    if ours.port == 0 or theirs.port == 0:
        return False
    if transceiver.stopped:
        return True
    wanted = transceiver.direction
    remote_direction = reverse(theirs.direction or "sendrecv")
    if is_offer:
        return wanted not in {ours.direction, remote_direction}
    return ours.direction != _intersect(wanted, remote_direction)


def reverse(direction: str) -> str:
    """Return a direction as the other side sees it."""
    return _REVERSED.get(direction, direction)


def _intersect(a: Direction, b: str) -> str:
    sends = {"sendonly", "sendrecv"}
    receives = {"recvonly", "sendrecv"}
    match (a in sends and b in sends, a in receives and b in receives):
        case (True, True):
            return "sendrecv"
        case (True, False):
            return "sendonly"
        case (False, True):
            return "recvonly"
    return "inactive"
