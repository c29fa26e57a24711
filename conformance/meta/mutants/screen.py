"""Captured screens that are not what is on the screen."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from av import VideoFrame

from conformance.meta.catalogue import Topic
from conformance.meta.components import CapturerProxy
from shim.spi.engines import CaptureSettings, MediaSink
from shim.spi.errors import ShimError

if TYPE_CHECKING:
    from av import AudioFrame

TOPIC: Final = Topic("screen", "test_screen_capture.py")


def _as(frame: Any, pixels: Any) -> VideoFrame:
    """Return other pixels with the times of a frame."""
    made = VideoFrame.from_ndarray(pixels, format=frame.format.name)
    made.pts, made.time_base = frame.pts, frame.time_base
    return made


@TOPIC.proxy
class ScreenRegionIgnored(CapturerProxy):
    """Capture all of the screen."""

    def configured(self, settings: CaptureSettings) -> CaptureSettings:
        return replace(settings, region=None)


@TOPIC.proxy
class ScreenRegionOneOff(CapturerProxy):
    """Capture a region one pixel narrower."""

    def configured(self, settings: CaptureSettings) -> CaptureSettings:
        if settings.region is None:
            return settings
        left, top, width, height = settings.region
        return replace(settings, region=(left, top, max(1, width - 1), height))


@TOPIC.proxy
class ScreenRedIsBlue(CapturerProxy):
    """Swap red and blue."""

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        super().put(_as(frame, frame.to_ndarray()[..., [2, 1, 0, 3]].copy()))


@TOPIC.proxy
class ScreenStandsStill(CapturerProxy):
    """Show the first picture again and again."""

    _first: Any = None

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        if self._first is None:
            self._first = frame.to_ndarray().copy()
        super().put(_as(frame, self._first))


@TOPIC.proxy
class ScreenTimesRunSlow(CapturerProxy):
    """Let times run half as fast."""

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        frame.time_base = (frame.time_base or Fraction(1)) / 2
        super().put(frame)


@TOPIC.proxy
class ScreenTimesOfTheClock(CapturerProxy):
    """Give the time since the machine was started."""

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        frame.pts = (frame.pts or 0) + round(1000 / (frame.time_base or 1))
        super().put(frame)


@TOPIC.proxy
class ScreenEndNotTold(CapturerProxy):
    """Say nothing when the display goes away."""

    def end(self) -> None:
        pass


@TOPIC.proxy
class ScreenErrorOfAnotherType(CapturerProxy):
    """Raise an error that is none of ours where there is no display."""

    def start(self, sink: MediaSink) -> None:
        try:
            super().start(sink)
        except ShimError as exc:
            raise RuntimeError(str(exc)) from exc
