"""Pushes sound of any rate, layout and format into libwebrtc."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from av import AudioFrame, AudioResampler

from backends.legacy.connection import Connection

if TYPE_CHECKING:
    from backends.legacy.sending import Sender

RATE: Final = 48000
LAYOUTS: Final = {"mono": 1, "stereo": 2}
AHEAD_AT_MOST: Final = 1.0
"""Seconds of sound that a track may run ahead of the clock: libwebrtc queues what it cannot send yet."""


class AudioPush:
    """A native audio source and what brings frames into its form: interleaved 16 bit samples."""

    def __init__(self, connection: Connection, sender: Sender) -> None:
        self._connection = connection
        self._ffi = connection.ffi
        self._push = connection.lib.rtc_audio_source_push
        self.handle = connection.check(connection.lib.rtc_audio_source_new(connection.factory), "sending audio")
        self.restart()

    def restart(self) -> None:
        """Expect the format and the pace of another track."""
        self._resampler: AudioResampler | None = None
        self._resampled: tuple[str, str, int] | None = None
        self._end = 0.0

    async def push(self, frame: AudioFrame) -> None:
        """Hand over one frame."""
        if not isinstance(frame, AudioFrame):
            raise TypeError(f"an audio track returned {type(frame).__name__}, not an av.AudioFrame")
        for ready in self._converted(frame):
            self._hand_over(ready)
        await self._keep_pace(frame.samples / frame.sample_rate)

    def _converted(self, frame: AudioFrame) -> Iterable[AudioFrame]:
        form = frame.format.name, frame.layout.name, frame.sample_rate
        if _fits(frame):
            self._resampler = self._resampled = None
            return (frame,)
        if self._resampler is None or form != self._resampled:
            layout = "mono" if frame.layout.name == "mono" else "stereo"
            self._resampler, self._resampled = AudioResampler(format="s16", layout=layout, rate=RATE), form
        return self._resampler.resample(frame)

    def _hand_over(self, frame: AudioFrame) -> None:
        plane: Any = frame.planes[0]
        channels = LAYOUTS[frame.layout.name]
        if plane.buffer_size < frame.samples * channels * 2:
            raise ValueError(f"an audio frame of {frame.samples} samples has only {plane.buffer_size} bytes")
        samples = self._ffi.from_buffer("int16_t[]", plane)
        result = self._push(self.handle, samples, frame.sample_rate, channels, frame.samples)
        self._connection.check(result, "sending audio")

    async def _keep_pace(self, duration: float) -> None:
        now = time.monotonic()
        self._end = max(self._end, now) + duration
        if self._end - now > AHEAD_AT_MOST:
            await asyncio.sleep(self._end - now - AHEAD_AT_MOST)


def _fits(frame: AudioFrame) -> bool:
    packed = frame.format.name == "s16" or (frame.format.name == "s16p" and frame.layout.name == "mono")
    rate = frame.sample_rate
    return packed and frame.layout.name in LAYOUTS and 8000 <= rate <= 192000 and rate % 50 == 0
