"""Encoding and multiplexing behind :class:`~shim.api.media_recorder.MediaRecorder`. One thread at a time per track."""

from __future__ import annotations

import fractions
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any, Final, cast

from av import AudioFrame, VideoFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream

from shim.api.media_frames import FlexibleResampler, copy_audio, copy_video, silence
from shim.api.tracks import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE

NOMINAL_RATE: Final = 30
"""Pictures per second that encoders are told; the timestamps are the frames' own."""
MIN_VIDEO_STEP: Final = VIDEO_CLOCK_RATE // 1000
"""Pictures closer than a millisecond would get the same time in a WebM file."""
MAX_GAP: Final = 60
"""Seconds of lost sound that are filled with silence at most."""
MIN_GAP: Final = 0.1
"""Seconds of lost sound that are not worth filling."""
_LIVE_OPTIONS: Final[Mapping[str, dict[str, str]]] = {
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "libx264": {"preset": "veryfast"},
}
"""Encoders' defaults are for files, and too slow for a call."""
MAX_HELD: Final = 10.0
"""Seconds for which sound waits for the first picture, whose size the file's header needs."""


class TrackWriter(ABC):
    """Encodes one track."""

    def __init__(self) -> None:
        self.started = False
        self._first: tuple[float, float] | None = None

    @abstractmethod
    def encode(self, frame: AudioFrame | VideoFrame, at: float) -> Iterator[Packet[Any]]:
        """Encode a frame.

        :param at: when it arrived, in seconds since the recording began.
        """

    @abstractmethod
    def flush(self) -> Iterator[Packet[Any]]:
        """Return what is held back."""

    def _time(self, frame: AudioFrame | VideoFrame, at: float) -> float:
        """Return the frame's time in the file: the first one's arrival, and from there the frames' own clock."""
        own = float(frame.pts * frame.time_base) if frame.pts is not None and frame.time_base is not None else at
        if self._first is None:
            self._first = (own, at)
        return self._first[1] + own - self._first[0]


class VideoWriter(TrackWriter):
    """Encodes pictures in the size of the first one."""

    def __init__(self, container: OutputContainer, codec: str, pixel_format: str) -> None:
        super().__init__()
        stream = cast("VideoStream", container.add_stream(codec, rate=NOMINAL_RATE))
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = VIDEO_TIME_BASE
        stream.codec_context.options = {**_LIVE_OPTIONS.get(codec, {}), **container.options}
        self._stream = stream
        self._pixel_format = pixel_format
        self._last = -MIN_VIDEO_STEP

    def encode(self, frame: AudioFrame | VideoFrame, at: float) -> Iterator[Packet[Any]]:
        assert isinstance(frame, VideoFrame)
        if not self.started:
            self._set_size(frame)
        pts = round(self._time(frame, at) * VIDEO_CLOCK_RATE)
        if pts < self._last + MIN_VIDEO_STEP:
            return
        self._last = pts
        picture = copy_video(frame, self._stream.width, self._stream.height, self._pixel_format)
        picture.pts, picture.time_base = pts, VIDEO_TIME_BASE
        picture.pict_type = PictureType.NONE  # the type that the sender chose would bind our encoder
        yield from self._stream.encode(picture)

    def _set_size(self, frame: VideoFrame) -> None:
        self.started = True
        if self._stream.codec_context.is_open:  # so late that the header has been written
            return
        # 4:2:0 needs even sizes.
        mask = ~1 if self._pixel_format == "yuv420p" else ~0
        self._stream.width = max(frame.width & mask, 2)
        self._stream.height = max(frame.height & mask, 2)

    def flush(self) -> Iterator[Packet[Any]]:
        if self.started:
            yield from self._stream.encode(None)


class AudioWriter(TrackWriter):
    """Encodes sound at the stream's rate, with silence where some was lost."""

    def __init__(self, container: OutputContainer, codec: str) -> None:
        super().__init__()
        stream = cast("AudioStream", container.add_stream(codec))
        context = stream.codec_context
        context.options = dict(container.options)
        self._stream = stream
        self._rate = context.sample_rate
        self._format = (context.format.name, context.layout.name, self._rate)
        self._time_base = fractions.Fraction(1, self._rate)
        self._resampler = FlexibleResampler(*self._format)
        self._next = 0

    def encode(self, frame: AudioFrame | VideoFrame, at: float) -> Iterator[Packet[Any]]:
        assert isinstance(frame, AudioFrame)
        due = round(self._time(frame, at) * self._rate)
        if not self.started:
            self._next = max(due, 0)
            self.started = True
        yield from self._fill(due - self._next)
        for piece in self._resampler.resample(copy_audio(frame)):
            yield from self._encode(piece)

    def _fill(self, missing: int) -> Iterator[Packet[Any]]:
        if missing < MIN_GAP * self._rate:
            return
        for _ in range(min(missing // self._rate, MAX_GAP)):
            yield from self._encode(silence(*self._format, self._rate))
        yield from self._encode(silence(*self._format, missing % self._rate or 1))

    def _encode(self, frame: AudioFrame) -> Iterator[Packet[Any]]:
        frame.pts, frame.time_base = self._next, self._time_base
        self._next += frame.samples
        yield from self._stream.encode(frame)

    def flush(self) -> Iterator[Packet[Any]]:
        if self.started:
            for piece in self._resampler.flush():
                yield from self._encode(piece)
            yield from self._stream.encode(None)


class Muxer:
    """Writes the packets of all tracks to one file, which it owns. Any thread."""

    def __init__(self, container: OutputContainer) -> None:
        self._container = container
        self._writers: list[TrackWriter] = []
        self._held: list[Packet[Any]] = []
        self._lock = threading.Lock()
        self._is_open = False
        self._began: float | None = None

    def add(self, writer: TrackWriter) -> None:
        """Take in a track."""
        self._writers.append(writer)

    def write(self, writer: TrackWriter, frame: AudioFrame | VideoFrame, now: float) -> None:
        """Encode and write a frame that arrived at `now` (monotonic, in seconds)."""
        with self._lock:
            self._began = now if self._began is None else self._began
        at = now - self._began
        # The first frame opens the encoder, which writing the header may do too.
        with nullcontext() if writer.started else self._lock:
            packets = list(writer.encode(frame, at))
        with self._lock:
            self._held.extend(packets)
            if self._is_open or at > MAX_HELD or self._knows_all_sizes():
                self._write_held()

    def finish(self) -> None:
        """Write what is left, and close the file. No write may be going on."""
        try:
            for writer in self._writers:
                self._held.extend(writer.flush())
            self._write_held()
        finally:
            self._container.close()

    def _knows_all_sizes(self) -> bool:
        return all(writer.started for writer in self._writers if isinstance(writer, VideoWriter))

    def _write_held(self) -> None:
        held, self._held = self._held, []
        for packet in held:
            self._is_open = True
            self._container.mux(packet)
