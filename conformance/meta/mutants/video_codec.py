"""Encoders that do not do what they were told, and decoders that make the best of the worst."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from conformance.meta.catalogue import Topic
from conformance.meta.components import CreateDecoder, DecoderProxy, EncoderProxy
from shim.api.video_arrays import ArrayForms
from shim.spi.engines import EncodedVideo, EncoderSettings, Hardware, VideoCodec
from shim.spi.errors import InvalidStateError, OperationError

if TYPE_CHECKING:
    from av import VideoFrame

    Array = np.ndarray[Any, np.dtype[Any]]

TOPIC: Final = Topic("video codecs", "test_video_codec.py")


# --- encoders ----------------------------------------------------------------------------------------


@TOPIC.proxy
class KeyFrameRequestIgnored(EncoderProxy):
    """Make no key frame when one is asked for."""

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[EncodedVideo]:
        return super().encode(frame)


@TOPIC.proxy
class KeyFramesOnly(EncoderProxy):
    """Make nothing but key frames."""

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[EncodedVideo]:
        return super().encode(frame, key_frame=True)


@TOPIC.proxy
class KeyIntervalIgnored(EncoderProxy):
    """Make a key frame at the beginning alone."""

    def configured(self, settings: EncoderSettings) -> EncoderSettings:
        return replace(settings, key_interval=None)


@TOPIC.proxy
class KeyFramesNotTold(EncoderProxy):
    """Say of no picture that decoding may begin there."""

    def encoded(self, picture: EncodedVideo) -> EncodedVideo:
        return replace(picture, key_frame=False)


@TOPIC.proxy
class EveryFrameCalledKey(EncoderProxy):
    """Say of every picture that decoding may begin there."""

    def encoded(self, picture: EncodedVideo) -> EncodedVideo:
        return replace(picture, key_frame=True)


@TOPIC.proxy
class EncoderBitrateIgnored(EncoderProxy):
    """Spend eight times what was allowed, from beginning to end."""

    def configured(self, settings: EncoderSettings) -> EncoderSettings:
        return replace(settings, bitrate=settings.bitrate * 8)

    def set_rates(self, bitrate: int, framerate: float) -> None:
        super().set_rates(bitrate * 8, framerate)


@TOPIC.proxy
class NewRatesIgnored(EncoderProxy):
    """Go on with the bit rate of the beginning."""

    def set_rates(self, bitrate: int, framerate: float) -> None:
        """Do nothing."""


@TOPIC.proxy
class EncodedTimesOffByOne(EncoderProxy):
    """Give each picture a time that is one tick late."""

    def encoded(self, picture: EncodedVideo) -> EncodedVideo:
        return replace(picture, pts=picture.pts + 1)


@TOPIC.proxy
class EncodedTimesFromZero(EncoderProxy):
    """Count pictures instead of telling their times."""

    _count = -1

    def encoded(self, picture: EncodedVideo) -> EncodedVideo:
        self._count += 1
        return replace(picture, pts=self._count)


@TOPIC.proxy
class EncodedTimeBaseLost(EncoderProxy):
    """Tell times in units of 1/90000 s whatever they were in."""

    def encoded(self, picture: EncodedVideo) -> EncodedVideo:
        return replace(picture, time_base=Fraction(1, 90000))


@TOPIC.proxy
class SizeOfTheBeginning(EncoderProxy):
    """Say that pictures are as large as the first one."""

    _size: tuple[int, int] | None = None

    def encoded(self, picture: EncodedVideo) -> EncodedVideo:
        self._size = self._size or (picture.width, picture.height)
        return replace(picture, width=self._size[0], height=self._size[1])


@TOPIC.proxy
class NewSizesScaledBack(EncoderProxy):
    """Scale pictures of another size to that of the beginning."""

    _size: tuple[int, int] | None = None

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[EncodedVideo]:
        self._size = self._size or (frame.width, frame.height)
        if (frame.width, frame.height) == self._size:
            return super().encode(frame, key_frame=key_frame)
        scaled = frame.reformat(*self._size)
        scaled.pts, scaled.time_base = frame.pts, frame.time_base
        return super().encode(scaled, key_frame=key_frame)


@TOPIC.proxy
class LayersIgnored(EncoderProxy):
    """Make one temporal layer, however many were asked for."""

    def configured(self, settings: EncoderSettings) -> EncoderSettings:
        return replace(settings, temporal_layers=1)


@TOPIC.proxy
class LayersCalledBase(EncoderProxy):
    """Say of every picture that all others need it."""

    def encoded(self, picture: EncodedVideo) -> EncodedVideo:
        return replace(picture, temporal_layer=0)


@TOPIC.proxy
class PicturesForgotten(EncoderProxy):
    """Encode only three pictures of four."""

    _count = 0

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[EncodedVideo]:
        self._count += 1
        return super().encode(frame, key_frame=key_frame) if self._count % 4 else []


@TOPIC.proxy
class OnePictureBehind(EncoderProxy):
    """Look ahead: give each picture only when the next one comes."""

    _held: list[EncodedVideo]

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[EncodedVideo]:
        held = getattr(self, "_held", [])
        self._held = super().encode(frame, key_frame=key_frame)
        return held

    def flush(self) -> list[EncodedVideo]:
        return [*getattr(self, "_held", []), *super().flush()]


@TOPIC.proxy
class BitstreamCutShort(EncoderProxy):
    """Leave out the last quarter of each picture."""

    def encoded(self, picture: EncodedVideo) -> EncodedVideo:
        return replace(picture, data=picture.data[: -(len(picture.data) // 4)])


# --- decoders ----------------------------------------------------------------------------------------


class _Retouching(DecoderProxy):
    """Changes decoded pictures."""

    def decode(self, data: bytes, pts: int, time_base: Fraction, *, key_frame: bool) -> list[VideoFrame]:
        return [self.retouched(frame) for frame in super().decode(data, pts, time_base, key_frame=key_frame)]

    def retouched(self, frame: VideoFrame) -> VideoFrame:
        return frame

    def _copy(self, frame: VideoFrame, planes: list[Array]) -> VideoFrame:
        from av import VideoFrame

        copy = VideoFrame(frame.width, frame.height, frame.format.name)
        for view, plane in zip(ArrayForms.to_ndarray(copy), planes, strict=True):
            view[:] = plane
        copy.pts, copy.time_base = frame.pts, frame.time_base
        return copy


@TOPIC.proxy
class GarbageAfterDamage(DecoderProxy):
    """Say nothing of damage, and give a grey picture instead."""

    _size = (64, 64)

    def decode(self, data: bytes, pts: int, time_base: Fraction, *, key_frame: bool) -> list[VideoFrame]:
        from av import VideoFrame

        try:
            frames = super().decode(data, pts, time_base, key_frame=key_frame)
        except OperationError:
            grey = VideoFrame(*self._size, "yuv420p")
            for plane in ArrayForms.to_ndarray(grey):
                plane[:] = 128
            grey.pts, grey.time_base = pts, time_base
            return [grey]
        for frame in frames:
            self._size = frame.width, frame.height
        return frames


@TOPIC.proxy
class DamageSwallowed(DecoderProxy):
    """Say nothing of damage, and give nothing."""

    def decode(self, data: bytes, pts: int, time_base: Fraction, *, key_frame: bool) -> list[VideoFrame]:
        try:
            return super().decode(data, pts, time_base, key_frame=key_frame)
        except OperationError:
            return []


@TOPIC.proxy
class DeadAfterDamage(DecoderProxy):
    """Decode nothing any more once something was damaged."""

    _dead = False

    def decode(self, data: bytes, pts: int, time_base: Fraction, *, key_frame: bool) -> list[VideoFrame]:
        if self._dead:
            raise OperationError("video decoder: the bitstream was damaged (backend mutant). Wait for a key frame")
        try:
            return super().decode(data, pts, time_base, key_frame=key_frame)
        except OperationError:
            self._dead = True
            raise


@TOPIC.proxy
class DamageOfAnotherType(DecoderProxy):
    """Blame the state of the decoder for damage."""

    def decode(self, data: bytes, pts: int, time_base: Fraction, *, key_frame: bool) -> list[VideoFrame]:
        try:
            return super().decode(data, pts, time_base, key_frame=key_frame)
        except OperationError as exc:
            raise InvalidStateError(str(exc)) from exc


@TOPIC.proxy
class DecodedTimesLost(_Retouching):
    """Count pictures instead of telling their times."""

    _count = -1

    def retouched(self, frame: VideoFrame) -> VideoFrame:
        self._count += 1
        frame.pts = self._count
        return frame


@TOPIC.proxy
class DecodedTimeBaseLost(_Retouching):
    """Tell times in units of 1/90000 s whatever they were in."""

    def retouched(self, frame: VideoFrame) -> VideoFrame:
        frame.time_base = Fraction(1, 90000)
        return frame


@TOPIC.proxy
class DecodedUpsideDown(_Retouching):
    """Turn decoded pictures upside down."""

    def retouched(self, frame: VideoFrame) -> VideoFrame:
        return self._copy(frame, [plane[::-1] for plane in ArrayForms.to_ndarray(frame)])


@TOPIC.proxy
class DecodedColoursSwapped(_Retouching):
    """Swap the two colour planes of decoded pictures."""

    def retouched(self, frame: VideoFrame) -> VideoFrame:
        luma, *chroma = ArrayForms.to_ndarray(frame)
        return self._copy(frame, [luma, *chroma[::-1]])


@TOPIC.proxy
class DecodedColourForgotten(_Retouching):
    """Say nothing of the matrix and the range of decoded pictures."""

    def retouched(self, frame: VideoFrame) -> VideoFrame:
        frame.colorspace, frame.color_range = 2, 0
        return frame


@TOPIC.proxy
class DecodedTooDark(_Retouching):
    """Give decoded pictures that are darker by twelve."""

    def retouched(self, frame: VideoFrame) -> VideoFrame:
        luma, *chroma = ArrayForms.to_ndarray(frame)
        return self._copy(frame, [np.maximum(luma, 12) - 12, *chroma])


@TOPIC.proxy
class DecodedOnePictureLate(DecoderProxy):
    """Give each picture only when the next one comes."""

    def __init__(self, create: CreateDecoder, codec: VideoCodec, hardware: Hardware) -> None:
        super().__init__(create, codec, hardware)
        self._held: list[VideoFrame] = []

    def decode(self, data: bytes, pts: int, time_base: Fraction, *, key_frame: bool) -> list[VideoFrame]:
        ready, self._held = self._held, super().decode(data, pts, time_base, key_frame=key_frame)
        return ready

    def flush(self) -> list[VideoFrame]:
        ready, self._held = self._held, []
        return ready + super().flush()


TOPIC.on("legacy", "key-frame-request-ignored", "new-rates-ignored", "dead-after-damage")
