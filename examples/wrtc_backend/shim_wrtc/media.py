"""Media across the seam: PyAV frames outside, WebCodecs objects inside."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final, Protocol

import webrtc
from av import AudioFrame, AudioResampler, VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from shim.spi import engines as e
from shim.spi.errors import MediaStreamError

logger = logging.getLogger(__name__)

RATE: Final = 48000
FORMATS: Final = {"I420": "yuv420p", "NV12": "nv12", "I422": "yuv422p", "I444": "yuv444p"}
VIDEO_TIME_BASE: Final = Fraction(1, 90000)
OTHER_MATRICES: Final = {1: 1, 9: 9}
"""AVColorSpace of BT.709 and BT.2020 -> swscale's number."""

Media = Any
"""A frame of PyAV, or wrtc's equivalent."""


class Converter(Protocol):
    """Turns frames of one side into frames of the other."""

    def convert(self, frame: Media) -> Iterator[Media]:
        """Yield what is ready."""
        ...


# --- out -------------------------------------------------------------------------------------------------


async def pump(source: e.MediaSource, writer: webrtc.WritableStreamDefaultWriter) -> None:
    """Send what a track of the application gives until it ends, raises, or the task is cancelled."""
    converter: Converter = OutgoingSound() if source.kind == "audio" else OutgoingPictures()
    try:
        while True:
            for ready in converter.convert(await source.recv()):
                await writer.write(ready)
            await asyncio.sleep(0)  # a track that never waits must not starve the loop
    except MediaStreamError:
        logger.debug("track %s has ended", source.id)
    except Exception as exc:
        logger.warning("track %s: sending stops, as a frame could not be had or used: %r", source.id, exc)


class Resampler:
    """Makes 16 bit samples at 48 kHz of sound whose form may change."""

    def __init__(self, frame_size: int | None = None) -> None:
        self._form: tuple[str, str, int] | None = None
        self._frame_size = frame_size

    def resample(self, frame: AudioFrame, layout: str) -> list[AudioFrame]:
        """Return what is ready."""
        form = frame.format.name, frame.layout.name, frame.sample_rate
        if form != self._form:
            self._form, self._resampler = form, AudioResampler("s16", layout, RATE, self._frame_size)
        return self._resampler.resample(frame)


class OutgoingSound:
    """Makes AudioData of sound of any kind."""

    def __init__(self) -> None:
        self._resampler = Resampler()

    def convert(self, frame: Media) -> Iterator[webrtc.AudioData]:
        """Yield the same sound."""
        if not isinstance(frame, AudioFrame):
            raise TypeError(f"an audio track returned {type(frame).__name__}, not an av.AudioFrame")
        for ready in self._resampler.resample(frame, "mono" if frame.layout.name == "mono" else "stereo"):
            channels = len(ready.layout.channels)
            samples = bytes(ready.planes[0])[: ready.samples * channels * 2]
            yield webrtc.AudioData(webrtc.AudioDataInit("s16", RATE, ready.samples, channels, 0, samples))


def _usual(frame: VideoFrame) -> VideoFrame:
    """Return the picture in yuv420p, BT.601 and limited range: no one is told anything else."""
    is_rgb = frame.format.is_rgb
    is_full = is_rgb or frame.format.name.startswith("yuvj") or frame.color_range == ColorRange.JPEG
    return frame.reformat(
        format="yuv420p",
        src_colorspace=None if is_rgb else OTHER_MATRICES.get(frame.colorspace, Colorspace.ITU601),
        dst_colorspace=Colorspace.ITU601,
        src_color_range=ColorRange.JPEG if is_full else ColorRange.MPEG,
        dst_color_range=ColorRange.MPEG,
    )


class OutgoingPictures:
    """Makes I420 of pictures in any format."""

    def convert(self, frame: Media) -> Iterator[webrtc.VideoFrame]:
        """Yield the same picture."""
        if not isinstance(frame, VideoFrame):
            raise TypeError(f"a video track returned {type(frame).__name__}, not an av.VideoFrame")
        frame = _usual(frame)
        layout = list(_plane_layout(frame))
        pixels = b"".join(bytes(plane) for plane in frame.planes)
        # Without the track's own time: wrtc takes the moment of writing for that of capture.
        init = webrtc.VideoFrameBufferInit("I420", frame.width, frame.height, 0, layout=layout)
        yield webrtc.VideoFrame(pixels, init)


def _plane_layout(frame: VideoFrame) -> Iterator[webrtc.PlaneLayout]:
    offset = 0
    for plane in frame.planes:
        yield webrtc.PlaneLayout(offset, plane.line_size)
        offset += plane.buffer_size


# --- in --------------------------------------------------------------------------------------------------


def incoming(kind: e.Kind) -> Converter:
    """Return the converter of what is received."""
    return IncomingSound() if kind == "audio" else IncomingPictures()


class IncomingSound:
    """Makes stereo frames of 20 ms, as aiortc does, of libwebrtc's blocks of 10 ms."""

    def __init__(self) -> None:
        self._resampler = Resampler(RATE // 50)
        self._pts = 0

    def convert(self, frame: Media) -> Iterator[AudioFrame]:
        """Yield a frame with every second block."""
        samples = bytearray(frame.number_of_frames * frame.number_of_channels * 2)
        frame.copy_to(samples, webrtc.AudioDataCopyToOptions(0, format="s16"))
        if frame.number_of_channels == 1:
            samples = _on_both_sides(samples)
        block = AudioFrame(format="s16", layout="stereo", samples=frame.number_of_frames)
        block.sample_rate = int(frame.sample_rate)
        block.planes[0].update(bytes(samples).ljust(block.planes[0].buffer_size, b"\0"))
        for ready in self._resampler.resample(block, "stereo"):
            ready.pts, ready.time_base = self._pts, Fraction(1, RATE)
            self._pts += ready.samples
            yield ready


def _on_both_sides(samples: bytearray) -> bytearray:
    """Return mono samples of 16 bits as stereo, as loud as they are: FFmpeg would take 3 dB off each side."""
    sides = bytearray(len(samples) * 2)
    for place in (0, 2):
        sides[place::4], sides[place + 1 :: 4] = samples[0::2], samples[1::2]
    return sides


class IncomingPictures:
    """Makes yuv420p of what the decoder gives, timed by the sender's RTP clock from 0."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._pts = 0

    def convert(self, frame: Media) -> Iterator[VideoFrame]:
        """Yield the same picture."""
        picture = VideoFrame(frame.coded_width, frame.coded_height, FORMATS[frame.format])
        layout = list(_plane_layout(picture))
        pixels = bytearray(sum(plane.buffer_size for plane in picture.planes))
        frame.copy_to(pixels, webrtc.VideoFrameCopyToOptions(layout=layout)).result()
        for plane, place in zip(picture.planes, layout, strict=True):
            plane.update(bytes(pixels[place.offset : place.offset + plane.buffer_size]))
        if picture.format.name != "yuv420p":
            picture = picture.reformat(format="yuv420p")
        picture.pts, picture.time_base = self._time_of(frame), VIDEO_TIME_BASE
        yield picture

    def _time_of(self, frame: webrtc.VideoFrame) -> int:
        rtp = frame.metadata().rtp_timestamp
        moment = frame.timestamp * 90 // 1000 if rtp is None else rtp
        if self._last is not None:
            step = (moment - self._last) & 0xFFFFFFFF
            self._pts += step - 0x100000000 if step & 0x80000000 else step
        self._last = moment
        return self._pts
