"""Converts pictures with FFmpeg's filters: swscale, and transpositions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from av import VideoFrame
from av.filter import Graph

if TYPE_CHECKING:
    import numpy as np
    from av.video.plane import VideoPlane
    from numpy.typing import NDArray

    from shim.spi.engines import Conversion

RGB: Final = frozenset({"bgra", "rgba", "argb", "abgr", "bgr24", "rgb24"})
THREADED: Final = 1920 * 1080
"""Pictures of fewer pixels are converted sooner than a thread wakes up."""
SMALLEST: Final = 4
"""With a single chroma sample across or down, swscale takes the nearest one."""
EXACT: Final = "area+full_chroma_inp"
"""Every sample counts, chroma lies in the middle of its pixels: within 1 of the exact value."""
FAST: Final = "fast_bilinear"
"""From 4:2:0 and 4:2:2 to RGB: swscale's vector code, up to 3 below the exact value. To round costs 3.5 times that."""
EXACT_444: Final = "unstable"
"""From 4:4:4 to RGB: FFmpeg 8's new vector code, within 1 of the exact value; the old one is slower by 5 times."""


class NativeVideoConverter:
    """The converter of :mod:`shim.spi.engines`.

    Filters take the memory of their output from a pool, so that a large picture needs no new pages each time.
    """

    def __init__(self) -> None:
        self._form: Form | None = None
        self._wish: Conversion | None = None
        self._steps: list[Step] = []

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        """See :meth:`shim.spi.engines.VideoConverter.convert`."""
        form = Form(frame.format.name, frame.width, frame.height)
        if self._form is None or (self._form, self._wish) != (form, wish):
            self._steps, self._form, self._wish = steps_for(form, wish), form, wish
        for step in self._steps:
            frame = step.run(frame)
        return frame


class Step(Protocol):
    """Makes another picture of a picture of one form."""

    def run(self, frame: VideoFrame) -> VideoFrame: ...


@dataclass(frozen=True, slots=True)
class Form:
    """The format and size of pictures."""

    format: str
    width: int
    height: int


Filters = list[tuple[str, str]]
"""The names of filters, each with its arguments."""


class Pipeline:
    """A graph of filters."""

    def __init__(self, form: Form, filters: Filters) -> None:
        graph = Graph()
        graph.threads = 1 if form.width * form.height < THREADED else 0
        self._entry = graph.add_buffer(
            width=form.width,
            height=form.height,
            format=form.format,  # type: ignore[arg-type] # a name will do
            time_base=Fraction(1, 90000),
        )
        last = self._entry
        for name, arguments in filters:
            following = graph.add(name, arguments or None)
            last.link_to(following)
            last = following
        self._exit = graph.add("buffersink")
        last.link_to(self._exit)
        graph.configure(auto_buffer=False)
        self._graph = graph

    def run(self, frame: VideoFrame) -> VideoFrame:
        self._entry.push(frame)
        return cast("VideoFrame", self._exit.pull())


class OddPipeline:
    """Converts between formats within a larger size: swscale's chroma is askew at odd sizes and missed at tiny ones."""

    def __init__(self, form: Form, target: str, wish: Conversion) -> None:
        self._inner = Form(form.format, *(max(SMALLEST, side + side % 2) for side in (form.width, form.height)))
        self._result = Form(target, form.width, form.height)
        self._pipeline = Pipeline(self._inner, _converted(self._inner, target, wish))

    def run(self, frame: VideoFrame) -> VideoFrame:
        return copied(self._pipeline.run(copied(frame, self._inner)), self._result)


def copied(frame: VideoFrame, form: Form) -> VideoFrame:
    """Return a copy of the upper left part, or with the last row and column repeated. The format stays."""
    copy = VideoFrame(form.width, form.height, frame.format.name)
    for source, target, size in zip(frame.planes, copy.planes, _position_sizes(frame.format.name), strict=True):
        old, new = _rows(source, size), _rows(target, size)
        height, width = min(old.shape[0], new.shape[0]), min(old.shape[1], new.shape[1])
        new[:height, :width] = old[:height, :width]
        new[:height, width:] = new[:height, width - 1 : width]
        new[height:] = new[height - 1 : height]
    return copy


