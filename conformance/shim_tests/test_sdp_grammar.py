"""The suite's grammar of descriptions: good lines pass, and each bad one is named with its number and its rule."""

from __future__ import annotations

import pytest

from conformance.sdp_grammar import Fault, GrammarError, check, faults_of
from conformance.sdp_model import answer_faults, contradictions_in
from conformance.shim_tests.sdp_corpus import ANSWERS, CHROME_OFFER, OFFERS
from conformance.shim_tests.sdp_servers import AGAINST_THE_GRAMMAR, SERVER_OFFERS

HEAD = ("v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0")
PORT = "m=audio 9 UDP/TLS/RTP/SAVPF 0"


def _sdp(*lines: str) -> str:
    return "".join(f"{line}\r\n" for line in lines)


def _faults(*lines: str) -> list[Fault]:
    return faults_of(_sdp(*lines))


# --- single lines ------------------------------------------------------------------------------------

GOOD = [
    "a=candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host",
    "a=candidate:a+/Z 1 UDP 1 2001:db8::1 1 typ srflx raddr 0.0.0.0 rport 9 generation 0 ufrag x network-cost 999",
    "a=candidate:2 1 tcp 1518280447 9e1c.local 9 typ host tcptype active",
    "a=ice-ufrag:c/1k",
    "a=ice-options:trickle ice2",
    "a=fingerprint:sha-256 00:1A:FF",
    "a=setup:actpass",
    "a=mid:audio-0",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10; useinbandfec=1",
    "a=rtcp-fb:* nack",
    "a=rtcp-fb:96 ccm fir",
    "a=rtcp-fb:96 trr-int 100",
    "a=extmap:1/sendonly urn:ietf:params:rtp-hdrext:toffset",
    "a=extmap:4097 http://example.org/extension with attributes",
    "a=msid:- 55d9cd2e",
    "a=msid:{2c5b8f1e} {b8d1c9c0}",
    "a=ssrc:4294967295 cname:x y",
    "a=ssrc-group:SIM 1 2 3",
    "a=rid:h send",
    "a=rid:h send pt=96,97;max-width=1280;max-fps=30",
    "a=rid:h recv max-height=720;depend=l,m",
    "a=simulcast:send h;~m,l recv x",
    "a=sctp-port:5000",
    "a=max-message-size:0",
    "a=rtcp:9 IN IP6 ::",
    "a=rtcp:9",
    "a=ptime:20",
    "a=maxptime:2.5",
    "a=sendonly",
    "a=x-of-somebody",
    "a=x-of-somebody:with a value: \u00fc",
]


@pytest.mark.parametrize("line", GOOD)
def test_good_line_is_allowed(line: str) -> None:
    assert _faults(*HEAD, PORT, line) == []


BAD = [
    ("a=candidate:1 1 udp 2130706431 192.0.2.1 54321 host", "RFC 8839 5.1"),
    ("a=candidate:1 1 udp 2130706431 192.0.2.1 65536 typ host", "RFC 8839 5.1"),
    ("a=candidate:1 1 udp 2130706431 300.0.2.1 5 typ host", "RFC 8839 5.1"),
    ("a=candidate:f-1 1 udp 1 192.0.2.1 5 typ host", "RFC 8839 5.1"),
    ("a=candidate:1 1 udp 1 192.0.2.1 5 typ host generation", "RFC 8839 5.1"),
    ("a=ice-ufrag:abc", "RFC 8839 5.4"),
    ("a=ice-pwd:tooshort", "RFC 8839 5.4"),
    ("a=ice-options:", "RFC 8839 5.6"),
    ("a=fingerprint:sha-256 00:1a", "RFC 8122 5"),
    ("a=fingerprint:sha-256", "RFC 8122 5"),
    ("a=setup:maybe", "RFC 8842 5.3"),
    ("a=mid", "RFC 5888 4"),
    ("a=mid:a b", "RFC 5888 4"),
    ("a=rtpmap:111 opus", "RFC 8866 6.6"),
    ("a=rtpmap:111 opus/48000/0", "RFC 8866 6.6"),
    ("a=fmtp:111", "RFC 8866 6.15"),
    ("a=rtcp-fb:96", "RFC 4585 4.2"),
    ("a=extmap:1/both urn:x", "RFC 8285 8"),
    ("a=extmap:1", "RFC 8285 8"),
    ("a=msid:one two three", "RFC 8830 2"),
    ("a=ssrc:x cname:y", "RFC 5576 4.1"),
    ("a=ssrc-group: 1 2", "RFC 5576 4.2"),
    ("a=rid:h both", "RFC 8851 10"),
    ("a=rid:h send max-width=wide", "RFC 8851 10"),
    ("a=simulcast:h;m;l", "RFC 8853 5.1"),
    ("a=simulcast:send a send b", "RFC 8853 5.1"),
    ("a=sctp-port:65536", "RFC 8841 5.1"),
    ("a=max-message-size:-1", "RFC 8841 6.1"),
    ("a=ptime:0", "RFC 8866 6.4"),
    ("a=rtcp-mux:yes", "RFC 5761 8"),
    ("a=rtcp-mux:", "RFC 5761 8"),
    ("a=sendrecv:", "RFC 8866 6.7"),
    ("a=two words", "RFC 8866 5.13"),
    ("a=group:BUNDLE 0", "session level"),
    ("a=ice-lite", "session level"),
    ("b=AS", "RFC 8866 5.8"),
    ("c=IN IP5 ::", "RFC 8866 5.7"),
    ("c=IN IP4 ::1", "RFC 8866 5.7"),
    ("x=1", "RFC 8866 5"),
    ("a", "RFC 8866 5"),
    ("", "RFC 8866 5"),
    ("t=0 0", "does not belong into the media part"),
]


