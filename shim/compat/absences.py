"""What aiortc has and its mirror has not, with the reason; read by the mirror's errors and by its test.

Keys are module names below ``aiortc``; a module that is absent as a whole has the name ``*``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

_CODEC = "engines encode and decode themselves. Bit rates are set by DEFAULT_, MIN_ and MAX_BITRATE or RTCConfiguration"
_SDP = "descriptions are made by the engine"
_RTP = "RTP is handled by the engine"
_SCTP = "SCTP is handled by the engine; RTCConfiguration has the settings that all engines share"
_DTLS = "DTLS and SRTP are handled by the engine; certificates are RTCConfiguration.certificates"
_ICE = "ICE is handled by the engine"
_MEDIA = "it is internal to aiortc's player, recorder and blackhole"


def _names(reason: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), reason)


ABSENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "codecs": _names(_CODEC, "CODECS HEADER_EXTENSIONS init_codecs depayload get_decoder get_encoder"),
    "codecs.base": {"*": _CODEC},
    "codecs.g711": {"*": _CODEC},
    "codecs.g722": {"*": _CODEC},
    "codecs.h264": _names(
        _CODEC,
        "MAX_FRAME_RATE PACKET_MAX NAL_TYPE_FU_A NAL_TYPE_STAP_A NAL_HEADER_SIZE FU_A_HEADER_SIZE LENGTH_FIELD_SIZE "
        "STAP_A_HEADER_SIZE DESCRIPTOR_T T pairwise H264PayloadDescriptor H264Decoder H264Encoder h264_depayload",
    ),
    "codecs.opus": _names("engines encode and decode themselves; see RTCConfiguration", "OpusDecoder OpusEncoder"),
    "codecs.vpx": _names(
        _CODEC,
        "MAX_FRAME_RATE PACKET_MAX DESCRIPTOR_T number_of_threads VpxPayloadDescriptor Vp8Decoder Vp8Encoder "
        "vp8_depayload",
    ),
    "contrib.media": _names(_MEDIA, "blackhole_consume player_worker_decode player_worker_demux MediaRecorderContext"),
    "jitterbuffer": {"*": _RTP},
    "rate": {"*": _RTP},
    "rtp": {"*": _RTP},
    "rtcdtlstransport": _names(
        _DTLS,
        "CERTIFICATE_T K V X509_DIGEST_ALGORITHMS SRTPProtectionProfile SRTP_AEAD_AES_256_GCM SRTP_AEAD_AES_128_GCM "
        "SRTP_AES128_CM_SHA1_80 SRTP_PROFILES srtp_profile certificate_digest generate_certificate State "
        "DataReceiver RtpReceiver RtpSender RtpRouter",
    ),
    "rtcicetransport": _names(
        _ICE,
        "ICE_TRANSPORT_POLICIES STUN_REGEX TURN_REGEX candidate_from_aioice candidate_to_aioice connection_kwargs "
        "parse_stun_turn_uri",
    ),
    "rtcpeerconnection": _names(
        _SDP,
        "CODECS HEADER_EXTENSIONS DISCARD_HOST DISCARD_PORT filter_preferred_codecs find_common_codecs "
        "find_common_header_extensions is_codec_compatible add_transport_description add_remote_candidates "
        "allocate_mid create_media_description_for_sctp create_media_description_for_transceiver and_direction "
        "or_direction wrap_session_description",
    ),
    "rtcrtpreceiver": _names(
        _RTP,
        "RTCP_PSFB_APP RTCP_PSFB_PLI RTCP_RTPFB_NACK RTP_HISTORY_SIZE decoder_worker NackGenerator StreamStatistics "
        "TimestampMapper",
    ),
    "rtcrtpsender": _names(
        _RTP,
        "RTCP_PSFB_APP RTCP_PSFB_FIR RTCP_PSFB_PLI RTCP_RTPFB_NACK RTP_HISTORY_SIZE RTT_ALPHA random_sequence_number "
        "RTCEncodedFrame",
    ),
    "rtcsctptransport": _names(
        _SCTP,
        "COOKIE_LENGTH COOKIE_LIFETIME MAX_STREAMS SCTP_COMMON_HEADER_LENGTH SCTP_CHUNK_HEADER_LENGTH "
        "SCTP_DATA_CHUNK_HEADER_LENGTH SCTP_PACKET_MINIMUM_LENGTH SCTP_MAX_PACKET_LENGTH USERDATA_MAX_LENGTH "
        "LOCAL_MAX_MESSAGE_SIZE REMOTE_DEFAULT_MAX_MESSAGE_SIZE SCTP_CAUSE_INVALID_STREAM SCTP_CAUSE_STALE_COOKIE "
        "SCTP_DATA_LAST_FRAG SCTP_DATA_FIRST_FRAG SCTP_DATA_UNORDERED SCTP_MAX_ASSOCIATION_RETRANS SCTP_MAX_BURST "
        "SCTP_MAX_INIT_RETRANS SCTP_RTO_ALPHA SCTP_RTO_BETA SCTP_RTO_INITIAL SCTP_RTO_MIN SCTP_RTO_MAX "
        "SCTP_TSN_MODULO RECONFIG_MAX_STREAMS RECONFIG_RESULT_SUCCESS_NOTHING_TO_DO "
        "RECONFIG_RESULT_SUCCESS_PERFORMED RECONFIG_RESULT_IN_PROGRESS SCTP_STATE_COOKIE SCTP_STR_RESET_OUT_REQUEST "
        "SCTP_STR_RESET_RESPONSE SCTP_STR_RESET_ADD_OUT_STREAMS SCTP_SUPPORTED_CHUNK_EXT SCTP_PRSCTP_SUPPORTED "
        "DATA_CHANNEL_ACK DATA_CHANNEL_OPEN DATA_CHANNEL_RELIABLE DATA_CHANNEL_PARTIAL_RELIABLE_REXMIT "
        "DATA_CHANNEL_PARTIAL_RELIABLE_TIMED DATA_CHANNEL_RELIABLE_UNORDERED "
        "DATA_CHANNEL_PARTIAL_RELIABLE_REXMIT_UNORDERED DATA_CHANNEL_PARTIAL_RELIABLE_TIMED_UNORDERED WEBRTC_DCEP "
        "WEBRTC_STRING WEBRTC_BINARY WEBRTC_STRING_EMPTY WEBRTC_BINARY_EMPTY chunk_type decode_params encode_params "
        "padl tsn_minus_one tsn_plus_one Chunk BaseParamsChunk AbortChunk CookieAckChunk CookieEchoChunk DataChunk "
        "ErrorChunk ForwardTsnChunk HeartbeatChunk HeartbeatAckChunk BaseInitChunk InitChunk InitAckChunk "
        "ReconfigChunk SackChunk ShutdownChunk ShutdownAckChunk ShutdownCompleteChunk CHUNK_CLASSES CHUNK_TYPES "
        "parse_packet serialize_packet StreamResetOutgoingParam StreamAddOutgoingParam StreamResetResponseParam "
        "RECONFIG_PARAM_TYPES InboundStream",
    ),
}


def absent(module: str) -> Callable[[str], object]:
    """Return a module's ``__getattr__``: for a name that is left out on purpose, it says why.

    :param module: name below ``aiortc``.
    """
    reasons = ABSENCES[module]

    def explain(name: str) -> object:
        if name in reasons:
            # ImportError, because `from module import name` would hide the message of an AttributeError.
            raise ImportError(f"aiortc.{module}.{name} does not exist on this SDK: {reasons[name]}.", name=name)
        raise AttributeError(f"module 'aiortc.{module}' has no attribute {name!r}")

    return explain
