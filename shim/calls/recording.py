"""Writing down what a side receives, on a thread of its own, so that encoding does not disturb the call."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.audio.stream
import av.container
import av.video.stream
from av.video.reformatter import VideoReformatter

from shim.calls.worker import Worker
from shim.spi.errors import OperationError

LONGEST_QUEUE: Final = 90
"""Pictures that may wait to be recorded: three seconds of them. More are left out, and counted."""

_VIDEO_TIME_BASE: Final = Fraction(1, 90000)
_AUDIO_RATE: Final = 48000
_LARGEST_DRIFT: Final = 0.5
"""Seconds by which a picture's own clock may differ from its arrival before it is set again."""


class Recording:
    """A file with what arrives: H264 and AAC, or VP8 and Opus if its name ends with ``.webm``.

    :param path: of the file; its folder is made.
    :param size: width and height of the pictures; others are scaled. `None` for sound alone.
    :param fps: pictures per second to tell players; each picture keeps its own time.
    :param audio: record sound.
    :raises OperationError: the file cannot be created.
    """

    def __init__(self, path: Path, size: tuple[int, int] | None, fps: float, audio: bool) -> None:
        self.path = path
        self.skipped = 0
        self._closed = False
        self.worker = Worker("recording")
        self._container = _create(path)
        self._video = self._add_video(size, fps) if size else None
        self._audio = self._add_audio() if audio else None
        self._resampler = av.AudioResampler(format="s16", layout="stereo", rate=_AUDIO_RATE)
        self._converter = VideoReformatter()
        self._start: float | None = None
        self._clock: float | None = None
        self._samples: int | None = None
        self._last_pts = -1

    def put(self, frame: av.AudioFrame | av.VideoFrame, now: float) -> None:
        """Record a frame that arrived at `now`, seconds of a monotonic clock. Does not wait."""
        if isinstance(frame, av.VideoFrame):
            if self.worker.pending < LONGEST_QUEUE:
                self.worker.put(lambda: self._write_video(frame, now))
            else:
                self.skipped += 1
        else:
            self.worker.put(lambda: self._write_audio(frame, now))

    async def close(self) -> None:
        """Finish the file. Further calls do nothing."""
        if self._closed:
            return
        self._closed = True
        self.worker.put(self._finish)
        try:
            await self.worker.flush()
        finally:
            self.worker.close()

    def _add_video(self, size: tuple[int, int], fps: float) -> av.video.stream.VideoStream:
        webm = self.path.suffix == ".webm"
        fast = {"deadline": "realtime", "cpu-used": "8"} if webm else {"preset": "ultrafast", "crf": "20"}
        stream = self._container.add_stream("libvpx" if webm else "libx264", rate=round(fps) or 30, options=fast)
        stream.width, stream.height, stream.pix_fmt = size[0] // 2 * 2, size[1] // 2 * 2, "yuv420p"
        stream.time_base = stream.codec_context.time_base = _VIDEO_TIME_BASE
        # The time of the encoder's own threads could not be told from that of the call.
        stream.codec_context.thread_count = 1
        return stream

    def _add_audio(self) -> av.audio.stream.AudioStream:
        codec = "libopus" if self.path.suffix == ".webm" else "aac"
        stream = self._container.add_stream(codec, rate=_AUDIO_RATE, layout="stereo")
        assert isinstance(stream, av.audio.stream.AudioStream)
        return stream

    def _since_start(self, now: float) -> float:
        if self._start is None:
            self._start = now
        return max(0.0, now - self._start)

    def _due(self, frame: av.VideoFrame, now: float) -> float:
        """Return a picture's time in the file: its own clock from the arrival of the first one on."""
        arrival = self._since_start(now)
        if frame.time is None:
            return arrival
        if self._clock is None or abs(frame.time - self._clock - arrival) > _LARGEST_DRIFT:
            self._clock = frame.time - arrival
        return frame.time - self._clock

    def _write_video(self, frame: av.VideoFrame, now: float) -> None:
        assert self._video is not None
        pts = max(self._last_pts + 1, round(self._due(frame, now) / _VIDEO_TIME_BASE))
        # A converter of its own: the one inside a frame is not for two threads, and the measurement looks at it too.
        picture = self._converter.reformat(frame, self._video.width, self._video.height, "yuv420p")
        if picture is frame:
            picture = av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")
        picture.pts, picture.time_base, self._last_pts = pts, _VIDEO_TIME_BASE, pts
        self._container.mux(self._video.encode(picture))

    def _write_audio(self, frame: av.AudioFrame, now: float) -> None:
        assert self._audio is not None
        if self._samples is None:
            self._samples = round(self._since_start(now) * _AUDIO_RATE)
        for part in self._resampler.resample(frame):
            part.pts, part.time_base = self._samples, Fraction(1, _AUDIO_RATE)
            self._samples += part.samples
            self._container.mux(self._audio.encode(part))

    def _finish(self) -> None:
        try:
            if self._start is not None:
                for stream in (self._video, self._audio):
                    if stream is not None:
                        self._container.mux(stream.encode(None))
        finally:
            self._container.close()


def _create(path: Path) -> av.container.OutputContainer:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return av.open(str(path), "w")
    except (OSError, av.FFmpegError) as exc:
        raise OperationError(f"the recording {path} cannot be written: {exc}. Choose another --record.") from exc
