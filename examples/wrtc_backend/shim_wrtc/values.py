"""wrtc's dictionaries on one side, the seam's records on the other."""

from __future__ import annotations

import webrtc

from shim.spi import engines as e


def native_configuration(config: e.EngineConfig) -> webrtc.RTCConfiguration:
    """Translate what a connection is made with."""
    return webrtc.RTCConfiguration(
        ice_servers=[webrtc.RTCIceServer(list(s.urls), s.username, s.credential) for s in config.ice_servers],
        ice_transport_policy=config.ice_transport_policy,
        bundle_policy=config.bundle_policy,
        port_range=config.port_range,
        always_negotiate_data_channels=config.always_negotiate_data_channels,
    )


def native_channel_init(init: e.DataChannelInit) -> webrtc.RTCDataChannelInit:
    """Translate the options of a data channel."""
    limits = init.max_packet_life_time, init.max_retransmits
    return webrtc.RTCDataChannelInit(init.ordered, *limits, init.protocol, init.negotiated, init.id)


def native_encoding(ours: e.Encoding) -> webrtc.RTCRtpEncodingParameters:
    """Translate one encoding."""
    rates = ours.max_bitrate, ours.max_framerate
    return webrtc.RTCRtpEncodingParameters(ours.rid, ours.active, *rates, ours.scale_resolution_down_by)


def native_codec(codec: e.Codec) -> webrtc.RTCRtpCodec:
    """Spell a codec as wrtc does."""
    items = (key if value is None else f"{key}={value}" for key, value in codec.parameters.items())
    return webrtc.RTCRtpCodec(codec.mime_type, codec.clock_rate, codec.channels, ";".join(items) or None)


def rtp_capabilities(kind: e.Kind, sender: bool) -> e.RtpCapabilities:
    """Return what libwebrtc can send or receive."""
    native = (webrtc.RTCRtpSender if sender else webrtc.RTCRtpReceiver).get_capabilities(kind)
    codecs, extensions = ([], []) if native is None else (native.codecs, native.header_extensions)
    return e.RtpCapabilities(tuple(map(_codec, codecs)), tuple(e.HeaderExtension(x.uri) for x in extensions))


def send_parameters(native: webrtc.RTCRtpSendParameters) -> e.SendParameters:
    """Build the record of what a sender does."""
    return e.SendParameters(
        transaction_id=native.transaction_id,
        encodings=tuple(_encoding(encoding) for encoding in native.encodings),
        codecs=tuple(_codec(codec, codec.payload_type) for codec in native.codecs),
        header_extensions=tuple(e.HeaderExtension(x.uri, x.id) for x in native.header_extensions),
        cname=native.rtcp.cname or None,
    )


def rtp_source(native: webrtc.RTCRtpContributingSource) -> e.RtpSource:
    """Build the record of something heard."""
    contributing = not isinstance(native, webrtc.RTCRtpSynchronizationSource)
    return e.RtpSource(native.timestamp / 1000, native.source, contributing, native.audio_level)


def _encoding(native: webrtc.RTCRtpEncodingParameters) -> e.Encoding:
    rates = native.max_bitrate, native.max_framerate
    return e.Encoding(native.rid or None, native.active, *rates, native.scale_resolution_down_by)


def _codec(native: webrtc.RTCRtpCodec | webrtc.RTCRtpCodecParameters, payload_type: int | None = None) -> e.Codec:
    parameters = dict(_parameter(item) for item in (native.sdp_fmtp_line or "").split(";") if item)
    return e.Codec(native.mime_type, native.clock_rate, native.channels, payload_type, parameters)


def _parameter(item: str) -> tuple[str, int | str | None]:
    key, separator, value = item.strip().partition("=")
    if not separator:
        return key, None
    # A leading zero belongs to a hexadecimal value such as profile-level-id.
    return key, int(value) if value.isdigit() and (value == "0" or value[0] != "0") else value
