"""What a backend can do, stated once.

`BackendInfo.capabilities` is read by the runtime (:class:`~shim.spi.errors.CapabilityError`), by
`shim doctor`, and by the conformance suite's ``@requires``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal


class Component(StrEnum):
    """A part of the SDK that a flag can route on its own. The value is the flag key."""

    PEER = "peer"
    VIDEO_CONVERT = "video_convert"
    AUDIO_RESAMPLE = "audio_resample"
    AUDIO_PROCESS = "audio_process"
    VIDEO_ENCODE = "video_encode"
    VIDEO_DECODE = "video_decode"
    SCREEN_CAPTURE = "screen_capture"
    DATA_TRANSPORT = "data_transport"
    SURFACE = "surface"


class Capability(StrEnum):
    """One thing an engine can do. Names say the ability, never the vendor."""

    # CORE: every peer engine has these.
    OFFER_ANSWER = "sdp.offer_answer"
    ICE_HOST = "ice.host"
    DATA_CHANNELS = "data.channels"
    DATA_UNORDERED = "data.unordered"
    DATA_NEGOTIATED = "data.negotiated"
    AUDIO_OPUS = "audio.opus"
    VIDEO_VP8 = "video.vp8"
    TRANSCEIVERS = "rtp.transceivers"
    REPLACE_TRACK = "rtp.replace_track"
    STATS = "stats"
    # Session negotiation.
    ROLLBACK = "sdp.rollback"
    PRANSWER = "sdp.pranswer"
    # ICE and transports.
    TRICKLE = "ice.trickle"
    ICE_RESTART = "ice.restart"
    ICE_RELAY = "ice.relay"
    ICE_MDNS = "ice.mdns"
    ICE_DISCONNECTED = "ice.disconnected"
    CANDIDATE_ERRORS = "ice.candidate_errors"
    PORT_RANGE = "ice.port_range"
    SET_CONFIGURATION = "ice.set_configuration"
    MTU = "transport.mtu"
    CERTIFICATES = "transport.certificates"
    ORTC = "transport.ortc"
    # Data channels.
    DATA_MAX_RETRANSMITS = "data.max_retransmits"
    DATA_MAX_LIFETIME = "data.max_packet_life_time"
    # RTP.
    VIDEO_H264 = "video.h264"
    VIDEO_VP9 = "video.vp9"
    VIDEO_AV1 = "video.av1"
    CODEC_PREFERENCES = "rtp.codec_preferences"
    TRANSCEIVER_STOP = "rtp.transceiver_stop"
    SEND_PARAMETERS = "rtp.send_parameters"
    SIMULCAST = "rtp.simulcast"
    DTMF = "rtp.dtmf"
    ENCODED_SEND = "rtp.encoded_send"
    ENCODED_TRANSFORM = "rtp.encoded_transform"
    BITRATE_BOUNDS = "rtp.bitrate_bounds"
    JITTER_TARGET = "rtp.jitter_target"
    OPUS_PARAMETERS = "audio.opus_parameters"
    # Processing of sound, for backends with the component ``audio_process``.
    AUDIO_NOISE_LEVELS = "audio.noise_levels"
    AUDIO_ECHO_STATS = "audio.echo_stats"


CORE: Final[frozenset[Capability]] = frozenset(
    {
        Capability.OFFER_ANSWER,
        Capability.ICE_HOST,
        Capability.DATA_CHANNELS,
        Capability.DATA_UNORDERED,
        Capability.DATA_NEGOTIATED,
        Capability.AUDIO_OPUS,
        Capability.VIDEO_VP8,
        Capability.TRANSCEIVERS,
        Capability.REPLACE_TRACK,
        Capability.STATS,
    }
)
"""Capabilities that a backend with the ``peer`` component may not declare off."""

Tier = Literal["network", "process"]
"""How far a backend's peers reach: others on the network, by the protocols; or only each other, in one process."""

TIERS: Final[dict[Tier, frozenset[Capability]]] = {
    "network": CORE,
    "process": CORE - {Capability.ICE_HOST, Capability.AUDIO_OPUS, Capability.VIDEO_VP8, Capability.STATS},
}
"""What a backend of each tier may not declare off, if it serves ``peer``."""
