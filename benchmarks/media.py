"""Sound and pictures that can be told apart after a codec, made and read without numpy: it would count as memory."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from benchmarks.metric import AnyFrame
from benchmarks.pacing import Pace

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame

RATE: Final = 48000
BURST_EVERY: Final = 4
PITCHES: Final = tuple(range(600, 3000, 300))
"""Hertz. Bursts take turns: one is known for BURST_EVERY * len(PITCHES) frames of 20 ms, which is 640 ms."""
_LOUD: Final = 1200
_LISTEN: Final = 0.012
"""Seconds of a burst by which its pitch is told."""

NUMBER_BITS: Final = 10
_CELLS: Final = NUMBER_BITS + 2
_DARK, _LIGHT = 40, 215
_GREY: Final = (_DARK + _LIGHT) // 2
COMPARED: Final = 10
"""Every tenth picture that arrives is kept, to be compared with what was sent."""


class Bursts:
    """Silence, in which every fourth frame is a tone from its start to its end."""

    kind = "audio"
    interval = 0.02

    def __init__(self) -> None:
        samples = round(RATE * self.interval)
        self._silence = bytes(4 * samples)
        self._tones = [_tone(pitch, samples) for pitch in PITCHES]

    def make(self, index: int) -> AudioFrame:
        """Return 20 ms, stereo."""
        from av import AudioFrame

        samples = len(self._silence) // 4
        frame = AudioFrame(format="s16", layout="stereo", samples=samples)
        frame.sample_rate, frame.pts, frame.time_base = RATE, index * samples, Fraction(1, RATE)
        burst, rest = divmod(index, BURST_EVERY)
        frame.planes[0].update(self._silence if rest else self._tones[burst % len(PITCHES)])
        return frame


def _tone(pitch: int, samples: int) -> bytes:
    wave = (round(12000 * math.sin(2 * math.pi * pitch * n / RATE)) for n in range(samples))
    return b"".join(value.to_bytes(2, "little", signed=True) * 2 for value in wave)


class Ear:
    """Notes how long each burst took from in to out.

    :param pace: what is sent.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._began: float | None = None
        self._heard: list[int] = []
        self._wanted = 0
        self._quiet = True
        self.latencies: list[float] = []
        """Seconds."""
        self.known: set[int] = set()
        """Numbers of the frames whose burst was recognised."""
        self.first_at: float | None = None

    def arrived(self, since: float, until: float) -> float:
        """Return the share that was recognised of the bursts that were sent within a time."""
        sent = [n for n, at in self._pace.sent_at.items() if since <= at <= until and n % BURST_EVERY == 0]
        return len(self.known.intersection(sent)) / len(sent) if sent else 0.0

    def take(self, frame: AudioFrame, now: float) -> None:
        """Listen to a frame that came out at `now`."""
        samples = _samples(frame)
        if self._began is None:
            samples = self._wait_for_burst(samples, frame.sample_rate, now)
        if self._began is not None:
            self._heard += samples[: self._wanted - len(self._heard)]
            if len(self._heard) >= self._wanted:
                self._recognise(frame.sample_rate)

    def _wait_for_burst(self, samples: list[int], rate: int, now: float) -> list[int]:
        loud = [abs(sample) > _LOUD for sample in samples]
        if not any(loud):
            self._quiet = True
        elif self._quiet:
            self._quiet = False
            self._began, self._wanted, self._heard = now, round(_LISTEN * rate), []
            return samples[loud.index(True) :]
        return []

    def _recognise(self, rate: int) -> None:
        began, self._began = self._began, None
        heard = self._heard
        crossings = sum((a < 0) != (b < 0) for a, b in pairwise(heard))
        pitch = crossings / 2 / (len(heard) / rate)
        number = round((pitch - PITCHES[0]) / 300)
        if began is None or not 0 <= number < len(PITCHES):
            return
        sent = [(at, index) for index, at in self._pace.sent_at.items() if at <= began and _is_burst(index, number)]
        if sent:
            at, index = max(sent)
            self.latencies.append(began - at)
            self.known.add(index)
            self.first_at = self.first_at or began


def _is_burst(index: int, number: int) -> bool:
    burst, rest = divmod(index, BURST_EVERY)
    return not rest and burst % len(PITCHES) == number


def _samples(frame: AudioFrame) -> list[int]:
    """Return the samples of the first channel of a 16-bit frame."""
    channels = 1 if frame.format.is_planar else len(frame.layout.channels)
    values: list[int] = memoryview(frame.planes[0]).cast("h")[: frame.samples * channels : channels].tolist()
    return values


