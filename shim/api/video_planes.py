"""Whether the memory of a picture holds what its size and format say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shim.spi.errors import InvalidMediaError

if TYPE_CHECKING:
    from av import VideoFrame

POSITION_BYTES: Final[dict[str, tuple[int, ...]]] = {
    **dict.fromkeys(("bgra", "rgba", "argb", "abgr"), (4,)),
    **dict.fromkeys(("bgr24", "rgb24"), (3,)),
    **dict.fromkeys(("yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p"), (1, 1, 1)),
    "yuv420p10le": (2, 2, 2),
    "nv12": (1, 2),
}
"""Format -> bytes of a position in each plane."""


def check_planes(frame: VideoFrame, where: str) -> None:
    """Refuse a picture whose memory is not there, or ends before its pixels do.

    :param where: the call, as an application knows it.
    :raises InvalidMediaError: a plane is missing, a row is shorter than its pixels, or a plane than its rows.
    """
    wanted = len(POSITION_BYTES.get(frame.format.name, (1,)))
    if len(frame.planes) < wanted:
        raise InvalidMediaError(
            f"{where}: the frame has {len(frame.planes)} planes of {wanted}. Download it first if it lies in hardware"
        )
    fault = plane_fault(frame)
    if fault:
        raise InvalidMediaError(f"{where}: {fault}. Give every row the memory of its pixels")


def plane_fault(frame: VideoFrame) -> str:
    """Return which plane is too small for the pixels of the frame, in words; empty if none is, or for other formats."""
    for index, (plane, size) in enumerate(zip(frame.planes, POSITION_BYTES.get(frame.format.name, ()), strict=False)):
        row, stride = plane.width * size, abs(plane.line_size)
        if stride < row or plane.buffer_size < stride * (plane.height - 1) + row:
            return (
                f"plane {index} has {plane.buffer_size} bytes in rows of {plane.line_size}, too few for "
                f"{plane.height} rows of {row}"
            )
    return ""
