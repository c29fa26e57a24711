"""Descriptions as the browsers, servers and libraries of the field write them: offers answered, answers taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import pytest

from conformance.asserts import local_of
from conformance.requirements import requires, spec
from conformance.scenes import described, trickling
from conformance.sdp_grammar import check
from conformance.sdp_model import Description, Section, answer_faults, contradictions_in
from conformance.shim_tests.sdp_corpus import OFFERS
from conformance.shim_tests.sdp_servers import SERVER_OFFERS
from conformance.targets import Peers, Target
from shim import Capability

pytestmark = requires(Capability.ICE_HOST)

FIELD: Final = {**OFFERS, **SERVER_OFFERS}
FINGERPRINT: Final = ":".join(f"{value:02X}" for value in range(0x40, 0x60))
CHOSEN: Final = {"audio": "opus/48000/2", "video": "vp8/90000"}


@spec("RFC 9429 5.3.1", "RFC 9429 5.8", "RFC 3264 6")
@requires(Capability.AUDIO_OPUS, Capability.VIDEO_VP8)
@pytest.mark.parametrize("name", FIELD)
async def test_offer_of_the_field_is_answered_with_what_is_in_it(peers: Peers, target: Target, name: str) -> None:
    pc = trickling(peers, target)
    await pc.setRemoteDescription(described("offer", FIELD[name]))
    await pc.setLocalDescription()
    answer = local_of(pc).sdp
    check(answer)
    assert contradictions_in(answer) == []
    assert answer_faults(FIELD[name], answer) == []
    assert not any(section.is_rejected for section in Description.of(answer).sections)


# --- answers -----------------------------------------------------------------------------------------


def _lines(*parts: Iterable[str]) -> str:
    return "".join(f"{line}\r\n" for part in parts for line in part)


def _codec(section: Section) -> tuple[str, list[str]]:
    """Return the payload type that everybody chooses, and its lines; for data, what the m= line needs."""
    if not section.is_rtp:
        return section.formats[0], ["a=sctp-port:5000", "a=max-message-size:65536"]
    number = next(number for number, name in section.codecs.items() if name == CHOSEN[section.kind])
    spelt = next(value for value in section.values("rtpmap") if value.startswith(f"{number} "))
    return number, ["a=recvonly", "a=rtcp-mux", f"a=rtpmap:{spelt}"]


def _head(name: str, *lines: str) -> list[str]:
    return ["v=0", f"o={name} 1732361112223334 1 IN IP4 198.51.100.7", f"s={name}", "t=0 0", *lines]


def _as_a_lite_server(offer: Description) -> str:
    """ICE lite, one address for everything, the fingerprint and the role for all sections at once."""
    mids = " ".join(str(section.mid) for section in offer.sections)
    parts = [_head("server", "a=ice-lite", f"a=group:BUNDLE {mids}", f"a=fingerprint:sha-256 {FINGERPRINT}")]
    for section in offer.sections:
        number, lines = _codec(section)
        parts.append([f"m={section.kind} 7 {section.protocol} {number}", "c=IN IP4 127.0.0.1", *lines])
        parts.append([f"a=mid:{section.mid}", "a=setup:passive", "a=ice-ufrag:v8c6x4z2m0n1b3q5"])
        parts.append(["a=ice-pwd:p0o9i8u7y6t5r4e3w2q1a2s3d4f5g6h7", "a=ice-options:renomination"])
        parts.append(["a=candidate:udpcandidate 1 udp 1076302079 198.51.100.10 40533 typ host", "a=end-of-candidates"])
    return _lines(*parts)


def _as_a_gateway(offer: Description) -> str:
    """No bundle, an address of its own for every section, attributes of nobody, a limit, no data channels."""
    parts = [_head("gateway", "a=x-of-nobody:in the session")]
    for index, section in enumerate(offer.sections):
        if not section.is_rtp:
            parts.append([f"m={section.kind} 0 {section.protocol} {section.formats[0]}", "c=IN IP4 0.0.0.0"])
            parts.append([f"a=mid:{section.mid}", "a=inactive"])
            continue
        number, lines = _codec(section)
        port = 20000 + 2 * index
        parts.append([f"m={section.kind} {port} {section.protocol} {number}", "c=IN IP4 198.51.100.7", "b=AS:500"])
        parts.append([*lines, "a=ptime:20", f"a=mid:{section.mid}", "a=setup:active"])
        parts.append([f"a=fingerprint:sha-256 {FINGERPRINT}", f"a=ice-ufrag:gate{index}"])
        parts.append([f"a=ice-pwd:uY7tG5rF3eD1wS9qA8zX6c{index}", "a=x-of-nobody"])
        parts.append([f"a=candidate:1 1 udp 2015363327 198.51.100.7 {port} typ host", "a=end-of-candidates"])
    return _lines(*parts)


def _as_firefox(offer: Description) -> str:
    """The fingerprint of the session, and attributes in alphabetical order."""
    mids = " ".join(str(section.mid) for section in offer.sections)
    session = [f"a=fingerprint:sha-256 {FINGERPRINT}", f"a=group:BUNDLE {mids}", "a=ice-options:trickle"]
    parts = [_head("mozilla...THIS_IS_SDPARTA-99.0", *session, "a=msid-semantic:WMS *")]
    for section in offer.sections:
        number, lines = _codec(section)
        transport = ["a=ice-pwd:f1a2b3c4d5e6f708192a3b4c5d6e7f80", "a=ice-ufrag:5e0ad11f", "a=setup:active"]
        parts.append([f"m={section.kind} 9 {section.protocol} {number}", "c=IN IP4 0.0.0.0"])
        parts.append(sorted([*lines, *transport, f"a=mid:{section.mid}"]))
    return _lines(*parts)


ANSWERERS: Final[dict[str, Callable[[Description], str]]] = {
    "lite server": _as_a_lite_server,
    "gateway": _as_a_gateway,
    "firefox": _as_firefox,
}


@spec("RFC 9429 5.11", "RFC 8839 5.3", "RFC 8843 7.5")
@requires(Capability.AUDIO_OPUS, Capability.VIDEO_VP8)
@pytest.mark.parametrize("name", ANSWERERS)
async def test_answer_of_the_field_is_taken(peers: Peers, target: Target, name: str) -> None:
    pc = trickling(peers, target)
    pc.addTransceiver("audio")
    pc.addTransceiver("video")
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    answer = ANSWERERS[name](Description.of(local_of(pc).sdp))
    check(answer)
    assert answer_faults(local_of(pc).sdp, answer) == []
    await pc.setRemoteDescription(described("answer", answer))
    assert pc.signalingState == "stable"
    assert [transceiver.currentDirection for transceiver in pc.getTransceivers()] == ["sendonly", "sendonly"]
    assert [
        [codec.mimeType.lower() for codec in transceiver.sender.getParameters().codecs]
        for transceiver in pc.getTransceivers()
    ] == [["audio/opus"], ["video/vp8"]]
