"""Descriptions in the style of the implementations in the field, written for these tests."""

from __future__ import annotations

from typing import Final

_FINGERPRINT: Final = ":".join(f"{value:02X}" for value in range(0x60, 0x80))


def crlf(text: str) -> str:
    """Return a description with the line ends that it should have, and a fingerprint for the word FINGERPRINT."""
    return text.strip().replace("FINGERPRINT", f"sha-256 {_FINGERPRINT}").replace("\n", "\r\n") + "\r\n"


CHROME_OFFER: Final = crlf("""
v=0
o=- 5438271994411839721 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1 2 3
a=extmap-allow-mixed
a=msid-semantic: WMS 7c9a54c1-0f0c-4c1e-9a71-0ee5d3c4f2aa
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:2412386325 1 udp 2113937151 5f2c1b7a-1d2e-4c3b-8a4f-9e8d7c6b5a40.local 51472 typ host ufrag 4ZcD
a=candidate:842163049 1 udp 1677729535 203.0.113.7 51472 typ srflx raddr 0.0.0.0 rport 0 ufrag 4ZcD network-id 2
a=candidate:3561142737 1 tcp 1518280447 192.0.2.10 9 typ host tcptype active generation 0 ufrag 4ZcD network-id 1
a=ice-ufrag:4ZcD
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlGw
a=ice-options:trickle
a=fingerprint:FINGERPRINT
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:4/sendonly urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:7c9a54c1-0f0c-4c1e-9a71-0ee5d3c4f2aa 1b1d0e1c-7a86-4a6e-9d5c-0a4e6c3f7b11
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:1399694169 cname:4TOk42mSjXCkVIa6
a=ssrc:1399694169 msid:7c9a54c1-0f0c-4c1e-9a71-0ee5d3c4f2aa 1b1d0e1c-7a86-4a6e-9d5c-0a4e6c3f7b11
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 35
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:4ZcD
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlGw
a=ice-options:trickle
a=fingerprint:FINGERPRINT
a=setup:actpass
a=mid:1
a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
a=extmap:13 urn:3gpp:video-orientation
a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
a=sendonly
a=msid:- 55d9cd2e-3f0b-4b0a-8c63-6d4b1c3a9e22
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 transport-cc
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=rtcp-fb:102 nack pli
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=rtpmap:35 AV1/90000
a=fmtp:35 level-idx=5;profile=0;tier=0
a=rid:h send
a=rid:m send
a=rid:l send
a=simulcast:send h;m;l
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:4ZcD
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlGw
a=ice-options:trickle
a=fingerprint:FINGERPRINT
a=setup:actpass
a=mid:2
a=sctp-port:5000
a=max-message-size:262144
m=video 0 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=bundle-only
a=ice-ufrag:4ZcD
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlGw
a=fingerprint:FINGERPRINT
a=setup:actpass
a=mid:3
a=recvonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtcp-fb:* nack
""")

CHROME_ANSWER: Final = crlf("""
v=0
o=- 780129391282 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:Hk2b
a=ice-pwd:b0tVq8P1X5uZ3sY6wE9rT2yU
a=fingerprint:FINGERPRINT
a=setup:active
a=mid:0
a=recvonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10; useinbandfec=1
m=video 0 UDP/TLS/RTP/SAVPF 0
c=IN IP4 0.0.0.0
a=inactive
a=mid:1
""")

