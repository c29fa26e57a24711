"""Offers in the style of Safari, and of servers and libraries that applications meet, written for these tests.

Each has what its kind is known for: other names of sections, ICE lite, candidates in the offer, attributes of old
drafts, spaces at the end of lines, numbers of codecs that nobody else uses.
"""

from __future__ import annotations

from typing import Final

from conformance.shim_tests.sdp_corpus import crlf

SAFARI_OFFER: Final = crlf("""
v=0
o=- 8201948371946572043 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS 9f2c61c4-0b57-4d0b-8f0c-b6f2d5a4a001
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 102 0 8 105 13 110 113 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:3134927321 1 udp 2113937151 7a8b6c5d-4e3f-4a2b-9c1d-0e9f8a7b6c5d.local 62005 typ host network-cost 999
a=ice-ufrag:k+Lm
a=ice-pwd:Zx9cV8bN7mA6sD5fG4hJ3kL2
a=ice-options:trickle
a=fingerprint:FINGERPRINT
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:9f2c61c4-0b57-4d0b-8f0c-b6f2d5a4a001 5d0c4f1e-17b9-4a44-8d6e-3f0a4c9b7e10
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:102 ILBC/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:105 CN/16000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:113 telephone-event/16000
a=rtpmap:126 telephone-event/8000
a=ssrc:2170493817 cname:Qe7rT2yU9iO4pA1s
m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 101 104 106
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:k+Lm
a=ice-pwd:Zx9cV8bN7mA6sD5fG4hJ3kL2
a=ice-options:trickle
a=fingerprint:FINGERPRINT
a=setup:actpass
a=mid:1
a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
a=extmap:13 urn:3gpp:video-orientation
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=recvonly
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 H264/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 transport-cc
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:98 H264/90000
a=rtcp-fb:98 nack pli
a=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:99 rtx/90000
a=fmtp:99 apt=98
a=rtpmap:100 H265/90000
a=fmtp:100 level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST
a=rtpmap:101 rtx/90000
a=fmtp:101 apt=100
a=rtpmap:104 VP8/90000
a=rtcp-fb:104 nack
a=rtcp-fb:104 nack pli
a=rtpmap:106 rtx/90000
a=fmtp:106 apt=104
""")

PION_OFFER: Final = crlf("""
v=0
o=- 5129838475610293847 1732360000 IN IP4 0.0.0.0
s=-
t=0 0
a=msid-semantic:WMS*
a=fingerprint:FINGERPRINT
a=extmap-allow-mixed
a=group:BUNDLE 0 1 2
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102
c=IN IP4 0.0.0.0
a=setup:actpass
a=mid:0
a=ice-ufrag:wQhTrBnKpLsVxYzA
a=ice-pwd:mNbVcXzLkJhGfDsAqWeRtYuIoPaSdFgH
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb\x20
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack\x20
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
a=rtcp-fb:102 nack pli
a=extmap:1 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=ssrc:1208375643 cname:pion
a=ssrc:1208375643 msid:pion video
a=ssrc:1208375643 mslabel:pion
a=ssrc:1208375643 label:video
a=msid:pion video
a=sendrecv
a=candidate:233762139 1 udp 2130706431 192.0.2.30 40411 typ host ufrag wQhTrBnKpLsVxYzA
a=candidate:233762139 2 udp 2130706431 192.0.2.30 40411 typ host ufrag wQhTrBnKpLsVxYzA
a=end-of-candidates
m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8
c=IN IP4 0.0.0.0
a=setup:actpass
a=mid:1
a=ice-ufrag:wQhTrBnKpLsVxYzA
a=ice-pwd:mNbVcXzLkJhGfDsAqWeRtYuIoPaSdFgH
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=recvonly
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=setup:actpass
a=mid:2
a=sendrecv
a=sctp-port:5000
a=max-message-size:1073741823
a=ice-ufrag:wQhTrBnKpLsVxYzA
a=ice-pwd:mNbVcXzLkJhGfDsAqWeRtYuIoPaSdFgH
""")