def _position_sizes(format: str) -> tuple[int, ...]:
    """Return the bytes of a position in each plane."""
    if format in RGB:
        return (3,) if format in {"rgb24", "bgr24"} else (4,)
    return {"nv12": (1, 2), "yuv420p10le": (2, 2, 2)}.get(format, (1, 1, 1))


def _rows(plane: VideoPlane, size: int) -> NDArray[np.uint8]:
    """Return (rows, positions, bytes of a position) of a plane, without a copy."""
    import numpy as np  # here, so that calls do without: encoders use this module, and rarely this function

    stride = plane.line_size
    start = -stride * (plane.height - 1) if stride < 0 else 0
    buffer: Any = plane
    return np.ndarray((plane.height, plane.width, size), np.uint8, buffer, start, (stride, size, 1))


def steps_for(form: Form, wish: Conversion) -> list[Step]:
    """Return what scales, converts and turns: one graph, unless a size is odd."""
    sideways = wish.rotation % 180 != 0
    size = (wish.height, wish.width) if sideways else (wish.width, wish.height)
    plain = form.format.replace("yuvj", "yuv")
    scaling = _scaled(plain, plain, size, EXACT, wish) if size != (form.width, form.height) else []
    scaled = Form(plain if scaling else form.format, *size)
    # What has as many chroma samples across as down is turned plane by plane.
    between = Form("yuv444p" if sideways and wish.format == "yuv422p" else wish.format, *size)
    turned = Form(between.format, wish.width, wish.height)
    turning = _turning(wish.rotation, wish.mirror)
    if all(side % 2 == 0 and side >= SMALLEST for side in size):
        last = _converted(turned, wish.format, wish)
        return [Pipeline(form, scaling + _converted(scaled, between.format, wish) + turning + last)]
    steps: list[Step] = [Pipeline(form, scaling)] if scaling else []
    steps += [OddPipeline(scaled, between.format, wish)] if scaled.format != between.format else []
    steps += [Pipeline(between, turning)] if turning else []
    return steps + ([OddPipeline(turned, wish.format, wish)] if turned.format != wish.format else [])


def _converted(form: Form, target: str, wish: Conversion) -> Filters:
    source, size = form.format, (form.width, form.height)
    if source == target:
        return []
    source = source.replace("yuvj", "yuv")
    if target not in RGB or source in RGB:
        return _scaled(source, target, size, EXACT, wish)
    if source == "yuv444p":
        return _scaled(source, target, size, EXACT_444, wish)
    if source in {"yuv420p", "yuv422p"}:
        return _scaled(source, target, size, FAST, wish)
    return _scaled(source, "yuv420p", size, EXACT, wish) + _scaled("yuv420p", target, size, FAST, wish)


def _scaled(source: str, target: str, size: tuple[int, int], flags: str, wish: Conversion) -> Filters:
    arguments = [f"{size[0]}:{size[1]}", f"flags={flags}"]
    if source == "yuv420p10le":
        arguments.append("sws_dither=none")
    for side, name in (("in", source), ("out", target)):
        if name not in RGB:
            arguments += [
                f"{side}_color_matrix={wish.matrix}",
                f"{side}_range={'full' if wish.full_range else 'limited'}",
            ]
    return [("scale", ":".join(arguments)), ("format", target)]


def _turning(rotation: int, mirror: bool) -> Filters:
    if rotation == 0:
        return [("hflip", "")] if mirror else []
    if rotation == 180:
        # vflip turns the order of the rows alone; the copy gives them back their usual one.
        return [*([] if mirror else [("hflip", "")]), ("vflip", ""), ("copy", "")]
    # FFmpeg's names: its "flips" are vertical ones, of the picture that was turned the other way round.
    direction = {(90, False): "clock", (90, True): "cclock_flip", (270, False): "cclock", (270, True): "clock_flip"}
    return [("transpose", direction[rotation, mirror])]
