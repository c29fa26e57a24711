"""What the samples of a picture mean (ITU-T H.273), and how bitstreams say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from backends.native.video_convert import Form, Pipeline

if TYPE_CHECKING:
    import av
    from av import VideoFrame

UNTOLD: Final = 2
LIMITED: Final = 1
FULL: Final = 2
MATRICES: Final = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020"}
"""AVColorSpace -> FFmpeg's name, of those that pictures here have."""
PRIMARIES: Final = frozenset({1, *range(4, 13), 22})
TRANSFERS: Final = frozenset({1, *range(4, 19)})
"""What H.273 defines."""


class Colour(NamedTuple):
    """What a bitstream says of its samples, numbered as in FFmpeg: as in H.273, but for the range."""

    matrix: int = UNTOLD
    range: int = 0
    primaries: int = UNTOLD
    transfer: int = UNTOLD

    @property
    def usual(self) -> bool:
        """Whether it is BT.601 in limited range, which is also what nobody has said anything of."""
        return MATRICES.get(self.matrix, "bt601") == "bt601" and self.range != FULL

    def tell(self, context: av.VideoCodecContext) -> None:
        """Let an encoder say so."""
        context.colorspace, context.color_range = self.matrix, self.range
        context.color_primaries, context.color_trc = self.primaries, self.transfer


def colour_of(frame: VideoFrame) -> Colour:
    """Return what a picture in YUV says of itself."""
    return Colour(
        frame.colorspace if frame.colorspace in MATRICES else UNTOLD,
        frame.color_range if frame.color_range in {LIMITED, FULL} else 0,
        frame.color_primaries if frame.color_primaries in PRIMARIES else UNTOLD,
        frame.color_trc if frame.color_trc in TRANSFERS else UNTOLD,
    )


class Recolourer:
    """Brings pictures in yuv420p into BT.601, limited, for codecs that cannot say anything else."""

    def __init__(self) -> None:
        self._form: tuple[Form, Colour] | None = None
        self._pipeline: Pipeline | None = None

    def usual(self, frame: VideoFrame) -> VideoFrame:
        """Return the picture; the frame itself if it is so already."""
        colour = colour_of(frame)
        if colour.usual:
            return frame
        form = Form(frame.format.name, frame.width, frame.height), colour
        if self._pipeline is None or form != self._form:
            self._form, self._pipeline = form, Pipeline(form[0], [("scale", _arguments(colour)), ("format", "yuv420p")])
        return self._pipeline.run(frame)


def _arguments(colour: Colour) -> str:
    matrix = MATRICES.get(colour.matrix, "bt601")
    range = "full" if colour.range == FULL else "limited"
    return f"in_color_matrix={matrix}:in_range={range}:out_color_matrix=bt601:out_range=limited"