MEDIASOUP_OFFER: Final = crlf("""
v=0
o=mediasoup-client 10000 3 IN IP4 0.0.0.0
s=-
t=0 0
a=ice-lite
a=fingerprint:FINGERPRINT
a=msid-semantic: WMS *
a=group:BUNDLE 0 1 datachannel
m=audio 7 UDP/TLS/RTP/SAVPF 100
c=IN IP4 127.0.0.1
a=rtpmap:100 opus/48000/2
a=fmtp:100 minptime=10;useinbandfec=1;stereo=1;usedtx=1
a=rtcp-fb:100 transport-cc\x20
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:10 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=setup:actpass
a=mid:0
a=msid:0a1b2c3d 4e5f6a7b-0f1e-4d2c-8b3a-495867768594
a=sendonly
a=ice-ufrag:v8c6x4z2m0n1b3q5
a=ice-pwd:p0o9i8u7y6t5r4e3w2q1a2s3d4f5g6h7
a=candidate:udpcandidate 1 udp 1076302079 198.51.100.10 40533 typ host
a=candidate:tcpcandidate 1 tcp 1076276479 198.51.100.10 43209 typ host tcptype passive
a=end-of-candidates
a=ice-options:renomination
a=ssrc:4021734659 cname:c1a2n3
a=rtcp-mux
a=rtcp-rsize
m=video 7 UDP/TLS/RTP/SAVPF 101 102
c=IN IP4 127.0.0.1
a=rtpmap:101 VP8/90000
a=rtpmap:102 rtx/90000
a=fmtp:102 apt=101
a=rtcp-fb:101 transport-cc\x20
a=rtcp-fb:101 ccm fir
a=rtcp-fb:101 nack\x20
a=rtcp-fb:101 nack pli
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:12 urn:ietf:params:rtp-hdrext:toffset
a=setup:actpass
a=mid:1
a=msid:0a1b2c3d 8d7c6b5a-9f8e-4d7c-a6b5-c4d3e2f1a0b9
a=sendonly
a=ice-ufrag:v8c6x4z2m0n1b3q5
a=ice-pwd:p0o9i8u7y6t5r4e3w2q1a2s3d4f5g6h7
a=ssrc:3325566778 cname:c1a2n3
a=ssrc:3325566779 cname:c1a2n3
a=ssrc-group:FID 3325566778 3325566779
a=rtcp-mux
a=rtcp-rsize
m=application 7 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 127.0.0.1
a=setup:actpass
a=mid:datachannel
a=ice-ufrag:v8c6x4z2m0n1b3q5
a=ice-pwd:p0o9i8u7y6t5r4e3w2q1a2s3d4f5g6h7
a=sctp-port:5000
a=max-message-size:262144
""")

JANUS_OFFER: Final = crlf("""
v=0
o=- 1732361112223334 1 IN IP4 198.51.100.7
s=VideoRoom 1234
t=0 0
a=group:BUNDLE a v d
a=ice-options:trickle
a=fingerprint:FINGERPRINT
a=extmap-allow-mixed
a=msid-semantic: WMS *
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 198.51.100.7
a=sendonly
a=mid:a
a=rtcp-mux
a=ice-ufrag:nR3f
a=ice-pwd:uY7tG5rF3eD1wS9qA8zX6c
a=ice-options:trickle
a=setup:actpass
a=rtpmap:111 opus/48000/2
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=fmtp:111 useinbandfec=1
a=msid:janus janusa
a=ssrc:3105634417 cname:janus
a=candidate:1 1 udp 2015363327 198.51.100.7 20034 typ host
a=candidate:2 1 udp 2015363583 2001:db8::7 20034 typ host
a=end-of-candidates
m=video 9 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 198.51.100.7
b=TIAS:128000
a=sendonly
a=mid:v
a=rtcp-mux
a=ice-ufrag:nR3f
a=ice-pwd:uY7tG5rF3eD1wS9qA8zX6c
a=ice-options:trickle
a=setup:actpass
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 goog-remb
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=ssrc-group:FID 860347113 860347114
a=msid:janus janusv
a=ssrc:860347113 cname:janus
a=ssrc:860347114 cname:janus
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 198.51.100.7
a=sendrecv
a=sctp-port:5000
a=mid:d
a=ice-ufrag:nR3f
a=ice-pwd:uY7tG5rF3eD1wS9qA8zX6c
a=ice-options:trickle
a=setup:actpass
""")

