"""Session descriptions: what the field sends is read as aiortc reads it; what is damaged is refused with its line."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress

import aiortc
import aiortc.sdp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.shim_tests.sdp_corpus import ANSWERS, CHROME_ANSWER, CHROME_OFFER, DUAL_STACK_OFFER, OFFERS
from conformance.shim_tests.sdp_servers import SERVER_OFFERS
from shim.api import sdp
from shim.spi.errors import InvalidModificationError, OperationError, SdpSyntaxError

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
SECTION_LINE = 8
FIELD = {**OFFERS, **SERVER_OFFERS}
GENEROUS = 5.0
"""Seconds that nothing linear needs for a megabyte, on any machine: quadratic time takes minutes."""


async def _aiortc_pair() -> tuple[str, str]:
    offerer, answerer = aiortc.RTCPeerConnection(), aiortc.RTCPeerConnection()
    try:
        offerer.addTrack(aiortc.AudioStreamTrack())
        offerer.addTrack(aiortc.VideoStreamTrack())
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription(await offerer.createOffer())
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription(await answerer.createAnswer())
        return offerer.localDescription.sdp, answerer.localDescription.sdp
    finally:
        await offerer.close()
        await answerer.close()


@pytest.fixture(scope="module")
def aiortc_pair() -> tuple[str, str]:
    return asyncio.run(asyncio.wait_for(_aiortc_pair(), 20))


def _error(text: str, kind: str = "offer") -> SdpSyntaxError:
    with pytest.raises(SdpSyntaxError) as caught:
        sdp.validate(text, kind)
    return caught.value


# --- what the field sends ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIELD)
def test_an_offer_of_the_field_is_valid(name: str) -> None:
    assert sdp.validate(FIELD[name], "offer").type == "offer"


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_the_field_is_valid(name: str) -> None:
    assert sdp.validate(ANSWERS[name], "answer").media


def test_what_aiortc_generates_is_valid(aiortc_pair: tuple[str, str]) -> None:
    offer, answer = aiortc_pair
    sdp.check_answer_matches(sdp.validate(offer, "offer"), sdp.validate(answer, "answer"))


@pytest.mark.parametrize("name", ["chrome", "firefox", "legacy-sctp"])
def test_an_offer_is_written_as_aiortc_writes_it(name: str) -> None:
    ours = str(sdp.SessionDescription.parse(OFFERS[name]))
    assert ours == str(aiortc.sdp.SessionDescription.parse(OFFERS[name]))


def test_what_aiortc_generates_comes_back_unchanged(aiortc_pair: tuple[str, str]) -> None:
    for text in aiortc_pair:
        assert str(sdp.SessionDescription.parse(text)) == text


@pytest.mark.parametrize("name", FIELD)
def test_writing_and_reading_again_changes_nothing(name: str) -> None:
    once = str(sdp.SessionDescription.parse(FIELD[name]))
    assert str(sdp.SessionDescription.parse(once)) == once


def test_a_chrome_offer_is_understood() -> None:
    description = sdp.SessionDescription.parse(CHROME_OFFER)
    audio, video, data, late = description.media
    assert [media.rejected for media in description.media] == [False] * 4
    assert [candidate.ip.endswith(".local") for candidate in audio.ice_candidates] == [True, False, False]
    assert audio.ice_candidates[2].tcpType == "active"
    assert audio.ice_candidates[0].usernameFragment == "4ZcD"
    assert description.webrtc_track_id(audio) == "1b1d0e1c-7a86-4a6e-9d5c-0a4e6c3f7b11"
    assert video.rtp.codecs[1].parameters == {"apt": 96}
    assert [str(feedback.parameter) for feedback in video.rtp.codecs[0].rtcpFeedback][-1] == "pli"
    assert data.sctpCapabilities is not None
    assert data.sctpCapabilities.maxMessageSize == 262144
    assert late.bundle_only
    assert late.rtp.codecs[0].rtcpFeedback[0].type == "nack"


def test_session_level_attributes_hold_for_every_section() -> None:
    for media in sdp.SessionDescription.parse(OFFERS["firefox"]).media:
        assert media.dtls is not None
        assert [fingerprint.algorithm for fingerprint in media.dtls.fingerprints] == ["sha-256"]


def test_a_rejected_section_needs_nothing() -> None:
    assert sdp.validate(CHROME_ANSWER, "answer").media[1].rejected


def test_spaces_between_format_parameters_do_not_matter() -> None:
    codec = sdp.SessionDescription.parse(CHROME_ANSWER).media[0].rtp.codecs[0]
    assert codec.parameters == {"minptime": 10, "useinbandfec": 1}


def test_a_multicast_scope_and_a_port_count_are_allowed() -> None:
    media = sdp.SessionDescription.parse(DUAL_STACK_OFFER).media[0]
    assert (media.port, media.host, media.ssrc[0].label) == (40001, "198.51.100.4/127", "with:colons")


def test_line_ends_and_blank_lines_do_not_matter() -> None:
    untidy = CHROME_OFFER.replace("\r\n", "\n").replace("a=mid:0\n", "a=mid:0\n\n   \n").rstrip("\n")
    assert sdp.canonical(untidy) == CHROME_OFFER
    assert str(sdp.validate(untidy, "offer")) == str(sdp.validate(CHROME_OFFER, "offer"))


# --- what is refused ---------------------------------------------------------------------------------

DAMAGED = [
    ("a=mid:0", "a=mid", "mid needs a value"),
    ("m=audio 9 ", "m=audio nine ", "media line"),
    ("m=audio 9 ", "m=audio 99999 ", "number from 0 to 65535"),
    ("SAVPF 111 63", "SAVPF 111 72", "cannot be told from RTCP"),
    ("SAVPF 111 63", "SAVPF 111 x", "not a number"),
    ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 opus", "rtpmap"),
    ("a=rtpmap:63 red", "a=rtpmap:111 red", "mapped twice"),
    ("useinbandfec=1", "useinbandfec=yes", "not a number"),
    ("a=rtcp-fb:111 transport-cc", "a=rtcp-fb:111", "rtcp-fb"),
    ("a=setup:actpass", "a=setup:maybe", "setup is one of"),
    ("2113937151 5f2c", "2113937151x 5f2c", "not a number"),
    ("typ srflx", "tip srflx", "not a candidate"),
    ("rport 0", "rport 70000", "number from 0"),
    ("c=IN IP4 0.0.0.0", "c=IN IP5 0.0.0.0", "IN IP4 address"),
    ("a=extmap:1 urn", "a=extmap:one urn", "not a number"),
    ("a=ssrc:1399694169 cname", "a=ssrc:139969416900 cname", "not a number"),
    ("a=max-message-size:262144", "a=max-message-size:-1", "not a number"),
    ("a=fingerprint:sha-256 ", "a=fingerprint:sha-256", "two words"),
    ("a=rtcp-rsize", " a=rtcp-rsize", "lower-case letter"),
    ("a=rtcp-rsize", "a=rtcp\0rsize", "not text"),
    ("a=rtcp-rsize", "a=\ud800", "not text"),
]


@pytest.mark.parametrize(("good", "bad", "reason"), DAMAGED, ids=[bad[:20] for _, bad, _ in DAMAGED])
def test_a_malformed_line_is_named(good: str, bad: str, reason: str) -> None:
    damaged = CHROME_OFFER.replace(good, bad, 1)
    expected = next(
        n for n, (a, b) in enumerate(zip(CHROME_OFFER.split("\n"), damaged.split("\n"), strict=True), 1) if a != b
    )
    error = _error(damaged)
    assert reason in str(error)
    assert f"line {error.line}: " in str(error)
    assert error.line == expected


def test_a_long_line_is_cut_in_the_message() -> None:
    assert len(str(_error(HEAD + "?" * 100_000))) < 250


MISSING = [
    (r"a=ice-ufrag:.*\r\n", "ICE username fragment or password is missing"),
    (r"a=ice-pwd:.*\r\n", "ICE username fragment or password is missing"),
    (r"a=rtcp-mux\r\n", "RTCP mux is not enabled"),
    (r"a=setup:.*\r\n", "DTLS setup attribute is missing"),
    (r"a=fingerprint:.*\r\n", "DTLS fingerprint is missing"),
]


@pytest.mark.parametrize(("pattern", "message"), MISSING)
def test_what_webrtc_demands_is_missed(pattern: str, message: str) -> None:
    error = _error(re.sub(pattern, "", CHROME_OFFER, count=1))
    assert str(error).startswith(message)
    assert error.line == SECTION_LINE
    assert "m= section 0 (audio" in str(error)


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("a=ice-ufrag:4ZcD", "a=ice-ufrag:4Zc", "ICE username fragment has a wrong length"),
        ("a=ice-pwd:2/1muCWo", "a=ice-pwd:", "ICE password has a wrong length"),
        ("sha-256 60:61", "sha-256 60:6g", "DTLS fingerprint is malformed"),
        ("a=mid:1", "a=mid:0", "Duplicate mid"),
        ("BUNDLE 0 1 2 3", "BUNDLE 0 1 2 4", "a=group:BUNDLE names mid '4'"),
    ],
)
def test_what_contradicts_webrtc_is_refused(good: str, bad: str, message: str) -> None:
    assert str(_error(CHROME_OFFER.replace(good, bad, 1))).startswith(message)


@pytest.mark.parametrize("kind", ["answer", "pranswer"])
def test_an_answer_must_choose_a_dtls_role(kind: str) -> None:
    message = "DTLS setup attribute must be 'active' or 'passive' for an answer"
    assert str(_error(CHROME_OFFER, kind)).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "starts with v="),
        ("garbage", "expected 'v=0'"),
        ("v=1\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "expected 'v=0'"),
        ("v=0\r\ns=-\r\nt=0 0\r\n", "expected 'o='"),
        ("v=0\r\no=- 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "six fields"),
        ("v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\n", "no t= line"),
    ],
)
def test_the_session_part_is_checked(text: str, message: str) -> None:
    assert message in str(_error(text))


def test_a_description_that_is_no_string_is_refused() -> None:
    with pytest.raises(SdpSyntaxError, match="must be a string, not NoneType"):
        sdp.validate(None, "offer")  # type: ignore[arg-type]


def test_an_answer_must_have_the_sections_of_the_offer() -> None:
    offer, answer = sdp.validate(CHROME_OFFER, "offer"), sdp.validate(CHROME_ANSWER, "answer")
    with pytest.raises(InvalidModificationError, match="Media sections in answer do not match offer") as caught:
        sdp.check_answer_matches(offer, answer)
    assert "application (mid 2)" in str(caught.value)


def test_errors_are_what_aiortc_and_w3c_applications_catch() -> None:
    assert issubclass(SdpSyntaxError, ValueError)
    assert issubclass(SdpSyntaxError, OperationError)


# --- any input ---------------------------------------------------------------------------------------


def _refuses_or_reads(text: str) -> None:
    for kind in ("offer", "answer"):
        with suppress(SdpSyntaxError):
            sdp.validate(text, kind)
    with suppress(SdpSyntaxError):
        str(sdp.SessionDescription.parse(text))


CORPUS = [*OFFERS.values(), *ANSWERS.values()]


def test_a_description_cut_off_anywhere_is_read_or_refused() -> None:
    for text in CORPUS:
        for end in range(len(text)):
            _refuses_or_reads(text[:end])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CORPUS), st.randoms(use_true_random=False))
def test_shuffled_lines_are_read_or_refused(text: str, random: object) -> None:
    lines = text.split("\r\n")
    random.shuffle(lines)  # type: ignore[attr-defined]
    _refuses_or_reads("\r\n".join(lines))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(CORPUS), st.data())
def test_text_put_anywhere_is_read_or_refused(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    _refuses_or_reads(text[:at] + data.draw(st.text(max_size=12)) + text[at + data.draw(st.integers(0, 12)) :])


@settings(max_examples=100, deadline=None)
@given(st.text() | st.text(alphabet="vostmac=: 0:/\r\n-"))
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(SdpSyntaxError):
        sdp.validate(text, "offer")
    _refuses_or_reads(text)


_MANY_CODECS = "m=video 9 RTP/SAVPF 96\r\n" + "".join(f"a=rtpmap:{n} X/90000\r\n" for n in range(77, 256))
MEGABYTES = {
    "one line": "x" * 1_000_000,
    "one letter": HEAD + "m=audio 9 RTP/AVP " + "9" * 1_000_000,
    "spaces": HEAD + "m=audio 9 " + " " * 1_000_000,
    "blank lines": "\n" * 1_000_000,
    "attributes": HEAD + "a=x\r\n" * 200_000,
    "sections": HEAD + "m=x 0 A x\r\n" * 90_000,
    "sources": HEAD + _MANY_CODECS + "".join(f"a=ssrc:{n} cname:x\r\n" for n in range(45_000)),
    "feedback": HEAD + _MANY_CODECS + "a=rtcp-fb:* x\r\n" * 70_000,
    "fingerprints": HEAD + "a=fingerprint:a b\r\n" * 55_000,
    "candidates": HEAD + _MANY_CODECS + "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n" * 22_000,
}


@pytest.mark.parametrize("name", MEGABYTES)
def test_a_megabyte_is_refused_soon(name: str) -> None:
    started = time.monotonic()
    _error(MEGABYTES[name] + "?")
    assert time.monotonic() - started < GENEROUS


# --- values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "6815297761 1 udp 659136 198.51.100.9 31102 typ host",
        "842163049 1 udp 1677722111 203.0.113.7 60769 typ srflx raddr 192.0.2.1 rport 60769",
        "1052353102 1 tcp 2128609279 2001:db8::1 9 typ host tcptype active",
    ],
)
def test_a_candidate_is_read_and_written_as_in_aiortc(text: str) -> None:
    ours, theirs = sdp.candidate_from_sdp(text), aiortc.sdp.candidate_from_sdp(text)
    assert {**vars(theirs), "usernameFragment": None} == vars(ours)
    assert sdp.candidate_to_sdp(ours) == text


@pytest.mark.parametrize("prefix", ["candidate:", "a=candidate:"])
def test_a_candidate_may_have_its_prefix(prefix: str) -> None:
    assert sdp.candidate_from_sdp(prefix + "1 1 udp 5 192.0.2.1 9 typ host").foundation == "1"


@pytest.mark.parametrize("text", ["", "1 1 udp", "1 1 udp 5 192.0.2.1 9 type host", "1 x udp 5 192.0.2.1 9 typ host"])
def test_a_malformed_candidate_is_refused(text: str) -> None:
    with pytest.raises(SdpSyntaxError):
        sdp.candidate_from_sdp(text)


def test_every_h264_profile_is_read_as_in_aiortc() -> None:
    def outcome(module: object, text: str) -> object:
        try:
            profile, level = module.parse_h264_profile_level_id(text)  # type: ignore[attr-defined]
        except ValueError:
            return None
        return profile.name, level.name

    for idc in (0x42, 0x4D, 0x58, 0x64, 0xF4, 0x00):
        for iop in range(0, 256, 4):
            for level in (0x0A, 0x0B, 0x1F, 0x34, 0x35):
                text = f"{idc:02x}{iop:02X}{level:02x}"
                assert outcome(sdp, text) == outcome(aiortc.sdp, text)
    assert outcome(sdp, "42e0") is None


@pytest.mark.parametrize("text", ["apt=96", "profile-level-id=42e01f;packetization-mode=1", "0-15", "x=a=b"])
def test_format_parameters_are_read_and_written_as_in_aiortc(text: str) -> None:
    assert sdp.parameters_from_sdp(text) == aiortc.sdp.parameters_from_sdp(text)
    assert sdp.parameters_to_sdp(sdp.parameters_from_sdp(text)) == text


def test_addresses_and_lines_are_split_as_in_aiortc() -> None:
    for line in ("IN IP4 192.0.2.1", "IN IP6 2001:db8::1"):
        assert sdp.ipaddress_to_sdp(sdp.ipaddress_from_sdp(line)) == line
    assert sdp.ipaddress_to_sdp("host.example") == "IN IP4 host.example"
    for line in ("a=rtcp-mux", "a=mid:0", "a=label:with:colons"):
        assert sdp.parse_attr(line) == aiortc.sdp.parse_attr(line)
    assert sdp.grouplines(CHROME_OFFER) == aiortc.sdp.grouplines(CHROME_OFFER)


def test_a_track_id_is_asked_of_the_description_that_has_the_section() -> None:
    one, other = sdp.SessionDescription.parse(CHROME_OFFER), sdp.SessionDescription.parse(CHROME_OFFER)
    with pytest.raises(ValueError, match="another description"):
        one.webrtc_track_id(other.media[0])
