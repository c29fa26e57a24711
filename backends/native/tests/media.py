"""Sources that make frames, and sinks that count them."""

from __future__ import annotations

import asyncio
from fractions import Fraction

from av import AudioFrame, VideoFrame

from shim.spi.engines import Kind
from shim.spi.errors import MediaStreamError


class Source:
    """Makes silence or grey pictures in real time."""

    def __init__(self, kind: Kind, id: str | None = None) -> None:
        self.kind = kind
        self.id = id or f"track-{kind}"
        self.ended = False
        self._count = 0

    async def recv(self) -> AudioFrame | VideoFrame:
        if self.ended:
            raise MediaStreamError
        self._count += 1
        await asyncio.sleep(0.02)
        return self._audio() if self.kind == "audio" else self._video()

    def _audio(self) -> AudioFrame:
        frame = AudioFrame(format="s16", layout="mono", samples=960)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts, frame.sample_rate, frame.time_base = self._count * 960, 48000, Fraction(1, 48000)
        return frame

    def _video(self) -> VideoFrame:
        frame = VideoFrame(width=160, height=120, format="yuv420p")
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts, frame.time_base = self._count * 1800, Fraction(1, 90000)
        return frame

    def stop(self) -> None:
        self.ended = True


class Sink:
    """Counts what it is given, and tells a waiter."""

    def __init__(self) -> None:
        self.frames: list[AudioFrame | VideoFrame] = []
        self._loop = asyncio.get_running_loop()
        self.first = asyncio.Event()
        self.ended = asyncio.Event()

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        self.frames.append(frame)
        self._loop.call_soon_threadsafe(self.first.set)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self.ended.set)
