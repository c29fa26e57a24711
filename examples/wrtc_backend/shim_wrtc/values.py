"""wrtc's dictionaries on one side, the seam's records on the other."""

from __future__ import annotations

from collections.abc import Sequence

import webrtc
from shim.spi.engines import (
    Codec,
    DataChannelInit,
    Encoding,
    EngineConfig,
    HeaderExtension,
    Kind,
    RtpCapabilities,
    RtpSource,
    SendParameters,
)


def native_configuration(config: EngineConfig) -> webrtc.RTCConfiguration:
    """Translate what a connection is made with."""
    servers = [webrtc.RTCIceServer(list(s.urls), s.username, s.credential) for s in config.ice_servers]
    return webrtc.RTCConfiguration(
        ice_servers=servers,
        ice_transport_policy=config.ice_transport_policy,
        bundle_policy=config.bundle_policy,
        port_range=config.port_range,
        always_negotiate_data_channels=config.always_negotiate_data_channels,
    )


def native_channel_init(init: DataChannelInit) -> webrtc.RTCDataChannelInit:
    """Translate the options of a data channel. wrtc takes an id only of a negotiated one."""
    return webrtc.RTCDataChannelInit(
        ordered=init.ordered,
        max_packet_life_time=init.max_packet_life_time,
        max_retransmits=init.max_retransmits,
        protocol=init.protocol,
        negotiated=init.negotiated,
        id=init.id,
    )


def native_encoding(encoding: Encoding) -> webrtc.RTCRtpEncodingParameters:
    """Translate one encoding."""
    return webrtc.RTCRtpEncodingParameters(
        rid=encoding.rid,
        active=encoding.active,
        max_bitrate=encoding.max_bitrate,
        max_framerate=encoding.max_framerate,
        scale_resolution_down_by=encoding.scale_resolution_down_by,
    )


def apply_encodings(native: webrtc.RTCRtpSendParameters, encodings: Sequence[Encoding]) -> None:
    """Change what may be changed of encodings that wrtc gave."""
    for theirs, ours in zip(native.encodings, encodings, strict=True):
        theirs.active = ours.active
        theirs.max_bitrate = ours.max_bitrate
        theirs.max_framerate = ours.max_framerate
        theirs.scale_resolution_down_by = ours.scale_resolution_down_by


def send_parameters(native: webrtc.RTCRtpSendParameters) -> SendParameters:
    """Build the record of what a sender does."""
    return SendParameters(
        transaction_id=native.transaction_id,
        encodings=tuple(_encoding(e) for e in native.encodings),
        codecs=tuple(_codec(c, c.payload_type) for c in native.codecs),
        header_extensions=tuple(HeaderExtension(e.uri, e.id) for e in native.header_extensions),
        cname=native.rtcp.cname or None,
    )


def rtp_capabilities(kind: Kind, sender: bool) -> RtpCapabilities:
    """Return what libwebrtc can send or receive."""
    side = webrtc.RTCRtpSender if sender else webrtc.RTCRtpReceiver
    native = side.get_capabilities(kind)
    if native is None:
        return RtpCapabilities((), ())
    return RtpCapabilities(
        codecs=tuple(_codec(c) for c in native.codecs),
        header_extensions=tuple(HeaderExtension(e.uri) for e in native.header_extensions),
    )


def native_codec(codec: Codec) -> webrtc.RTCRtpCodec:
    """Spell a codec as wrtc does."""
    items = (key if value is None else f"{key}={value}" for key, value in codec.parameters.items())
    return webrtc.RTCRtpCodec(codec.mime_type, codec.clock_rate, codec.channels, ";".join(items) or None)


def rtp_source(native: webrtc.RTCRtpContributingSource) -> RtpSource:
    """Build the record of something heard."""
    contributing = not isinstance(native, webrtc.RTCRtpSynchronizationSource)
    return RtpSource(native.timestamp / 1000, native.source, contributing, native.audio_level)


def _encoding(native: webrtc.RTCRtpEncodingParameters) -> Encoding:
    return Encoding(
        rid=native.rid or None,
        active=native.active,
        max_bitrate=native.max_bitrate,
        max_framerate=native.max_framerate,
        scale_resolution_down_by=native.scale_resolution_down_by,
    )


def _codec(native: webrtc.RTCRtpCodec, payload_type: int | None = None) -> Codec:
    parameters = dict(_parameter(item) for item in (native.sdp_fmtp_line or "").split(";") if item)
    return Codec(native.mime_type, native.clock_rate, native.channels, payload_type, parameters)


def _parameter(item: str) -> tuple[str, int | str | None]:
    key, separator, value = item.strip().partition("=")
    if not separator:
        return key, None
    # A leading zero belongs to a hexadecimal value such as profile-level-id.
    return key, int(value) if value.isdigit() and (value == "0" or value[0] != "0") else value