FIREFOX_OFFER: Final = crlf("""
v=0
o=mozilla...THIS_IS_SDPARTA-99.0 2931038291828472913 0 IN IP4 0.0.0.0
s=-
t=0 0
a=fingerprint:FINGERPRINT
a=group:BUNDLE 0 1 2
a=ice-options:trickle
a=msid-semantic:WMS *
m=audio 56013 UDP/TLS/RTP/SAVPF 109 9 0 8 101
c=IN IP6 2001:db8::7
a=candidate:0 1 UDP 2122252543 2001:db8::7 56013 typ host
a=candidate:2 1 TCP 2105524479 2001:db8::7 9 typ host tcptype active
a=end-of-candidates
a=sendrecv
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=fmtp:101 0-15
a=ice-pwd:f1a2b3c4d5e6f708192a3b4c5d6e7f80
a=ice-ufrag:5e0ad11f
a=mid:0
a=msid:{2c5b8f1e-5f0e-4b39-9a3d-6b5cf4b3c1d2} {b8d1c9c0-7b2a-4a8e-8b0f-7d4f2d1e0c3b}
a=rtcp-mux
a=rtpmap:109 opus/48000/2
a=rtpmap:9 G722/8000/1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=setup:actpass
a=ssrc:882128807 cname:{5dd0e5b6-b8cf-4bd4-8d2d-0a8e7e0b4a0f}
m=video 9 UDP/TLS/RTP/SAVPF 120 124 121 125
c=IN IP6 ::
a=sendrecv
a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
a=fmtp:124 apt=120
a=fmtp:120 max-fs=12288;max-fr=60
a=fmtp:121 max-fs=12288;max-fr=60
a=fmtp:125 apt=121
a=ice-pwd:f1a2b3c4d5e6f708192a3b4c5d6e7f80
a=ice-ufrag:5e0ad11f
a=mid:1
a=msid:{2c5b8f1e-5f0e-4b39-9a3d-6b5cf4b3c1d2} {e4f0d7a6-6a5b-4b2c-9d8e-1f0a2b3c4d5e}
a=rtcp-fb:120 nack
a=rtcp-fb:120 nack pli
a=rtcp-fb:120 ccm fir
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:120 VP8/90000
a=rtpmap:124 rtx/90000
a=rtpmap:121 VP9/90000
a=rtpmap:125 rtx/90000
a=setup:actpass
a=ssrc:2606217434 cname:{5dd0e5b6-b8cf-4bd4-8d2d-0a8e7e0b4a0f}
a=ssrc:2606217435 cname:{5dd0e5b6-b8cf-4bd4-8d2d-0a8e7e0b4a0f}
a=ssrc-group:FID 2606217434 2606217435
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP6 ::
a=sendrecv
a=ice-pwd:f1a2b3c4d5e6f708192a3b4c5d6e7f80
a=ice-ufrag:5e0ad11f
a=mid:2
a=setup:actpass
a=sctp-port:5000
a=max-message-size:1073741823
""")

LEGACY_SCTP_OFFER: Final = crlf("""
v=0
o=- 1695 1 IN IP4 198.51.100.4
s=session with spaces
c=IN IP4 198.51.100.4
b=AS:4000
t=0 0
a=ice-lite
a=ice-ufrag:Qx7R
a=ice-pwd:aB3dE5fG7hI9jK1lM3nO5pQ7
a=setup:passive
a=fingerprint:FINGERPRINT
a=tool:gateway 2.1
m=application 9000 DTLS/SCTP 5000
a=mid:data
a=sctpmap:5000 webrtc-datachannel 1024
a=x-unknown-attribute
""")

DUAL_STACK_OFFER: Final = crlf("""
v=0
o=- 3904170311 3904170311 IN IP4 0.0.0.0
s=-
t=0 0
a=msid-semantic:WMS *
m=audio 40001/1 RTP/SAVPF 96 0
c=IN IP4 198.51.100.4/127
a=candidate:1 2 udp 1 198.51.100.4 40002 typ prflx raddr 10.0.0.1 rport 1
a=mid:a
a=rtcp:40002 IN IP4 198.51.100.4
a=rtcp-mux
a=ice-ufrag:Qx7R
a=ice-pwd:aB3dE5fG7hI9jK1lM3nO5pQ7
a=fingerprint:FINGERPRINT
a=setup:actpass
a=rtpmap:96 opus/48000/2
a=rtpmap:0 PCMU/8000
a=ssrc:12345678 cname:someone
a=ssrc:12345678 label:with:colons
a=ptime:20
""")

OFFERS: Final = {
    "chrome": CHROME_OFFER,
    "firefox": FIREFOX_OFFER,
    "legacy-sctp": LEGACY_SCTP_OFFER,
    "dual-stack": DUAL_STACK_OFFER,
}
ANSWERS: Final = {"chrome": CHROME_ANSWER}
