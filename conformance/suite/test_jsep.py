"""Offer and answer: every description in every state, and what each leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.asserts import local_of, negotiate
from conformance.reference import (
    KINDS,
    MAY_CREATE_ANSWER,
    MAY_CREATE_OFFER,
    SIDES,
    STATES,
    Kind,
    Side,
    State,
    next_state,
)
from conformance.requirements import negotiating, requires, spec
from conformance.scenes import Scene, described, trickling
from conformance.targets import Pair, Peers, Target
from shim import Capability, InvalidStateError, RTCPeerConnection

ROWS = [(state, side, kind) for state in STATES for side in SIDES for kind in KINDS]
EACH_STATE = [pytest.param(state, marks=negotiating(state)) for state in STATES]


def _rows(*, good: bool) -> list[Any]:
    """Return the rows of the state table that lead somewhere, or all others, each with what it needs."""
    wanted = [row for row in ROWS if (next_state(*row) is not None) == good]
    return [pytest.param(row, marks=negotiating(*row), id=":".join(row)) for row in wanted]


# --- the state table ---------------------------------------------------------------------------------


@spec("RFC 9429 3.2", "webrtc-pc 4.4.1.5")
@pytest.mark.parametrize("row", _rows(good=True))
async def test_description_leads_to_the_next_state(peers: Peers, target: Target, row: tuple[State, Side, Kind]) -> None:
    state, side, kind = row
    scene = Scene(peers, target)
    await scene.bring_to(state)
    await scene.apply(side, kind)
    assert scene.pc.signalingState == next_state(*row)


@spec("RFC 9429 3.2", "webrtc-pc 4.4.1.5")
@pytest.mark.parametrize("row", _rows(good=False))
async def test_description_in_the_wrong_state_is_refused(
    peers: Peers, target: Target, row: tuple[State, Side, Kind]
) -> None:
    state, side, kind = row
    scene = Scene(peers, target)
    await scene.bring_to(state)
    description = await scene.description(side, kind)
    with pytest.raises(InvalidStateError):
        await scene.set(side, description)
    assert scene.pc.signalingState == state


@spec("RFC 9429 4.1.8")
@pytest.mark.parametrize("state", EACH_STATE)
async def test_create_offer_is_refused_only_when_closed(peers: Peers, target: Target, state: State) -> None:
    scene = Scene(peers, target)
    await scene.bring_to(state)
    if state in MAY_CREATE_OFFER:
        assert (await scene.pc.createOffer()).type == "offer"
    else:
        with pytest.raises(InvalidStateError):
            await scene.pc.createOffer()


@spec("RFC 9429 4.1.9")
@pytest.mark.parametrize("state", EACH_STATE)
async def test_create_answer_needs_a_remote_offer(peers: Peers, target: Target, state: State) -> None:
    scene = Scene(peers, target)
    await scene.bring_to(state)
    if state in MAY_CREATE_ANSWER:
        assert (await scene.pc.createAnswer()).type == "answer"
    else:
        with pytest.raises(InvalidStateError):
            await scene.pc.createAnswer()


# --- current and pending -----------------------------------------------------------------------------


def _types(pc: RTCPeerConnection) -> dict[str, str]:
    found = {
        "current local": pc.currentLocalDescription,
        "pending local": pc.pendingLocalDescription,
        "current remote": pc.currentRemoteDescription,
        "pending remote": pc.pendingRemoteDescription,
    }
    return {name: value.type for name, value in found.items() if value is not None}


PENDING: dict[State, dict[str, str]] = {
    "stable": {},
    "have-local-offer": {"pending local": "offer"},
    "have-remote-offer": {"pending remote": "offer"},
    "have-local-pranswer": {"pending local": "pranswer", "pending remote": "offer"},
    "have-remote-pranswer": {"pending local": "offer", "pending remote": "pranswer"},
}


@spec("webrtc-pc 4.4.1.5")
@pytest.mark.parametrize(
    ("state", "expected"),
    [pytest.param(state, expected, marks=negotiating(state), id=state) for state, expected in PENDING.items()],
)
async def test_descriptions_are_pending_until_answered(
    peers: Peers, target: Target, state: State, expected: dict[str, str]
) -> None:
    scene = Scene(peers, target)
    await scene.bring_to(state)
    assert _types(scene.pc) == expected


@spec("webrtc-pc 4.4.1.5")
async def test_answer_makes_descriptions_current(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await negotiate(offerer, answerer)
    assert _types(offerer) == {"current local": "offer", "current remote": "answer"}
    assert _types(answerer) == {"current local": "answer", "current remote": "offer"}


@spec("webrtc-pc 4.4.1.5")
async def test_second_negotiation_keeps_the_current_descriptions_until_it_is_answered(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await negotiate(offerer, answerer)
    await offerer.setLocalDescription(await offerer.createOffer())
    assert _types(offerer) == {"current local": "offer", "current remote": "answer", "pending local": "offer"}


@spec("webrtc-pc 4.4.2")
async def test_local_description_is_the_one_that_was_created(peers: Peers, target: Target) -> None:
    pc = trickling(peers, target)
    pc.createDataChannel("chat")
    offer = await pc.createOffer()
    await pc.setLocalDescription(offer)
    kept = ("v=", "o=", "m=", "a=mid", "a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup", "a=sctp-port")

    def essence(sdp: str) -> list[str]:
        # The port of the section tells where candidates have been found so far.
        lines = [line for line in sdp.splitlines() if line.startswith(kept)]
        return [f"{line.split()[0]} {line.split()[2:]}" if line.startswith("m=") else line for line in lines]

    assert essence(local_of(pc).sdp) == essence(offer.sdp)


# --- implicit descriptions ---------------------------------------------------------------------------


@spec("webrtc-pc 4.4.1.5")
async def test_set_local_description_without_argument_makes_what_is_due(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(local_of(answerer))
    assert (offerer.signalingState, answerer.signalingState) == ("stable", "stable")
    assert (local_of(offerer).type, local_of(answerer).type) == ("offer", "answer")


# --- rollback ----------------------------------------------------------------------------------------


@spec("RFC 9429 4.1.10.2")
@requires(Capability.ROLLBACK)
async def test_rollback_of_an_offer_forgets_the_pending_description(peers: Peers, target: Target) -> None:
    scene = Scene(peers, target)
    await scene.bring_to("have-local-offer")
    await scene.apply("local", "rollback")
    assert _types(scene.pc) == {}


@spec("RFC 9429 4.1.10.2")
@requires(Capability.ROLLBACK)
async def test_rollback_returns_mids_of_new_transceivers(peers: Peers, target: Target) -> None:
    pc = trickling(peers, target)
    transceiver = pc.addTransceiver("audio")
    await pc.setLocalDescription()
    assert transceiver.mid is not None
    await pc.setLocalDescription(described("rollback", ""))
    assert transceiver.mid is None


@spec("RFC 9429 4.1.10.2")
@requires(Capability.ROLLBACK)
async def test_rollback_removes_transceivers_that_the_offer_made(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.addTransceiver("audio")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    assert len(answerer.getTransceivers()) == 1
    await answerer.setRemoteDescription(described("rollback", ""))
    assert answerer.getTransceivers() == []


@spec("RFC 9429 4.1.10.2")
@requires(Capability.ROLLBACK)
async def test_negotiation_succeeds_after_rollback(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await offerer.setLocalDescription(described("rollback", ""))
    await negotiate(offerer, answerer)
    assert (offerer.signalingState, answerer.signalingState) == ("stable", "stable")


@spec("RFC 9429 4.1.10.2")
@requires(Capability.ROLLBACK)
async def test_rollback_ignores_its_sdp(peers: Peers, target: Target) -> None:
    scene = Scene(peers, target)
    await scene.bring_to("have-local-offer")
    await scene.pc.setLocalDescription(described("rollback", "this is no SDP"))
    assert scene.pc.signalingState == "stable"


@spec("webrtc-pc 4.4.1.5")
@requires(Capability.ROLLBACK)
async def test_glare_is_resolved_by_the_side_that_gives_way(peers: Peers, pair: Pair) -> None:
    impolite, polite = peers.open_pair(pair)
    for pc in (impolite, polite):
        pc.createDataChannel("chat")
        await pc.setLocalDescription()
    await polite.setRemoteDescription(local_of(impolite))
    await polite.setLocalDescription()
    await impolite.setRemoteDescription(local_of(polite))
    assert (impolite.signalingState, polite.signalingState) == ("stable", "stable")


@spec("webrtc-pc 4.4.1.5")
@requires(Capability.ROLLBACK)
async def test_bad_offer_during_glare_leaves_the_own_offer_pending(peers: Peers, target: Target) -> None:
    scene = Scene(peers, target)
    await scene.bring_to("have-local-offer")
    with pytest.raises(ValueError, match=r"."):
        await scene.pc.setRemoteDescription(described("offer", "garbage"))
    assert _types(scene.pc) == {"pending local": "offer"}


# --- provisional answers -----------------------------------------------------------------------------


@spec("RFC 9429 4.1.10.1")
@requires(Capability.PRANSWER)
async def test_final_answer_may_follow_a_provisional_one(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    answer = await answerer.createAnswer()
    await answerer.setLocalDescription(described("pranswer", answer.sdp))
    await offerer.setRemoteDescription(described("pranswer", local_of(answerer).sdp))
    assert (offerer.signalingState, answerer.signalingState) == ("have-remote-pranswer", "have-local-pranswer")
    await answerer.setLocalDescription(described("answer", (await answerer.createAnswer()).sdp))
    await offerer.setRemoteDescription(described("answer", local_of(answerer).sdp))
    assert (offerer.signalingState, answerer.signalingState) == ("stable", "stable")


# --- renegotiation -----------------------------------------------------------------------------------


@spec("RFC 9429 5.2.2")
async def test_either_side_may_offer_next(peers: Peers, pair: Pair) -> None:
    first, second = peers.open_pair(pair)
    first.createDataChannel("chat")
    await negotiate(first, second)
    await negotiate(second, first)
    await negotiate(first, second)
    assert (first.signalingState, second.signalingState) == ("stable", "stable")


@spec("RFC 9429 5.2.2")
async def test_sections_keep_their_place_and_mid(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    await negotiate(offerer, answerer)
    before = _sections(local_of(offerer).sdp)
    offerer.addTransceiver("audio")
    await negotiate(offerer, answerer)
    after = _sections(local_of(offerer).sdp)
    assert after[: len(before)] == before
    assert [kind for kind, _ in after] == ["application", "audio"]


def _sections(sdp: str) -> list[tuple[str, str]]:
    kinds = [line[2:].split()[0] for line in sdp.splitlines() if line.startswith("m=")]
    mids = [line.removeprefix("a=mid:") for line in sdp.splitlines() if line.startswith("a=mid:")]
    return list(zip(kinds, mids, strict=True))
