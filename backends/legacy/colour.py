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
        """Return the picture in that form, whatever it says of itself."""
        return self._reformatter.reformat(
            frame,
            format="yuv420p",
            src_colorspace=None if frame.format.is_rgb else OTHERS.get(frame.colorspace, USUAL),
            dst_colorspace=USUAL,
            src_color_range=ColorRange.JPEG if frame.format.is_rgb or is_full(frame) else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
        )


def is_usual(frame: VideoFrame) -> bool:
    """Tell whether a picture in YUV is in BT.601, limited, or says nothing of it."""
    return frame.colorspace not in OTHERS and not is_full(frame)


def is_full(frame: VideoFrame) -> bool:
    """Tell whether the samples of a picture in YUV use all values."""
    return frame.format.name.startswith("yuvj") or frame.color_range == ColorRange.JPEG
