"""Decoders of received media, by PyAV."""

from __future__ import annotations

import fractions
from dataclasses import dataclass
from typing import Final, Protocol, cast

import av
from av import AudioFrame, Packet, VideoFrame
from av.codec.context import Flags

from backends.native.payloads_av1 import assemble


class Decoder(Protocol):
    """Decodes one stream. One thread at a time."""

    def decode(self, data: bytes, pts: int) -> list[AudioFrame | VideoFrame]:
        """Decode one frame's bytes.

        :param pts: time in ticks of the codec's RTP clock.
        :raises av.FFmpegError: the bytes are damaged; the decoder can go on.
        """
        ...


@dataclass(frozen=True, slots=True)
class _AudioFormat:
    codec: str
    rate: int
    layout: str
    clock_rate: int


_AUDIO: Final = {
    "audio/opus": _AudioFormat("libopus", 48000, "stereo", 48000),
    "audio/g722": _AudioFormat("g722", 16000, "mono", 8000),
    "audio/pcmu": _AudioFormat("pcm_mulaw", 8000, "mono", 8000),
    "audio/pcma": _AudioFormat("pcm_alaw", 8000, "mono", 8000),
}
_VIDEO: Final = {"video/vp8": "libvpx", "video/h264": "h264", "video/vp9": "libvpx-vp9", "video/av1": "libdav1d"}


class PacketDecoder:
    """A PyAV codec context that takes one packet per frame."""

    def __init__(
        self, context: av.AudioCodecContext | av.VideoCodecContext, time_base: fractions.Fraction, ticks: int = 1
    ) -> None:
        self._context = context
        self._time_base = time_base
        self._ticks = ticks

    def decode(self, data: bytes, pts: int) -> list[AudioFrame | VideoFrame]:
        packet = Packet(data)
        packet.pts = pts * self._ticks
        packet.time_base = self._time_base
        return cast("list[AudioFrame | VideoFrame]", self._context.decode(packet))


class Av1Decoder:
    """Decodes the payloads of a frame, as they came out of :mod:`backends.native.payloads_av1`."""

    def __init__(self, decoder: PacketDecoder) -> None:
        self._decoder = decoder

    def decode(self, data: bytes, pts: int) -> list[AudioFrame | VideoFrame]:
        return self._decoder.decode(assemble(data), pts)


def can_decode(mime: str) -> bool:
    """Tell whether there is a decoder for a lower-case MIME type."""
    return mime in _AUDIO or mime in _VIDEO


def get_decoder(mime: str) -> Decoder:
    """Create a decoder.

    :param mime: lower-case MIME type for which :func:`can_decode` is true.
    """
    if mime in _VIDEO:
        return _video_decoder(_VIDEO[mime])
    audio = _AUDIO[mime]
    context = cast("av.AudioCodecContext", av.CodecContext.create(audio.codec, "r"))
    context.format = "s16"
    context.layout = audio.layout
    context.sample_rate = audio.rate
    return PacketDecoder(context, fractions.Fraction(1, audio.rate), audio.rate // audio.clock_rate)


def _video_decoder(codec: str) -> Decoder:
    if codec == "libdav1d":
        return Av1Decoder(_packet_decoder(codec))
    return _packet_decoder(codec)


def _packet_decoder(codec: str) -> PacketDecoder:
    context = cast("av.VideoCodecContext", av.CodecContext.create(codec, "r"))
    # Show each picture as soon as it is decoded: RTC streams have no pictures out of order.
    context.flags |= Flags.low_delay
    return PacketDecoder(context, fractions.Fraction(1, 90000))
