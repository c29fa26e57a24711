"""Descriptions as browsers write them."""

from __future__ import annotations

import asyncio
import contextlib
import re

import pytest

from backends.native.parsing import parse
from backends.native.tests.peers import Peer, close, run
from shim.spi.engines import IceCandidate, SessionDescription
from shim.spi.errors import SdpSyntaxError

FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)

CHROME = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1 2
a=extmap-allow-mixed
a=msid-semantic: WMS stream-1
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 5c8f3d8a-0b2c-4d0a-9d0a-3d5b3a2a1b1c.local 51337 typ host generation 0 network-cost 999
a=candidate:2 1 tcp 1518280447 192.0.2.9 9 typ host tcptype active generation 0
a=candidate:broken
a=ice-ufrag:Yd8q
a=ice-pwd:2Zs7Yo0Wh1b9eRj1u0Lw4oYp
a=ice-options:trickle
{FINGERPRINT}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:4/sendrecv urn:ietf:params:rtp-hdrext:sdes:mid extra
a=sendrecv
a=msid:stream-1 track-audio
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10; useinbandfec=1;stereo=oops
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=fmtp:99 apt=98
a=ssrc:1001 cname:x
a=ssrc:broken
m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 45
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:Yd8q
a=ice-pwd:2Zs7Yo0Wh1b9eRj1u0Lw4oYp
{FINGERPRINT}
a=setup:actpass
a=mid:1
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
a=sendrecv
a=msid:stream-1 track-video
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 nack pli
a=rtcp-fb:* ccm fir
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:98 VP9/90000
a=fmtp:98 profile-id=0
a=rtpmap:99 rtx/90000
a=fmtp:99 apt=98
a=rtpmap:45 AV1/90000
a=rid:hi send
a=rid:lo send
a=simulcast:send hi;lo
a=ssrc-group:FID 1002 1003
a=ssrc-group:SIM a b
a=ssrc:1002 cname:x
a=ssrc:1003 cname:x
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:Yd8q
a=ice-pwd:2Zs7Yo0Wh1b9eRj1u0Lw4oYp
{FINGERPRINT}
a=setup:actpass
a=mid:2
a=sctp-port:5000
a=max-message-size:1073741823
m=image 49170 udptl t38
a=mid:3
"""

FIREFOX = f"""v=0
o=mozilla...THIS_IS_SDPARTA-99.0 3141592653589793 0 IN IP4 0.0.0.0
s=-
t=0 0
{FINGERPRINT}
a=group:BUNDLE 0 1
a=ice-options:trickle
a=msid-semantic:WMS *
m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
c=IN IP4 0.0.0.0
a=sendonly
a=extmap:1/recvonly urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=fmtp:101 0-15
a=ice-pwd:f0123456789abcdef0123456789abcde
a=ice-ufrag:deadbeef
a=mid:0
a=msid:- {{track}}
a=rtcp-mux
a=rtpmap:109 opus/48000/2
a=rtpmap:9 G722/8000/1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000/1
a=setup:actpass
a=ssrc:1 cname:{{x}}
m=application 0 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=bundle-only
a=sendrecv
a=ice-pwd:f0123456789abcdef0123456789abcde
a=ice-ufrag:deadbeef
a=mid:1
a=setup:actpass
a=sctp-port:5000
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_browser_is_understood(ending: str) -> None:
    sections = parse(CHROME.replace("\n", ending)).sections
    assert [section.kind for section in sections] == ["audio", "video", "application", "image"]
    assert [section.media_kind or section.is_data for section in sections] == ["audio", "video", True, False]
    opus = sections[0].media.rtp.codecs[0]
    assert (opus.mimeType, opus.parameters) == ("audio/opus", {"minptime": 10, "useinbandfec": 1})
    static = [codec.mimeType for codec in sections[0].media.rtp.codecs if codec.payloadType in {0, 8, 9}]
    assert static == ["audio/G722", "audio/PCMU", "audio/PCMA"]
    assert len(sections[0].media.ice_candidates) == 2
    assert sections[0].streams == [("stream-1", "track-audio")]


