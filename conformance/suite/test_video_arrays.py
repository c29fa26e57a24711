"""Pictures as arrays: whose memory a frame is, and what makes no picture."""

from __future__ import annotations

import gc
import mmap
import weakref
from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
import pytest
from av import VideoFrame
from numpy.typing import NDArray

from conformance.components import converter_of
from conformance.requirements import spec
from conformance.suite.test_video_convert import FORMATS, bytes_of, check, picture
from conformance.targets import Target
from shim import VideoConverter
from shim.spi.errors import InvalidMediaError


def roomy(plane: NDArray[Any], padding: int = 0) -> NDArray[Any]:
    """Return a copy that is a part of a larger array: there is memory behind each row and behind the last."""
    height, width, *rest = plane.shape
    room = np.full((height + 64, width + padding, *rest), 99, plane.dtype)
    room[:height, :width] = plane
    return room[:height, :width]


def room_of(plane: NDArray[Any]) -> NDArray[Any]:
    assert plane.base is not None
    return plane.base


def given_arrays(format: str, padding: int = 0) -> list[NDArray[Any]]:
    """Return the planes of a picture of noise, each in memory of its own, with rows of different strides."""
    planes = VideoConverter.to_ndarray(picture(format, 40, 24))
    return [roomy(plane, padding + 6 * index if padding else 0) for index, plane in enumerate(planes)]


def frame_of(planes: list[NDArray[Any]], format: str) -> VideoFrame:
    return VideoConverter.from_ndarray(planes if len(planes) > 1 else planes[0], format)


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("padding", [0, 10])
def test_arrays_share_the_memory_of_frames(format: str, padding: int) -> None:
    planes = given_arrays(format, padding)
    frame = frame_of(planes, format)
    for plane, view in zip(planes, VideoConverter.to_ndarray(frame), strict=True):
        plane[3, 5] = 1
        assert np.shares_memory(plane, view)
        assert np.array_equal(plane, view)
        view[0, 0] = 9
        assert (plane[0, 0] == 9).all()


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("format", ["yuv420p", "yuv420p10le", "nv12", "rgb24"])
def test_frame_keeps_the_memory_of_arrays_alive(format: str) -> None:
    planes = given_arrays(format)
    expected = [plane.tobytes() for plane in planes]
    owners = [weakref.ref(plane) for plane in planes]
    frame = frame_of(planes, format)
    del planes
    assert all(owner() is not None for owner in owners)
    assert bytes_of(frame) == expected
    del frame
    gc.collect()
    assert all(owner() is None for owner in owners)


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("source", FORMATS)
def test_planes_of_any_stride_are_converted_where_they_lie(target: Target, source: str) -> None:
    planes = given_arrays(source, 10)
    rooms = [room_of(plane).copy() for plane in planes]
    for wanted in ("yuv420p", "nv12", "rgba", "rgb24"):
        check(converter_of(target), frame_of(planes, source), wanted)
    assert all(np.array_equal(room_of(plane), room) for plane, room in zip(planes, rooms, strict=True))


def page_end(plane: NDArray[Any]) -> NDArray[Any]:
    """Return a copy with nothing of ours behind it."""
    room = mmap.mmap(-1, -(-plane.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE)
    copy = np.frombuffer(room, plane.dtype, plane.size, len(room) - plane.nbytes).reshape(plane.shape)
    copy[:] = plane
    return copy


UNFIT: Final[dict[str, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "rows upwards": lambda plane: plane[::-1],
    "columns apart": lambda plane: np.repeat(plane, 2, axis=1)[:, ::2],
    "rows on top of each other": lambda plane: np.lib.stride_tricks.as_strided(plane, strides=(0, *plane.strides[1:])),
    "column by column": np.asfortranarray,
    "page ends behind it": page_end,
}


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("format", ["yuv420p", "yuv420p10le", "nv12", "rgba", "rgb24"])
@pytest.mark.parametrize("name", UNFIT)
def test_array_that_frames_cannot_use_is_copied(name: str, format: str) -> None:
    planes = [*map(UNFIT[name], given_arrays(format))]
    frame = frame_of(planes, format)
    for plane, view in zip(planes, VideoConverter.to_ndarray(frame), strict=True):
        assert np.array_equal(plane, view)
        assert not np.shares_memory(plane, view)


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("format", ["rgb24", "nv12", "yuv420p"])
def test_read_only_array_is_copied(format: str) -> None:
    planes = given_arrays(format)
    planes[-1].flags.writeable = False
    before = planes[-1].copy()
    VideoConverter.to_ndarray(frame_of(planes, format))[-1][:] = 7
    assert np.array_equal(planes[-1], before)


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [(24, 16), (25, 17), (1, 1)])
def test_arrays_and_frames_go_both_ways(format: str, size: tuple[int, int]) -> None:
    planes = tuple(view.copy() for view in VideoConverter.to_ndarray(picture(format, *size)))
    frame = VideoConverter.from_ndarray(planes if len(planes) > 1 else planes[0], format)
    assert (frame.width, frame.height, frame.format.name) == (*size, format)
    assert all(np.array_equal(a, b) for a, b in zip(VideoConverter.to_ndarray(frame), planes, strict=True))


def _array(*shape: int, kind: Literal["uint8", "uint16", "float32"] = "uint8") -> NDArray[Any]:
    return np.zeros(shape, kind)


BAD_ARRAYS: Final[dict[str, tuple[Any, str]]] = {
    "plane too short": ([_array(16, 24), _array(7, 12), _array(8, 12)], "yuv420p"),
    "plane missing": ([_array(16, 24), _array(8, 12)], "yuv420p"),
    "no plane": ([], "yuv420p"),
    "one array for planes": (_array(24, 24), "yuv420p"),
    "wrong channels": (_array(16, 24, 3), "rgba"),
    "wrong type": (_array(16, 24, 4, kind="float32"), "rgba"),
    "8 bits for 10": ([_array(16, 24), _array(8, 12), _array(8, 12)], "yuv420p10le"),
    "empty": (_array(0, 24, 4), "rgba"),
    "too wide": (_array(1, 16385, 3), "rgb24"),
    "unknown format": (_array(16, 24, 4), "cmyk"),
}


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_make_no_picture_are_refused(name: str) -> None:
    data, format = BAD_ARRAYS[name]
    with pytest.raises(InvalidMediaError):
        VideoConverter.from_ndarray(data, format)
