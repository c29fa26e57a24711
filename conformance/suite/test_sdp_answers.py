"""Answers: what must be in them, and that nothing is in them that was not offered."""

from __future__ import annotations

import re

import pytest

from conformance.asserts import local_of, negotiate
from conformance.requirements import requires, spec
from conformance.sdp_model import Description, answer_faults, contradictions_in
from conformance.targets import Pair, Peers
from shim import (
    Capability,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpEncodingParameters,
    RTCRtpSender,
    use_backend,
)


async def _answered(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> tuple[str, str]:
    """Return an offer and what `answerer` makes of it; neither is in force then."""
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    return local_of(offerer).sdp, (await answerer.createAnswer()).sdp


async def _full_answer(peers: Peers, pair: Pair) -> Description:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    _fill(offerer)
    return Description.of((await _answered(offerer, answerer))[1])


def _fill(pc: RTCPeerConnection) -> None:
    pc.createDataChannel("chat")
    pc.addTransceiver("audio")
    pc.addTransceiver("video")


# --- what must be there ------------------------------------------------------------------------------


@spec("RFC 9429 5.3.1", "RFC 8843 7.3")
async def test_answer_bundles_everything_that_was_offered_so(peers: Peers, pair: Pair) -> None:
    answer = await _full_answer(peers, pair)
    assert answer.bundles == [[section.mid for section in answer.sections]]
    assert not any(section.has("bundle-only") for section in answer.sections)


@spec("RFC 9429 5.3.1", "RFC 5761 5.1.1")
async def test_answer_multiplexes_rtcp(peers: Peers, pair: Pair) -> None:
    assert all(section.has("rtcp-mux") for section in (await _full_answer(peers, pair)).sections if section.is_rtp)


@spec("RFC 8122 5", "RFC 9429 5.3.1")
async def test_every_section_of_an_answer_has_a_sha256_fingerprint(peers: Peers, pair: Pair) -> None:
    for section in (await _full_answer(peers, pair)).sections:
        prints = section.values("fingerprint", inherit=True)
        assert any(re.fullmatch(r"sha-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}", value) for value in prints)


@spec("RFC 9429 5.3.1", "RFC 8839 5.4")
async def test_every_section_of_an_answer_has_ice_credentials(peers: Peers, pair: Pair) -> None:
    for section in (await _full_answer(peers, pair)).sections:
        assert 4 <= len(section.values("ice-ufrag", inherit=True)[0]) <= 256
        assert 22 <= len(section.values("ice-pwd", inherit=True)[0]) <= 256


@spec("RFC 7874 3", "RFC 7742 5", "RFC 9429 5.3.1")
@requires(Capability.AUDIO_OPUS, Capability.VIDEO_VP8)
async def test_mandatory_codecs_are_answered(peers: Peers, pair: Pair) -> None:
    audio, video = (set(s.codecs.values()) for s in (await _full_answer(peers, pair)).sections if s.is_rtp)
    assert {"opus/48000/2", "pcmu/8000"} <= audio
    assert "vp8/90000" in video


@spec("RFC 8841 5", "RFC 8841 6")
async def test_answer_has_the_port_and_the_limit_of_sctp(peers: Peers, pair: Pair) -> None:
    (data,) = (section for section in (await _full_answer(peers, pair)).sections if section.kind == "application")
    assert data.values("sctp-port") == ["5000"]
    assert int(data.values("max-message-size")[0]) >= 65536


# --- nothing else ------------------------------------------------------------------------------------


def _prove(offer: str, answer: str) -> None:
    assert answer_faults(offer, answer) == []
    assert contradictions_in(answer) == []


@spec("RFC 9429 5.3.1", "RFC 3264 6.1", "RFC 8285 7", "RFC 4585 4.2", "RFC 8843 7.3")
async def test_answer_takes_only_what_was_offered(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    _fill(offerer)
    for kind in ("video", "audio"):
        answerer.addTransceiver(kind)
    _prove(*await _answered(offerer, answerer))


@spec("RFC 9429 5.3.2", "RFC 3264 8")
async def test_later_answer_takes_only_what_was_offered(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    _fill(offerer)
    await negotiate(offerer, answerer)
    answerer.addTransceiver("video", "sendonly")
    _prove(*await _answered(answerer, offerer))


@spec("RFC 9429 5.3.1", "RFC 3264 6.1")
@requires(Capability.CODEC_PREFERENCES, of="offerer")
@pytest.mark.parametrize("codec", ["audio/PCMU", "video/VP8"])
async def test_only_codec_that_was_offered_is_the_only_one_answered(peers: Peers, pair: Pair, codec: str) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    kind = "audio" if codec.startswith("audio") else "video"
    with use_backend(pair.offerer.name):
        known = RTCRtpSender.getCapabilities(kind).codecs
    chosen = [found for found in known if found.mimeType.lower() == codec.lower()]
    offerer.addTransceiver(kind).setCodecPreferences(chosen)
    offer, answer = await _answered(offerer, answerer)
    _prove(offer, answer)
    assert {told.split("/")[0] for told in Description.of(answer).sections[0].codecs.values()} == {codec[6:].lower()}


@spec("RFC 8853 5.3.2", "RFC 8851 6.2")
@requires(Capability.SIMULCAST, of="offerer")
async def test_answer_takes_only_layers_that_were_offered(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    layers = [RTCRtpEncodingParameters(rid=rid, scaleResolutionDownBy=by) for rid, by in (("q", 4), ("f", 1))]
    offerer.addTransceiver("video", "sendonly", sendEncodings=layers)
    _prove(*await _answered(offerer, answerer))


@spec("RFC 9429 5.3.1", "RFC 3264 6")
@requires(Capability.TRANSCEIVER_STOP, of="offerer")
async def test_rejected_section_stays_rejected_in_the_answer(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    _fill(offerer)
    await negotiate(offerer, answerer)
    offerer.getTransceivers()[1].stop()
    offer, answer = await _answered(offerer, answerer)
    _prove(offer, answer)
    assert [section.is_rejected for section in Description.of(answer).sections].count(True) == 1