@pytest.mark.parametrize(
    ("line", "limit"),
    [("b=AS:150", 150_000), ("b=TIAS:150000", 150_000), ("b=AS:0", None), ("b=CT:9", None), ("b=AS:x", None)],
)
def test_a_limit_of_the_bandwidth_is_read(line: str, limit: int | None) -> None:
    text = CHROME.replace("c=IN IP4 0.0.0.0\n", f"c=IN IP4 0.0.0.0\n{line}\n")
    assert {section.bandwidth for section in parse(text).sections[:3]} == {limit}


def test_the_protocol_of_an_offer_is_answered() -> None:
    async def scenario() -> None:
        native = Peer()
        await native.engine.start()
        offer = CHROME.replace("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/SAVPF")
        await native.engine.set_remote_description(SessionDescription("offer", offer))
        answer = await native.engine.create_answer()
        assert re.findall(r"m=\w+ \d+ (\S+)", answer.sdp)[:2] == ["RTP/SAVPF", "UDP/TLS/RTP/SAVPF"]
        await close(native)

    run(scenario)


def test_a_browser_is_answered() -> None:
    async def scenario() -> None:
        native = Peer()
        await native.engine.start()
        offer = CHROME.replace(re.findall(r"a=candidate:1 .*\n", CHROME)[0], "")
        await native.engine.set_remote_description(SessionDescription("offer", offer))
        answer = await native.engine.create_answer()
        assert re.findall(r"m=(\w+) (\d+) (\S+) (.*)\r", answer.sdp) == [
            ("audio", "9", "UDP/TLS/RTP/SAVPF", "111 9 0 8 110 126"),
            ("video", "9", "UDP/TLS/RTP/SAVPF", "96 97 98 99 45"),
            ("application", "9", "UDP/DTLS/SCTP", "webrtc-datachannel"),
            ("image", "0", "udptl", "t38"),
        ]
        assert "a=group:BUNDLE 0 1 2\r\n" in answer.sdp
        assert answer.sdp.count("a=setup:active") == 3
        await native.engine.set_local_description(answer)
        state = native.engine.local_state()
        assert [t.receive_track_id for t in state.transceivers] == ["track-audio", "track-video"]
        assert state.max_message_size == 1073741823
        await close(native)

    run(scenario)


def test_another_browser_is_answered() -> None:
    async def scenario() -> None:
        native = Peer()
        await native.engine.start()
        await native.engine.set_remote_description(SessionDescription("offer", FIREFOX))
        answer = await native.engine.create_answer()
        assert re.findall(r"m=\w+ (\d+)", answer.sdp) == ["9", "9"]
        assert "a=recvonly" in answer.sdp
        state = native.engine.local_state()
        assert (state.transceivers[0].receive_track_id, state.transceivers[0].stream_ids) == ("{track}", ())
        assert state.max_message_size == 65536
        await close(native)

    run(scenario)


def test_a_name_that_cannot_be_resolved_does_no_harm() -> None:
    async def scenario() -> None:
        native = Peer()
        await native.engine.start()
        await native.engine.set_remote_description(SessionDescription("offer", CHROME))
        name = "candidate:9 1 udp 1 00000000-0000-4000-8000-000000000000.local 9 typ host"
        await native.engine.add_ice_candidate(IceCandidate(name, "0", 0))
        await asyncio.sleep(0)
        await close(native)

    run(scenario)


@pytest.mark.parametrize("length", [0, 1, 10, 100, 500, 1000, 2000])
def test_a_truncated_description_is_refused_or_understood(length: int) -> None:
    with contextlib.suppress(SdpSyntaxError):
        assert parse(CHROME[:length]).text


def test_random_lines_do_not_confuse_the_parser() -> None:
    names = ("rtpmap", "fmtp", "rtcp-fb", "extmap", "candidate", "ssrc", "ssrc-group", "rtcp", "msid", "rid", "xyz")
    values = ("", ":", ":1", ": ", ":a b c", ":-1 x/y/z", ":1 x", ":999999999999 opus/48000", ":\u2603")
    lines = "".join(f"a={name}{value}\r\n" for name in names for value in values)
    assert len(parse(CHROME.replace("\n", "\r\n") + lines).sections) == 4
