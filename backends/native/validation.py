"""Checks a description against the session before anything changes (RFC 9429 sections 5.8 to 5.11). Pure."""

from __future__ import annotations

from backends.native.errors import modification
from backends.native.parsing import Parsed, Section
from backends.native.records import SessionValues, Slot
from shim.spi.engines import SdpType, SignalingState
from shim.spi.errors import InvalidStateError

_NEXT: dict[tuple[bool, str], dict[SignalingState, SignalingState]] = {
    (True, "offer"): {"stable": "have-local-offer", "have-local-offer": "have-local-offer"},
    (True, "pranswer"): {
        "have-remote-offer": "have-local-pranswer",
        "have-local-pranswer": "have-local-pranswer",
    },
    (True, "answer"): {"have-remote-offer": "stable", "have-local-pranswer": "stable"},
    (False, "offer"): {"stable": "have-remote-offer", "have-remote-offer": "have-remote-offer"},
    (False, "pranswer"): {
        "have-local-offer": "have-remote-pranswer",
        "have-remote-pranswer": "have-remote-pranswer",
    },
    (False, "answer"): {"have-local-offer": "stable", "have-remote-pranswer": "stable"},
}


def next_state(state: SignalingState, kind: SdpType, *, local: bool) -> SignalingState:
    """Return the state that a description leads to (RFC 9429 section 3.2).

    :raises InvalidStateError: the description does not belong here.
    """
    following = _NEXT[local, kind].get(state)
    if following is None:
        side = "setLocalDescription" if local else "setRemoteDescription"
        raise InvalidStateError(f'{side}: cannot handle {kind} in signaling state "{state}"', backend="native")
    return following


def name_sections(parsed: Parsed, values: SessionValues, kind: SdpType) -> None:
    """Give sections without a mid the one they have in the offer, or a new one (RFC 9429 section 5.10)."""
    taken = {section.mid for section in parsed.sections} | set(values.leg_of)
    for section in parsed.sections:
        if section.mid:
            continue
        known = values.slots[section.index].mid if section.index < len(values.slots) else ""
        section.mid = known or next(str(n) for n in range(len(taken) + 1) if str(n) not in taken)
        section.media.rtp.muxId = section.mid
        taken.add(section.mid)


def validate(parsed: Parsed, slots: tuple[Slot, ...], kind: SdpType) -> None:
    """Check what aiortc checks, and that the sections fit those before.

    :raises InvalidModificationError: they do not.
    """
    mids = [section.mid for section in parsed.sections]
    if len(set(mids)) != len(mids):
        raise modification("two media sections have the same mid")
    unknown = [mid for mid in parsed.bundle if mid not in mids]
    if unknown:
        raise modification(f"the BUNDLE group names mid {unknown[0]!r}, which has no media section")
    _check_layout(parsed.sections, slots, kind)
    for section in parsed.sections:
        if not section.rejected and (section.media_kind or section.is_data):
            _check_transport(section, kind)


def _check_layout(sections: list[Section], slots: tuple[Slot, ...], kind: SdpType) -> None:
    if kind != "offer":
        if [(s.kind, s.mid) for s in sections] != [(slot.kind, slot.mid) for slot in slots]:
            raise modification("Media sections in answer do not match offer")
        for section, slot in zip(sections, slots, strict=True):
            if slot.rejected and not section.rejected:
                raise modification(f"the answer accepts media section {slot.mid!r}, which the offer does not use")
        return
    if len(sections) < len(slots):
        raise modification(f"the offer has {len(sections)} media sections, the session {len(slots)}")
    for section, slot in zip(sections, slots, strict=False):
        reused = slot.rejected and section.mid != slot.mid
        if not reused and (section.kind, section.mid) != (slot.kind, slot.mid):
            raise modification(
                f"media section {section.index} was {slot.kind} with mid {slot.mid!r}, "
                f"and is {section.kind} with mid {section.mid!r}"
            )


def _check_transport(section: Section, kind: SdpType) -> None:
    media = section.media
    where = f"media section {section.mid!r}"
    if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
        raise modification(f"{where}: ICE username fragment or password is missing")
    if media.dtls is None or not media.dtls.fingerprints:
        raise modification(f"{where}: DTLS setup attribute or fingerprint is missing")
    if kind != "offer" and media.dtls.role not in {"client", "server"}:
        raise modification(f"{where}: DTLS setup attribute must be 'active' or 'passive' for an answer")
    if section.media_kind and not media.rtcp_mux:
        raise modification(f"{where}: RTCP mux is not enabled")
    if section.media_kind and not media.rtp.codecs:
        raise modification(f"{where}: no codec is described")
