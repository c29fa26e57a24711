"""Shows the planes of a frame to C, where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from av import VideoFrame

if TYPE_CHECKING:
    from backends.legacy.ffi import Library

FORMATS: Final = {
    "yuv420p": 0,
    "yuv422p": 1,
    "yuv444p": 2,
    "nv12": 3,
    "yuv420p10le": 4,
    "bgra": 5,
    "rgba": 6,
    "argb": 7,
    "abgr": 8,
    "bgr24": 9,
    "rgb24": 10,
    "yuvj420p": 0,
    "yuvj422p": 1,
    "yuvj444p": 2,
}
"""FFmpeg's name -> rtc_pixel_format."""


def as_picture(library: Library, frame: VideoFrame, kept: list[Any], *, writable: bool) -> Any:  # noqa: ANN401
    """Return a ``rtc_picture *`` of the frame's own memory.

    :param frame: in one of :data:`FORMATS`.
    :param kept: gets what must live as long as the picture is used.
    :param writable: what writes to the picture is to be seen in the frame.
    """
    foreign = library.ffi
    picture = foreign.new("rtc_picture *")
    picture.format, picture.width, picture.height = FORMATS[frame.format.name], frame.width, frame.height
    for index, plane in enumerate(frame.planes):
        buffer = foreign.from_buffer("uint8_t[]", plane, require_writable=writable)
        kept.append(buffer)
        picture.planes[index], picture.strides[index] = buffer, plane.line_size
        picture.sizes[index] = plane.buffer_size
    return picture


def upright(frame: VideoFrame) -> VideoFrame:
    """Return the frame, or a copy whose rows run downwards in memory if its own run upwards."""
    if all(plane.line_size >= 0 for plane in frame.planes):
        return frame
    copy = VideoFrame(frame.width, frame.height, frame.format.name)
    for source, target in zip(frame.planes, copy.planes, strict=True):
        data, stride = memoryview(source), abs(source.line_size)
        rows = range(source.height - 1, -1, -1) if source.line_size < 0 else range(source.height)
        size = min(stride, target.line_size)
        lines = (bytes(data[row * stride : row * stride + size]).ljust(target.line_size, b"\0") for row in rows)
        target.update(b"".join(lines))
    return copy
