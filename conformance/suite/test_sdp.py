"""Session descriptions: what generated ones must contain, and what hostile ones must not do."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings

from conformance.asserts import connect, local_of, negotiate
from conformance.reference import ANSWER_DIRECTIONS
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.scenes import described, trickling
from conformance.shim_tests.sdp_corpus import OFFERS
from conformance.strategies import EXAMPLES, mutilations
from conformance.targets import REFERENCE, Pair, Peers, ReferenceTarget, Target
from shim import Capability, NotSupportedError, OperationError, RTCConfiguration, RTCIceCandidate, RTCPeerConnection

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
CHANCE = ("o=", "a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:sha-256 ", "a=ssrc:", "a=ssrc-group:[A-Z]+ ", "a=msid:")
"""What stands before values that chance makes."""


async def _full_offer(peers: Peers, target: Target) -> str:
    return (await _fill(trickling(peers, target)).createOffer()).sdp


def _fill(pc: RTCPeerConnection) -> RTCPeerConnection:
    pc.createDataChannel("chat")
    pc.addTransceiver("audio")
    pc.addTransceiver("video")
    return pc


def _comparable(sdp: str) -> str:
    """Put a word in place of what is different in each session, so that what is left are differences of engines."""
    return re.sub(rf"(?m)^({'|'.join(CHANCE)})[^\r\n]+", r"\1*", sdp)


def _split(sdp: str) -> list[list[str]]:
    """Return the session part, and each media section, as lines."""
    parts = re.split(r"(?m)^(?=m=)", sdp.replace("\r\n", "\n"))
    return [part.splitlines() for part in parts]


def _values(section: list[str], attribute: str) -> list[str]:
    return [line.partition(":")[2] for line in section if line.startswith(f"a={attribute}:")]


def _direction(section: list[str]) -> str:
    return next((line[2:] for line in section if line[2:] in DIRECTIONS), "sendrecv")


# --- what is generated -------------------------------------------------------------------------------


@spec("RFC 8866 5")
async def test_offer_starts_with_the_lines_of_the_grammar(peers: Peers, target: Target, evidence: Evidence) -> None:
    sdp = await _full_offer(peers, target)
    other = (await _fill(peers.open(ReferenceTarget(REFERENCE))).createOffer()).sdp
    evidence.sdp_diff(_comparable(other), _comparable(sdp), (REFERENCE, str(target)))
    session = _split(sdp)[0]
    assert [line[:2] for line in session[:3]] == ["v=", "o=", "s="]
    assert any(line.startswith("t=") for line in session)


@spec("RFC 8866 5")
async def test_offer_has_crlf_after_every_line(peers: Peers, target: Target) -> None:
    sdp = await _full_offer(peers, target)
    assert sdp.endswith("\r\n")
    assert sdp.count("\n") == sdp.count("\r\n")


@spec("RFC 9429 5.2.1")
async def test_every_section_has_a_mid_of_its_own(peers: Peers, target: Target) -> None:
    mids = [_values(section, "mid") for section in _split(await _full_offer(peers, target))[1:]]
    assert all(len(mid) == 1 for mid in mids)
    assert len({mid[0] for mid in mids}) == len(mids) == 3


@spec("RFC 8843 7.2")
async def test_bundle_group_names_every_section(peers: Peers, target: Target) -> None:
    session, *sections = _split(await _full_offer(peers, target))
    bundles = [sorted(value.split()[1:]) for value in _values(session, "group") if value.startswith("BUNDLE")]
    assert bundles == [sorted(_values(section, "mid")[0] for section in sections)]


@spec("RFC 9429 5.2.1")
async def test_rtp_sections_offer_rtcp_mux(peers: Peers, target: Target) -> None:
    sections = _split(await _full_offer(peers, target))[1:]
    assert all("a=rtcp-mux" in section for section in sections if not section[0].startswith("m=application"))


@spec("RFC 8122 5", "RFC 9429 5.2.1")
async def test_every_section_has_a_sha256_fingerprint(peers: Peers, target: Target) -> None:
    session, *sections = _split(await _full_offer(peers, target))
    for section in sections:
        prints = _values(section, "fingerprint") or _values(session, "fingerprint")
        assert any(re.fullmatch(r"sha-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}", value, re.IGNORECASE) for value in prints)


@spec("RFC 9429 5.2.1", "RFC 8839 5.4")
async def test_every_section_has_ice_credentials(peers: Peers, target: Target) -> None:
    for section in _split(await _full_offer(peers, target))[1:]:
        assert 4 <= len(_values(section, "ice-ufrag")[0]) <= 256
        assert 22 <= len(_values(section, "ice-pwd")[0]) <= 256


@spec("RFC 9429 5.2.1")
async def test_offer_leaves_the_dtls_role_open(peers: Peers, target: Target) -> None:
    sections = _split(await _full_offer(peers, target))[1:]
    assert {_values(section, "setup")[0] for section in sections} == {"actpass"}


@spec("RFC 8842 5.3")
async def test_answer_takes_a_dtls_role(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    section = _split((await answerer.createAnswer()).sdp)[1]
    assert _values(section, "setup")[0] in {"active", "passive"}


@spec("RFC 9429 5.2.1")
@pytest.mark.parametrize("kind", ["audio", "video"])
@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_offer_states_the_direction(peers: Peers, target: Target, kind: str, direction: str) -> None:
    pc = trickling(peers, target)
    pc.addTransceiver(kind, direction)  # type: ignore[arg-type]
    assert _direction(_split((await pc.createOffer()).sdp)[1]) == direction


@spec("RFC 3264 6.1", "RFC 9429 5.3.1")
@pytest.mark.parametrize(("offered", "wanted"), ANSWER_DIRECTIONS, ids=str)
async def test_answer_intersects_directions(peers: Peers, target: Target, offered: str, wanted: str) -> None:
    offerer, answerer = trickling(peers, target), trickling(peers, target)
    offerer.addTransceiver("audio", offered)  # type: ignore[arg-type]
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    answerer.getTransceivers()[0].direction = wanted  # type: ignore[assignment]
    section = _split((await answerer.createAnswer()).sdp)[1]
    assert _direction(section) == ANSWER_DIRECTIONS[offered, wanted]


@spec("RFC 7874 3", "RFC 7742 5")
@pytest.mark.parametrize(("kind", "codec"), [("audio", "opus/48000/2"), ("audio", "PCMU/8000"), ("video", "VP8/90000")])
@requires(Capability.AUDIO_OPUS, Capability.VIDEO_VP8)
async def test_mandatory_codec_is_offered(peers: Peers, target: Target, kind: str, codec: str) -> None:
    pc = trickling(peers, target)
    pc.addTransceiver(kind)
    section = _split((await pc.createOffer()).sdp)[1]
    assert any(value.partition(" ")[2].lower() == codec.lower() for value in _values(section, "rtpmap"))


@spec("RFC 9429 5.2.1")
async def test_every_payload_type_of_the_m_line_is_explained(peers: Peers, target: Target) -> None:
    for section in _split(await _full_offer(peers, target))[2:]:
        kind = section[0][2:].split()[0]
        if kind == "application":
            continue
        types = section[0].split()[3:]
        assert set(types) == {value.split()[0] for value in _values(section, "rtpmap")}


@spec("RFC 8285 5")
async def test_header_extensions_have_ids_of_their_own(peers: Peers, target: Target) -> None:
    for section in _split(await _full_offer(peers, target))[1:]:
        ids = [value.split()[0].split("/")[0] for value in _values(section, "extmap")]
        assert len(set(ids)) == len(ids)
        assert all(0 < int(number) < 256 for number in ids)


@spec("RFC 8841 5")
async def test_data_section_has_port_and_protocol_of_sctp(peers: Peers, target: Target) -> None:
    pc = trickling(peers, target)
    pc.createDataChannel("chat")
    section = _split((await pc.createOffer()).sdp)[1]
    assert section[0].split()[2:] == ["UDP/DTLS/SCTP", "webrtc-datachannel"]
    assert _values(section, "sctp-port") == ["5000"]


@spec("RFC 8830 2")
async def test_sent_track_is_announced_with_its_streams(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    offerer.addTransceiver("audio", streams=("stream-1",))
    await offerer.setLocalDescription()
    section = _split(local_of(offerer).sdp)[1]
    assert any(value.split()[0] == "stream-1" for value in _values(section, "msid"))
    await answerer.setRemoteDescription(local_of(offerer))
    assert len(answerer.getReceivers()) == 1


@spec("RFC 9429 5.2.2")
async def test_session_id_stays_and_version_rises(peers: Peers, target: Target) -> None:
    offerer, answerer = trickling(peers, target), trickling(peers, target)
    offerer.createDataChannel("chat")
    await negotiate(offerer, answerer)
    before = _split(local_of(offerer).sdp)[0][1].split()
    offerer.addTransceiver("audio")
    await negotiate(offerer, answerer)
    after = _split(local_of(offerer).sdp)[0][1].split()
    assert after[1] == before[1]
    assert int(after[2]) > int(before[2])


@spec("webrtc-pc 5.4")
@requires(Capability.TRANSCEIVER_STOP)
async def test_stopped_transceiver_does_not_change_the_answer(peers: Peers, target: Target) -> None:
    offerer, answerer = trickling(peers, target), trickling(peers, target)
    offerer.addTransceiver("audio")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    answerer.getTransceivers()[0].stop()
    assert _ports((await answerer.createAnswer()).sdp) != ["0"]


@spec("RFC 9429 5.2.2", "webrtc-pc 5.4")
@requires(Capability.TRANSCEIVER_STOP)
async def test_stopped_section_is_rejected_in_the_next_offer(peers: Peers, target: Target) -> None:
    offerer, answerer = trickling(peers, target), trickling(peers, target)
    transceiver = offerer.addTransceiver("audio")
    offerer.addTransceiver("video")
    await negotiate(offerer, answerer)
    transceiver.stop()
    audio, video = _ports((await offerer.createOffer()).sdp)
    assert (audio, video != "0") == ("0", True)


def _ports(sdp: str) -> list[str]:
    return [section[0].split()[1] for section in _split(sdp)[1:]]


@spec("RFC 8829 5.8")
async def test_own_offer_is_understood_by_the_other(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.createDataChannel("chat")
    offerer.addTransceiver("audio")
    offerer.addTransceiver("video")
    await connect(offerer, answerer)
    assert [t.kind for t in answerer.getTransceivers()] == ["audio", "video"]


@spec("RFC 9429 5.8", "RFC 9429 5.3.1")
@requires(Capability.ICE_HOST)
@pytest.mark.parametrize("name", OFFERS)
async def test_offer_of_the_field_is_answered(peers: Peers, target: Target, name: str) -> None:
    """Offers as other implementations write them: a section is answered in its place, under its mid."""
    pc = trickling(peers, target)
    await pc.setRemoteDescription(described("offer", OFFERS[name]))
    await pc.setLocalDescription()
    offered, answered = _split(OFFERS[name])[1:], _split(local_of(pc).sdp)[1:]
    assert [_values(section, "mid") for section in answered] == [_values(section, "mid") for section in offered]
    assert [section[0].split()[0] for section in answered] == [section[0].split()[0] for section in offered]
    assert pc.signalingState == "stable"


@spec("RFC 8839 5.1")
@requires(Capability.ICE_HOST)
@pytest.mark.parametrize("component", [1, 2])
async def test_peer_reflexive_candidates_are_taken(peers: Peers, target: Target, component: int) -> None:
    offerer, answerer = trickling(peers, target), trickling(peers, target)
    offerer.addTransceiver("audio")
    offer = (await offerer.createOffer()).sdp
    line = f"candidate:1 {component} udp 1 198.51.100.4 4000{component} typ prflx raddr 10.0.0.1 rport 1"
    await answerer.setRemoteDescription(described("offer", f"{offer}a={line}\r\n"))
    await answerer.setLocalDescription()
    late = RTCIceCandidate(component, "2", "198.51.100.5", 40003, 1, "udp", "prflx", sdpMid="0", sdpMLineIndex=0)
    await answerer.addIceCandidate(late)
    assert answerer.remoteDescription is not None
    assert "198.51.100.4" in answerer.remoteDescription.sdp


# --- hostile descriptions ----------------------------------------------------------------------------

HOSTILE = {
    "empty": "",
    "garbage": "garbage",
    "binary": "".join(map(chr, range(1, 256))),
    "one megabyte of x": "x" * 1_000_000,
    "one megabyte of attributes": "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" + "a=x\r\n" * 200_000 + "m=",
    "only the version": "v=0\r\n",
    "wrong version": "v=1\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
    "m-line without port": "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio\r\n",
    "ten thousand sections": "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 10_000,
    "no fingerprint": "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
    "a=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=rtcp-mux\r\na=setup:actpass\r\n",
    "nul in a line": "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=\0\r\nt=0 0\r\nm=audio 9 \0 0\r\n",
}


@spec("RFC 8829 5.8.1")
@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_offer_is_refused_as_a_value_error(peers: Peers, target: Target, name: str) -> None:
    pc = trickling(peers, target)
    with pytest.raises(ValueError, match=r"\w") as caught:
        await pc.setRemoteDescription(described("offer", HOSTILE[name]))
    assert isinstance(caught.value, OperationError)
    assert (pc.signalingState, pc.remoteDescription) == ("stable", None)


@spec("RFC 8829 5.8.1")
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
async def test_truncated_offer_is_refused_or_harmless(peers: Peers, target: Target, share: float) -> None:
    sdp = await _full_offer(peers, target)
    pc = trickling(peers, target)
    try:
        await pc.setRemoteDescription(described("offer", sdp[: int(len(sdp) * share)]))
    except ValueError:
        assert pc.signalingState == "stable"
    else:
        assert pc.signalingState == "have-remote-offer"


@spec("webrtc-pc 4.4.1.5")
async def test_connection_works_after_a_refused_description(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    with pytest.raises(ValueError, match=r"\w"):
        await answerer.setRemoteDescription(described("offer", "garbage"))
    offerer.createDataChannel("chat")
    await connect(offerer, answerer)


@spec("RFC 9429 5.3.1")
async def test_answer_with_other_sections_than_the_offer_is_refused(peers: Peers, target: Target) -> None:
    offerer, other, answerer = (trickling(peers, target) for _ in range(3))
    offerer.createDataChannel("chat")
    other.addTransceiver("audio")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(await other.createOffer())
    answer = await answerer.createAnswer()
    with pytest.raises(ValueError, match="do not match"):
        await offerer.setRemoteDescription(answer)
    assert offerer.signalingState == "have-local-offer"


@spec("RFC 8866 5")
@requires(Capability.ROLLBACK)
def test_mutilated_offer_is_refused_or_harmless(target: Target) -> None:
    pristine = asyncio.run(_offer_of(target))

    @settings(EXAMPLES)
    @given(mutilations(pristine))
    def never_anything_else(sdp: str) -> None:
        asyncio.run(_set_and_forget(target, sdp))

    never_anything_else()


async def _offer_of(target: Target) -> str:
    peers = Peers()
    try:
        return await _full_offer(peers, target)
    finally:
        await peers.close()


async def _set_and_forget(target: Target, sdp: str) -> None:
    async with RTCPeerConnection(RTCConfiguration(trickle=True), backend=target.name) as pc:
        with suppress(ValueError, NotSupportedError):
            await pc.setRemoteDescription(described("offer", sdp))
            await pc.createAnswer()


# --- what mutants taught -----------------------------------------------------------------------------


@spec("RFC 9429 5.2.1", "RFC 8840 4.1.1")
@requires(Capability.TRICKLE)
async def test_every_section_says_that_candidates_trickle(peers: Peers, target: Target) -> None:
    session, *sections = _split(await _full_offer(peers, target))
    for section in sections:
        options = _values(section, "ice-options") or _values(session, "ice-options")
        assert any("trickle" in value.split() for value in options)
