"""Sound and pictures that are wrong, late, lost or repeated."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import MediaSinkProxy, MediaSourceProxy

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
    from av.packet import Packet

    Array = np.ndarray[Any, np.dtype[Any]]

TOPIC: Final = Topic("media", "test_media_truth.py", "test_lip_sync.py", "test_truth.py")


# --- pictures ----------------------------------------------------------------------------------------


def _plane(frame: VideoFrame, index: int) -> Array:
    """Return the pixels of a plane; writing to them changes the picture."""
    plane = frame.planes[index]
    rows: Array = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def _like(frame: VideoFrame) -> VideoFrame:
    from av import VideoFrame

    empty = VideoFrame(frame.width, frame.height, "yuv420p")
    empty.pts, empty.time_base = frame.pts, frame.time_base
    return empty


class _Painter(MediaSinkProxy):
    """Changes the planes of each picture."""

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        from av import VideoFrame

        self.inner.put(self._repainted(frame) if isinstance(frame, VideoFrame) else frame)

    def painted(self, planes: list[Array]) -> list[Array]:
        return planes

    def _repainted(self, frame: VideoFrame) -> VideoFrame:
        copy = _like(frame)
        for index, pixels in enumerate(self.painted([_plane(frame, index) for index in range(3)])):
            _plane(copy, index)[:] = pixels
        return copy


@TOPIC.proxy
class Blurred(_Painter):
    """Smear the light over its neighbours: flat areas stay what they are."""

    def painted(self, planes: list[Array]) -> list[Array]:
        wide = planes[0].astype(np.uint16)
        smeared = sum(np.roll(wide, shift, axis=1) for shift in range(-4, 5)) // 9
        return [np.asarray(smeared, np.uint8), *planes[1:]]


@TOPIC.proxy
class ChromaPlanesSwapped(_Painter):
    """Swap the two colour planes."""

    def painted(self, planes: list[Array]) -> list[Array]:
        return [planes[0], planes[2], planes[1]]


@TOPIC.proxy
class ChromaOffByOne(_Painter):
    """Shift the colours by one sample to the right."""

    def painted(self, planes: list[Array]) -> list[Array]:
        return [planes[0], *(np.roll(plane, 1, axis=1) for plane in planes[1:])]


@TOPIC.proxy
class ChromaOffByQuarter(_Painter):
    """Shift the colours by a quarter of a sample to the right."""

    def painted(self, planes: list[Array]) -> list[Array]:
        wide = [plane.astype(np.uint16) for plane in planes[1:]]
        return [planes[0], *(np.asarray((3 * each + np.roll(each, 1, axis=1)) // 4, np.uint8) for each in wide)]


@TOPIC.proxy
class FullRange(_Painter):
    """Stretch the levels from the limited to the full range."""

    def painted(self, planes: list[Array]) -> list[Array]:
        return [np.clip((planes[0].astype(int) - 16) * 255 // 219, 0, 255), *planes[1:]]


@TOPIC.proxy
class Mirrored(_Painter):
    """Mirror pictures."""

    def painted(self, planes: list[Array]) -> list[Array]:
        return [plane[:, ::-1] for plane in planes]


@TOPIC.proxy
class UpsideDown(_Painter):
    """Turn pictures upside down."""

    def painted(self, planes: list[Array]) -> list[Array]:
        return [plane[::-1] for plane in planes]


@TOPIC.proxy
class WrongMatrix(MediaSourceProxy):
    """Convert RGB with the matrix of BT.709, and say that it was that of BT.601."""

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        from av import VideoFrame
        from av.video.reformatter import Colorspace

        frame = await super().recv()
        if not isinstance(frame, VideoFrame) or "rgb" not in frame.format.name:
            return frame
        made = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
        made.colorspace = 5  # BT.601: what is told is heeded
        return made


@TOPIC.proxy
class HalfSize(MediaSinkProxy):
    """Deliver pictures of half the size."""

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        from av import VideoFrame

        is_picture = isinstance(frame, VideoFrame)
        self.inner.put(frame.reformat(frame.width // 2, frame.height // 2) if is_picture else frame)  # type: ignore[union-attr]


class _Choosy(MediaSinkProxy):
    """Numbers frames, from 1."""

    _count = 0

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        self._count += 1
        for _ in range(self.times(self._count)):
            self.inner.put(frame)

    def times(self, number: int) -> int:
        return 1


@TOPIC.proxy
class FramesTwice(_Choosy):
    """Deliver every tenth frame twice."""

    def times(self, number: int) -> int:
        return 1 if number % 10 else 2


@TOPIC.proxy
class PicturesLost(_Choosy):
    """Lose every fourth picture."""

    def times(self, number: int) -> int:
        return 0 if self.kind == "video" and number % 4 == 0 else 1


@TOPIC.proxy
class SoundLost(_Choosy):
    """Lose every fourth frame of sound."""

    def times(self, number: int) -> int:
        return 0 if self.kind == "audio" and number % 4 == 0 else 1


@TOPIC.proxy
class PicturesSwapped(MediaSinkProxy):
    """Deliver each two pictures in the wrong order."""

    _held: AudioFrame | VideoFrame | None = None

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        if self.kind == "audio":
            self.inner.put(frame)
        elif self._held is None:
            self._held = frame
        else:
            for each in (frame, self._held):
                self.inner.put(each)
            self._held = None


# --- times -------------------------------------------------------------------------------------------


class _Restamping(MediaSinkProxy):
    """Changes the time stamps."""

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        frame.pts = self.stamped(frame.pts or 0)
        self.inner.put(frame)

    def stamped(self, pts: int) -> int:
        return pts


@TOPIC.proxy
class TimesFrozen(_Restamping):
    """Give every frame the same time."""

    def stamped(self, pts: int) -> int:
        return 0


@TOPIC.proxy
class TimesGoBack(_Restamping):
    """Let time run backwards."""

    def stamped(self, pts: int) -> int:
        return -pts


@TOPIC.proxy
class TimesTooFast(_Restamping):
    """Let time run at double speed."""

    def stamped(self, pts: int) -> int:
        return pts * 2


@TOPIC.proxy
class SoundLate(MediaSinkProxy):
    """Deliver sound half a second after the pictures."""

    held = 25

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._waiting: deque[AudioFrame | VideoFrame] = deque()

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        self._waiting.append(frame)
        if self.kind == "video" or len(self._waiting) > self.held:
            self.inner.put(self._waiting.popleft())


@TOPIC.proxy
class SoundRatherLate(SoundLate):
    """Deliver sound a fifth of a second after the pictures."""

    held = 10


# --- sound -------------------------------------------------------------------------------------------


def _resounded(frame: AudioFrame, change: Callable[[Array], Array]) -> AudioFrame:
    """Return a frame with other samples; `change` gets them as one row per moment."""
    from av import AudioFrame

    samples = frame.to_ndarray()
    rows = samples.reshape(-1, len(frame.layout.channels))
    changed = np.ascontiguousarray(change(rows).astype(samples.dtype)).reshape(samples.shape)
    copy = AudioFrame.from_ndarray(changed, format=frame.format.name, layout=frame.layout.name)
    copy.sample_rate, copy.pts, copy.time_base = frame.sample_rate, frame.pts, frame.time_base
    return copy


class _Mixer(MediaSinkProxy):
    """Changes the samples of sound that arrives."""

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        from av import AudioFrame

        self.inner.put(_resounded(frame, self.mixed) if isinstance(frame, AudioFrame) else frame)

    def mixed(self, rows: Array) -> Array:
        return rows


@TOPIC.proxy
class Silence(_Mixer):
    """Deliver silence."""

    def mixed(self, rows: Array) -> Array:
        return rows * 0


@TOPIC.proxy
class HalfAsLoud(_Mixer):
    """Deliver sound at half its level."""

    def mixed(self, rows: Array) -> Array:
        return rows // 2


@TOPIC.proxy
class DecibelQuieter(_Mixer):
    """Deliver sound a decibel below its level."""

    def mixed(self, rows: Array) -> Array:
        return rows * 0.891


@TOPIC.proxy
class Clipped(_Mixer):
    """Clip sound at a tenth of the full scale."""

    def mixed(self, rows: Array) -> Array:
        return np.clip(rows, -3277, 3277)


@TOPIC.proxy
class ChannelsSwapped(_Mixer):
    """Swap left and right."""

    def mixed(self, rows: Array) -> Array:
        return rows[:, ::-1]


@TOPIC.proxy
class StereoLost(_Mixer):
    """Mix left and right."""

    def mixed(self, rows: Array) -> Array:
        return np.repeat(rows.mean(axis=1, keepdims=True), rows.shape[1], axis=1)


@TOPIC.proxy
class OctaveTooHigh(_Mixer):
    """Leave out every other sample, and fill up with the same again."""

    def mixed(self, rows: Array) -> Array:
        return np.concatenate([rows[::2], rows[::2]])[: len(rows)]


@TOPIC.proxy
class TrackEndsEarly(MediaSinkProxy):
    """End a track after fifty frames."""

    _count = 0

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        self._count += 1
        if self._count == 50:
            self.inner.end()
        super().put(frame)


TOPIC.on("legacy", "chroma-planes-swapped", "half-as-loud")
