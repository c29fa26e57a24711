"""Every description that a backend writes, line by line against the grammar, and against itself."""

from __future__ import annotations

from conformance.asserts import local_of, negotiate
from conformance.requirements import requires, spec
from conformance.scenes import described, trickling
from conformance.sdp_grammar import check
from conformance.sdp_model import Description, contradictions_in
from conformance.targets import Pair, Peers, Target
from shim import Capability, RTCConfiguration, RTCPeerConnection, RTCRtpEncodingParameters

GRAMMAR = spec("RFC 8866 5", "RFC 8866 9", "RFC 8839 5", "RFC 8843 7", "RFC 8285 8")


def _prove(sdp: str, sections: int) -> None:
    """Demand that a description is spelt as the RFCs say, has all its sections and contradicts itself nowhere."""
    check(sdp)
    assert contradictions_in(sdp) == []
    assert len(Description.of(sdp).sections) == sections


def _fill(pc: RTCPeerConnection) -> RTCPeerConnection:
    pc.createDataChannel("chat")
    pc.addTransceiver("audio", streams=("stream-1", "stream-2"))
    pc.addTransceiver("video")
    return pc


@GRAMMAR
async def test_offer_follows_the_grammar(peers: Peers, target: Target) -> None:
    _prove((await _fill(trickling(peers, target)).createOffer()).sdp, 3)


@GRAMMAR
async def test_answer_follows_the_grammar(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    _fill(offerer)
    for kind in ("audio", "video"):
        answerer.addTransceiver(kind)
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    _prove((await answerer.createAnswer()).sdp, 3)


@GRAMMAR
@requires(Capability.ICE_HOST)
async def test_description_with_candidates_follows_the_grammar(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    await negotiate(_fill(offerer), answerer)
    for pc in (offerer, answerer):
        assert " typ host" in local_of(pc).sdp
        _prove(local_of(pc).sdp, 3)


@GRAMMAR
async def test_later_offer_and_answer_follow_the_grammar(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    await negotiate(_fill(offerer), answerer)
    offerer.addTransceiver("video", "sendonly")
    answerer.getTransceivers()[0].direction = "inactive"
    await negotiate(offerer, answerer)
    for pc in (offerer, answerer):
        _prove(local_of(pc).sdp, 4)
    _prove((await answerer.createOffer()).sdp, 4)


@GRAMMAR
@requires(Capability.ICE_RESTART)
async def test_offer_of_a_restart_follows_the_grammar(peers: Peers, target: Target) -> None:
    offerer, answerer = _fill(trickling(peers, target)), trickling(peers, target)
    await negotiate(offerer, answerer)
    offerer.restartIce()
    _prove((await offerer.createOffer()).sdp, 3)


@GRAMMAR
@requires(Capability.TRANSCEIVER_STOP)
async def test_rejected_sections_follow_the_grammar(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(trickle=True))
    await negotiate(_fill(offerer), answerer)
    offerer.getTransceivers()[1].stop()
    await negotiate(offerer, answerer)
    for pc in (offerer, answerer):
        assert len(Description.of(local_of(pc).sdp).used) == 2
        _prove(local_of(pc).sdp, 3)


@GRAMMAR
@spec("RFC 8853 5.1", "RFC 8851 10")
@requires(Capability.SIMULCAST)
async def test_offer_of_layers_follows_the_grammar(peers: Peers, target: Target) -> None:
    pc = trickling(peers, target)
    layers = [RTCRtpEncodingParameters(rid=rid, scaleResolutionDownBy=by) for rid, by in (("q", 4), ("h", 2), ("f", 1))]
    pc.addTransceiver("video", sendEncodings=layers)
    offer = (await pc.createOffer()).sdp
    _prove(offer, 1)
    assert list(Description.of(offer).sections[0].rids) == ["q", "h", "f"]


@GRAMMAR
@requires(Capability.ROLLBACK)
async def test_offer_after_a_rollback_follows_the_grammar(peers: Peers, target: Target) -> None:
    offerer, answerer = _fill(trickling(peers, target)), trickling(peers, target)
    await negotiate(offerer, answerer)
    offerer.addTransceiver("audio")
    await offerer.setLocalDescription()
    await offerer.setLocalDescription(described("rollback", ""))
    _prove((await offerer.createOffer()).sdp, 4)
