"""RTP capabilities (webrtc-pc section 5.2)."""

from __future__ import annotations

from dataclasses import replace

from aiortc.codecs import is_rtx

from backends.native.encoders import codecs_for, header_extensions_for
from backends.native.negotiation import to_codec
from shim.spi.engines import Codec, HeaderExtension, Kind, RtpCapabilities


def rtp_capabilities(kind: Kind) -> RtpCapabilities:
    """List codecs and header extensions; retransmission once, without parameters."""
    codecs: list[Codec] = []
    for parameters in codecs_for(kind):
        codec = replace(to_codec(parameters), payload_type=None)
        if is_rtx(parameters):
            codec = replace(codec, parameters={})
        if codec not in codecs:
            codecs.append(codec)
    return RtpCapabilities(tuple(codecs), tuple(HeaderExtension(e.uri) for e in header_extensions_for(kind)))
