"""Frames on their way into files: resampling that survives a change of format, and copies."""

from __future__ import annotations

from collections.abc import Iterator

from av import AudioFrame, AudioResampler, VideoFrame
from av.plane import Plane
from av.video.reformatter import ColorRange, Colorspace


class FlexibleResampler:
    """Resamples to one format, whatever comes in.

    :param format: sample format of the output, e.g. ``"s16"``.
    :param layout: e.g. ``"stereo"``.
    :param rate: samples per second.
    :param frame_size: samples per output frame; `None` for as they come.
    """

    def __init__(self, format: str, layout: str, rate: int, frame_size: int | None = None) -> None:
        self._output = (format, layout, rate, frame_size)
        self._input: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        """Feed a frame; returns what is ready. The frames returned may be the one given."""
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        rest = self.flush() if source != self._input else []
        if self._resampler is None:
            format, layout, rate, frame_size = self._output
            self._resampler = AudioResampler(format=format, layout=layout, rate=rate, frame_size=frame_size)
            self._input = source
        return rest + self._resampler.resample(frame)

    def flush(self) -> list[AudioFrame]:
        """Return what is held back, and start anew."""
        resampler, self._resampler, self._input = self._resampler, None, None
        return [frame for frame in resampler.resample(None) if frame is not None] if resampler else []


def copy_video(frame: VideoFrame, width: int, height: int, format: str) -> VideoFrame:
    """Return a frame of its own data, or at least its own timestamps, in this size and pixel format.

    YUV comes out in limited range, which is what files have that tell no other.
    """
    is_rgb, to_limited = frame.format.is_rgb, format.startswith("yuv4")
    is_full = is_rgb or frame.format.name.startswith("yuvj") or frame.color_range == ColorRange.JPEG
    same_form = (frame.width, frame.height, frame.format.name) == (width, height, format)
    if not same_form or (is_full and to_limited):
        return frame.reformat(
            width=width,
            height=height,
            format=format,
            dst_colorspace=Colorspace.ITU601 if is_rgb and to_limited else None,
            src_color_range=ColorRange.JPEG if is_full else None,
            dst_color_range=ColorRange.MPEG if to_limited else None,
        )
    copy = VideoFrame(width, height, format)
    for source, target in zip(frame.planes, copy.planes, strict=True):
        _copy_rows(source, target, source.line_size, target.line_size, source.height)
    return copy


def copy_audio(frame: AudioFrame) -> AudioFrame:
    """Return a frame of its own data."""
    copy = AudioFrame(format=frame.format.name, layout=frame.layout.name, samples=frame.samples)
    copy.sample_rate = frame.sample_rate
    for source, target in zip(frame.planes, copy.planes, strict=True):
        size = min(source.buffer_size, target.buffer_size)
        target.update(bytes(memoryview(source)[:size]).ljust(target.buffer_size, b"\0"))
    return copy


def _copy_rows(source: Plane, target: Plane, source_stride: int, target_stride: int, rows: int) -> None:
    if source_stride == target_stride and source.buffer_size == target.buffer_size:
        target.update(memoryview(source))  # type: ignore[arg-type] # PyAV takes any buffer
    else:
        target.update(b"".join(_rows(memoryview(source), source_stride, target_stride, rows)))


def _rows(data: memoryview, source_stride: int, target_stride: int, rows: int) -> Iterator[bytes]:
    size = min(source_stride, target_stride)
    for row in range(rows):
        start = row * source_stride
        yield bytes(data[start : start + size]).ljust(target_stride, b"\0")


def silence(format: str, layout: str, rate: int, samples: int) -> AudioFrame:
    """Return silence."""
    from shim.api.tracks import silence_like

    frame = AudioFrame(format=format, layout=layout, samples=samples)
    frame.sample_rate = rate
    return silence_like(frame)
