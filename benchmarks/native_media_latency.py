"""One-way latency of audio and video, frame in to same frame out: the native media path against plain aiortc.

Run ``python -m benchmarks.native_media_latency [--rounds N] [--seconds S]``. Both ends run in this process, in
alternating rounds. Frames are recognised by what they show or sound like, not by their times.
"""

from __future__ import annotations

import argparse
import asyncio
import fractions
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender
from av import AudioFrame, VideoFrame

from backends.native.tests.loopback import QueueSource, Recorder, call

LOUD_EVERY = 8
BITS = 8
SIZES = {"480p": (640, 480), "720p": (1280, 720)}
Frame = AudioFrame | VideoFrame


class Pattern(Protocol):
    """Makes frames that can be told apart, and tells them apart."""

    interval: float

    def make(self, index: int) -> Frame: ...

    def read(self, frame: Frame) -> int | None:
        """Return what `stamp()` gave for the frame, `None` if it cannot be recognised."""
        ...

    def stamp(self, index: int) -> int | None: ...


class Bursts:
    """Silence, in which every eighth frame is loud from its start to its end."""

    interval = 0.02

    def __init__(self) -> None:
        rng = random.Random(1)
        self._loud = b"".join(rng.randrange(-20000, 20000).to_bytes(2, "little", signed=True) * 2 for _ in range(960))
        self._was_loud = False
        self._heard = 0

    def make(self, index: int) -> AudioFrame:
        frame = AudioFrame(format="s16", layout="stereo", samples=960)
        frame.sample_rate, frame.pts, frame.time_base = 48000, index * 960, fractions.Fraction(1, 48000)
        frame.planes[0].update(self._loud if index % LOUD_EVERY == LOUD_EVERY - 1 else bytes(len(self._loud)))
        return frame

    def stamp(self, index: int) -> int | None:
        return index // LOUD_EVERY if index % LOUD_EVERY == LOUD_EVERY - 1 else None

    def read(self, frame: Frame) -> int | None:
        samples = memoryview(frame.planes[0]).cast("h")[:1920:7].tolist()
        loud = sum(map(abs, samples)) / len(samples) > 2000
        started, self._was_loud = loud and not self._was_loud, loud
        if not started:
            return None
        self._heard += 1
        return self._heard - 1


class Bars:
    """A moving texture under bars whose brightness spells the frame's number."""

    interval = 1 / 30

    def __init__(self, width: int, height: int) -> None:
        rng = random.Random(2)
        self._width, self._height = width, height
        self._row = bytes(rng.randrange(96, 160) for _ in range(width)) * 2

    def make(self, index: int) -> VideoFrame:
        frame = VideoFrame(self._width, self._height, "yuv420p")
        frame.pts, frame.time_base = index * 3000, fractions.Fraction(1, 90000)
        bar, line = self._width // BITS, frame.planes[0].line_size
        top = b"".join(bytes([200 if index >> bit & 1 else 40]) * bar for bit in range(BITS)).ljust(line, b"\x80")
        rows = [
            self._row[(y // 8 * 5 + index * 4) % self._width :][: self._width].ljust(line, b"\x80")
            for y in range(0, self._height - 64)
        ]
        frame.planes[0].update(top * 64 + b"".join(rows))
        for plane in list(frame.planes)[1:]:
            plane.update(b"\x80" * plane.buffer_size)
        return frame

    def stamp(self, index: int) -> int | None:
        return index % (1 << BITS)

    def read(self, frame: Frame) -> int | None:
        assert isinstance(frame, VideoFrame)
        luma, bar = memoryview(frame.planes[0]), self._width // BITS
        middle = 32 * frame.planes[0].line_size + bar // 2
        return sum((luma[middle + bit * bar] > 120) << bit for bit in range(BITS))


class Meter:
    """Notes when frames go in and come out."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._sent: dict[int, float] = {}
        self.latencies: list[float] = []

    async def feed(self, push: Callable[[Frame], None], seconds: float) -> None:
        """Push frames at their pace."""
        started = time.perf_counter()
        for index in range(round(seconds / self._pattern.interval)):
            frame = self._pattern.make(index)
            await asyncio.sleep(max(0.0, started + index * self._pattern.interval - time.perf_counter()))
            stamp = self._pattern.stamp(index)
            if stamp is not None:
                self._sent[stamp] = time.perf_counter()
            push(frame)

    async def listen(self, pull: Callable[[], Awaitable[Any]]) -> None:
        """Take what comes out."""
        while True:
            frame = await pull()
            now = time.perf_counter()
            stamp = self._pattern.read(frame)
            if stamp is not None and stamp in self._sent:
                self.latencies.append(now - self._sent.pop(stamp))

    async def run(self, push: Callable[[Frame], None], pull: Callable[[], Awaitable[Any]], seconds: float) -> None:
        """Feed and listen for so long."""
        listening = asyncio.create_task(self.listen(pull))
        await self.feed(push, seconds)
        await asyncio.sleep(0.2)
        listening.cancel()
        await asyncio.wait([listening])


class PushedTrack(MediaStreamTrack):
    """A track for aiortc that is fed by a queue."""

    def __init__(self, source: QueueSource) -> None:
        super().__init__()
        self.kind = source.kind
        self._source = source

    async def recv(self) -> Any:  # noqa: ANN401 - aiortc's signature
        return await self._source.recv()


async def native(kind: str, codec: str, meter: Meter, seconds: float) -> None:
    """Measure the native media path."""
    async with call(kind, codec) as parts:
        source, sink = parts.source, parts.sink
        assert isinstance(sink, Recorder)
        await meter.run(source.push, sink.next, seconds)


async def aiortc(kind: str, codec: str, meter: Meter, seconds: float) -> None:
    """Measure two aiortc peer connections."""
    near, far = RTCPeerConnection(), RTCPeerConnection()
    received: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
    far.on("track", received.set_result)
    source = QueueSource(kind)
    near.addTrack(PushedTrack(source))
    codecs = [c for c in RTCRtpSender.getCapabilities(kind).codecs if c.name == codec]
    near.getTransceivers()[0].setCodecPreferences(codecs)
    await near.setLocalDescription(await near.createOffer())
    await far.setRemoteDescription(near.localDescription)
    await far.setLocalDescription(await far.createAnswer())
    await near.setRemoteDescription(far.localDescription)
    track = await received
    await meter.run(source.push, track.recv, seconds)
    await asyncio.gather(near.close(), far.close())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    cases: list[tuple[str, str, str, Callable[[], Pattern]]] = [("audio", "opus", "48 kHz", Bursts)]
    cases += [("video", codec, size, partial(Bars, *SIZES[size])) for size in SIZES for codec in ("VP8", "H264")]
    print(f"{'':24}{'native p50':>12}{'p95':>8}{'aiortc p50':>12}{'p95':>8}   ms, {options.rounds} rounds")
    for kind, codec, size, pattern in cases:
        found: dict[str, list[float]] = {"native": [], "aiortc": []}
        for _ in range(options.rounds):
            for name, measure in (("native", native), ("aiortc", aiortc)):
                meter = Meter(pattern())
                asyncio.run(measure(kind, codec, meter, options.seconds))
                # What start-up costs is another metric.
                found[name] += [latency * 1000 for latency in meter.latencies[2:]]
        cells = [f"{statistics.median(v):>12.2f}{statistics.quantiles(v, n=20)[18]:>8.2f}" for v in found.values()]
        print(f"{kind} {codec} {size}".ljust(24) + "".join(cells))


if __name__ == "__main__":
    main()