@pytest.mark.parametrize(("line", "rule"), BAD)
def test_bad_line_is_named_with_its_rule(line: str, rule: str) -> None:
    found = _faults(*HEAD, PORT, line)
    assert [(fault.number, fault.line) for fault in found] == [(6, line)]
    assert rule in found[0].rule


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (0, "v=1"),
        (1, "o=- 1 2 IN IP4"),
        (1, "o=two words 1 2 IN IP4 127.0.0.1"),
        (1, "o=- -1 2 IN IP4 127.0.0.1"),
        (1, "o=- 1 2 IN IP4 ::1"),
        (2, "s="),
        (3, "t=now then"),
        (4, "m=audio nine UDP/TLS/RTP/SAVPF 0"),
        (4, "m=audio 65536 UDP/TLS/RTP/SAVPF 0"),
        (4, "m=audio 9 UDP/TLS/RTP/SAVPF"),
    ],
)
def test_bad_line_that_must_be_there_is_named(place: int, line: str) -> None:
    lines = [*HEAD, PORT]
    lines[place] = line
    assert [(fault.number, fault.line) for fault in _faults(*lines)] == [(place + 1, line)]


# --- order and number --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "number", "rule"),
    [
        ((HEAD[0], HEAD[2], HEAD[1], HEAD[3]), 3, "before"),
        ((*HEAD, "a=x", "c=IN IP4 0.0.0.0"), 6, "before"),
        ((*HEAD, PORT, "a=x", "b=AS:1"), 7, "before"),
        ((*HEAD, PORT, "b=AS:1", "c=IN IP4 0.0.0.0"), 7, "before"),
        ((HEAD[0], HEAD[0], *HEAD[1:]), 2, "once"),
        ((*HEAD, PORT, "a=mid:0", "a=mid:1"), 7, "once"),
        ((*HEAD, PORT, "a=sendrecv", "a=recvonly"), 7, "once"),
        ((*HEAD, "a=mid:0"), 5, "media level"),
        (HEAD[:3], 4, "t= is missing"),
        ((*HEAD[:3], PORT), 4, "t= is missing"),
        ((PORT,), 1, "v= is missing"),
    ],
)
def test_line_in_the_wrong_place_is_named(lines: tuple[str, ...], number: int, rule: str) -> None:
    assert any(fault.number == number and rule in fault.rule for fault in _faults(*lines))


def test_line_that_ends_with_a_line_feed_alone_is_named() -> None:
    found = faults_of(_sdp(*HEAD).replace("s=-\r\n", "s=-\n"))
    assert [(fault.number, fault.line) for fault in found] == [(3, "s=-")]
    assert "CRLF" in found[0].rule


def test_last_line_must_end_too() -> None:
    assert [fault.number for fault in faults_of(_sdp(*HEAD).removesuffix("\r\n"))] == [4]


def test_error_names_number_line_and_rule_of_each_fault() -> None:
    with pytest.raises(
        GrammarError, match=r"line 5 'a=mid:': .*RFC 5888 4.*; line 6 'a=setup:x': .*RFC 8842"
    ) as caught:
        check(_sdp(HEAD[0], HEAD[1], HEAD[2], HEAD[3], "a=mid:", "a=setup:x"))
    assert {fault.number for fault in caught.value.faults} == {5, 6}


def test_garbage_is_all_faults() -> None:
    assert {fault.number for fault in faults_of("garbage")} == {1, 2}
    assert faults_of("")


# --- whole descriptions ------------------------------------------------------------------------------


@pytest.mark.parametrize("sdp", [*OFFERS.values(), *ANSWERS.values()], ids=[*OFFERS, *(f"{n} answer" for n in ANSWERS)])
def test_descriptions_of_the_field_follow_the_grammar(sdp: str) -> None:
    check(sdp)


