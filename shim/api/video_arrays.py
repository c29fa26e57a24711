"""Pictures as numpy arrays, without copies where the memory allows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from shim.api.video_planes import check_planes
from shim.spi.engines import PIXEL_FORMATS
from shim.spi.errors import InvalidMediaError

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from av.plane import Plane
    from numpy.typing import NDArray

    Samples = NDArray[np.uint8] | NDArray[np.uint16]

_CHANNELS: Final = {"bgra": 4, "rgba": 4, "argb": 4, "abgr": 4, "bgr24": 3, "rgb24": 3}
_SUBSAMPLING: Final = {"yuv420p": (1, 1), "yuv422p": (1, 0), "yuv444p": (0, 0), "nv12": (1, 1), "yuv420p10le": (1, 1)}
_WIDE: Final = "yuv420p10le"


class ArrayForms:
    """Frames from and to arrays."""

    @staticmethod
    def from_ndarray(data: Samples | Sequence[Samples], format: str) -> VideoFrame:
        """Return a frame of this data.

        Packed RGB is one array of (height, width, channels); its rows may be padded, and the frame uses its memory. The
        planes of YUV are a sequence of arrays, (height, width) each, or (height, width, 2) for the second one of nv12;
        they are copied once. A read-only array is copied too, since a frame may be written to.

        :raises InvalidMediaError: type or shape do not fit the format, or each other.
        """
        if format not in PIXEL_FORMATS:
            raise InvalidMediaError(f"from_ndarray: {format!r} is not one of {', '.join(PIXEL_FORMATS)}")
        planes: tuple[Any, ...] = (data,) if hasattr(data, "dtype") else tuple(data)
        _check_planes(planes, format)
        return _packed(planes[0], format) if format in _CHANNELS else _planar(planes, format)

    @staticmethod
    def to_ndarray(frame: VideoFrame) -> tuple[Samples, ...]:
        """Return a view of each plane, in the shapes that `from_ndarray()` takes. They keep the frame's memory alive.

        :raises InvalidMediaError: the frame has another format, or too little memory.
        """
        name = frame.format.name.replace("yuvj", "yuv")
        if name not in PIXEL_FORMATS:
            raise InvalidMediaError(f"to_ndarray: {name!r} is not one of {', '.join(PIXEL_FORMATS)}")
        check_planes(frame, "to_ndarray")
        return tuple(_view(plane, shape, name) for plane, shape in zip(frame.planes, _shapes(frame, name), strict=True))


def _shapes(frame: VideoFrame, name: str) -> list[tuple[int, ...]]:
    return _shapes_of(name, frame.width, frame.height)


def _shapes_of(name: str, width: int, height: int) -> list[tuple[int, ...]]:
    if name in _CHANNELS:
        return [(height, width, _CHANNELS[name])]
    across, down = _SUBSAMPLING[name]
    chroma = (height + down) >> down, (width + across) >> across
    return [(height, width), (*chroma, 2)] if name == "nv12" else [(height, width), chroma, chroma]


def _view(plane: Plane, shape: tuple[int, ...], name: str) -> Samples:
    import numpy as np

    stride: int = plane.line_size  # type: ignore[attr-defined] # of a video plane
    kind = np.dtype("<u2") if name == _WIDE else np.dtype(np.uint8)
    inner = [kind.itemsize * (shape[2] if len(shape) == 3 else 1), *([kind.itemsize] if len(shape) == 3 else [])]
    # With a negative stride the memory begins with the last row.
    offset = -stride * (shape[0] - 1) if stride < 0 else 0
    buffer: Any = plane
    return np.ndarray(shape, kind, buffer, offset, (stride, *inner))


def _check_planes(planes: Sequence[Any], format: str) -> None:
    kind = "uint16" if format == _WIDE else "uint8"
    if not planes or any(str(getattr(plane, "dtype", None)) != kind for plane in planes):
        raise InvalidMediaError(f"from_ndarray: {format} takes arrays of {kind}")
    first = planes[0].shape
    expected = _shapes_of(format, first[1], first[0]) if len(first) >= 2 else []
    found = [plane.shape for plane in planes]
    if found != expected or 0 in first or max(first) > 16384:
        raise InvalidMediaError(
            f"from_ndarray: shapes {found} do not make a picture of {format}; wanted e.g. {expected}"
        )


def _packed(array: NDArray[Any], format: str) -> VideoFrame:
    import numpy as np
    from av import VideoFrame

    channels = _CHANNELS[format]
    usable = (
        array.flags.writeable and array.strides[1:] == (channels, 1) and array.strides[0] >= array.shape[1] * channels
    )
    return VideoFrame.from_numpy_buffer(array if usable else np.array(array, order="C"), format)


def _planar(planes: Sequence[Any], format: str) -> VideoFrame:
    from av import VideoFrame

    frame = VideoFrame(planes[0].shape[1], planes[0].shape[0], format)
    for view, plane in zip(ArrayForms.to_ndarray(frame), planes, strict=True):
        view[:] = plane
    return frame
