"""Brings pictures into the size and format that an encoder takes."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
from av import VideoFrame
from av.filter import Graph

from backends.native.video_convert import Form, copied

TIME_BASE: Final = Fraction(1, 90000)


class PictureFilter:
    """Converts frames to yuv420p of a wanted size, without touching the frames it is given.

    A frame that fits is passed on by reference.
    """

    def __init__(self) -> None:
        self._key: tuple[int, int, str, int, int] | None = None
        self._graph: Graph | None = None

    def convert(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        """Return a frame of its own; one that is a pixel too large on a side is cropped, others are scaled."""
        key = frame.width, frame.height, frame.format.name, width, height
        if self._graph is None or key != self._key:
            self._key, self._graph = key, self._build(*key)
        self._graph.push(frame)
        output = self._graph.pull()
        assert isinstance(output, VideoFrame)
        if output.planes[0].line_size < 0:
            # SVT-AV1 does not take rows that begin with the last.
            return copied(output, Form(output.format.name, width, height))
        return output

    def _build(self, width: int, height: int, pixels: str, to_width: int, to_height: int) -> Graph:
        graph = Graph()
        graph.threads = 1
        chain = [graph.add_buffer(width=width, height=height, format=av.VideoFormat(pixels), time_base=TIME_BASE)]
        if (width, height) == (to_width, to_height):
            pass
        elif width - to_width in (0, 1) and height - to_height in (0, 1):
            chain.append(graph.add("crop", f"{to_width}:{to_height}:0:0"))
        else:
            chain.append(graph.add("scale", f"{to_width}:{to_height}"))
        graph.link_nodes(*chain, graph.add("format", "yuv420p"), graph.add("buffersink")).configure()
        return graph