class Pictures:
    """A texture that moves, under a strip of bars that spell the number of the picture.

    :param rate: pictures per second.
    """

    kind = "video"

    def __init__(self, width: int, height: int, rate: int = 30) -> None:
        self.width, self.height = width, height
        self.interval = 1 / rate
        self._strip = height // 10
        self._rows = list(_texture(width))
        self._chroma = bytes(128 + round(40 * math.sin(n / 40)) for n in range(2 * width))

    def make(self, index: int) -> VideoFrame:
        """Return a picture, yuv420p."""
        from av import VideoFrame

        frame = VideoFrame(self.width, self.height, "yuv420p")
        frame.pts, frame.time_base = round(index * self.interval * 90000), Fraction(1, 90000)
        luma, *chroma = frame.planes
        luma.update(self._luma(index, luma.line_size))
        for plane in chroma:
            start = index * 2 % self.width
            row = self._chroma[start : start + plane.width].ljust(plane.line_size, b"\x80")
            plane.update(row * plane.height)
        return frame

    def _luma(self, index: int, line: int) -> bytes:
        cell = self.width // _CELLS
        bars = b"".join(bytes([_LIGHT if bit else _DARK]) * cell for bit in _bits(index))
        parts = [bars.ljust(line, b"\x80") * self._strip]
        width, rows, padding = self.width, self._rows, bytes(line - self.width)
        for y in range(self._strip, self.height):
            row = rows[(y + index) % len(rows)]
            start = (index * 3 + y) % width
            parts.append(row[start : start + width])
            if padding:
                parts.append(padding)
        return b"".join(parts)


def _texture(width: int) -> Iterator[bytes]:
    """Yield rows, twice as wide as a picture: waves with a little grain, the same for each run."""
    rng = random.Random(1)
    for y in range(96):
        phase = y * 2 * math.pi / 96
        row = bytes(
            round(128 + 50 * math.sin(x * 2 * math.pi / 160 + phase) + 20 * math.sin(x / 11 - 2 * phase))
            + rng.randrange(-3, 4)
            for x in range(width)
        )
        yield row * 2


def _bits(number: int) -> list[int]:
    bits = [number >> bit & 1 for bit in range(NUMBER_BITS)]
    return [*bits, sum(bits) % 2, 1 - sum(bits) % 2]


def read_number(frame: VideoFrame) -> int | None:
    """Return the number of a picture of any size, modulo 2**NUMBER_BITS; `None` if there is none."""
    luma = frame.planes[0]
    view, line = memoryview(luma), luma.line_size
    start, cell = frame.height // 20 * line, frame.width / _CELLS
    bits = [int(view[start + int((n + 0.5) * cell)] > _GREY) for n in range(_CELLS)]
    number = sum(bit << n for n, bit in enumerate(bits[:NUMBER_BITS]))
    return number if bits == _bits(number) else None


class Eye:
    """Notes how long each picture took from in to out, and keeps some of them.

    :param pace: what is sent; fewer than 2**NUMBER_BITS pictures.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._kept: list[tuple[int, Any]] = []
        self.latencies: list[float] = []
        self.first_at: float | None = None
        self.seen: set[int] = set()

    def take(self, frame: VideoFrame, now: float) -> None:
        """Look at a picture that came out at `now`."""
        number = read_number(frame)
        sent_at = self._pace.sent_at.get(-1 if number is None else number)
        if number is None or sent_at is None or number in self.seen:
            return
        self.seen.add(number)
        self.first_at = self.first_at or now
        self.latencies.append(now - sent_at)
        if len(self.seen) % COMPARED == 0:
            self._kept.append((number, frame))

    def forget(self) -> None:
        """Keep no picture."""
        self._kept.clear()

    def quality(self) -> dict[str, float]:
        """Return the PSNR of the luma in dB, and the share of the size at which pictures came, by area."""
        found = [self._compare(number, frame) for number, frame in self._kept]
        self._kept.clear()
        if not found:
            return {}
        psnr, size = zip(*found, strict=True)
        return {"psnr": sum(psnr) / len(psnr), "size": sum(size) / len(size)}

    def _compare(self, number: int, frame: VideoFrame) -> tuple[float, float]:
        sent: AnyFrame = self._pace.source.make(number)
        size = frame.width * frame.height / (sent.width * sent.height)
        return psnr(sent, frame.reformat(width=sent.width, height=sent.height, format="yuv420p")), size


def psnr(sent: VideoFrame, received: VideoFrame) -> float:
    """Return the peak signal-to-noise ratio of the luma of two pictures of one size, in dB; 99 at most."""
    import numpy as np

    a, b = (f.to_ndarray(format="gray").astype(np.int32) for f in (sent, received))
    error = float(np.mean((a - b) ** 2))
    return min(99.0, 10 * math.log10(255**2 / error)) if error else 99.0