@pytest.mark.parametrize("name", SERVER_OFFERS)
def test_offers_of_servers_follow_the_grammar_but_for_what_is_known(name: str) -> None:
    found = faults_of(SERVER_OFFERS[name])
    assert bool(found) == (name in AGAINST_THE_GRAMMAR)
    assert all(fault.line.startswith("a=rtcp-fb:") and fault.line.endswith(" ") for fault in found)
    assert contradictions_in(SERVER_OFFERS[name]) == []


def test_offer_of_chrome_contradicts_itself_nowhere() -> None:
    assert contradictions_in(CHROME_OFFER) == []


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("a=mid:1", "a=mid:0", "mid 0 is given twice"),
        ("BUNDLE 0 1 2 3", "BUNDLE 0 1 2 9", "BUNDLE names mid 9"),
        ("a=rtpmap:9 G722/8000\r\n", "a=rtpmap:111 G722/8000\r\n", "payload type 111 is mapped twice"),
        ("a=rtpmap:111 opus/48000/2\r\n", "", "payload type 111 is not explained"),
        ("SAVPF 111 63 9", "SAVPF 111 63", "a=rtpmap of 9, which m= does not list"),
        ("a=fmtp:97 apt=96", "a=fmtp:97 apt=98", "rtx 97 repeats a payload type that is not there"),
        ("a=extmap:2 http", "a=extmap:1 http", "extmap id 1 is given twice"),
        ("a=extmap:2 http", "a=extmap:15 http", "extmap id 15 is not in"),
        ("a=rid:m send\r\n", "", "simulcast names the rid m"),
        ("a=ssrc:1399694169 cname", "a=ssrc-group:FID 1399694169 7\r\na=ssrc:1399694169 cname", "ssrc-group names 7"),
    ],
)
def test_contradiction_is_told(good: str, bad: str, told: str) -> None:
    assert good in CHROME_OFFER
    assert any(told in fault for fault in contradictions_in(CHROME_OFFER.replace(good, bad, 1)))


ANSWER = _sdp(
    *HEAD,
    "a=group:BUNDLE 0 1",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 8",
    "a=setup:active",
    "a=mid:0",
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=extmap:4/recvonly urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=sendrecv",
    "a=rtcp-mux",
    "a=rtpmap:111 opus/48000/2",
    "a=rtcp-fb:111 transport-cc",
    "a=rtpmap:8 PCMA/8000",
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
    "a=setup:active",
    "a=mid:1",
    "a=recvonly",
    "a=rtcp-mux",
    "a=rtpmap:96 VP8/90000",
    "a=rtcp-fb:96 nack pli",
    "a=rtpmap:97 rtx/90000",
    "a=fmtp:97 apt=96",
    "a=rid:h recv",
    "a=simulcast:recv h",
    "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
    "a=mid:2",
    "m=video 0 UDP/TLS/RTP/SAVPF 96",
    "a=mid:3",
)


def test_answer_within_its_offer_has_no_fault() -> None:
    check(ANSWER)
    assert answer_faults(CHROME_OFFER, ANSWER) == []


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n", "", "3 sections answer 4"),
        ("m=video 9", "m=audio 9", "kind video is answered as audio"),
        ("a=mid:1", "a=mid:7", "mid 1 is answered as 7"),
        ("9 UDP/TLS/RTP/SAVPF 111", "9 RTP/AVP 111", "protocol UDP/TLS/RTP/SAVPF is answered as RTP/AVP"),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0 4", "BUNDLE ['0', '4'] is part of no group"),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0 2", "BUNDLE names the rejected section 2"),
        ("a=setup:active", "a=setup:actpass", "a=setup is ['actpass']"),
        ("a=recvonly", "a=sendrecv", "sendonly is answered with sendrecv"),
        ("111 8\r\n", "111 8 77\r\na=rtpmap:77 x/8000\r\n", "x/8000 has the payload type 77, which was not offered"),
        ("111 8\r\n", "111 8 9\r\na=rtpmap:9 x/8\r\n", "payload type 9 was g722/8000 and is x/8"),
        ("a=rtcp-fb:111 transport-cc", "a=rtcp-fb:111 nack", "feedback nack about 111 was not offered"),
        ("apt=96", "apt=35", "rtx 97 repeated 96 and repeats 35"),
        ("a=extmap:1 urn", "a=extmap:2 urn", "extmap 2 is urn:ietf:params:rtp-hdrext:ssrc-audio-level"),
        ("a=extmap:4/recvonly", "a=extmap:4", "extmap 4 goes sendrecv where sendonly was offered"),
        ("a=rid:h recv", "a=rid:x recv", "rid x to recv was not offered"),
        ("a=rid:h recv", "a=rid:h send", "rid h to send was not offered"),
    ],
)
def test_answer_beyond_its_offer_is_told(good: str, bad: str, told: str) -> None:
    assert good in ANSWER
    assert any(told in fault for fault in answer_faults(CHROME_OFFER, ANSWER.replace(good, bad, 1)))
