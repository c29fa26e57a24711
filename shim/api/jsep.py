"""The offer/answer rules that hold for every engine (RFC 9429 section 3.2, webrtc-pc section 4.4.1.5). Pure."""

from __future__ import annotations

from typing import Final

from shim.api.sdp import SessionDescription as ParsedDescription
from shim.api.sdp import check_answer_matches, validate
from shim.api.values import RTCIceCandidate, RTCSessionDescription
from shim.spi.engines import SdpType, SessionState, SignalingState
from shim.spi.errors import InvalidModificationError, InvalidStateError, OperationError

_LOCAL: Final[dict[str, tuple[str, ...]]] = {
    "offer": ("stable", "have-local-offer"),
    "answer": ("have-remote-offer", "have-local-pranswer"),
    "pranswer": ("have-remote-offer", "have-local-pranswer"),
    "rollback": ("have-local-offer", "have-remote-offer"),
}
_REMOTE: Final[dict[str, tuple[str, ...]]] = {
    "offer": ("stable", "have-remote-offer"),
    "answer": ("have-local-offer", "have-remote-pranswer"),
    "pranswer": ("have-local-offer", "have-remote-pranswer"),
    "rollback": ("have-local-offer", "have-remote-offer"),
}


def check_transition(state: SignalingState, kind: str, *, local: bool) -> None:
    """Make sure that a description of this type may be applied now.

    :raises InvalidStateError: the state does not allow it.
    """
    if state not in (_LOCAL if local else _REMOTE)[kind]:
        raise InvalidStateError(f'Cannot handle {kind} in signaling state "{state}"', component="peer")


def check_create_answer(state: SignalingState) -> None:
    """Make sure that an answer can be created now.

    :raises InvalidStateError: there is no remote offer.
    """
    if state not in {"have-remote-offer", "have-local-pranswer"}:
        raise InvalidStateError(f'Cannot create answer in signaling state "{state}"', component="peer")


def needs_implicit_rollback(state: SignalingState, kind: str) -> bool:
    """Tell whether a remote offer arrives while ours is pending: glare, resolved by giving ours up."""
    return kind == "offer" and state == "have-local-offer"


def check_description(description: RTCSessionDescription, session: SessionState, *, local: bool) -> SdpType:
    """Parse and check a description against the one it answers.

    :raises SdpSyntaxError: it does not parse.
    :raises ValueError: it lacks what WebRTC requires, or does not match its offer.
    """
    kind: SdpType = description.type  # type: ignore[assignment]  # RTCSessionDescription has checked it
    if kind == "rollback":
        return kind
    parsed = validate(description.sdp, kind)
    if kind in {"answer", "pranswer"}:
        offer = session.pending_remote if local else session.pending_local
        if offer is None:
            raise InvalidModificationError(f"there is no pending offer for this {kind}", component="peer")
        check_answer_matches(ParsedDescription.parse(offer.sdp), parsed)
    return kind


def section_of(candidate: RTCIceCandidate, remote: ParsedDescription) -> tuple[str, int]:
    """Find the media section that a candidate belongs to: its mid and index.

    :raises OperationError: the remote description has no such section (webrtc-pc section 4.4.2).
    """
    mids = [media.rtp.muxId for media in remote.media]
    if candidate.sdpMid is not None:
        if candidate.sdpMid in mids:
            return candidate.sdpMid, mids.index(candidate.sdpMid)
        named = f"sdpMid {candidate.sdpMid!r}"
    else:
        index = candidate.sdpMLineIndex
        if index is not None and 0 <= index < len(mids):
            return mids[index], index
        named = f"sdpMLineIndex {index}"
    raise OperationError(
        f"RTCPeerConnection.addIceCandidate: the remote description has no section with {named}; "
        f"it has {', '.join(mids) or 'none'}",
        code="unknown-section",
        component="peer",
    )


def ufrags(sdp: str) -> frozenset[str]:
    """Return the ICE user name fragments of a description's sections in use."""
    parsed = ParsedDescription.parse(sdp)
    found = (media.ice.usernameFragment for media in parsed.media if media.port != 0)
    return frozenset(name for name in found if name)
