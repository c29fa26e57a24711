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
_READ_ON: Final = 64
"""Bytes behind a plane that FFmpeg's vector code may read: as many as FFmpeg leaves behind planes of its own."""
_PAGE: Final = 4096
"""Bytes. What lies in one page with a plane may be read; no system of ours has smaller ones."""
_MOST: Final = 1 << 31
"""FFmpeg counts the bytes of a plane in an int."""


class ArrayForms:
    """Frames from and to arrays."""

    @staticmethod
    def from_ndarray(data: Samples | Sequence[Samples], format: str) -> VideoFrame:
        """Return a frame of this data, which uses the memory of the arrays.

        Packed RGB is one array of (height, width, channels). The planes of YUV are a sequence of arrays, (height,
        width) each, or (height, width, 2) for the second one of nv12. Each may lie anywhere, its rows may be padded.

        They are copied once, all of them, where PyAV takes no memory but its own: an odd side that chroma halves,
        samples of a row that do not lie side by side, rows that run upwards or overlap; where an array may not be
        written to, as a frame may; and where a page ends less than 64 bytes behind the last row, with nothing of
        the array's owner behind it, since FFmpeg's vector code reads on that far. Parts of one larger array avoid that.

        :raises InvalidMediaError: type or shape do not fit the format, or each other.
        """
        if format not in PIXEL_FORMATS:
            raise InvalidMediaError(f"from_ndarray: {format!r} is not one of {', '.join(PIXEL_FORMATS)}")
        planes: tuple[Any, ...] = (data,) if hasattr(data, "dtype") else tuple(data)
        _check_planes(planes, format)
        even = not any(side % step for side, step in zip(planes[0].shape, _steps(format), strict=False))
        return _shared(planes, format) if even and all(map(_is_shareable, planes)) else _copied(planes, format)

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


def _steps(format: str) -> tuple[int, int]:
    """Return how many rows and columns share a sample of chroma."""
    across, down = _SUBSAMPLING.get(format, (0, 0))
    return 1 << down, 1 << across


def _is_shareable(plane: NDArray[Any]) -> bool:
    item, row = plane.itemsize, plane[0].nbytes
    side_by_side = (plane.shape[2] * item, item) if plane.ndim == 3 else (item,)
    stride = plane.strides[0]
    in_order = plane.strides[1:] == side_by_side and stride % item == 0 and row <= stride < _MOST // len(plane)
    return in_order and plane.flags.behaved and plane.dtype.str in {"|u1", "<u2"} and _can_be_read_on(plane)


def _can_be_read_on(plane: NDArray[Any]) -> bool:
    import numpy as np

    bounds = np.lib.array_utils.byte_bounds
    owner: Any = plane
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    first, end = bounds(plane)
    # The frame's plane ends with the padding of its last row.
    wanted = first + plane.strides[0] * len(plane) + _READ_ON
    return wanted <= bounds(owner)[1] or (wanted - 1) // _PAGE == (end - 1) // _PAGE


def _shared(planes: Sequence[Any], format: str) -> VideoFrame:
    from av import VideoFrame

    if format in _CHANNELS:
        return VideoFrame.from_numpy_buffer(planes[0], format)
    return VideoFrame.from_dlpack(tuple(planes), format)


def _copied(planes: Sequence[Any], format: str) -> VideoFrame:
    from av import VideoFrame

    frame = VideoFrame(planes[0].shape[1], planes[0].shape[0], format)
    for view, plane in zip(ArrayForms.to_ndarray(frame), planes, strict=True):
        view[:] = plane
    return frame
