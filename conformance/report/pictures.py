"""Pictures small enough to be shown inline, and how far two are apart."""

from __future__ import annotations

import base64
import math
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av import VideoFrame
from av.video.reformatter import VideoReformatter

from conformance.report.schema import FramePair

WIDEST: Final = 160
"""Pixels of a picture in the report."""


def frame_pair(sent: VideoFrame, received: VideoFrame) -> FramePair:
    """Return both as PNG, with the peak signal-to-noise ratio of their luma."""
    return FramePair(
        sent=png(sent),
        received=png(received),
        sizes=[f"{frame.width}x{frame.height}" for frame in (sent, received)],
        psnr=psnr(sent, received),
    )


def png(frame: VideoFrame) -> str:
    """Return a picture, made smaller if it is wide, as PNG in base64."""
    scale = min(1.0, WIDEST / frame.width)
    width, height = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
    small = _converted(frame, width, height, "rgb24")
    encoder = av.CodecContext.create("png", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.thread_count, encoder.options = 1, {"compression_level": "9"}
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "rgb24", Fraction(1, 25)
    packets = [*encoder.encode(small), *encoder.encode(None)]
    return base64.b64encode(b"".join(bytes(packet) for packet in packets)).decode()


def psnr(sent: VideoFrame, received: VideoFrame) -> float | None:
    """Return decibels, at most 100; `None` if the sizes differ."""
    if (sent.width, sent.height) != (received.width, received.height):
        return None
    a, b = (_converted(frame, frame.width, frame.height, "gray").to_ndarray() for frame in (sent, received))
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 100.0 if error == 0 else min(100.0, 10 * math.log10(255**2 / error))


def _converted(frame: VideoFrame, width: int, height: int, format: str) -> VideoFrame:
    """Convert a frame without threads: one that it kept would be taken for a leak of the test."""
    made = VideoReformatter().reformat(frame, width, height, format, threads=1)
    if made is not frame:
        made.pts, made.time_base = 0, Fraction(1, 25)
    return made
