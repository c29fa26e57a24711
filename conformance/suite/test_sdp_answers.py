"""Answers: what must be in them, and that nothing is in them that was not offered."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import Phase, given, settings

from conformance.asserts import local_of, negotiate
from conformance.requirements import requires, spec
from conformance.scenes import described, trickling
from conformance.sdp_grammar import check
from conformance.sdp_model import DIRECTIONS, Description, answer_faults, contradictions_in
from conformance.strategies import chosen_settings, offers
from conformance.targets import Pair, Peers, Target
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
    # Who says nothing takes that much.
    assert int((data.values("max-message-size") or ["65536"])[0]) >= 65536


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


UNKNOWN = """v=0
o=- 4611731400430051336 1 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE a v
a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=mid:a
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=setup:actpass
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:v
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=setup:actpass
a=DIRECTION
a=rtcp-mux
a=rtpmap:96 x-of-nobody/90000
""".replace("\n", "\r\n")


@spec("RFC 9429 5.3.1", "RFC 3264 6")
@requires(Capability.AUDIO_OPUS)
@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_section_of_unknown_codecs_alone_is_rejected(peers: Peers, target: Target, direction: str) -> None:
    pc, offer = trickling(peers, target), UNKNOWN.replace("DIRECTION", direction)
    await pc.setRemoteDescription(described("offer", offer))
    answer = (await pc.createAnswer()).sdp
    _prove(offer, answer)
    assert [section.mid for section in Description.of(answer).used] == ["a"]


@spec("RFC 9429 5.3.1", "RFC 3264 6", "RFC 8866 5")
@requires(Capability.AUDIO_OPUS, Capability.VIDEO_VP8)
def test_any_offer_is_answered_with_what_is_in_it(target: Target) -> None:
    # The shortest offer that fails says little more than the first, and takes minutes to find.
    @settings(chosen_settings(), phases=[Phase.explicit, Phase.generate])
    @given(offers())
    def answered(offer: str) -> None:
        asyncio.run(_answer_drawn(target, offer))

    answered()


async def _answer_drawn(target: Target, offer: str) -> None:
    check(offer)
    peers = Peers()
    try:
        pc = trickling(peers, target)
        await pc.setRemoteDescription(described("offer", offer))
        answer = (await pc.createAnswer()).sdp
    finally:
        await peers.close()
    check(answer)
    _prove(offer, answer)
    assert not any(section.is_rejected for section in Description.of(answer).sections)
