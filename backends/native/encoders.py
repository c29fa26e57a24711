"""Which codecs and header extensions there are, and how an encoder is set up."""

from __future__ import annotations

import copy
from typing import Final

from aiortc.codecs import CODECS, HEADER_EXTENSIONS, is_rtx
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters

from backends.native.audio_encoders import FORMATS, AudioEncoder, within
from backends.native.video_encoders import Av1Encoder, H264Encoder, VideoEncoder, Vp8Encoder, Vp9Encoder
from shim.spi.engines import EngineConfig, OpusParameters
from shim.spi.errors import NotSupportedError

TELEPHONE_EVENT: Final = "audio/telephone-event"
_TONES: Final = ((48000, 110), (8000, 126))
_VIDEO: Final[dict[str, type[VideoEncoder]]] = {
    "video/vp8": Vp8Encoder,
    "video/h264": H264Encoder,
    "video/vp9": Vp9Encoder,
    "video/av1": Av1Encoder,
}
_OWN: Final[tuple[tuple[str, int, dict[str, int | str | None]], ...]] = (
    ("video/VP9", 103, {"profile-id": "0"}),
    ("video/AV1", 105, {"level-idx": "5", "profile": "0", "tier": "0"}),
)
"""What we have beyond aiortc: name, payload type, parameters."""


def codecs_for(kind: str, opus: OpusParameters | None = None) -> list[RTCRtpCodecParameters]:
    """Return the codecs that can be sent and received, in order of preference, as new objects.

    :param opus: how Opus is sent, which is then asked of the remote too (RFC 7587 section 6.1).
    """
    codecs = copy.deepcopy(CODECS[kind])
    if kind == "audio":
        codecs[0].parameters |= _opus_wishes(opus or OpusParameters())
        codecs += [
            RTCRtpCodecParameters(
                mimeType=TELEPHONE_EVENT, clockRate=rate, channels=1, payloadType=number, parameters={"0-16": None}
            )
            for rate, number in _TONES
        ]
    else:
        codecs += _own_video(codecs[0])
    return codecs


def _own_video(like: RTCRtpCodecParameters) -> list[RTCRtpCodecParameters]:
    """Make VP9 and AV1, each with its retransmission, with the feedback of another codec."""
    codecs = []
    for mime, number, parameters in _OWN:
        feedback, retransmission = copy.deepcopy(like.rtcpFeedback), {"apt": number}
        codecs += [
            RTCRtpCodecParameters(mime, 90000, None, number, feedback, dict(parameters)),
            RTCRtpCodecParameters("video/rtx", 90000, None, number + 1, [], {**retransmission}),
        ]
    return codecs


def _opus_wishes(opus: OpusParameters) -> dict[str, int | str | None]:
    wishes = {
        "maxaveragebitrate": opus.bitrate,
        "stereo": None if opus.stereo is None else int(opus.stereo),
        "sprop-stereo": None if opus.stereo is None else int(opus.stereo),
        "useinbandfec": None if opus.fec is None else int(opus.fec),
        "usedtx": None if opus.dtx is None else int(opus.dtx),
        "ptime": opus.ptime,
        "minptime": opus.ptime and min(opus.ptime, 10),
    }
    return {name: value for name, value in wishes.items() if value is not None}


def header_extensions_for(kind: str) -> list[RTCRtpHeaderExtensionParameters]:
    """Return the RTP header extensions that can be sent and received, as new objects."""
    return copy.deepcopy(HEADER_EXTENSIONS[kind])


def is_media(codec: RTCRtpCodecParameters) -> bool:
    """Tell whether a codec carries audio or video itself."""
    mime = codec.mimeType.lower()
    return mime in FORMATS or mime in _VIDEO


def rtx_for(codec: RTCRtpCodecParameters, codecs: list[RTCRtpCodecParameters]) -> RTCRtpCodecParameters | None:
    """Return the retransmission codec (RFC 4588) that belongs to a codec."""
    return next((c for c in codecs if is_rtx(c) and c.parameters.get("apt") == codec.payloadType), None)


def tones_for(codec: RTCRtpCodecParameters, codecs: list[RTCRtpCodecParameters]) -> RTCRtpCodecParameters | None:
    """Return the telephone-event codec that has the clock of an audio codec (RFC 4733 section 2.1)."""
    same_clock = (c for c in codecs if c.clockRate == codec.clockRate)
    return next((c for c in same_clock if c.mimeType.lower() == TELEPHONE_EVENT), None)


def get_encoder(
    codec: RTCRtpCodecParameters, config: EngineConfig, *, payload_size: int = 1200, with_level: bool = False
) -> AudioEncoder | VideoEncoder:
    """Create an encoder.

    :param codec: with the parameters that the remote asks for.
    :param payload_size: largest RTP payload in bytes.
    :param with_level: work out audio levels.
    :raises NotSupportedError: there is no encoder for this codec.
    """
    mime = codec.mimeType.lower()
    if mime in FORMATS:
        return AudioEncoder(mime, within(config.opus, codec.parameters), with_level=with_level)
    if mime in _VIDEO:
        return _VIDEO[mime](payload_size, config.bitrate)
    raise NotSupportedError(
        f"cannot send {codec.mimeType}: the native backend has no encoder for it. Negotiate one of "
        f"{', '.join(sorted([*FORMATS, *_VIDEO]))}.",
        backend="native",
        component="peer",
    )