JITSI_OFFER: Final = crlf("""
v=0
o=- 1923518516 2 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE audio video data
m=audio 1 RTP/SAVPF 111 126
c=IN IP4 0.0.0.0
a=rtcp:1 IN IP4 0.0.0.0
a=ice-ufrag:5b8q21hksd0m9f
a=ice-pwd:6j0n3v7c1x5z9l2k4h8g0f1d3s
a=fingerprint:FINGERPRINT
a=setup:actpass
a=candidate:1 1 udp 2130706431 198.51.100.20 10000 typ host generation 0
a=candidate:2 1 udp 1694498815 203.0.113.20 10000 typ srflx raddr 10.0.0.4 rport 10000 generation 0
a=sendrecv
a=mid:audio
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtcp-fb:111 transport-cc
a=rtpmap:126 telephone-event/8000
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:5 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=ssrc:2719203841 cname:mixed
a=ssrc:2719203841 label:mixedlabelaudio0
a=ssrc:2719203841 msid:mixedmslabel mixedlabelaudio0
a=ssrc:2719203841 mslabel:mixedmslabel
m=video 1 RTP/SAVPF 100 107 99 96
c=IN IP4 0.0.0.0
a=rtcp:1 IN IP4 0.0.0.0
a=ice-ufrag:5b8q21hksd0m9f
a=ice-pwd:6j0n3v7c1x5z9l2k4h8g0f1d3s
a=fingerprint:FINGERPRINT
a=setup:actpass
a=sendrecv
a=mid:video
a=rtcp-mux
a=rtpmap:100 VP8/90000
a=fmtp:100 x-google-start-bitrate=800
a=rtcp-fb:100 ccm fir
a=rtcp-fb:100 nack
a=rtcp-fb:100 nack pli
a=rtcp-fb:100 transport-cc
a=rtpmap:107 H264/90000
a=fmtp:107 x-google-start-bitrate=800;profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1
a=rtcp-fb:107 nack pli
a=rtpmap:99 rtx/90000
a=fmtp:99 apt=107
a=rtpmap:96 rtx/90000
a=fmtp:96 apt=100
a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=ssrc:1503928471 cname:mixed
a=ssrc:1503928471 msid:mixedmslabel mixedlabelvideo0
a=x-google-flag:conference
m=application 1 DTLS/SCTP 5000
c=IN IP4 0.0.0.0
a=ice-ufrag:5b8q21hksd0m9f
a=ice-pwd:6j0n3v7c1x5z9l2k4h8g0f1d3s
a=fingerprint:FINGERPRINT
a=setup:actpass
a=sendrecv
a=mid:data
a=sctpmap:5000 webrtc-datachannel 1024
""")

AIORTC_OFFER: Final = crlf("""
v=0
o=- 3941350000 3941350000 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 1
a=msid-semantic:WMS *
m=audio 51372 UDP/TLS/RTP/SAVPF 96 9 0 8
c=IN IP4 192.0.2.40
a=sendonly
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=mid:0
a=msid:67f5a9c1-1c4c-4b52-8d2f-6f3c7a0a5c11 b7f3a1e0-44a1-4b5a-9f2c-1f9e5d6c7b80
a=rtcp:9 IN IP4 0.0.0.0
a=rtcp-mux
a=ssrc:2486170095 cname:3f6c1f0a-7a0e-4c55-a2e5-5b1e8c9d0f21
a=rtpmap:96 opus/48000/2
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=candidate:0f7c5b1e9a3d4c2b8e6f1a0d9c8b7e6f 1 udp 2130706431 192.0.2.40 51372 typ host
a=candidate:1a2b3c4d5e6f708192a3b4c5d6e7f809 1 udp 1694498815 203.0.113.40 51372 typ srflx raddr 192.0.2.40 rport 51372
a=end-of-candidates
a=ice-ufrag:nM2k
a=ice-pwd:hG6fD4sA2qW8eR0tY1uI3o
a=fingerprint:FINGERPRINT
a=setup:actpass
m=application 51372 DTLS/SCTP 5000
c=IN IP4 192.0.2.40
a=mid:1
a=sctpmap:5000 webrtc-datachannel 65535
a=max-message-size:65536
a=candidate:0f7c5b1e9a3d4c2b8e6f1a0d9c8b7e6f 1 udp 2130706431 192.0.2.40 51372 typ host
a=end-of-candidates
a=ice-ufrag:nM2k
a=ice-pwd:hG6fD4sA2qW8eR0tY1uI3o
a=fingerprint:FINGERPRINT
a=setup:actpass
""")

SERVER_OFFERS: Final = {
    "safari": SAFARI_OFFER,
    "pion": PION_OFFER,
    "mediasoup": MEDIASOUP_OFFER,
    "janus": JANUS_OFFER,
    "jitsi": JITSI_OFFER,
    "aiortc": AIORTC_OFFER,
}
AGAINST_THE_GRAMMAR: Final = frozenset({"pion", "mediasoup"})
"""Those with a space after a=rtcp-fb that has no parameter, which RFC 4585 section 4.2 does not allow."""
