"""Converters of pictures with another matrix, range, order, place or size than was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from conformance.meta.catalogue import Topic
from conformance.meta.components import ConverterProxy
from shim.api.video_arrays import ArrayForms
from shim.spi.engines import Conversion

if TYPE_CHECKING:
    from av import VideoFrame

    Array = np.ndarray[Any, np.dtype[Any]]

TOPIC: Final = Topic("pictures", "test_video_convert.py", "test_video_arrays.py")
BYTES: Final = {"bgra": "bgra", "rgba": "rgba", "argb": "argb", "abgr": "abgr", "bgr24": "bgr", "rgb24": "rgb"}


class _Wishing(ConverterProxy):
    """Does something else than was asked for."""

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        return super().convert(frame, self.wished(wish))

    def wished(self, wish: Conversion) -> Conversion:
        return wish


@TOPIC.proxy
class Bt709InsteadOfBt601(_Wishing):
    """Convert with the matrix of BT.709 instead of BT.601."""

    def wished(self, wish: Conversion) -> Conversion:
        return replace(wish, matrix="bt709" if wish.matrix == "bt601" else wish.matrix)


@TOPIC.proxy
class Bt2020AsBt709(_Wishing):
    """Convert with the matrix of BT.709 instead of BT.2020."""

    def wished(self, wish: Conversion) -> Conversion:
        return replace(wish, matrix="bt709" if wish.matrix == "bt2020" else wish.matrix)


@TOPIC.proxy
class RangeAlwaysLimited(_Wishing):
    """Take full range for limited range."""

    def wished(self, wish: Conversion) -> Conversion:
        return replace(wish, full_range=False)


@TOPIC.proxy
class RangeAlwaysFull(_Wishing):
    """Take limited range for full range."""

    def wished(self, wish: Conversion) -> Conversion:
        return replace(wish, full_range=True)


@TOPIC.proxy
class MirrorIgnored(_Wishing):
    """Do not exchange left and right."""

    def wished(self, wish: Conversion) -> Conversion:
        return replace(wish, mirror=False)


@TOPIC.proxy
class RotationTheWrongWay(_Wishing):
    """Turn anticlockwise."""

    def wished(self, wish: Conversion) -> Conversion:
        return _turned_back(wish)


@TOPIC.proxy
class MirrorBeforeRotation(_Wishing):
    """Exchange left and right before turning."""

    def wished(self, wish: Conversion) -> Conversion:
        return _turned_back(wish) if wish.mirror else wish


def _turned_back(wish: Conversion) -> Conversion:
    return replace(wish, rotation=cast("Any", (360 - wish.rotation) % 360))


@TOPIC.proxy
class ScaledToEvenSizes(_Wishing):
    """Give pictures of even width and height only."""

    def wished(self, wish: Conversion) -> Conversion:
        return replace(wish, width=max(2, wish.width & ~1), height=max(2, wish.height & ~1))


@TOPIC.proxy
class ScaledToTheSizeBeforeTurning(_Wishing):
    """Take the wished size for that before the picture is turned."""

    def wished(self, wish: Conversion) -> Conversion:
        return replace(wish, width=wish.height, height=wish.width) if wish.rotation % 180 else wish


class _Retouching(ConverterProxy):
    """Changes the planes of results."""

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        result = super().convert(frame, wish)
        self.retouch(list(ArrayForms.to_ndarray(result)), wish)
        return result

    def retouch(self, planes: list[Array], wish: Conversion) -> None:
        """Write to the planes."""


@TOPIC.proxy
class RedAndBlueSwapped(_Retouching):
    """Swap red and blue."""

    def retouch(self, planes: list[Array], wish: Conversion) -> None:
        if wish.format in BYTES:
            order = BYTES[wish.format]
            places = [order.index("r"), order.index("b")]
            planes[0][..., places] = planes[0][..., places[::-1]]


@TOPIC.proxy
class AlphaSeeThrough(_Retouching):
    """Make what has no alpha fully transparent."""

    def retouch(self, planes: list[Array], wish: Conversion) -> None:
        if "a" in wish.format:
            planes[0][..., BYTES[wish.format].index("a")] = 0


@TOPIC.proxy
class ConvertedChromaOffByOne(_Retouching):
    """Shift the colours of YUV by one sample to the right."""

    def retouch(self, planes: list[Array], wish: Conversion) -> None:
        for plane in planes[1:]:
            plane[:] = np.roll(plane, 1, axis=1)


@TOPIC.proxy
class ChromaValueOffByThree(_Retouching):
    """Add three to the colours of YUV."""

    def retouch(self, planes: list[Array], wish: Conversion) -> None:
        for plane in planes[1:]:
            plane[:] = np.minimum(plane, 252) + 3 if plane.dtype == np.uint8 else np.minimum(plane, 1008) + 12


@TOPIC.proxy
class OddLastColumnLost(_Retouching):
    """Leave the last column out where the width is odd."""

    def retouch(self, planes: list[Array], wish: Conversion) -> None:
        if wish.width % 2:
            planes[0][:, -1] = 0


@TOPIC.proxy
class OddLastRowLost(_Retouching):
    """Leave the last row of the colours out where the height is odd."""

    def retouch(self, planes: list[Array], wish: Conversion) -> None:
        if wish.height % 2:
            planes[-1][-1] = 0


@TOPIC.proxy
class StrideIgnored(ConverterProxy):
    """Read rows as if there was nothing between them."""

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        from av import VideoFrame

        tight = VideoFrame(frame.width, frame.height, frame.format.name)
        for plane, view in zip(frame.planes, ArrayForms.to_ndarray(tight), strict=True):
            memory = np.frombuffer(memoryview(plane), np.uint8)[: view.nbytes]
            view[:] = memory.view(view.dtype).reshape(view.shape)
        return super().convert(tight, wish)


@TOPIC.proxy
class ChromaStrideTakenFromLuma(ConverterProxy):
    """Take the rows of colour for half as far apart as those of light."""

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        from av import VideoFrame

        if frame.format.name != "yuv420p" or frame.planes[0].line_size < 2 * frame.planes[1].width:
            return super().convert(frame, wish)
        tight = VideoFrame(frame.width, frame.height, frame.format.name)
        planes = ArrayForms.to_ndarray(frame), ArrayForms.to_ndarray(tight)
        planes[1][0][:] = planes[0][0]
        for source, target in zip(frame.planes[1:], planes[1][1:], strict=True):
            memory, stride = np.frombuffer(memoryview(source), np.uint8), frame.planes[0].line_size // 2
            places = np.add.outer(np.arange(target.shape[0]) * stride, np.arange(target.shape[1]))
            target[:] = memory[places % len(memory)]
        return super().convert(tight, wish)


@TOPIC.proxy
class SourceOverwritten(ConverterProxy):
    """Blacken the picture that was converted."""

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        result = super().convert(frame, wish)
        for view in ArrayForms.to_ndarray(frame):
            view[:] = 0
        return result


@TOPIC.proxy
class ResultsShareMemory(ConverterProxy):
    """Write each result over the one before."""

    _results: dict[Conversion, VideoFrame]

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        result = super().convert(frame, wish)
        self._results = getattr(self, "_results", {})
        kept = self._results.setdefault(wish, result)
        for view, new in zip(ArrayForms.to_ndarray(kept), ArrayForms.to_ndarray(result), strict=True):
            view[:] = new
        return kept


@TOPIC.proxy
class ScaledWithoutFilter(ConverterProxy):
    """Scale by taking the nearest pixel."""

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        width, height = (wish.height, wish.width) if wish.rotation % 180 else (wish.width, wish.height)
        if (frame.width, frame.height) == (width, height):
            return super().convert(frame, wish)
        from av.video.reformatter import Interpolation

        return super().convert(frame.reformat(width, height, interpolation=Interpolation.POINT), wish)


TOPIC.on("legacy", "bt709-instead-of-bt601", "odd-last-column-lost")
