"""Transforms of encoded frames that are left out, or not obeyed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import TransceiverProxy
from shim.spi.engines import EncodedFrameInfo, FrameTransform

TOPIC: Final = Topic("transforms", "test_encoded_transform.py")


@TOPIC.proxy
class SenderTransformIgnored(TransceiverProxy):
    """Send frames as they are."""

    def set_sender_transform(self, transform: FrameTransform | None) -> None:
        pass


@TOPIC.proxy
class ReceiverTransformIgnored(TransceiverProxy):
    """Decode frames as they come."""

    def set_receiver_transform(self, transform: FrameTransform | None) -> None:
        pass


class _Wrapping(TransceiverProxy):
    """Does something else with frames than what the transform says, at both ends."""

    def set_sender_transform(self, transform: FrameTransform | None) -> None:
        super().set_sender_transform(None if transform is None else self.wrapped(transform))

    def set_receiver_transform(self, transform: FrameTransform | None) -> None:
        super().set_receiver_transform(None if transform is None else self.wrapped(transform))

    def wrapped(self, transform: FrameTransform) -> FrameTransform:
        return transform


@TOPIC.proxy
class DroppedEncodedFramesGoOn(_Wrapping):
    """Let frames go on as they are, where the transform dropped them."""

    def wrapped(self, transform: FrameTransform) -> FrameTransform:
        def run(data: bytes, info: EncodedFrameInfo) -> bytes | None:
            result = transform(data, info)
            return data if result is None else result

        return run


@TOPIC.proxy
class EncodedFramesTransformedTwice(_Wrapping):
    """Ask the transform twice about each frame."""

    def wrapped(self, transform: FrameTransform) -> FrameTransform:
        def run(data: bytes, info: EncodedFrameInfo) -> bytes | None:
            transform(data, info)
            return transform(data, info)

        return run


@TOPIC.proxy
class FirstFramesBypassTransform(_Wrapping):
    """Begin with the transform a few frames too late."""

    def wrapped(self, transform: FrameTransform) -> FrameTransform:
        passed: list[int] = []

        def run(data: bytes, info: EncodedFrameInfo) -> bytes | None:
            passed.append(info.timestamp)
            return data if len(passed) <= 2 else transform(data, info)

        return run


class _Misinforming(_Wrapping):
    """Tells the transform something wrong about frames."""

    def wrapped(self, transform: FrameTransform) -> FrameTransform:
        return lambda data, info: transform(data, self.told(info))

    def told(self, info: EncodedFrameInfo) -> EncodedFrameInfo:
        return info


@TOPIC.proxy
class TransformsToldOfKeyFramesOnly(_Misinforming):
    """Call every frame a key frame."""

    def told(self, info: EncodedFrameInfo) -> EncodedFrameInfo:
        return replace(info, key_frame=True)


@TOPIC.proxy
class TimestampOfFramesMissing(_Misinforming):
    """Leave the RTP timestamp out."""

    def told(self, info: EncodedFrameInfo) -> EncodedFrameInfo:
        return replace(info, timestamp=0)


@TOPIC.proxy
class SourceOfFramesMissing(_Misinforming):
    """Leave the SSRC out."""

    def told(self, info: EncodedFrameInfo) -> EncodedFrameInfo:
        return replace(info, ssrc=0)


TOPIC.on("legacy", "dropped-encoded-frames-go-on", "first-frames-bypass-transform")
