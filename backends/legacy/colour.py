"""Brings pictures into the colours that libwebrtc's encoders stand for: they tell neither matrix nor range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from av.video.reformatter import ColorRange, VideoReformatter

if TYPE_CHECKING:
    from av import VideoFrame

USUAL: Final = 5
OTHERS: Final = {1: 1, 9: 9}
"""AVColorSpace -> swscale's number of a matrix other than that of BT.601."""


class Recolourer:
    """Makes yuv420p in BT.601, limited, which is what decoders take a picture for that says nothing."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def usual(self, frame: VideoFrame) -> VideoFrame:
        """Return the picture; the frame itself if it is RGB, or so already."""
        matrix, full = OTHERS.get(frame.colorspace, USUAL), is_full(frame)
        if frame.format.is_rgb or (matrix == USUAL and not full):
            return frame
        return self._reformatter.reformat(
            frame,
            format="yuv420p",
            src_colorspace=matrix,
            dst_colorspace=USUAL,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
        )


def is_full(frame: VideoFrame) -> bool:
    """Tell whether the samples of a picture in YUV use all values."""
    return frame.format.name.startswith("yuvj") or frame.color_range == ColorRange.JPEG
